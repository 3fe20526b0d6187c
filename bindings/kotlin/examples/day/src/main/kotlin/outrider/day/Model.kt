// What all models of screens have: a state to show, calls that run in the background, and sentences when they fail.
package outrider.day

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.*
import kotlinx.coroutines.launch
import outrider.CrmException
import outrider.crm.sentence

/** A model of a screen: it lives as long as [scope], and nothing of it belongs to a platform. */
public abstract class Model<S>(protected val scope: CoroutineScope, first: S) {
    private val shown = MutableStateFlow(first)
    private val said = MutableStateFlow<String?>(null)
    private val running = MutableStateFlow(0)

    /** What the screen shows. */
    public val state: StateFlow<S> = shown.asStateFlow()

    /** Why the last call did nothing, as a sentence for people; nothing when it did. */
    public val failure: StateFlow<String?> = said.asStateFlow()

    /** Whether a call runs: buttons wait. */
    public val isBusy: Flow<Boolean> = running.map { it > 0 }

    /** The sentence was read. */
    public fun dismiss() {
        said.value = null
    }

    /** Changes what is shown. */
    protected fun show(change: (S) -> S): Unit = shown.update(change)

    /** Does something because a person wants it. */
    protected fun act(work: suspend () -> Unit): Job = scope.launch {
        running.update { it + 1 }
        try {
            said.value = null
            work()
        } catch (error: CrmException) {
            said.value = error.sentence
        } finally {
            running.update { it - 1 }
        }
    }

    /** Shows what a flow brings, as long as the screen lives. */
    protected fun <T> Flow<T>.shownAs(change: (S, T) -> S): Job = onEach { news -> show { change(it, news) } }
        .catch { error -> if (error is CrmException) said.value = error.sentence else throw error }
        .launchIn(scope)
}

// Where the device stands with its office, and the button that says "now".
package outrider.day

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import outrider.*
import outrider.crm.*

/** The state of the exchange, for a screen and for whatever runs in the background. */
public class SyncCentre(private val crm: Crm, scope: CoroutineScope) : Model<SyncCentre.State>(scope, State()) {
    /** How far a sync is, how the last one ended, and what waits. */
    public data class State(
        val sync: SyncState? = null,
        val progress: SyncProgress? = null,
        val refusals: List<Refusal> = emptyList(),
        val conflicts: ULong = 0u
    )

    private var running: Job? = null

    init {
        crm.syncProgress().shownAs { state, progress -> state.copy(progress = progress) }
        refresh()
    }

    /** Looks how things stand. */
    public fun refresh(): Job = act { read() }

    /** Syncs because a person wants it; one at a time. */
    public fun syncNow(): Job = running?.takeIf { it.isActive } ?: act { reading { crm.sync() } }.also { running = it }

    /** Stops the sync that runs; what arrived until then counts. */
    public fun stop() {
        running?.cancel()
    }

    /** Syncs within the time that the system gives, and says what its scheduler should do. */
    public suspend fun inBackground(job: BackgroundSync = BackgroundSync(crm)): AfterSync = reading { job.run() }.after

    /** Puts a refusal away. */
    public fun dismiss(refusal: Refusal): Job = act {
        crm.dismiss(refusal)
        read()
    }

    /** Asks the office for what it refused. */
    public fun ask(refusal: Refusal, reason: String): Job = act {
        crm.askApproval(refusal, reason)
        read()
    }

    private suspend fun <T> reading(work: suspend () -> T): T = try {
        work()
    } finally {
        // Of records that are locked or wiped there is nothing to read.
        if (!crm.isLocked.value) read()
    }

    private suspend fun read() {
        val (state, status, refusals) = crm.read { Triple(syncState(), status(), inbox()) }
        show { State(state, null, refusals, status.conflicts) }
    }
}

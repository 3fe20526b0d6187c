// The records of one device, for coroutines: calls run in the background, and a coroutine that is cancelled cancels
// what the library does for it.
package outrider.crm

import kotlinx.coroutines.*
import kotlinx.coroutines.flow.*
import outrider.*

/**
 * The records of one device: read, written, watched and exchanged from coroutines.
 *
 * All functions may be called from any thread, the main thread too; named calls are extensions in this package.
 * What goes wrong is a [CrmException], of which `reason` is a sentence for people and [code] a word for programs.
 *
 * @property replica the generated object that all calls go to.
 */
@OptIn(ExperimentalCoroutinesApi::class) // `limitedParallelism`, which is stable from coroutines 1.9 on.
public class Crm private constructor(public val replica: Replica) : AutoCloseable {
    // Screens take turns at one database anyway; long calls have connections of their own and must not take the
    // threads that screens wait for.
    internal val short: CoroutineDispatcher = Dispatchers.IO.limitedParallelism(SHORT_CALLS_MAX)
    private val long: CoroutineDispatcher = Dispatchers.IO.limitedParallelism(LONG_CALLS_MAX)
    private val locked = MutableStateFlow(false)
    internal val progress = MutableStateFlow<SyncProgress?>(null)

    /** Whether the records are locked: show nothing of them then. */
    public val isLocked: StateFlow<Boolean> = locked.asStateFlow()

    /** Makes short calls in the background, one after the other. */
    public suspend fun <T> read(block: Replica.() -> T): T = withContext(short) { replica.block() }

    /**
     * Makes a call that may take long. It is given a [Cancel], which is cancelled with the coroutine; this returns
     * when the call has ended, which it does within two seconds then.
     */
    public suspend fun <T> await(block: Replica.(Cancel) -> T): T = try {
        withContext(long) {
            Cancel().use { cancel ->
                coroutineScope {
                    // Unconfined: whoever cancels this coroutine tells the library at once, whatever thread is free.
                    val told = launch(Dispatchers.Unconfined) {
                        try {
                            awaitCancellation()
                        } finally {
                            cancel.cancel()
                        }
                    }
                    try {
                        replica.block(cancel)
                    } finally {
                        told.cancel()
                    }
                }
            }
        }
    } catch (error: CrmException) {
        // What the library says of a call that was cancelled is said by the coroutine's own cancellation.
        currentCoroutineContext().ensureActive()
        // An order of the office to wipe the records locks them.
        if (error is CrmException.Wiped) locked.value = true
        throw error
    }

    /** Locks the records: nothing of them stays in memory, flows of lists end, calls that run are cancelled. */
    public suspend fun lock() {
        read { lock() }
        locked.value = true
    }

    /** Opens the records again with the key that the platform gives now. */
    public suspend fun unlock() {
        read { unlock() }
        locked.value = false
    }

    /** Removes everything from this device; what waits to be sent is lost. While something is left, do it again. */
    public suspend fun wipe() {
        locked.value = true
        read { wipe() }
    }

    /** Ends calls that run and flows of lists, and lets go of the records. */
    override fun close() {
        if (replica.uniffiIsDestroyed) return
        // An object that is still used is not dropped: what runs must end first.
        replica.lock()
        locked.value = true
        replica.close()
    }

    public companion object {
        /** Short calls at once. */
        public const val SHORT_CALLS_MAX: Int = 4

        /** Long calls at once: syncs, imports, exports. */
        public const val LONG_CALLS_MAX: Int = 4

        /**
         * Opens the records in [folder], or begins with none. People are spoken to in [language], or that of the
         * system; what [platform] does not bring is as on a desktop.
         */
        public suspend fun open(folder: String, language: Language? = null, platform: Platform = Platform()): Crm =
            withContext(Dispatchers.IO) { Crm(Replica.open(folder, language, platform)) }
    }
}

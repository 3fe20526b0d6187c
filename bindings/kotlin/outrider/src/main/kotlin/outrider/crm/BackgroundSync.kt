// What a scheduler of the system runs: one sync within the time that it gives.
package outrider.crm

import kotlin.time.Duration
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds
import outrider.*

/** What the scheduler should do after a background sync. */
public enum class AfterSync {
    /** Nothing waits and all is here: run when it is due again. */
    DONE,

    /** Something is left, or there was no network: run again soon. */
    AGAIN,

    /** A person must do something first: [BackgroundSync.Result.reason] says what. */
    ASK
}

/**
 * Syncs in the background within [time], of which [margin] is kept for ending in good order.
 *
 * Android gives a worker ten minutes. What waits here is sent first; the network, the power and what they cost are
 * those that the platform's hints tell.
 */
public class BackgroundSync(
    private val crm: Crm,
    private val time: Duration = 10.minutes,
    private val margin: Duration = 30.seconds,
    private val bytesMax: ULong? = null
) {
    /** How one ended. */
    public data class Result(val after: AfterSync, val report: SyncReport?, val reason: String?)

    /** Syncs once. */
    public suspend fun run(): Result = try {
        val left = (time - margin).coerceAtLeast(Duration.ZERO)
        val report = crm.syncFor(SyncBudget(left.inWholeMilliseconds.toULong(), bytesMax))
        Result(after(report.end), report, null)
    } catch (error: CrmException) {
        Result(if (error.isPassing) AfterSync.AGAIN else AfterSync.ASK, null, error.sentence)
    }

    private fun after(end: SyncEnd): AfterSync = when (end) {
        SyncEnd.COMPLETE, SyncEnd.PUSHED -> AfterSync.DONE
        SyncEnd.OUT_OF_TIME, SyncEnd.OUT_OF_BYTES, SyncEnd.NO_NETWORK -> AfterSync.AGAIN
    }
}

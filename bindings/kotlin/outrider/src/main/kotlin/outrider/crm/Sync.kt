// Enrolment and exchange with the office.
package outrider.crm

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.filterNotNull
import outrider.*

/** Enrols this device with a code from the office. */
public suspend fun Crm.enrol(code: EnrolCode): Enrolment = await { cancel -> enrol(code, cancel) }

/** Asks whether the office has approved the device that waits for it. */
public suspend fun Crm.checkEnrolment(): Enrolment = await { cancel -> checkEnrolment(cancel) }

/** Whose this device is; nothing before it is enrolled. */
public suspend fun Crm.enrolment(): Enrolment? = read { enrolment() }

/** Exchanges everything with the office, because a person wants it now. */
public suspend fun Crm.sync(): SyncReport = telling { listener, cancel -> sync(listener, cancel) }

/** Exchanges within a budget, in the background; see [BackgroundSync]. */
public suspend fun Crm.syncFor(budget: SyncBudget): SyncReport =
    telling { listener, cancel -> syncFor(budget, listener, cancel) }

/** Where this device stands with the office. */
public suspend fun Crm.syncState(): SyncState = read { syncState() }

/** How far each sync of this object is, while one runs; whoever collects slowly gets the newest. */
public fun Crm.syncProgress(): Flow<SyncProgress> = progress.filterNotNull()

private suspend fun <T> Crm.telling(call: Replica.(SyncListener, Cancel) -> T): T {
    val listener = Progress(this)
    try {
        return await { cancel -> call(listener, cancel) }
    } finally {
        listener.end()
    }
}

/** Says how far one sync is, and nothing once it has ended: the library tells in a thread of its own. */
private class Progress(private val crm: Crm) : SyncListener {
    private var hasEnded = false

    @Synchronized
    override fun onProgress(progress: SyncProgress) {
        if (!hasEnded) crm.progress.value = progress
    }

    @Synchronized
    fun end() {
        hasEnded = true
        crm.progress.value = null
    }
}

// Sync in the background: the system says when, BackgroundSync how long.
package outrider.android

import android.content.Context
import androidx.work.BackoffPolicy
import androidx.work.Constraints
import androidx.work.CoroutineWorker
import androidx.work.ExistingPeriodicWorkPolicy
import androidx.work.ExistingWorkPolicy
import androidx.work.NetworkType
import androidx.work.OneTimeWorkRequestBuilder
import androidx.work.PeriodicWorkRequestBuilder
import androidx.work.WorkManager
import androidx.work.WorkerParameters
import androidx.work.workDataOf
import java.time.Duration
import outrider.crm.AfterSync
import outrider.crm.BackgroundSync

/** Syncs within the ten minutes that the system gives. When it stops the worker, the library's call is cancelled. */
public class SyncWorker(context: Context, parameters: WorkerParameters) : CoroutineWorker(context, parameters) {
    override suspend fun doWork(): Result {
        val owner = applicationContext as? CrmOwner ?: error("the application must be a CrmOwner")
        val result = BackgroundSync(owner.crm()).run()
        return when (result.after) {
            AfterSync.DONE -> Result.success()
            AfterSync.AGAIN -> Result.retry()
            AfterSync.ASK -> Result.failure(workDataOf(REASON to result.reason))
        }
    }

    public companion object {
        /** Under this name a failure says, as a sentence, what a person must do. */
        public const val REASON: String = "reason"

        private const val EVERY = "outrider-sync"
        private const val SOON = "outrider-sync-soon"

        private val online = Constraints.Builder().setRequiredNetworkType(NetworkType.CONNECTED).build()

        /** Syncs now and then: to be called at each start of the app. */
        public fun schedule(context: Context, every: Duration = Duration.ofHours(1)) {
            val request = PeriodicWorkRequestBuilder<SyncWorker>(every).setConstraints(online)
                .setBackoffCriteria(BackoffPolicy.EXPONENTIAL, Duration.ofMinutes(1)).build()
            WorkManager.getInstance(context)
                .enqueueUniquePeriodicWork(EVERY, ExistingPeriodicWorkPolicy.UPDATE, request)
        }

        /** Syncs as soon as there is a network: after somebody wrote something that should not wait. */
        public fun soon(context: Context) {
            val request = OneTimeWorkRequestBuilder<SyncWorker>().setConstraints(online).build()
            WorkManager.getInstance(context).enqueueUniqueWork(SOON, ExistingWorkPolicy.KEEP, request)
        }
    }
}

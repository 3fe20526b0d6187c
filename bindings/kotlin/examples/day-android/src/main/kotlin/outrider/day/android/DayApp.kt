// The app: it opens the records once, for screens and for background work.
package outrider.day.android

import android.app.Application
import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.lifecycle.lifecycleScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import outrider.CrmException
import outrider.android.CrmOwner
import outrider.android.SyncWorker
import outrider.android.openCrm
import outrider.crm.Crm
import outrider.crm.sentence

/** Whoever asks first opens the records; they stay open as long as the process lives. */
class DayApp :
    Application(),
    CrmOwner {
    private val opening = Mutex()
    private var crm: Crm? = null

    override suspend fun crm(): Crm = opening.withLock { crm ?: openCrm(this).also { crm = it } }

    override fun onCreate() {
        super.onCreate()
        SyncWorker.schedule(this)
    }
}

class MainActivity : ComponentActivity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        lifecycleScope.launch {
            try {
                val crm = (application as CrmOwner).crm()
                setContent { DayScreens(crm) }
            } catch (error: CrmException) {
                // The key is gone, the disk is full, …: the sentence says what to do.
                setContent { Sentence(error.sentence) }
            }
        }
    }
}

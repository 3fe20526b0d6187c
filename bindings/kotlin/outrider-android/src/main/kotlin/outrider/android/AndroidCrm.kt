// Opens the records of an Android app, with all that Android brings.
package outrider.android

import android.content.Context
import java.io.File
import java.util.Locale
import outrider.*
import outrider.crm.Crm
import outrider.crm.WrappedSecretStore

/** The app, which opens the records once and hands them to whoever needs them: screens and [SyncWorker]. */
public interface CrmOwner {
    /** The records; opened when they are first asked for. */
    public suspend fun crm(): Crm
}

/** What Android brings: keys of its Keystore, HTTP, network and power, and positions where the user allows them. */
public fun androidPlatform(context: Context): Platform = context.applicationContext.let { app ->
    Platform(
        secrets = WrappedSecretStore(File(app.noBackupFilesDir, "outrider.key"), KeystoreWrap("outrider-records")),
        signer = keystoreSigner("outrider-device"),
        transport = OkHttpTransport(),
        hints = AndroidHints(app),
        position = AndroidPosition(app)
    )
}

/** Opens the records where no backup takes them along: without this device's keys they are worth nothing. */
public suspend fun openCrm(context: Context): Crm {
    val language = if (Locale.getDefault().language == "zh") Language.CHINESE else Language.ENGLISH
    return Crm.open(File(context.noBackupFilesDir, "outrider").path, language, androidPlatform(context))
}

// Files in and out. Each call works beside the screens, can be cancelled, and tells its progress.
package outrider.crm

import outrider.*

/** Hears how much of how much is done; of nothing where nobody knows. Called in a thread of the library. */
public typealias OnProgress = (done: ULong, total: ULong?) -> Unit

/** Says how a file (CSV, XLSX, JSON, vCard) would be imported. */
public suspend fun Crm.proposeImport(file: String, wishes: ImportWishes = ImportWishes()): ImportProposal =
    await { cancel -> proposeImport(file, wishes, cancel) }

/** Imports a file by a mapping, or says what that would do; importing it again changes nothing. */
public suspend fun Crm.importFile(
    file: String,
    mapping: String,
    isDryRun: Boolean = false,
    onProgress: OnProgress? = null
): ImportSummary = await { cancel -> importFile(file, mapping, isDryRun, listener(onProgress), cancel) }

/** The imports of this device, the newest first. */
public suspend fun Crm.imports(limit: UInt = 20u): List<ImportBatch> = await { imports(limit) }

/** Takes an import back; what somebody wrote into since stays. */
public suspend fun Crm.undoImport(number: Long): ImportUndone = await { cancel -> undoImport(number, cancel) }

/** Writes the records of a question into a file that is there whole or not at all. */
public suspend fun Crm.exportFile(
    file: String,
    format: FileFormat,
    query: ListQuery,
    onProgress: OnProgress? = null
): Exported = await { cancel -> exportFile(file, format, query, listener(onProgress), cancel) }

/** Takes back a file that this or another device exported; records that are here stay as they are. */
public suspend fun Crm.importExported(file: String, onProgress: OnProgress? = null): ImportSummary =
    await { cancel -> importExported(file, listener(onProgress), cancel) }

/**
 * Writes a copy of all records of this device into one new file, for a new phone or for support. The copy is not
 * encrypted: of encrypted records it is written with [plain] alone, because a person was asked.
 */
public suspend fun Crm.exportStore(file: String, plain: Boolean = false): Unit =
    await { cancel -> exportStore(file, plain, cancel) }

private fun listener(onProgress: OnProgress?): ProgressListener? = onProgress?.let { tell ->
    object : ProgressListener {
        override fun onProgress(done: ULong, total: ULong?) = tell(done, total)
    }
}

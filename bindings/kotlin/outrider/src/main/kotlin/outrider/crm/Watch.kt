// Lists that stay up to date, as flows.
package outrider.crm

import kotlinx.coroutines.*
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.flow.*
import outrider.*

/**
 * Watches a list of at most 500 records, 64 lists at once: the list as it is, and as it becomes whenever somebody
 * writes, here, in an extension of the app or by a sync. Whoever collects slowly gets the newest list.
 *
 * The flow ends when the records are locked. While the list cannot be kept up to date, [onError] is told why (in a
 * thread of the library), and it goes on when it can.
 */
public fun Crm.watch(query: ListQuery, onError: (CrmException) -> Unit = {}): Flow<List<CrmRecord>> =
    watchPage(query, onError).map { it.records }

/** Watches one record; nothing while it is not on this device, or archived. */
public fun Crm.watchRecord(entity: String, record: RecordId): Flow<CrmRecord?> =
    watch(ListQuery(entity, listOf(Filter("id", Compare.IS, FieldValue.Link(record))), limit = 1u))
        .map { it.firstOrNull() }

/** As [watch], with where the page after the list begins. */
public fun Crm.watchPage(query: ListQuery, onError: (CrmException) -> Unit = {}): Flow<ListPage> = callbackFlow {
    val page = LivePage { trySend(it) }
    val listener = object : ListListener {
        override fun onChange(change: ListChange) = page.change(change)

        override fun onError(error: CrmException) {
            // Of what is locked or wiped nothing more will come.
            if (error is CrmException.Closed) channel.close() else onError(error)
        }
    }
    // Whoever stops collecting meanwhile must not leave a list open.
    val list = withContext(NonCancellable) { read { watch(query, listener) } }
    try {
        page.begin(list.first())
        launch {
            isLocked.first { it }
            channel.close()
        }
        awaitClose()
    } finally {
        // It takes its turn at the database: not in the thread of whoever cancels.
        withContext(NonCancellable + short) { list.use { it.end() } }
    }
}.conflate()

/**
 * A page that is changed by what a listener hears, which may be before the page itself is there. Told in turn: no older
 * page comes after a newer one.
 */
internal class LivePage(private val tell: (ListPage) -> Unit) {
    private var page: ListPage? = null
    private val early = mutableListOf<ListChange>()

    /** The page that the first change begins with. */
    @Synchronized
    fun begin(first: ListPage) {
        val begun = early.fold(first) { page, change -> page.changedBy(change) }
        early.clear()
        page = begun
        tell(begun)
    }

    /** What becomes of it. */
    @Synchronized
    fun change(change: ListChange) {
        val changed = page?.changedBy(change)
        if (changed == null) {
            early += change
        } else {
            page = changed
            tell(changed)
        }
    }
}

/** The page that a change makes of this one. */
public fun ListPage.changedBy(change: ListChange): ListPage {
    val rows = if (change.isReset) mutableListOf() else records.toMutableList()
    change.removed.forEach { rows.removeAt(it.toInt()) }
    change.moved.forEach { rows.add(it.put.toInt(), rows.removeAt(it.taken.toInt())) }
    change.inserted.forEach { rows.add(it.index.toInt(), it.record) }
    change.changed.forEach { rows[it.index.toInt()] = it.record }
    return ListPage(rows, change.next)
}

// Long lists, page by page: what Android's PagingSource is made of.
package outrider.crm

import kotlinx.coroutines.flow.*
import outrider.*

/**
 * The pages of a question. The key of a page is the cursor that the page before ended with; the first has none. A
 * cursor names a record's place, not a number: pages neither skip nor repeat records when some come or go.
 */
public class RecordPages(private val crm: Crm, private val query: ListQuery) {
    /** A page of at most [size] records; `next` is the key of the page after it, if there is one. */
    public suspend fun load(key: String? = null, size: Int = query.limit.toInt()): ListPage =
        crm.list(query.copy(after = key, limit = size.coerceIn(1, PAGE_MAX).toUInt()))

    /** All records, in order; a page is loaded when the one before has been collected. */
    public fun all(): Flow<CrmRecord> = flow {
        var key: String? = null
        do {
            val page = load(key)
            page.records.forEach { emit(it) }
            key = page.next
        } while (key != null)
    }

    /** Tells when the first page is no longer what it was: load anew. A search tells nothing. */
    public fun outdated(): Flow<Unit> {
        if (query.text != null) return emptyFlow()
        val limit = query.limit.coerceAtMost(WATCHED_MAX)
        return crm.watchPage(query.copy(after = null, limit = limit)).drop(1).map { }
    }

    public companion object {
        /** Records on a page, at most. */
        public const val PAGE_MAX: Int = 1_000
        private const val WATCHED_MAX: UInt = 500u
    }
}

// Long lists for Android's Paging library.
package outrider.android

import androidx.paging.PagingSource
import androidx.paging.PagingState
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.catch
import kotlinx.coroutines.flow.firstOrNull
import kotlinx.coroutines.launch
import outrider.CrmException
import outrider.CrmRecord
import outrider.crm.RecordPages

/** The pages of a question; outdated as soon as its first page is. [scope] is that of the screen. */
public class RecordPagingSource(private val pages: RecordPages, scope: CoroutineScope) :
    PagingSource<String, CrmRecord>() {
    init {
        val watching = scope.launch {
            // A list that cannot be watched is still a list.
            val outdated = pages.outdated().catch { if (it !is CrmException) throw it }.firstOrNull()
            if (outdated != null) invalidate()
        }
        registerInvalidatedCallback { watching.cancel() }
    }

    override suspend fun load(params: LoadParams<String>): LoadResult<String, CrmRecord> = try {
        val page = pages.load(params.key, params.loadSize)
        LoadResult.Page(page.records, prevKey = null, nextKey = page.next)
    } catch (error: CrmException) {
        LoadResult.Error(error)
    }

    /** A cursor says what comes after it, not what came before: a list that is loaded anew begins at its top. */
    override fun getRefreshKey(state: PagingState<String, CrmRecord>): String? = null
}

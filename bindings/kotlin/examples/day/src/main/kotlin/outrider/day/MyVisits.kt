// The visits of one day, of whoever holds the device.
package outrider.day

import java.time.LocalDate
import java.time.ZoneId
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.flow.*
import outrider.*
import outrider.crm.*

/** A rep's or technician's day: it follows what is planned, here and in the office. */
@OptIn(ExperimentalCoroutinesApi::class)
public class MyVisits(
    private val crm: Crm,
    scope: CoroutineScope,
    private val zone: ZoneId = ZoneId.systemDefault(),
    today: LocalDate = LocalDate.now(zone)
) : Model<MyVisits.State>(scope, State(today)) {
    /** The day, and its visits in the order of their times; nothing before they are read. */
    public data class State(val day: LocalDate, val visits: List<Visit>? = null)

    // Numbered, so that the same day can be asked for again: after the first sync it is known who "me" is.
    private val asked = MutableStateFlow(0 to today)

    init {
        asked.flatMapLatest { (_, day) -> visits(day).map { State(day, it) } }.shownAs { _, state -> state }
    }

    /** Shows another day, or the same one anew. */
    public fun show(day: LocalDate): Unit = asked.update { (number, _) -> number + 1 to day }

    private fun visits(day: LocalDate): Flow<List<Visit>> = flow {
        // Before the device is enrolled all that is on it is its user's.
        val mine = crm.enrolment()?.userRecord?.let { Filter("owner_id", Compare.IS, FieldValue.Link(it)) }
        val filters = listOfNotNull(
            mine,
            Filter("scheduled_start", Compare.FROM, midnight(day)),
            Filter("scheduled_start", Compare.TO, midnight(day.plusDays(1), lessMs = 1))
        )
        val query = ListQuery("visit", filters, sort = "scheduled_start", limit = VISITS_MAX)
        emitAll(crm.watch(query).map { records -> records.map { (it as CrmRecord.Visit).record } })
    }

    private fun midnight(day: LocalDate, lessMs: Long = 0) =
        FieldValue.Moment(day.atStartOfDay(zone).toInstant().minusMillis(lessMs))

    private companion object {
        const val VISITS_MAX = 100u
    }
}

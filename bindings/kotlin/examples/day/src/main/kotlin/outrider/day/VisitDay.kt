// One visit, from check-in to check-out.
package outrider.day

import java.math.BigDecimal
import java.time.Instant
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.map
import outrider.*
import outrider.crm.*

/** What a technician taps; each tap is on the disk when its job has ended without a [failure]. */
public class VisitDay(private val crm: Crm, scope: CoroutineScope, private val visit: RecordId) :
    Model<VisitDay.State>(scope, State()) {
    /** The visit, if it is on this device. */
    public data class State(val visit: Visit? = null, val outcomes: List<ChoiceInfo> = emptyList()) {
        /** Required checks that are open. */
        public val checksLeft: Int get() = visit?.checklist.orEmpty().count { it.required == true && it.done != true }

        /** Whether somebody is there. */
        public val isOnSite: Boolean get() = visit?.status == "in_progress"
    }

    init {
        crm.watchRecord("visit", visit).map { (it as? CrmRecord.Visit)?.record }
            .shownAs { state, visit -> state.copy(visit = visit) }
        act {
            val outcomes = crm.choices("visit_outcome")
            show { it.copy(outcomes = outcomes) }
        }
    }

    /** Arrives; the platform says where. */
    public fun checkIn(): Job = act { crm.checkIn(visit, VisitEvent.CHECK_IN) }

    /** Rests, or leaves for a while. */
    public fun pause(): Job = act { crm.checkIn(visit, VisitEvent.PAUSE) }

    /** Goes on. */
    public fun resume(): Job = act { crm.checkIn(visit, VisitEvent.RESUME) }

    /** Ticks a check off, or not. */
    public fun tick(check: VisitChecklistRow, isDone: Boolean, answer: String? = null): Job = act {
        val cells = buildList {
            add(VisitChecklistChange.Done(isDone))
            if (isDone) add(VisitChecklistChange.DoneAt(Instant.now()))
            answer?.let { add(VisitChecklistChange.Answer(it)) }
        }
        val edit = VisitChecklistEdit(edit = listOf(VisitChecklistRowEdit(check.row, cells)))
        crm.update(visit, CrmChanges.Visit(listOf(VisitChange.Checklist(edit))))
    }

    /** Uses a part, which leaves the van. */
    public fun usePart(product: RecordId, quantity: BigDecimal, serialNo: String? = null): Job =
        act { crm.usePart(visit, PartUsed(product, quantity, serialNo = serialNo)) }

    /** Adds a line to the notes; what others typed meanwhile stays. */
    public fun note(line: String): Job = act { crm.editText(visit, "notes", TextEdit.Append(line)) }

    /** Leaves. With [isForced] also although required checks are open. */
    public fun checkOut(outcome: String, note: String? = null, isForced: Boolean = false): Job = act {
        val event = if (isForced) VisitEvent.FORCED_CHECK_OUT else VisitEvent.CHECK_OUT
        crm.checkIn(visit, event, VisitNote(outcome = outcome, note = note))
    }
}

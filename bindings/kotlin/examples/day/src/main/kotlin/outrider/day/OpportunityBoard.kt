// Opportunities by stage.
package outrider.day

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.*
import outrider.*
import outrider.crm.*

/** The board of a rep: a column a stage, a card an opportunity. */
public class OpportunityBoard(private val crm: Crm, scope: CoroutineScope) :
    Model<OpportunityBoard.State>(scope, State(emptyList())) {
    /** The columns, in the order of the list of stages. */
    public data class State(val columns: List<Column>)

    /** A stage with its opportunities. */
    public data class Column(val stage: ChoiceInfo, val cards: List<Card>)

    /** An opportunity; with a conflict somebody must choose between two values before its numbers count. */
    public data class Card(val opportunity: Opportunity, val hasConflict: Boolean)

    init {
        flow {
            val stages = crm.choices("sales_stage")
            val query = ListQuery("opportunity", sort = "expected_close_date", limit = CARDS_MAX)
            emitAll(crm.watch(query).map { columns(stages, it) })
        }.shownAs { _, columns -> State(columns) }
    }

    /** Moves an opportunity on; one that is lost wants a reason, of the picklist `lost_reason`. */
    public fun move(opportunity: RecordId, stage: String, lostReason: String? = null): Job = act {
        val reason = lostReason?.let { OpportunityChange.LostReason(it) }
        val changes = listOfNotNull(OpportunityChange.SalesStage(stage), reason)
        crm.update(opportunity, CrmChanges.Opportunity(changes))
    }

    private fun columns(stages: List<ChoiceInfo>, records: List<CrmRecord>): List<Column> {
        val cards = records.map { (it as CrmRecord.Opportunity).record }
            .map { Card(it, it.common.conflicts.isNotEmpty()) }
            .groupBy { it.opportunity.salesStage }
        return stages.map { Column(it, cards[it.id].orEmpty()) }
    }

    private companion object {
        const val CARDS_MAX = 500u
    }
}

// Fields that two people wrote beside one another, and the choice between them.
package outrider.day

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import outrider.*
import outrider.crm.*

/** What waits for a decision, of all records or of one. */
public class Conflicts(private val crm: Crm, scope: CoroutineScope, private val record: RecordId? = null) :
    Model<Conflicts.State>(scope, State()) {
    /** The conflicts; nothing before they are read. */
    public data class State(val conflicts: List<Conflict>? = null)

    init {
        refresh()
    }

    /** Looks again: when the screen comes up, and after a sync. */
    public fun refresh(): Job = act { read() }

    /** Lets one of the values count. */
    public fun settle(conflict: Conflict, choice: ConflictValue): Job = act {
        try {
            crm.settle(conflict.record, conflict.key, choice.value)
        } finally {
            // Whoever came first has settled it: then it is gone from the list too.
            read()
        }
    }

    private suspend fun read() {
        val found = crm.conflicts(record)
        show { State(found) }
    }
}

// Where the screens hang together: four tabs, and one visit over them.
package outrider.day.android

import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Scaffold
import androidx.compose.material3.Tab
import androidx.compose.material3.TabRow
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.unit.dp
import outrider.RecordId
import outrider.crm.Crm
import outrider.day.Conflicts
import outrider.day.MyVisits
import outrider.day.OpportunityBoard
import outrider.day.SyncCentre
import outrider.day.VisitDay

private enum class Place(val title: String) {
    VISITS("Today"),
    BOARD("Opportunities"),
    CONFLICTS("Conflicts"),
    SYNC("Sync")
}

/** The whole app; models live as long as it is shown. */
@Composable
fun DayScreens(crm: Crm) {
    val scope = rememberCoroutineScope()
    val visits = remember { MyVisits(crm, scope) }
    val board = remember { OpportunityBoard(crm, scope) }
    val conflicts = remember { Conflicts(crm, scope) }
    val centre = remember { SyncCentre(crm, scope) }
    var place by remember { mutableStateOf(Place.VISITS) }
    var visit by remember { mutableStateOf<RecordId?>(null) }
    MaterialTheme {
        Scaffold { edges ->
            Column(Modifier.padding(edges)) {
                TabRow(place.ordinal) {
                    Place.entries.forEach { one ->
                        Tab(
                            selected = one == place,
                            onClick = {
                                place = one
                                visit = null
                            },
                            text = { Text(one.title) }
                        )
                    }
                }
                val shown = visit
                when {
                    shown != null -> OneVisit(crm, shown)
                    place == Place.VISITS -> VisitsScreen(visits) { visit = it }
                    place == Place.BOARD -> BoardScreen(board)
                    place == Place.CONFLICTS -> ConflictsScreen(conflicts)
                    else -> SyncScreen(centre)
                }
            }
        }
    }
}

@Composable
private fun OneVisit(crm: Crm, visit: RecordId) {
    val scope = rememberCoroutineScope()
    VisitScreen(remember(visit) { VisitDay(crm, scope, visit) })
}

/** What went wrong, for people; nothing where nothing did. */
@Composable
fun Sentence(text: String?) {
    if (text != null) Text(text, Modifier.padding(16.dp), color = MaterialTheme.colorScheme.error)
}

// Today's visits, and one of them.
package outrider.day.android

import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.Button
import androidx.compose.material3.Checkbox
import androidx.compose.material3.ListItem
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import outrider.RecordId
import outrider.day.MyVisits
import outrider.day.VisitDay

@Composable
fun VisitsScreen(model: MyVisits, onOpen: (RecordId) -> Unit) {
    val state by model.state.collectAsStateWithLifecycle()
    val failure by model.failure.collectAsStateWithLifecycle()
    LazyColumn {
        item { Sentence(failure) }
        items(state.visits.orEmpty(), key = { it.id.toString() }) { visit ->
            ListItem(
                headlineContent = { Text(visit.subject.orEmpty()) },
                supportingContent = { Text(listOfNotNull(visit.scheduled?.start, visit.status).joinToString(" · ")) },
                modifier = Modifier.clickable { onOpen(visit.id) }
            )
        }
    }
}

@Composable
fun VisitScreen(model: VisitDay) {
    val state by model.state.collectAsStateWithLifecycle()
    val failure by model.failure.collectAsStateWithLifecycle()
    val isBusy by model.isBusy.collectAsStateWithLifecycle(false)
    val visit = state.visit ?: return
    var note by remember { mutableStateOf("") }
    LazyColumn(Modifier.padding(16.dp)) {
        item { Text(visit.subject.orEmpty()) }
        item { Sentence(failure) }
        item {
            Row {
                Button(onClick = { model.checkIn() }, enabled = !isBusy && !state.isOnSite) { Text("Check in") }
                TextButton(onClick = { model.pause() }, enabled = !isBusy && state.isOnSite) { Text("Pause") }
            }
        }
        items(visit.checklist, key = { it.row }) { check ->
            ListItem(
                headlineContent = { Text(check.name.orEmpty()) },
                trailingContent = { Checkbox(check.done == true, { isDone -> model.tick(check, isDone) }) }
            )
        }
        items(visit.parts, key = { it.row }) { part ->
            ListItem(headlineContent = { Text("${part.qty?.toPlainString()} × ${part.name ?: part.productId}") })
        }
        item { OutlinedTextField(note, { note = it }, label = { Text("Note") }) }
        item {
            TextButton(
                onClick = {
                    model.note(note)
                    note = ""
                },
                enabled = note.isNotBlank()
            ) { Text("Add") }
        }
        items(state.outcomes, key = { it.id }) { outcome ->
            TextButton(onClick = { model.checkOut(outcome.id) }, enabled = !isBusy && state.isOnSite) {
                Text("Check out: ${outcome.label}")
            }
        }
    }
}

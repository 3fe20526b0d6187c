// Opportunities by stage, conflicts, and the exchange with the office.
package outrider.day.android

import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.Button
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.ListItem
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import outrider.day.Conflicts
import outrider.day.OpportunityBoard
import outrider.day.SyncCentre

@Composable
fun BoardScreen(model: OpportunityBoard) {
    val state by model.state.collectAsStateWithLifecycle()
    val failure by model.failure.collectAsStateWithLifecycle()
    LazyColumn {
        item { Sentence(failure) }
        state.columns.forEachIndexed { at, column ->
            item { Text("${column.stage.label} (${column.cards.size})", Modifier.padding(16.dp)) }
            items(column.cards, key = { it.opportunity.id.toString() }) { card ->
                val next = state.columns.getOrNull(at + 1)?.stage
                ListItem(
                    headlineContent = { Text(card.opportunity.name.orEmpty()) },
                    supportingContent = {
                        val amount = card.opportunity.expectedAmount?.run { "${amount.toPlainString()} $currency" }
                        Text(listOfNotNull(amount, "Conflict".takeIf { card.hasConflict }).joinToString(" · "))
                    },
                    trailingContent = {
                        if (next != null) {
                            TextButton(onClick = { model.move(card.opportunity.id, next.id) }) { Text(next.label) }
                        }
                    }
                )
            }
        }
    }
}

@Composable
fun ConflictsScreen(model: Conflicts) {
    val state by model.state.collectAsStateWithLifecycle()
    val failure by model.failure.collectAsStateWithLifecycle()
    LazyColumn {
        item { Sentence(failure) }
        items(state.conflicts.orEmpty(), key = { "${it.record} ${it.key}" }) { conflict ->
            ListItem(
                headlineContent = { Text("${conflict.title}: ${conflict.label}") },
                supportingContent = {
                    Column {
                        conflict.values.forEach { value ->
                            TextButton(onClick = { model.settle(conflict, value) }) {
                                Text(listOfNotNull(value.text, value.by, value.at).joinToString(" · "))
                            }
                        }
                    }
                }
            )
        }
    }
}

@Composable
fun SyncScreen(model: SyncCentre) {
    val state by model.state.collectAsStateWithLifecycle()
    val failure by model.failure.collectAsStateWithLifecycle()
    LazyColumn(Modifier.padding(16.dp)) {
        item { Sentence(failure ?: state.sync?.lastError) }
        item { Text("${state.sync?.waiting ?: 0u} changes wait. Last sync: ${state.sync?.lastSync ?: "never"}") }
        state.progress?.let { progress ->
            item {
                val expected = progress.expected.toFloat().coerceAtLeast(1f)
                LinearProgressIndicator({ progress.received.toFloat() / expected })
            }
        }
        item { Button(onClick = { model.syncNow() }) { Text("Sync now") } }
        items(state.refusals, key = { it.number }) { refusal ->
            ListItem(
                headlineContent = { Text(refusal.reason) },
                supportingContent = { Text(refusal.values.keys.joinToString()) },
                trailingContent = { TextButton(onClick = { model.dismiss(refusal) }) { Text("Dismiss") } }
            )
        }
    }
}

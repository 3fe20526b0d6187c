// What a person decides: conflicts and refusals, duplicates, edits that are taken back.
package outrider.crm

import outrider.*

/** Fields and cells with several values, of all records or of one. */
public suspend fun Crm.conflicts(record: RecordId? = null): List<Conflict> = read { conflicts(record) }

/** Settles a conflict: [value] counts in place of all values there. */
public suspend fun Crm.settle(record: RecordId, key: String, value: FieldValue?): Unit =
    read { settle(record, key, value) }

/** What waits to be sent, oldest first. */
public suspend fun Crm.outbox(limit: UInt = 100u): List<WaitingChange> = read { outbox(limit) }

/** What the office refused and nobody has dismissed, the newest first. */
public suspend fun Crm.inbox(limit: UInt = 100u): List<Refusal> = read { inbox(limit) }

/** Puts a refusal away; tells whether it was there. */
public suspend fun Crm.dismiss(refusal: Refusal): Boolean = read { dismiss(refusal.number) }

/** Asks the office for what it refused, with a reason; gives the proposal. */
public suspend fun Crm.askApproval(refusal: Refusal, reason: String): RecordId =
    read { askApproval(refusal.number, reason) }

/** Records that may be the same as one with these fields, the likeliest first; not [itself], if it is stored. */
public suspend fun Crm.findDuplicates(fields: CrmChanges, itself: RecordId? = null): List<LikelyRecord> =
    read { findDuplicates(fields, itself) }

/** Makes [loser] lead to [survivor]; of the fields in [take] the loser's values replace the survivor's. */
public suspend fun Crm.merge(loser: RecordId, survivor: RecordId, take: List<String> = emptyList()): Unit =
    read { merge(loser, survivor, take) }

/** Takes a merge back. */
public suspend fun Crm.unmerge(loser: RecordId): Unmerged = read { unmerge(loser) }

/** Remembers that two records look the same and are not; tells whether that is new. */
public suspend fun Crm.tellApart(one: RecordId, other: RecordId): Boolean = read { tellApart(one, other) }

/** The taps of this device that can be taken back, the newest first. */
public suspend fun Crm.undoable(limit: UInt = 20u): List<Tap> = read { undoable(limit) }

/** Takes a tap back: what it changed is again as it was, except what somebody wrote since. */
public suspend fun Crm.undo(tap: Tap): Undone = read { undo(tap.number) }

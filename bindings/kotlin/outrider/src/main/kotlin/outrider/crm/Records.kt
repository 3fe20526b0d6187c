// Reading and writing records: what is written is on the disk when a call returns, and waits to be sent.
package outrider.crm

import outrider.*

/** A record with all that is computed for it; nothing if it is not on this device. */
public suspend fun Crm.get(record: RecordId): CrmRecord? = read { get(record) }

/** A page of an entity's records. */
public suspend fun Crm.list(query: ListQuery): ListPage = read { list(query) }

/** How many records the conditions of a question hold for. */
public suspend fun Crm.count(query: ListQuery): ULong = read { count(query) }

/** Creates a record; gives its id. */
public suspend fun Crm.create(fields: CrmChanges): RecordId = read { create(fields) }

/** Changes the fields that are named, and no others; tells whether anything was written. */
public suspend fun Crm.update(record: RecordId, changes: CrmChanges): Boolean = read { update(record, changes) }

/** Archives a record. */
public suspend fun Crm.archive(record: RecordId): Unit = read { archive(record) }

/** Brings an archived record back. */
public suspend fun Crm.restore(record: RecordId): Unit = read { restore(record) }

/** An id for a record that is created in the same tap as others that name it. */
public suspend fun Crm.drawId(): RecordId = read { drawId() }

/**
 * Does all edits of one tap or none, at most 64. With [anyway] also what the user may not do, as far as this device
 * knows: what the office refuses comes back to the [inbox].
 */
public suspend fun Crm.write(edits: List<Edit>, anyway: Boolean = false): List<RecordId> = read { write(edits, anyway) }

/** A long text, with what names the version that is shown. */
public suspend fun Crm.text(record: RecordId, field: String): SeenText = read { text(record, field) }

/** Edits a long text as it was [seen]: what others typed meanwhile stays. */
public suspend fun Crm.editText(record: RecordId, field: String, edit: TextEdit, seen: SeenText? = null): Boolean =
    read { editText(record, field, edit, seen?.heads) }

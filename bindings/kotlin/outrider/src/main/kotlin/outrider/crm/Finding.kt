// Questions about more than one record: search, what is near, what happened, what hangs together.
package outrider.crm

import outrider.*

/** Searches all records, the best hits first. Whatever is typed is no error. */
public suspend fun Crm.search(query: SearchQuery): SearchPage = read { search(query) }

/** Records near a place, the nearest first, at most 200. */
public suspend fun Crm.near(
    place: GeoPoint,
    entity: String? = null,
    radiusM: UInt = 10_000u,
    limit: UInt = 50u
): List<NearRecord> = read { near(place, entity, radiusM, limit) }

/** What happened with a customer and all that belongs to it, or with any other record. */
public suspend fun Crm.timeline(query: TimelineQuery): TimelinePage = read { timeline(query) }

/** The links of a record, both ways. */
public suspend fun Crm.links(record: RecordId): RecordLinks = read { links(record) }

/** What this device knows of a record's past. */
public suspend fun Crm.history(record: RecordId, field: String? = null): List<HistoryEntry> =
    read { history(record, field) }

/** Where the sales stand, by currency, the most used first. */
public suspend fun Crm.pipelineReport(): List<Pipeline> = read { pipelineReport() }

/** All entities with their fields, in the user's language. */
public suspend fun Crm.entities(): List<EntityInfo> = read { entities() }

/** The choices of a picklist, in the order of forms. */
public suspend fun Crm.choices(picklist: String): List<ChoiceInfo> = read { choices(picklist) }

/** Whether the user may do something with a record, as far as this device knows: for buttons. */
public suspend fun Crm.may(operation: Operation, record: RecordId): Boolean = read { may(operation, record) }

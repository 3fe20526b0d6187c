// What one press of a button does: each one group, judged and committed whole.
package outrider.crm

import outrider.*

/** Makes a lead a customer with a contact and an opportunity; again it gives the same three. */
public suspend fun Crm.convertLead(lead: RecordId): ConvertedLead = read { convertLead(lead) }

/** Marks an activity as held; gives the interaction that tells what happened, for an activity with a customer. */
public suspend fun Crm.completeActivity(activity: RecordId, outcome: String? = null, note: String? = null): RecordId? =
    read { completeActivity(activity, outcome, note) }

/**
 * Records that somebody comes to a visit, pauses, goes on or leaves. Where nobody says where, the platform is asked,
 * which may take as long as it waits for a position.
 */
public suspend fun Crm.checkIn(visit: RecordId, event: VisitEvent, note: VisitNote = VisitNote()): RecordId =
    await { checkIn(visit, event, note) }

/** Records a part that was used on a visit, and takes it from stock. */
public suspend fun Crm.usePart(visit: RecordId, part: PartUsed): RecordId = read { usePart(visit, part) }

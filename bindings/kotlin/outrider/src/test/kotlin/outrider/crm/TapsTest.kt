// What one press of a button does: a technician's visit, a lead, an activity.
package outrider.crm

import java.time.Instant
import kotlin.test.*
import outrider.*

class TapsTest : Scenario() {
    @Test
    fun visitDay() = run {
        val site = GeoPoint(31.2304, 121.4737, 8u, "gps")
        val crm = device(phone = Phone(position = Position(site)))
        val customer = crm.create(customer("Acme", CustomerChange.Geo(site)))
        val pump = crm.create(CrmChanges.Product(listOf(ProductChange.Name("Pump"))))
        val check = listOf(VisitChecklistChange.Name("Pressure"), VisitChecklistChange.Required(true))
        val visit = crm.create(
            change(
                VisitChange.Subject("Repair"),
                VisitChange.Status("scheduled"),
                VisitChange.CustomerId(customer),
                VisitChange.Geo(site),
                VisitChange.Scheduled(TimeSpan(Instant.parse("2026-03-02T01:00:00Z"))),
                VisitChange.Checklist(VisitChecklistEdit(add = listOf(check)))
            )
        )
        val came = (crm.get(crm.checkIn(visit, VisitEvent.CHECK_IN)) as CrmRecord.CheckIn).record
        assertEquals("in" to visit, came.event to came.visitId)
        assertEquals(site, came.geo)
        assertEquals("verified", came.verdict)
        assertEquals("in_progress", crm.visitNow(visit).status)
        crm.checkIn(visit, VisitEvent.PAUSE)
        assertEquals("on_hold", crm.visitNow(visit).status)
        crm.checkIn(visit, VisitEvent.RESUME)

        val move = crm.usePart(visit, PartUsed(pump, "2".toBigDecimal(), serialNo = "P-7"))
        assertEquals(0, "-2".toBigDecimal().compareTo((crm.get(move) as CrmRecord.StockMove).record.qty))
        assertEquals("P-7", crm.visitNow(visit).parts.single().serialNo)
        fails<CrmException.Invalid> { crm.usePart(visit, PartUsed(pump, "0".toBigDecimal())) }

        val open = fails<CrmException.Invalid> { crm.checkIn(visit, VisitEvent.CHECK_OUT) }
        assertEquals("checklist_left", open.code)
        assertEquals("in_progress", crm.visitNow(visit).status)
        val row = crm.visitNow(visit).checklist.single().row
        val done = VisitChecklistRowEdit(row, listOf(VisitChecklistChange.Done(true)))
        crm.update(visit, change(VisitChange.Checklist(VisitChecklistEdit(edit = listOf(done)))))
        crm.checkIn(visit, VisitEvent.CHECK_OUT, VisitNote(outcome = "done", note = "Works again"))
        val end = crm.visitNow(visit)
        assertEquals("completed" to "done", end.status to end.outcome)
        assertNotNull(end.computed["checked_in_at"])
        fails<CrmException.Invalid> { crm.checkIn(customer, VisitEvent.CHECK_IN) }
    }

    @Test
    fun leadAndActivity() = run {
        val crm = device()
        val lead = crm.create(
            CrmChanges.Lead(
                listOf(
                    LeadChange.Name("三川实业"),
                    LeadChange.CompanyName("三川实业"),
                    LeadChange.Status("new"),
                    LeadChange.ContactName(PersonName(full = "王小明")),
                    LeadChange.ExpectedAmount(yuan("5000"))
                )
            )
        )
        val made = crm.convertLead(lead)
        assertEquals(made, crm.convertLead(lead))
        assertEquals("三川实业", crm.customerNow(made.customer).companyName)
        val opportunity = crm.opportunityNow(made.opportunity)
        assertEquals(made.customer to lead, opportunity.customerId to opportunity.sourceLeadId)
        assertEquals("王小明", (crm.get(made.contact) as CrmRecord.Contact).record.name?.full)
        assertEquals("converted", (crm.get(lead) as CrmRecord.Lead).record.status)
        fails<CrmException.Invalid> { crm.convertLead(made.customer) }

        val call = crm.create(
            CrmChanges.Activity(
                listOf(
                    ActivityChange.Subject("Call"),
                    ActivityChange.ActivityType("call"),
                    ActivityChange.CustomerId(made.customer)
                )
            )
        )
        val told = assertNotNull(crm.completeActivity(call, "reached", "Wants an offer"))
        assertEquals(told, crm.completeActivity(call))
        assertEquals("Wants an offer", (crm.get(told) as CrmRecord.Interaction).record.summary)
        assertEquals(1u, crm.count(ListQuery("interaction")))
        assertEquals("held", (crm.get(call) as CrmRecord.Activity).record.status)
        val alone = crm.create(
            CrmChanges.Activity(listOf(ActivityChange.Subject("Tidy up"), ActivityChange.ActivityType("task")))
        )
        assertNull(crm.completeActivity(alone))
    }

    @Test
    fun mergeAndDuplicates() = run {
        val crm = device()
        val fields = customer("上海三川精密实业有限公司", CustomerChange.Phone("+86 21 5888 7766"))
        val survivor = crm.create(fields)
        val again = customer("三川精密实业", CustomerChange.Phone("+86 21 5888 7766"), CustomerChange.Qq("12345"))
        val likely = crm.findDuplicates(again).single()
        assertEquals(survivor, likely.record)
        assertTrue(likely.score > 0)
        val loser = crm.create(again)
        assertEquals(listOf(survivor), crm.findDuplicates(again, itself = loser).map { it.record })
        fails<CrmException.Invalid> { crm.merge(survivor, survivor) }
        crm.merge(loser, survivor, take = listOf("company_name"))
        val merged = crm.customerNow(survivor)
        assertEquals("三川精密实业" to "12345", merged.companyName to merged.qq)
        assertEquals(1u, crm.count(ListQuery("customer")))
        val apart = crm.unmerge(loser)
        assertEquals(survivor, apart.survivor)
        assertEquals("上海三川精密实业有限公司", crm.customerNow(survivor).companyName)
        assertEquals(2u, crm.count(ListQuery("customer")))
        assertTrue(crm.tellApart(survivor, loser))
        assertFalse(crm.tellApart(survivor, loser))
        assertEquals(emptyList(), crm.findDuplicates(fields, itself = survivor))
    }
}

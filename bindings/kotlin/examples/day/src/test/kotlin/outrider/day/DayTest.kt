// A technician's and a rep's day, through the models that screens are made of.
package outrider.day

import java.time.Duration
import java.time.LocalDate
import java.time.ZoneId
import kotlin.test.*
import kotlinx.coroutines.flow.first
import outrider.*
import outrider.crm.*

class DayTest : Scenario() {
    private val zone = ZoneId.of("Asia/Shanghai")
    private val today = LocalDate.parse("2026-03-02")
    private val site = GeoPoint(31.2304, 121.4737)

    private suspend fun Crm.plan(
        subject: String,
        hour: Int,
        day: LocalDate = today,
        owner: RecordId? = null
    ): RecordId {
        val start = day.atTime(hour, 0).atZone(zone).toInstant()
        val check = { name: String -> listOf(VisitChecklistChange.Name(name), VisitChecklistChange.Required(true)) }
        return create(
            change(
                VisitChange.Subject(subject),
                VisitChange.Status("scheduled"),
                VisitChange.Geo(site),
                VisitChange.Scheduled(TimeSpan(start, start + Duration.ofHours(1), zone.id)),
                VisitChange.Checklist(VisitChecklistEdit(add = listOf(check("Pressure"), check("Leaks")))),
                VisitChange.Common(CommonChange.OwnerId(owner))
            )
        )
    }

    @Test
    fun visitDayOfATechnician() = run {
        val office = office()
        val crm = office.device("Anna", phone = Phone(position = Position(site)))
        crm.sync()
        val me = assertNotNull(crm.enrolment()?.userRecord)
        val late = crm.plan("Late", 23, owner = me)
        val early = crm.plan("Early", 0, owner = me)
        crm.plan("Tomorrow", 0, today.plusDays(1), me)
        val ben = office.device("Ben").also { it.sync() }
        crm.plan("Ben's", 9, owner = ben.enrolment()?.userRecord)
        val visits = MyVisits(crm, screen(), zone, today)
        suspend fun shows(vararg subjects: String) = eventually("${subjects.toList()}", {
            visits.failure.value to visits.state.value.visits?.map { it.subject }
        }) {
            visits.state.value.visits?.map { it.subject } == subjects.toList()
        }
        shows("Early", "Late")
        crm.plan("Noon", 12, owner = me)
        shows("Early", "Noon", "Late")
        visits.show(today.plusDays(1))
        shows("Tomorrow")

        val day = VisitDay(crm, screen(), early)
        eventually("the visit is shown") { day.state.value.visit?.id == early && day.state.value.outcomes.isNotEmpty() }
        assertEquals(2, day.state.value.checksLeft)
        day.checkIn().join()
        eventually("somebody is there") { day.state.value.isOnSite }
        day.pause().join()
        eventually("they rest") { day.state.value.visit?.status == "on_hold" }
        day.resume().join()
        val pump = crm.create(CrmChanges.Product(listOf(ProductChange.Name("Pump"))))
        day.usePart(pump, "1".toBigDecimal(), "P-7").join()
        day.usePart(pump, "0".toBigDecimal()).join()
        assertNotNull(day.failure.value)
        day.dismiss()
        day.note("Pump replaced").join()
        day.checkOut("done").join()
        assertContains(assertNotNull(day.failure.value), "check")
        day.state.value.visit!!.checklist.forEach { day.tick(it, true, "ok").join() }
        eventually("all is ticked") { day.state.value.checksLeft == 0 }
        day.checkOut("done", "All tight").join()
        assertNull(day.failure.value)
        eventually("it is done") { day.state.value.visit?.status == "completed" }
        val done = day.state.value.visit!!
        assertEquals(listOf("P-7"), done.parts.map { it.serialNo })
        assertEquals("Pump replaced", done.notes?.trim())
        assertTrue(done.checklist.all { it.answer == "ok" && it.doneAt != null })
        assertFalse(day.isBusy.first())

        val other = VisitDay(crm, screen(), late)
        other.checkIn().join()
        other.checkOut("done", isForced = true).join()
        eventually("they left all the same") { other.state.value.visit?.status == "completed" }
    }

    @Test
    fun conflictAndSettlingOfARep() = run {
        val office = office()
        val crm = office.device("Anna")
        val peer = office.peer("Ben")
        val deal = crm.create(
            change(
                OpportunityChange.Name("Line 2"),
                OpportunityChange.SalesStage("proposal"),
                OpportunityChange.ExpectedAmount(yuan("100"))
            )
        )
        val board = OpportunityBoard(crm, screen())
        suspend fun card(stage: String): OpportunityBoard.Card? = board.state.value.columns
            .find { it.stage.id == stage }?.cards?.singleOrNull()
        eventually("the card is there") { card("proposal")?.opportunity?.id == deal }
        board.move(deal, "negotiation").join()
        eventually("the card has moved") { card("proposal") == null && card("negotiation")?.hasConflict == false }
        board.move(deal, "nowhere").join()
        assertContains(assertNotNull(board.failure.value), "stage")

        val centre = SyncCentre(crm, screen())
        centre.syncNow().join()
        assertNull(centre.failure.value)
        peer.sync()
        peer.edit(deal, "expected_amount" to "200 CNY")
        peer.sync()
        crm.update(deal, change(OpportunityChange.ExpectedAmount(yuan("300"))))
        assertEquals(AfterSync.DONE, centre.inBackground())
        assertEquals(1uL to SyncEnd.COMPLETE, centre.state.value.run { conflicts to sync?.lastEnd })
        eventually("the card shows it") { card("negotiation")?.hasConflict == true }

        val conflicts = Conflicts(crm, screen())
        eventually("it is listed") { conflicts.state.value.conflicts?.size == 1 }
        val conflict = conflicts.state.value.conflicts!!.single()
        val choice = conflict.values.single { it.by == "Ben" }
        conflicts.settle(conflict, choice).join()
        assertEquals(emptyList(), conflicts.state.value.conflicts)
        eventually("the card is plain") { card("negotiation")?.hasConflict == false }
        assertEquals(0, "200".toBigDecimal().compareTo(card("negotiation")?.opportunity?.expectedAmount?.amount))
        conflicts.settle(conflict, choice).join()
        assertNotNull(conflicts.failure.value, "it was settled already")

        board.move(deal, "lost", "pricing").join()
        eventually("it is lost") { card("lost")?.opportunity?.lostReason == "pricing" }
    }

    @Test
    fun refusalAndInboxOfARep() = run {
        val office = office()
        office.role("Anna", "sales_rep")
        office.rules()
        val crm = office.device("Anna")
        val centre = SyncCentre(crm, screen())
        centre.syncNow().join()
        val product = CrmChanges.Product(listOf(ProductChange.Name("Pump")))
        crm.write(List(2) { Edit.Create(product, null) }, anyway = true)
        centre.syncNow().join()
        val refusals = centre.state.value.refusals
        assertEquals(2, refusals.size)
        centre.ask(refusals.first(), "A customer needs it").join()
        assertNotNull(centre.state.value.refusals.single { it.number == refusals.first().number }.proposal)
        refusals.forEach { centre.dismiss(it).join() }
        assertEquals(emptyList(), centre.state.value.refusals)
        office.kill()
        centre.syncNow().join()
        assertEquals(centre.failure.value, centre.state.value.sync?.lastError)
        centre.stop()
        assertEquals(AfterSync.AGAIN, centre.inBackground())
    }
}

// A device becomes one of an office's.
package outrider.crm

import kotlin.test.*
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import outrider.*

class EnrolTest : Scenario() {
    @Test
    fun enrolAndFirstSync() = run {
        val office = office()
        office.fill(300)
        val crm = device()
        assertNull(crm.enrolment())
        assertEquals("not_enrolled", fails<CrmException.NotEnrolled> { crm.sync() }.code)
        val wrong = EnrolCode(office.url, "AAAA-BBBB-CCCC", "phone")
        assertTrue(fails<CrmException.Refused> { crm.enrol(wrong) }.code.startsWith("code_"))
        // Port 9 discards; nobody answers there.
        fails<CrmException.Offline> { crm.enrol(EnrolCode("http://127.0.0.1:9", office.code("Anna"), "phone")) }
        val enrolment = crm.enrol(EnrolCode(office.url, office.code("Anna"), "phone"))
        assertTrue(enrolment.isActive)
        assertEquals("Anna", enrolment.user)
        assertEquals(enrolment.fingerprint, crm.enrolment()?.fingerprint)

        val told = mutableListOf<SyncProgress>()
        val listening = launch(Dispatchers.Default, CoroutineStart.UNDISPATCHED) { crm.syncProgress().toList(told) }
        val report = crm.sync()
        assertEquals(SyncEnd.COMPLETE, report.end)
        assertTrue(report.received >= 300u, "$report")
        assertEquals(300u, crm.count(ListQuery("customer")))
        eventually("progress is told") { told.isNotEmpty() }
        listening.cancel()
        val state = crm.syncState()
        assertFalse(state.isRunning)
        assertEquals(SyncEnd.COMPLETE, state.lastEnd)
        assertNotNull(state.lastSync)
        assertNotNull(crm.enrolment()?.userRecord)
    }

    @Test
    fun enrolAndFirstSyncAfterApproval() = run {
        val office = office()
        val crm = device()
        fails<CrmException.NotEnrolled> { crm.checkEnrolment() }
        val waiting = crm.enrol(EnrolCode(office.url, office.codeToApprove("Ben"), "phone"))
        assertFalse(waiting.isActive)
        assertEquals(waiting.fingerprint, fails<CrmException.WaitsForApproval> { crm.sync() }.fingerprint)
        assertFalse(crm.checkEnrolment().isActive)
        office.approve("Ben")
        assertTrue(crm.checkEnrolment().isActive)
        assertEquals(SyncEnd.COMPLETE, crm.sync().end)
    }
}

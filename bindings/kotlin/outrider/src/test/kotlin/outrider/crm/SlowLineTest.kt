// Syncs over a slow line: cancelled in the middle, or ended by a budget, and gone on with afterwards.
package outrider.crm

import kotlin.test.*
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTime
import kotlinx.coroutines.*
import kotlinx.coroutines.flow.first
import outrider.*

/** Slow enough for 2,000 customers to take many seconds. */
private const val SLOW = 20_000

class SlowLineTest : Scenario() {
    @Test
    fun cancelInTheMiddle() = run {
        val office = office()
        office.fill(2_000)
        val line = office.slow(1_000_000)
        val crm = office.device("Anna", url = line.url)
        line.speed(SLOW)
        val sync = async(Dispatchers.Default) { crm.sync() }
        val told = soon { crm.syncProgress().first { it.received > 0u } }
        assertEquals(SyncPhase.RECEIVING, told.phase)
        assertTrue(told.received < told.expected, "$told")
        assertTrue(crm.syncState().isRunning)
        val took = measureTime { sync.cancelAndJoin() }
        assertTrue(took < 2.seconds, "it took $took")
        assertFailsWith<CancellationException> { sync.await() }
        val arrived = crm.count(ListQuery("customer"))
        assertTrue(arrived in 1u..1_999u, "$arrived arrived")
        assertFalse(crm.syncState().isRunning)
        line.speed(50_000_000)
        assertEquals(SyncEnd.COMPLETE, crm.sync().end)
        assertEquals(2_000u, crm.count(ListQuery("customer")))

        // Whoever has no coroutine cancels by hand.
        line.speed(SLOW)
        val cancel = Cancel()
        assertFalse(cancel.isCancelled())
        cancel.cancel()
        assertTrue(cancel.isCancelled())
        fails<CrmException.Cancelled> { crm.read { sync(null, cancel) } }
        cancel.close()
    }

    @Test
    fun cancelInTheMiddleByLocking() = run {
        val office = office()
        office.fill(500)
        val line = office.slow(1_000_000)
        val crm = office.device("Anna", url = line.url)
        line.speed(5_000)
        val sync = async(Dispatchers.Default) { runCatching { crm.sync() }.exceptionOrNull() }
        eventually("it runs") { crm.syncState().isRunning }
        crm.lock()
        assertIs<CrmException>(soon { sync.await() })
        crm.unlock()
        line.speed(50_000_000)
        assertEquals(SyncEnd.COMPLETE, crm.sync().end)
    }

    @Test
    fun backgroundBudget() = run {
        val office = office()
        office.fill(2_000)
        val line = office.slow(1_000_000)
        val hints = Hints()
        val crm = office.device("Anna", url = line.url, phone = Phone(hints = hints))
        val own = crm.create(customer("Own"))
        line.speed(SLOW)
        val job = BackgroundSync(crm, time = 3.seconds, margin = 500.milliseconds)
        val first: BackgroundSync.Result
        val took = measureTime { first = job.run() }
        assertTrue(took < 3.5.seconds, "it took $took")
        assertEquals(AfterSync.AGAIN to SyncEnd.OUT_OF_TIME, first.after to first.report?.end)
        assertEquals(0u, crm.status().waiting, "what waits goes first")
        val peer = office.peer("Ben")
        peer.sync()
        assertEquals("Own", peer.get(own)["company_name"])

        hints.network = Network.OFFLINE
        val none = job.run()
        assertEquals(AfterSync.AGAIN to SyncEnd.NO_NETWORK, none.after to none.report?.end)
        hints.network = Network.UNMETERED
        hints.power = Power.SAVER
        line.speed(1_000_000)
        crm.create(customer("Saved"))
        val saver = job.run()
        assertEquals(AfterSync.DONE to SyncEnd.PUSHED, saver.after to saver.report?.end)
        hints.power = Power.BATTERY
        hints.network = Network.METERED
        val bytes = BackgroundSync(crm, bytesMax = 60_000u).run()
        assertEquals(AfterSync.AGAIN to SyncEnd.OUT_OF_BYTES, bytes.after to bytes.report?.end)
        val used = bytes.report!!.run { bytesUp + bytesDown }
        assertTrue(used <= 60_000u, "$used bytes")
        hints.network = Network.UNMETERED
        line.speed(50_000_000)
        val last = job.run()
        assertEquals(AfterSync.DONE to SyncEnd.COMPLETE, last.after to last.report?.end)
        assertEquals(2_002u, crm.count(ListQuery("customer")))
    }

    @Test
    fun backgroundBudgetOfWhomNobodyKnows() = run {
        val office = office()
        val crm = device()
        val ask = BackgroundSync(crm).run()
        assertEquals(AfterSync.ASK, ask.after)
        assertTrue(ask.reason!!.isNotEmpty())
        crm.enrol(EnrolCode(office.url, office.code("Anna"), "phone"))
        office.kill()
        assertEquals(AfterSync.AGAIN, BackgroundSync(crm).run().after)
    }
}

// Lists that stay up to date, whoever writes and whoever listens.
package outrider.crm

import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.random.Random
import kotlin.test.*
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.*
import kotlinx.coroutines.flow.*
import outrider.*

class LiveTest : Scenario() {
    @Test
    fun liveListUpdates() = run {
        val office = office()
        val folder = folder()
        val phone = Phone()
        val crm = office.device("Anna", folder = folder, phone = phone)
        val extension = device(folder, phone = phone)
        val peer = office.peer("Ben")
        val first = crm.create(customer("B"))
        // Five of them, so that records are pushed out and come back in.
        val query = CUSTOMERS.copy(limit = 5u)
        val list = crm.watchPage(query).stateIn(screen())
        suspend fun isRight(after: String) = eventually("the list is right after $after") {
            list.value ==
                crm.list(query)
        }
        assertEquals(listOf("B"), names(list.value.records))
        val others = listOf("A", "C", "D", "E", "F", "G").map { crm.create(customer(it)) }
        isRight("creating")
        assertNotNull(list.value.next)
        crm.update(first, change(CustomerChange.CompanyName("Z")))
        isRight("a move out of the page")
        crm.update(first, change(CustomerChange.CompanyName("AA")))
        isRight("a move into it")
        crm.update(others[0], change(CustomerChange.Phone("+86 10 1234 5678")))
        isRight("a change in place")
        crm.archive(others[1])
        isRight("archiving")
        extension.create(customer("AB"))
        extension.update(others[2], change(CustomerChange.Qq("12345")))
        isRight("the extension wrote")
        peer.create("customer", "company_name" to "AC")
        peer.sync()
        crm.sync()
        isRight("a sync")
        assertEquals(listOf("A", "AA", "AB", "AC", "D"), names(list.value.records))
    }

    @Test
    fun liveListUpdatesOfOneRecord() = run {
        val crm = device()
        val record = crm.create(customer("A"))
        crm.create(customer("B"))
        val shown = crm.watchRecord("customer", record).stateIn(screen())
        suspend fun shows(name: String?) =
            eventually("$name is shown") { (shown.value as CrmRecord.Customer?)?.record?.companyName == name }
        shows("A")
        crm.update(record, change(CustomerChange.CompanyName("AA")))
        shows("AA")
        crm.archive(record)
        shows(null)
        crm.restore(record)
        shows("AA")
    }

    @Test
    fun liveListUpdatesOfManyEditsAtRandom() = run {
        val crm = device()
        val seed = System.nanoTime()
        val random = Random(seed)
        val query = CUSTOMERS.copy(limit = 8u)
        val list = crm.watchPage(query).stateIn(screen())
        val records = mutableListOf<RecordId>()
        repeat(200) {
            when (random.nextInt(4)) {
                0 -> records += crm.create(customer("C${random.nextInt(100)}"))

                1 -> records.randomOrNull(random)?.let { crm.archive(it) }

                2 -> records.randomOrNull(random)?.let { crm.restore(it) }

                else -> records.randomOrNull(random)?.let {
                    crm.update(it, change(CustomerChange.CompanyName("C${random.nextInt(100)}")))
                }
            }
        }
        eventually("the list is what the query says, seed $seed") { list.value == crm.list(query) }
    }

    @Test
    fun liveListUpdatesAreBounded() = run {
        val crm = device()
        fails<CrmException.TooMuch> { crm.watch(CUSTOMERS.copy(limit = 501u)).first() }
        fails<CrmException.Invalid> { crm.watch(CUSTOMERS.copy(text = "words")).first() }
        val sizes = List(64) { MutableStateFlow(-1) }
        val lists = sizes.map { size -> launch { crm.watch(CUSTOMERS).collect { size.value = it.size } } }
        eventually("all are open") { sizes.all { it.value == 0 } }
        fails<CrmException.TooMuch> { crm.watch(CUSTOMERS).first() }
        crm.create(customer("A"))
        eventually("all hear") { sizes.all { it.value == 1 } }
        // A flow that is no longer collected has closed its list.
        lists.forEach { it.cancelAndJoin() }
        assertEquals(1, crm.watch(CUSTOMERS).first().size)
    }

    @Test
    fun liveListUpdatesWaitForSlowCollectors() = run {
        val crm = device()
        val seen = ConcurrentLinkedQueue<Int>()
        val slow = launch(Dispatchers.Default) {
            crm.watch(CUSTOMERS.copy(limit = 200u)).collect {
                seen += it.size
                delay(0.3.seconds)
            }
        }
        eventually("it begins") { seen.isNotEmpty() }
        repeat(150) { crm.create(customer("C$it")) }
        eventually("the newest is seen") { seen.last() == 150 }
        assertTrue(seen.size < 40, "those between were left out: $seen")
        slow.cancelAndJoin()
    }

    @Test
    fun listenerThatMisbehaves() = run {
        val office = office()
        val crm = office.device("Anna")
        val blocked = CountDownLatch(1)
        val calledBack = CountDownLatch(1)
        val lists = listOf(
            Listener { error("a listener that throws") },
            Listener { blocked.await() },
            Listener { if (crm.replica.count(CUSTOMERS) > 0u) calledBack.countDown() }
        ).map { listener -> crm.read { watch(CUSTOMERS, listener) } }
        val good = crm.watch(CUSTOMERS).stateIn(screen())
        repeat(5) {
            crm.create(customer("C$it"))
            eventually("others hear") { good.value.size == it + 1 }
        }
        assertTrue(calledBack.await(PATIENCE.inWholeSeconds, TimeUnit.SECONDS), "a call from within comes back")
        assertEquals(SyncEnd.COMPLETE, soon { crm.sync() }.end)
        val throwing = object : SyncListener {
            override fun onProgress(progress: SyncProgress) = error("nobody wants to know")
        }
        crm.create(customer("Last"))
        assertEquals(SyncEnd.COMPLETE, crm.await { sync(throwing, it) }.end)
        lists.forEach { list ->
            assertNotNull(list.first())
            list.end()
            list.close()
        }
        soon { withContext(Dispatchers.IO) { crm.close() } }
        blocked.countDown()
    }

    @Test
    fun liveListUpdatesArriveBeforeTheList() {
        val told = mutableListOf<ListPage>()
        val page = LivePage { told += it }
        val record = CrmRecord.Other(OtherRecord("later", java.util.UUID.randomUUID(), emptyMap()))
        val change = ListChange(false, listOf(), listOf(), listOf(PlacedRecord(0u, record)), listOf(), "next")
        page.change(change)
        assertEquals(emptyList(), told)
        page.begin(ListPage(emptyList(), null))
        page.change(change.copy(isReset = true, next = null))
        assertEquals(listOf(ListPage(listOf(record), "next"), ListPage(listOf(record), null)), told)
        assertEquals("later" to null, record.entity to record.common)
    }

    private class Listener(private val hear: (ListChange) -> Unit) : ListListener {
        override fun onChange(change: ListChange) = hear(change)

        override fun onError(error: CrmException) = Unit
    }
}

// What stays on the disk: after a restart, when it is full, in an app and its extension, locked and wiped.
package outrider.crm

import java.io.File
import kotlin.test.*
import kotlinx.coroutines.*
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.toList
import outrider.*

class DiskTest : Scenario() {
    @Test
    fun restart() = run {
        val office = office()
        val folder = folder()
        val phone = Phone()
        var crm = office.device("Anna", folder = folder, phone = phone)
        val record = crm.create(customer("Acme"))
        crm.close()
        assertFailsWith<IllegalStateException> { crm.status() }
        crm = device(folder, phone = phone)
        assertEquals("Acme", crm.customerNow(record).companyName)
        assertEquals("Anna", crm.enrolment()?.user)
        office.kill()
        assertEquals("unreachable", fails<CrmException.Offline> { crm.sync() }.code)
        assertNotNull(crm.syncState().lastError)
        assertEquals(1, crm.outbox().size)
        office.start()
        assertEquals(SyncEnd.COMPLETE, crm.sync().end)
        assertEquals(0u, crm.status().waiting)
        val peer = office.peer("Ben")
        peer.sync()
        assertEquals("Acme", peer.get(record)["company_name"])
    }

    @Test
    fun fullDisk() = run {
        val disk = File(Office.disk(12_000_000))
        val crm = device(File(disk, "crm").path)
        val record = crm.create(customer("Acme"))
        val filler = File(disk, "filler")
        filler.outputStream().use { out ->
            runCatching { while (true) out.write(ByteArray(65_536)) }
        }
        val written = mutableListOf(record)
        val full = fails<CrmException.StorageFull> {
            repeat(2_000) { written += crm.create(customer("C$it", CustomerChange.Notes("x".repeat(4_000)))) }
        }
        assertTrue(full.sentence.isNotEmpty())
        written.forEach { assertNotNull(crm.get(it)) }
        assertEquals(written.size.toULong(), crm.count(ListQuery("customer")))
        filler.delete()
        assertTrue(crm.update(record, change(CustomerChange.Qq("12345"))))
        assertEquals("12345", crm.customerNow(record).qq)
        assertEquals(emptyList(), crm.diagnose().filter { it.isProblem && it.code != "disk_space" })
    }

    @Test
    fun appAndExtension() = run {
        val folder = folder()
        val phone = Phone()
        val app = device(folder, phone = phone)
        val extension = device(folder, phone = phone)
        val both = listOf(app, extension).map { crm ->
            async(Dispatchers.IO) { List(50) { crm.create(customer("C$it")) } }
        }.awaitAll().flatten()
        assertEquals(100u, app.count(ListQuery("customer")))
        both.forEach { assertEquals(app.get(it), extension.get(it)) }
    }

    @Test
    fun lockAndWipe() = run {
        val folder = folder()
        val secrets = KeyInMemory()
        val crm = device(folder, phone = Phone(secrets))
        val record = crm.create(customer("Acme"))
        val begun = CompletableDeferred<Unit>()
        val lists = async { crm.watch(CUSTOMERS).onEach { begun.complete(Unit) }.toList() }
        soon { begun.await() }
        crm.lock()
        assertTrue(crm.read { isLocked() } && crm.isLocked.value)
        assertEquals(1, soon { lists.await() }.last().size, "a list ends with the lock")
        val closed = listOf<suspend () -> Any?>(
            { crm.get(record) },
            { crm.create(customer("B")) },
            { crm.sync() },
            { crm.storage() },
            { crm.watch(CUSTOMERS).toList() }
        )
        closed.forEach { call -> fails<CrmException.Closed> { call() } }
        crm.unlock()
        assertFalse(crm.read { isLocked() })
        assertEquals("Acme", crm.customerNow(record).companyName)
        crm.wipe()
        assertTrue(crm.isLocked.value)
        assertNull(secrets.load(), "the key is gone")
        assertEquals(emptyList(), File(folder).walk().filter { it.isFile && it.length() > 0 }.map { it.name }.toList())
        val new = device(folder, phone = Phone(secrets))
        assertEquals(0u, new.count(ListQuery("customer")))
    }

    @Test
    fun lockAndWipeByOrderOfTheOffice() = run {
        val office = office()
        val secrets = KeyInMemory()
        val crm = office.device("Anna", phone = Phone(secrets))
        crm.create(customer("Acme"))
        crm.sync()
        office.wipe("Anna")
        fails<CrmException.Wiped> { crm.sync() }
        assertTrue(crm.isLocked.value)
        assertNull(secrets.load())
        fails<CrmException.Closed> { crm.count(CUSTOMERS) }
    }

    @Test
    fun wrongKey() = run {
        val folder = folder()
        val secrets = KeyInMemory()
        val crm = device(folder, phone = Phone(secrets))
        val record = crm.create(customer("Acme"))
        crm.close()
        val before = checksums(folder)
        val other = KeyInMemory(ByteArray(32) { 7 })
        fails<CrmException.WrongKey> { device(folder, phone = Phone(other)) }
        fails<CrmException.WrongKey> { device(folder, phone = Phone(KeyInMemory())) }
        fails<CrmException.WrongKey> { device(folder, phone = Phone(KeyInMemory(ByteArray(5)))) }
        secrets.isLocked = true
        assertEquals("key_locked", fails<CrmException.KeyUnavailable> { device(folder, phone = Phone(secrets)) }.code)
        assertEquals(before, checksums(folder))
        secrets.isLocked = false
        assertEquals("Acme", device(folder, phone = Phone(secrets)).customerNow(record).companyName)
    }

    private fun checksums(folder: String): Map<String, Int> = File(folder).walk().filter { it.isFile }
        .associate { it.name to it.readBytes().contentHashCode() }
}

// What Kotlin brings is used, and what it throws is an error of the call and never a crash.
package outrider.desktop

import java.security.KeyPairGenerator
import java.security.interfaces.ECPublicKey
import java.security.spec.ECGenParameterSpec
import java.time.Instant
import java.time.temporal.ChronoUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlin.test.*
import outrider.*
import outrider.crm.*

/** The phone's clock is an hour late. */
private val moment = Instant.now().truncatedTo(ChronoUnit.MILLIS).minusSeconds(3_600)

class PlatformTest : Scenario() {
    /** Counts what is asked, and fails when it is told to. */
    private class Watched :
        HttpTransport,
        SecretStore,
        DeviceSigner,
        WallClock,
        DeviceHints,
        PositionSource {
        private val http = JdkTransport()
        private val key = KeyInMemory()
        private val signer = KeyPairGenerator.getInstance("EC")
            .apply { initialize(ECGenParameterSpec("secp256r1")) }.generateKeyPair()
            .let { EcSigner(it.private, it.public as ECPublicKey) }
        val asked = mutableMapOf<String, AtomicInteger>()

        @Volatile
        var failure: (String) -> Exception? = { null }

        private fun <T> ask(what: String, answer: () -> T): T {
            synchronized(asked) { asked.getOrPut(what) { AtomicInteger() } }.incrementAndGet()
            failure(what)?.let { throw it }
            return answer()
        }

        override fun send(call: HttpCall) = ask("send") { http.send(call) }
        override fun load() = ask("load") { key.load() }
        override fun keep(secret: ByteArray) = ask("keep") { key.keep(secret) }
        override fun erase() = ask("erase") { key.erase() }
        override fun publicKey() = ask("publicKey") { signer.publicKey() }
        override fun sign(message: ByteArray) = ask("sign") { signer.sign(message) }
        override fun now(): Instant = ask("now") { moment }
        override fun network() = ask("network") { Network.UNMETERED }
        override fun power() = ask("power") { Power.CHARGING }
        override fun position() = ask("position") { GeoPoint(31.2304, 121.4737) }

        val phone = Phone(this, this, this, this, this, this)
    }

    private suspend fun Crm.visit(): RecordId =
        create(change(VisitChange.Subject("Repair"), VisitChange.Status("scheduled")))

    @Test
    fun platform() = run {
        val office = office()
        val watched = Watched()
        val crm = office.device("Anna", phone = watched.phone)
        val record = crm.create(customer("Acme"))
        assertEquals(moment, crm.customerNow(record).common.createdAt)
        val here = (crm.get(crm.checkIn(crm.visit(), VisitEvent.CHECK_IN)) as CrmRecord.CheckIn).record.geo
        assertEquals(31.2304, here?.latitude)
        assertEquals(SyncEnd.COMPLETE, crm.syncFor(SyncBudget()).end)
        val peer = office.peer("Ben")
        peer.sync()
        assertEquals("Acme", peer.get(record)["company_name"])
        val used = setOf("send", "load", "keep", "publicKey", "sign", "now", "network", "power", "position")
        assertEquals(used, watched.asked.keys)
        crm.wipe()
        assertContains(watched.asked.keys, "erase")
    }

    @Test
    fun platformThatThrows() = run {
        val office = office()
        val watched = Watched()
        val folder = folder()
        val crm = office.device("Anna", folder = folder, phone = watched.phone)
        crm.sync()
        val unknown = IllegalStateException("nobody thought of this")
        suspend fun whileFailing(what: String, error: Exception, work: suspend () -> Unit) {
            watched.failure = { asked -> error.takeIf { asked == what } }
            work()
            watched.failure = { null }
        }
        whileFailing("send", PlatformException.Unreachable("no line")) { fails<CrmException.Offline> { crm.sync() } }
        whileFailing("send", PlatformException.Untrusted("no proof")) { fails<CrmException.Untrusted> { crm.sync() } }
        whileFailing("send", unknown) { fails<CrmException.Offline> { crm.sync() } }
        whileFailing("load", PlatformException.Locked("locked")) {
            fails<CrmException.KeyUnavailable> { device(folder, phone = watched.phone) }
            fails<CrmException.KeyUnavailable> { crm.sync() }
        }
        whileFailing("load", unknown) { fails<CrmException> { device(folder, phone = watched.phone) } }
        whileFailing("publicKey", unknown) { fails<CrmException> { device(folder, phone = watched.phone) } }
        // What is only a hint is left out.
        whileFailing("position", unknown) {
            val came = crm.checkIn(crm.visit(), VisitEvent.CHECK_IN)
            assertNull((crm.get(came) as CrmRecord.CheckIn).record.geo)
        }
        whileFailing("now", unknown) { assertNotNull(crm.create(customer("By the system's clock"))) }
        whileFailing("network", unknown) { assertEquals(SyncEnd.COMPLETE, crm.syncFor(SyncBudget()).end) }
        whileFailing("power", unknown) { assertEquals(SyncEnd.COMPLETE, crm.syncFor(SyncBudget()).end) }
        whileFailing("erase", unknown) { fails<CrmException> { crm.wipe() } }
        crm.wipe()
    }
}

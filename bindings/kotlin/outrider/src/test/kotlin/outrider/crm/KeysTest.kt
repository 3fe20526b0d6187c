// Keys of the platform: wrapped in a file, and signing.
package outrider.crm

import java.io.File
import java.security.KeyPairGenerator
import java.security.Signature
import java.security.interfaces.ECPublicKey
import java.security.spec.ECGenParameterSpec
import java.util.concurrent.CopyOnWriteArrayList
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec
import kotlin.concurrent.thread
import kotlin.test.*
import org.junit.Rule
import org.junit.rules.TemporaryFolder
import outrider.PlatformException

class KeysTest {
    @get:Rule
    val folders: TemporaryFolder = TemporaryFolder()

    /** What Android's Keystore does, with a key in memory. */
    private class InMemory : KeyWrap {
        var key: SecretKey? = null
        var isLocked = false

        override fun wrap(secret: ByteArray): ByteArray {
            key = key ?: KeyGenerator.getInstance("AES").apply { init(256) }.generateKey()
            val cipher = Cipher.getInstance("AES/GCM/NoPadding").apply { init(Cipher.ENCRYPT_MODE, key) }
            return cipher.iv + cipher.doFinal(secret)
        }

        override fun unwrap(wrapped: ByteArray): ByteArray {
            if (isLocked) throw PlatformException.Locked("locked")
            val cipher = Cipher.getInstance("AES/GCM/NoPadding")
            cipher.init(Cipher.DECRYPT_MODE, key, GCMParameterSpec(128, wrapped, 0, 12))
            return cipher.doFinal(wrapped, 12, wrapped.size - 12)
        }

        override fun destroy() {
            key = null
        }
    }

    @Test
    fun whatIsKeptStays() {
        val wrap = InMemory()
        val file = File(folders.root, "keys/crm.key")
        val store = WrappedSecretStore(file, wrap)
        assertNull(store.load())
        val secret = ByteArray(32) { it.toByte() }
        assertContentEquals(secret, store.keep(secret))
        assertContentEquals(secret, store.keep(ByteArray(32)))
        assertContentEquals(secret, WrappedSecretStore(file, wrap).load())
        assertFalse(file.readBytes().toList().windowed(8).any { it == secret.take(8) }, "it is not there as it is")
        wrap.isLocked = true
        assertFailsWith<PlatformException.Locked> { store.load() }
        assertFailsWith<PlatformException.Locked> { store.keep(secret) }
        wrap.isLocked = false
        assertTrue(store.erase())
        assertNull(store.load())
        assertNull(wrap.key)
        assertFalse(store.erase())
    }

    @Test
    fun whoKeepsFirstWins() {
        val wrap = InMemory()
        val file = File(folders.root, "crm.key")
        val kept = CopyOnWriteArrayList<List<Byte>>()
        val threads = List(8) { number ->
            thread { kept += WrappedSecretStore(file, wrap).keep(ByteArray(32) { number.toByte() }).toList() }
        }
        threads.forEach { it.join() }
        assertEquals(8, kept.size)
        assertEquals(1, kept.toSet().size)
    }

    @Test
    fun aRecordsKeyIsKeptSo() = object : Scenario() {}.run {
        val folder = File(folders.root, "crm").path
        val phone = Phone(WrappedSecretStore(File(folders.root, "crm.key"), InMemory()))
        val record = Crm.open(folder, platform = phone.platform).use { it.create(customer("Acme")) }
        Crm.open(folder, platform = phone.platform).use { crm ->
            assertEquals("Acme", crm.customerNow(record).companyName)
            crm.wipe()
        }
        assertFalse(File(folders.root, "crm.key").exists())
    }

    @Test
    fun signaturesAreTheKeys() {
        // Coordinates that begin with zeros, or with a sign, are among these.
        repeat(100) {
            val keys = KeyPairGenerator.getInstance("EC").apply {
                initialize(ECGenParameterSpec("secp256r1"))
            }.generateKeyPair()
            val signer = EcSigner(keys.private, keys.public as ECPublicKey)
            val point = signer.publicKey()
            assertEquals(65 to 4.toByte(), point.size to point[0])
            val x = java.math.BigInteger(1, point.copyOfRange(1, 33))
            assertEquals((keys.public as ECPublicKey).w.affineX, x)
            val message = "message $it".toByteArray()
            val check = Signature.getInstance("SHA256withECDSA").apply { initVerify(keys.public) }
            check.update(message)
            assertTrue(check.verify(signer.sign(message)))
        }
        val other = KeyPairGenerator.getInstance("EC").apply {
            initialize(ECGenParameterSpec("secp384r1"))
        }.generateKeyPair()
        assertFailsWith<IllegalArgumentException> { EcSigner(other.private, other.public as ECPublicKey) }
    }
}

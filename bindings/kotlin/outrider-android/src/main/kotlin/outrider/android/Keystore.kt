// Keys that never leave the hardware: one wraps the key of the records, one signs for the device.
package outrider.android

import android.os.Build
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import android.security.keystore.StrongBoxUnavailableException
import android.security.keystore.UserNotAuthenticatedException
import java.security.InvalidKeyException
import java.security.KeyPairGenerator
import java.security.KeyStore
import java.security.PrivateKey
import java.security.interfaces.ECPublicKey
import java.security.spec.ECGenParameterSpec
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec
import outrider.PlatformException
import outrider.crm.EcSigner
import outrider.crm.KeyWrap

private const val KEYSTORE = "AndroidKeyStore"
private const val GCM = "AES/GCM/NoPadding"
private const val IV_BYTES = 12
private const val TAG_BITS = 128

private fun keystore(): KeyStore = KeyStore.getInstance(KEYSTORE).apply { load(null) }

/** Makes a key in StrongBox where there is one, else in the usual secure hardware. */
private fun <T> inHardware(make: (strongBox: Boolean) -> T): T {
    if (Build.VERSION.SDK_INT < Build.VERSION_CODES.P) return make(false)
    return try {
        make(true)
    } catch (_: StrongBoxUnavailableException) {
        make(false)
    }
}

private fun KeyGenParameterSpec.Builder.strongBox(wanted: Boolean): KeyGenParameterSpec.Builder = apply {
    if (wanted && Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) setIsStrongBoxBacked(true)
}

/** An AES key of the Keystore. It can be used while the phone is locked: a sync in the background needs it. */
public class KeystoreWrap(private val alias: String) : KeyWrap {
    override fun wrap(secret: ByteArray): ByteArray = using(Cipher.ENCRYPT_MODE, key() ?: newKey(), null) { cipher ->
        cipher.iv + cipher.doFinal(secret)
    }

    override fun unwrap(wrapped: ByteArray): ByteArray {
        val key = key() ?: throw PlatformException.Failed("the Keystore has lost its key")
        val iv = GCMParameterSpec(TAG_BITS, wrapped, 0, IV_BYTES)
        return using(Cipher.DECRYPT_MODE, key, iv) { it.doFinal(wrapped, IV_BYTES, wrapped.size - IV_BYTES) }
    }

    override fun destroy(): Unit = keystore().deleteEntry(alias)

    private fun <T> using(mode: Int, key: SecretKey, iv: GCMParameterSpec?, work: (Cipher) -> T): T = try {
        work(Cipher.getInstance(GCM).apply { init(mode, key, iv) })
    } catch (error: UserNotAuthenticatedException) {
        throw PlatformException.Locked(error.message ?: "the phone is locked")
    } catch (error: InvalidKeyException) {
        throw PlatformException.Failed(error.message ?: "the Keystore's key is not valid any more")
    }

    private fun key(): SecretKey? = keystore().getKey(alias, null) as SecretKey?

    private fun newKey(): SecretKey = inHardware { strongBox ->
        val purposes = KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT
        val spec = KeyGenParameterSpec.Builder(alias, purposes)
            .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
            .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
            .setKeySize(256)
            .strongBox(strongBox)
        KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, KEYSTORE).apply { init(spec.build()) }.generateKey()
    }
}

/** The device's key, P-256; made when it is first asked for. */
public fun keystoreSigner(alias: String): EcSigner {
    if (!keystore().containsAlias(alias)) newSigningKey(alias)
    val store = keystore()
    return EcSigner(store.getKey(alias, null) as PrivateKey, store.getCertificate(alias).publicKey as ECPublicKey)
}

private fun newSigningKey(alias: String) {
    inHardware { strongBox ->
        val spec = KeyGenParameterSpec.Builder(alias, KeyProperties.PURPOSE_SIGN)
            .setAlgorithmParameterSpec(ECGenParameterSpec("secp256r1"))
            .setDigests(KeyProperties.DIGEST_SHA256)
            .strongBox(strongBox)
        KeyPairGenerator.getInstance(KeyProperties.KEY_ALGORITHM_EC, KEYSTORE).apply { initialize(spec.build()) }
            .generateKeyPair()
    }
}

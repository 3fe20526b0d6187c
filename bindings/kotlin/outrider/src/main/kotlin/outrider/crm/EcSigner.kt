// A signer over Java's interfaces for keys: Android's Keystore gives such keys, and so do smart cards.
package outrider.crm

import java.math.BigInteger
import java.security.PrivateKey
import java.security.Signature
import java.security.interfaces.ECPublicKey
import outrider.DeviceSigner

/** Signs with a P-256 key of which the private half may be in hardware. */
public class EcSigner(private val privateKey: PrivateKey, private val publicKey: ECPublicKey) : DeviceSigner {
    init {
        require(publicKey.params.curve.field.fieldSize == 8 * SIDE) { "a key of P-256 is needed" }
    }

    /** A 4, then both coordinates. */
    override fun publicKey(): ByteArray = byteArrayOf(4) + side(publicKey.w.affineX) + side(publicKey.w.affineY)

    override fun sign(message: ByteArray): ByteArray = Signature.getInstance("SHA256withECDSA").run {
        initSign(privateKey)
        update(message)
        sign()
    }

    /** Exactly 32 bytes: Java leaves zeros out, and adds one for the sign. */
    private fun side(number: BigInteger): ByteArray {
        val bytes = number.toByteArray().takeLast(SIDE).toByteArray()
        return ByteArray(SIDE - bytes.size) + bytes
    }

    private companion object {
        const val SIDE = 32
    }
}

// Whom a connection believes: for transports that are written for a platform.
package outrider.crm

import java.net.Socket
import java.security.KeyStore
import java.security.cert.CertificateFactory
import java.security.cert.X509Certificate
import javax.net.ssl.SSLContext
import javax.net.ssl.SSLEngine
import javax.net.ssl.TrustManagerFactory
import javax.net.ssl.X509ExtendedTrustManager
import javax.net.ssl.X509TrustManager
import outrider.HttpCall

/** Who may say who a server is. */
public data class Trust(val authority: List<Byte>?, val isAnybody: Boolean) {
    /** What checks certificates; nothing where the system's own checks count. */
    public fun manager(): X509TrustManager? = when {
        isAnybody -> Anybody
        authority != null -> only(authority.toByteArray())
        else -> null
    }

    /** Connections that believe so; nothing where the system's own checks count. */
    public fun context(manager: X509TrustManager? = manager()): SSLContext? = manager?.let {
        SSLContext.getInstance("TLS").apply { init(null, arrayOf(it), null) }
    }

    public companion object {
        /** Whom a request wants to believe. */
        public fun of(call: HttpCall): Trust = Trust(call.authority?.asList(), call.acceptsAnyCertificate)

        /** The authority with this certificate alone; names of servers are checked as ever. */
        private fun only(der: ByteArray): X509TrustManager {
            val certificate = CertificateFactory.getInstance("X.509").generateCertificate(der.inputStream())
            val keys = KeyStore.getInstance(KeyStore.getDefaultType()).apply { load(null, null) }
            keys.setCertificateEntry("office", certificate)
            val factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm())
            factory.init(keys)
            return factory.trustManagers.filterIsInstance<X509TrustManager>().single()
        }
    }
}

/**
 * Believes whoever answers: for the one request that fetches an authority, of which the fingerprint is compared, and
 * that carries no secret. An extended one, because the system adds a check of names to others.
 */
private object Anybody : X509ExtendedTrustManager() {
    override fun checkClientTrusted(chain: Array<out X509Certificate>?, authType: String?) = Unit
    override fun checkClientTrusted(chain: Array<out X509Certificate>?, authType: String?, socket: Socket?) = Unit
    override fun checkClientTrusted(chain: Array<out X509Certificate>?, authType: String?, engine: SSLEngine?) = Unit
    override fun checkServerTrusted(chain: Array<out X509Certificate>?, authType: String?) = Unit
    override fun checkServerTrusted(chain: Array<out X509Certificate>?, authType: String?, socket: Socket?) = Unit
    override fun checkServerTrusted(chain: Array<out X509Certificate>?, authType: String?, engine: SSLEngine?) = Unit
    override fun getAcceptedIssuers(): Array<X509Certificate> = emptyArray()
}

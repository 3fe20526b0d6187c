// HTTP of the JDK: whom it believes, how long it waits, and that it does nothing of its own accord.
package outrider.desktop

import com.sun.net.httpserver.HttpExchange
import com.sun.net.httpserver.HttpServer
import com.sun.net.httpserver.HttpsConfigurator
import com.sun.net.httpserver.HttpsServer
import java.io.File
import java.net.InetSocketAddress
import java.security.KeyStore
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executors
import javax.net.ssl.KeyManagerFactory
import javax.net.ssl.SSLContext
import kotlin.test.*
import org.junit.After
import org.junit.Rule
import org.junit.rules.TemporaryFolder
import outrider.*

class JdkTransportTest {
    @get:Rule
    val folders: TemporaryFolder = TemporaryFolder()
    private val http = JdkTransport()
    private val threads = Executors.newCachedThreadPool()
    private val release = CountDownLatch(1)
    private val servers = mutableListOf<HttpServer>()

    @After
    fun stop() {
        release.countDown()
        servers.forEach { it.stop(0) }
        threads.shutdownNow()
    }

    private fun <S : HttpServer> S.serving(answer: (HttpExchange) -> Unit): S = apply {
        servers += this
        executor = threads
        createContext("/") { exchange -> exchange.use(answer) }
        start()
    }

    private fun HttpServer.call(method: String = "GET", silenceMs: ULong = 5_000u, body: ByteArray = byteArrayOf()) =
        HttpCall(method, "http://127.0.0.1:${address.port}/a", listOf(), body, null, false, silenceMs)

    private fun HttpBody.all(max: UInt = 1_000u): ByteArray =
        generateSequence { read(max) }.takeWhile { it.isNotEmpty() }.fold(ByteArray(0), ByteArray::plus)

    private fun plain() = HttpServer.create(InetSocketAddress("127.0.0.1", 0), 0)

    @Test
    fun requestsGoAsTheyAre() {
        val server = plain().serving { exchange ->
            val said = exchange.requestBody.readBytes()
            val header = exchange.requestHeaders.getFirst("X-Said")
            exchange.responseHeaders.add("X-Heard", "${exchange.requestMethod} $header")
            exchange.sendResponseHeaders(if (said.isEmpty()) 404 else 200, said.size.toLong().coerceAtLeast(-1))
            exchange.responseBody.write(said)
        }
        val headers = listOf(HttpHeader("X-Said", "here"), HttpHeader("Content-Length", "3"))
        val sent = ByteArray(100_000) { it.toByte() }
        val answer = http.send(server.call("POST", body = sent).copy(headers = headers))
        assertEquals(200.toUShort(), answer.status)
        assertEquals("POST here", answer.headers.single { it.name.equals("x-heard", true) }.value)
        assertContentEquals(sent, answer.body.all())
        answer.body.end()
        assertEquals(404.toUShort(), http.send(server.call().copy(headers = headers.take(1))).status)
    }

    @Test
    fun redirectsAreAnswers() {
        val server = plain().serving { exchange ->
            exchange.responseHeaders.add("Location", "http://127.0.0.1:9/")
            exchange.sendResponseHeaders(302, -1)
        }
        assertEquals(302.toUShort(), http.send(server.call()).status)
    }

    @Test
    fun whoIsSilentIsLeft() {
        val server = plain().serving { exchange ->
            if (exchange.requestMethod == "POST") release.await()
            exchange.sendResponseHeaders(200, 0)
            exchange.responseBody.run {
                write(ByteArray(10))
                flush()
            }
            release.await()
        }
        assertFailsWith<PlatformException.Unreachable> { http.send(server.call("POST", silenceMs = 200u)) }
        val answer = http.send(server.call(silenceMs = 200u))
        assertEquals(10, answer.body.read(100u).size)
        assertFailsWith<PlatformException.Unreachable> { answer.body.read(100u) }
        answer.body.end()
        assertFailsWith<PlatformException.Unreachable> { http.send(server.call().copy(url = "http://127.0.0.1:9/")) }
    }

    @Test
    fun onlyTheAuthorityVouches() {
        keytool("-alias", "ca", "-dname", "CN=Office", "-ext", "bc:c")
        keytool("-alias", "other", "-dname", "CN=Other", "-ext", "bc:c")
        keytool("-alias", "server", "-dname", "CN=crm", "-ext", "san=ip:127.0.0.1", "-signer", "ca")
        keytool("-alias", "elsewhere", "-dname", "CN=crm", "-ext", "san=dns:crm.example", "-signer", "ca")
        val keys = KeyStore.getInstance(File(folders.root, "keys"), PASSWORD.toCharArray())
        val authority = keys.getCertificate("ca").encoded
        val call = secure(keys, "server").call().run { copy(url = url.replace("http:", "https:")) }
        assertFailsWith<PlatformException.Untrusted> { http.send(call) }
        val trusted = http.send(call.copy(authority = authority))
        assertEquals("ok", trusted.body.all().decodeToString())
        assertEquals(200.toUShort(), http.send(call.copy(acceptsAnyCertificate = true)).status)
        // Another authority does not, nor this one for another server.
        assertFailsWith<PlatformException.Untrusted> {
            http.send(call.copy(authority = keys.getCertificate("other")!!.encoded))
        }
        val elsewhere = secure(keys, "elsewhere").call().run { copy(url = url.replace("http:", "https:")) }
        assertFailsWith<PlatformException.Untrusted> { http.send(elsewhere.copy(authority = authority)) }
        assertEquals(200.toUShort(), http.send(elsewhere.copy(acceptsAnyCertificate = true)).status)
    }

    private fun secure(keys: KeyStore, alias: String): HttpsServer {
        val own = KeyStore.getInstance(KeyStore.getDefaultType()).apply { load(null, null) }
        val password = PASSWORD.toCharArray()
        own.setKeyEntry(alias, keys.getKey(alias, password), password, keys.getCertificateChain(alias))
        val managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm()).apply {
            init(own, password)
        }
        val tls = SSLContext.getInstance("TLS").apply { init(managers.keyManagers, null, null) }
        return HttpsServer.create(InetSocketAddress("127.0.0.1", 0), 0).apply {
            httpsConfigurator =
                HttpsConfigurator(tls)
        }
            .serving { exchange ->
                exchange.sendResponseHeaders(200, 2)
                exchange.responseBody.write("ok".toByteArray())
            }
    }

    private fun keytool(vararg words: String) {
        val program = File(System.getProperty("java.home"), "bin/keytool").path
        val store = listOf("-keystore", File(folders.root, "keys").path, "-storepass", PASSWORD, "-keyalg", "EC")
        val process = ProcessBuilder(listOf(program, "-genkeypair") + words + store).redirectErrorStream(true).start()
        val said = process.inputStream.readBytes().decodeToString()
        check(process.waitFor() == 0) { said }
    }

    private companion object {
        const val PASSWORD = "only for tests"
    }
}

// HTTP by the JDK's own client: for desktops and servers, and an example of a transport.
package outrider.desktop

import java.io.IOException
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.security.GeneralSecurityException
import java.time.Duration
import java.util.concurrent.ConcurrentHashMap
import outrider.*
import outrider.crm.Trust

/**
 * Sends requests as they are: no redirects, no cache. One client for each way of trusting, so that connections are
 * used again.
 */
public class JdkTransport(private val connectTimeout: Duration = Duration.ofSeconds(20)) : HttpTransport {
    private val clients = ConcurrentHashMap<Trust, HttpClient>()

    override fun send(call: HttpCall): HttpAnswer {
        val silence = Duration.ofMillis(call.silenceMs.toLong().coerceIn(1, SILENCE_MS_MAX))
        val answer = try {
            clients.computeIfAbsent(Trust.of(call), ::client).send(request(call, silence)) { ArrivingBody(silence) }
        } catch (error: IOException) {
            // A line that breaks while both greet each other is no lack of trust.
            val isTrust = generateSequence<Throwable>(error) { it.cause }.any { it is GeneralSecurityException }
            throw if (isTrust) PlatformException.Untrusted(said(error)) else PlatformException.Unreachable(said(error))
        }
        return HttpAnswer(answer.statusCode().toUShort(), headers(answer), answer.body())
    }

    private fun client(trust: Trust): HttpClient {
        val builder = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NEVER)
            .version(HttpClient.Version.HTTP_1_1).connectTimeout(connectTimeout)
        trust.context()?.let { builder.sslContext(it) }
        return builder.build()
    }

    private fun request(call: HttpCall, silence: Duration): HttpRequest {
        // The time until the head is there; the body has its own.
        val request = HttpRequest.newBuilder(URI(call.url)).timeout(silence)
        call.headers.filter { it.name.lowercase() !in OWN }.forEach { request.header(it.name, it.value) }
        val body = when (call.method) {
            "GET" -> HttpRequest.BodyPublishers.noBody()
            else -> HttpRequest.BodyPublishers.ofByteArray(call.body)
        }
        return request.method(call.method, body).build()
    }

    private fun headers(answer: HttpResponse<*>): List<HttpHeader> =
        answer.headers().map().flatMap { (name, values) -> values.map { HttpHeader(name, it) } }

    private companion object {
        /** Headers that the client writes itself. */
        val OWN = setOf("connection", "content-length", "expect", "host", "upgrade")
        const val SILENCE_MS_MAX = 3_600_000L
    }
}

internal fun said(error: Throwable): String = error.message ?: error.javaClass.simpleName

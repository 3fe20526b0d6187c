// HTTP by OkHttp, which knows Android's proxies and certificates.
package outrider.android

import java.io.IOException
import java.security.GeneralSecurityException
import java.time.Duration
import java.util.concurrent.ConcurrentHashMap
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.Response
import outrider.*
import outrider.crm.Trust

/** Sends requests as they are: no redirects, no cache, no second try. One pool of connections for all. */
public class OkHttpTransport(base: OkHttpClient = OkHttpClient()) : HttpTransport {
    private val plain = base.newBuilder().followRedirects(false).followSslRedirects(false)
        .retryOnConnectionFailure(false).cache(null).build()
    private val clients = ConcurrentHashMap<Trust, OkHttpClient>()

    override fun send(call: HttpCall): HttpAnswer {
        val silence = Duration.ofMillis(call.silenceMs.toLong())
        val client = clients.computeIfAbsent(Trust.of(call), ::trusting).newBuilder()
            .connectTimeout(silence).readTimeout(silence).writeTimeout(silence).build()
        val answer = unreachable { client.newCall(request(call)).execute() }
        val headers = answer.headers.map { (name, value) -> HttpHeader(name, value) }
        return HttpAnswer(answer.code.toUShort(), headers, Body(answer))
    }

    private fun trusting(trust: Trust): OkHttpClient {
        val manager = trust.manager() ?: return plain
        val sockets = checkNotNull(trust.context(manager)).socketFactory
        val builder = plain.newBuilder().sslSocketFactory(sockets, manager)
        if (trust.isAnybody) builder.hostnameVerifier { _, _ -> true }
        return builder.build()
    }

    private fun request(call: HttpCall): Request {
        val builder = Request.Builder().url(call.url)
        call.headers.forEach { builder.addHeader(it.name, it.value) }
        return builder.method(call.method, if (call.method == "GET") null else call.body.toRequestBody()).build()
    }

    private class Body(private val answer: Response) : HttpBody {
        override fun read(max: UInt): ByteArray = unreachable {
            val bytes = ByteArray(minOf(max, READ_MAX).toInt())
            val count = answer.body.byteStream().read(bytes)
            if (count < 0) ByteArray(0) else bytes.copyOf(count)
        }

        override fun end(): Unit = answer.close()
    }

    private companion object {
        const val READ_MAX = 65_536u

        /** Says a failure in the library's words. */
        fun <T> unreachable(work: () -> T): T = try {
            work()
        } catch (error: IOException) {
            val reason = error.message ?: error.javaClass.simpleName
            // A line that breaks while both greet each other is no lack of trust.
            val isTrust = generateSequence<Throwable>(error) { it.cause }.any { it is GeneralSecurityException }
            throw if (isTrust) PlatformException.Untrusted(reason) else PlatformException.Unreachable(reason)
        }
    }
}

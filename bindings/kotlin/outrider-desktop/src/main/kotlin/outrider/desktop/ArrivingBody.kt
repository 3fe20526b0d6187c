// The body of an answer while it arrives: read piece by piece, with an end to patience.
package outrider.desktop

import java.net.http.HttpResponse.BodySubscriber
import java.nio.ByteBuffer
import java.time.Duration
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CompletionStage
import java.util.concurrent.Flow
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import outrider.HttpBody
import outrider.PlatformException

/**
 * Takes one portion from the network at a time, when the one before has been read: a large answer fills no memory.
 * The JDK's streams wait for ever, and a line that has gone silent is the usual one.
 */
internal class ArrivingBody(private val silence: Duration) :
    HttpBody,
    BodySubscriber<HttpBody> {
    private sealed interface News
    private class Portion(val bytes: List<ByteBuffer>) : News
    private class End(val error: Throwable?) : News

    private val news = LinkedBlockingQueue<News>()
    private val waiting = ArrayDeque<ByteBuffer>()
    private var end: End? = null

    @Volatile
    private var subscription: Flow.Subscription? = null

    override fun getBody(): CompletionStage<HttpBody> = CompletableFuture.completedStage(this)

    override fun onSubscribe(subscription: Flow.Subscription) {
        this.subscription = subscription
        subscription.request(1)
    }

    override fun onNext(item: List<ByteBuffer>) {
        news += Portion(item)
    }

    override fun onError(throwable: Throwable) {
        news += End(throwable)
    }

    override fun onComplete() {
        news += End(null)
    }

    @Synchronized
    override fun read(max: UInt): ByteArray {
        while (waiting.isEmpty()) {
            when (val next = end ?: news.poll(silence.toMillis(), TimeUnit.MILLISECONDS)) {
                null -> throw PlatformException.Unreachable("nothing arrived for ${silence.toMillis()} ms")

                is End -> {
                    end = next
                    next.error?.let { throw PlatformException.Unreachable(said(it)) }
                    return ByteArray(0)
                }

                is Portion -> {
                    waiting += next.bytes.filter { it.hasRemaining() }
                    subscription?.request(1)
                }
            }
        }
        val first = waiting.first()
        val bytes = ByteArray(minOf(first.remaining().toUInt(), max).toInt())
        first.get(bytes)
        if (!first.hasRemaining()) waiting.removeFirst()
        return bytes
    }

    override fun end() {
        subscription?.cancel()
    }
}

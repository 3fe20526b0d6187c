// What calls cost from Kotlin: lines of JSON, for a table of all languages.
package outrider.measurements

import java.io.File
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.time.Duration
import kotlin.time.DurationUnit
import kotlin.time.measureTime
import kotlin.time.measureTimedValue
import kotlinx.coroutines.runBlocking
import outrider.*
import outrider.crm.*

private const val ENTITY = "customer"
private val LIST = ListQuery(ENTITY, limit = 50u)

/** The key of a store that was made to be measured. */
private class KeyOfFile(private val secret: ByteArray) : SecretStore {
    override fun load(): ByteArray = secret
    override fun keep(secret: ByteArray): ByteArray = this.secret
    override fun erase(): Boolean = false
}

private fun say(name: String, value: Duration, unit: DurationUnit, short: String) {
    println("""{"language":"kotlin","name":"$name","value":${value.toDouble(unit)},"unit":"$short"}""")
}

/** The middle one of many: what the JIT and the collector do in between does not count. */
private fun median(times: Int, warmUp: Int, work: () -> Unit): Duration {
    repeat(warmUp) { work() }
    return List(times) { measureTime(work) }.sorted()[times / 2]
}

/** Own updates of single records of a watched list, until the last was heard. */
private fun liveUpdates(replica: Replica, updates: Int): Duration {
    val heard = CountDownLatch(1)
    val last = "+86 10 9999 9999"
    val listener = object : ListListener {
        override fun onChange(change: ListChange) {
            if (change.changed.any { (it.record as CrmRecord.Customer).record.phone == last }) heard.countDown()
        }

        override fun onError(error: CrmException) = Unit
    }
    val list = replica.watch(LIST, listener)
    val records = list.first().records.map { it.id }
    val took = measureTime {
        repeat(updates) { number ->
            val phone = if (number == updates - 1) last else "+86 10 %08d".format(10_000_000 + number)
            val change = CrmChanges.Customer(listOf(CustomerChange.Phone(phone)))
            replica.update(records[number % records.size], change)
        }
        check(heard.await(120, TimeUnit.SECONDS)) { "the last update was not heard" }
    }
    list.end()
    list.close()
    return took
}

/** `Measure FOLDER` */
public fun main(args: Array<String>): Unit = runBlocking {
    val folder = args.single()
    val key = File(folder, "measure.key").takeIf { it.exists() }?.readText()?.trim()?.chunked(2)
    val platform = Platform(key?.let { hex -> KeyOfFile(hex.map { it.toInt(16).toByte() }.toByteArray()) })
    fun open() = Replica.open(folder, Language.ENGLISH, platform)
    // The very first calls load the library and some hundred classes.
    say("load", measureTime { version() }, DurationUnit.MILLISECONDS, "ms")
    val (replica, begun) = measureTimedValue { open() }
    say("open_very_first", begun, DurationUnit.MILLISECONDS, "ms")
    val first = measureTime { check(replica.list(LIST).records.size == 50) }
    say("first_list_very_first", first, DurationUnit.MILLISECONDS, "ms")
    say("open", median(times = 20, warmUp = 5) { open().close() }, DurationUnit.MILLISECONDS, "ms")
    say("first_list", median(times = 200, warmUp = 200) { replica.list(LIST) }, DurationUnit.MILLISECONDS, "ms")
    val record = replica.list(LIST).records.first().id
    say("get", median(times = 2_000, warmUp = 2_000) { replica.get(record) }, DurationUnit.MICROSECONDS, "µs")
    say("call", median(times = 20_000, warmUp = 20_000) { replica.isLocked() }, DurationUnit.MICROSECONDS, "µs")
    liveUpdates(replica, updates = 100)
    say("live_updates", liveUpdates(replica, updates = 1_000), DurationUnit.MILLISECONDS, "ms")
    replica.close()
}

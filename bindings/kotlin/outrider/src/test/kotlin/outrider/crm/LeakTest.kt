// Memory stays flat, however often records are opened and lists are watched.
package outrider.crm

import java.io.File
import kotlin.test.*
import kotlinx.coroutines.flow.first
import outrider.*

private const val PAGE_BYTES = 4_096L

/** What a round may cost at most, on average: a leak of one page of records a round is more. */
private const val BYTES_PER_ROUND = 10_000L

/** What allocators and the JIT may take besides. */
private const val SLACK_BYTES = 16_000_000L

class LeakTest : Scenario() {
    @Test
    fun leak() = run {
        val rounds = System.getenv("OUTRIDER_LEAK_ROUNDS")?.toInt() ?: 300
        val folder = folder()
        val phone = Phone()
        device(folder, phone = phone).let { crm -> repeat(50) { crm.create(customer("C$it")) } }
        // Caches, compiled code and threads are there after some rounds.
        repeat(rounds / 3 + 20) { round(folder, phone, it) }
        val before = memory()
        repeat(rounds) { round(folder, phone, it) }
        val grown = memory() - before
        println("leak: $rounds rounds, $grown bytes")
        assertTrue(grown < SLACK_BYTES + rounds * BYTES_PER_ROUND, "$grown bytes in $rounds rounds")
    }

    private suspend fun round(folder: String, phone: Phone, number: Int) {
        Crm.open(folder, Language.ENGLISH, phone.platform).use { crm ->
            assertEquals(50, crm.list(CUSTOMERS).records.size)
            val record = crm.watch(CUSTOMERS).first().first().id
            crm.update(record, change(CustomerChange.Qq("$number")))
            assertTrue(runCatching { crm.create(customer("C", CustomerChange.Phone("1"))) }.isFailure)
        }
    }

    /** What of the process is in memory, and what of the heap is used; the heap itself is in memory from the start. */
    private fun memory(): Long {
        repeat(3) {
            System.gc()
            Thread.sleep(50)
        }
        val resident = File("/proc/self/statm").readText().split(" ")[1].toLong() * PAGE_BYTES
        return resident + Runtime.getRuntime().run { totalMemory() - freeMemory() }
    }
}

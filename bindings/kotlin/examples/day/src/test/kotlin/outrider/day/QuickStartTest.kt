// The quick start of the README is the file that is compiled, and it runs.
package outrider.day

import java.io.File
import kotlin.test.*
import outrider.crm.*
import quickStart

class QuickStartTest : Scenario() {
    private val home =
        File(System.getProperty("outrider.kotlin") ?: error("outrider.kotlin names the package's folder"))

    @Test
    fun theQuickStartRuns() = run {
        val office = office()
        assertEquals("三川实业", quickStart(folder(), office.url, office.code("Anna"), Phone().platform))
        val peer = office.device("Ben")
        peer.sync()
        assertEquals(listOf<String?>("三川实业"), names(peer.list(CUSTOMERS).records))
    }

    @Test
    fun theReadmeSaysTheSame() {
        val file = File(home, "examples/quickstart/QuickStart.kt").readText()
        assertTrue(file.lines().size < 20)
        assertContains(File(home, "README.md").readText(), "```kotlin\n$file```\n")
    }
}

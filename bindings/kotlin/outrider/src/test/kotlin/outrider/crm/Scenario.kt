// What all scenarios have: folders that go with the test, devices, and an end to patience.
package outrider.crm

import java.io.File
import java.util.concurrent.TimeUnit
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancel
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.After
import org.junit.Rule
import org.junit.rules.TemporaryFolder
import org.junit.rules.Timeout
import outrider.*

/** How long a test waits for what must come. */
val PATIENCE: Duration = 30.seconds

abstract class Scenario {
    @get:Rule
    val folders: TemporaryFolder = TemporaryFolder()

    /** A call into the library that never returns fails one test, and not all. */
    @get:Rule
    val patience: Timeout = Timeout.builder().withTimeout(180, TimeUnit.SECONDS).withLookingForStuckThread(true).build()

    private val open = mutableListOf<AutoCloseable>()

    /** Closes something with the test. */
    fun <T : AutoCloseable> T.untilEnd(): T = also { open += it }

    @After
    fun close() {
        open.reversed().forEach { it.close() }
    }

    fun office(): Office = Office.open().untilEnd()

    /** The scope of a screen: it ends with the test, before the records that are opened so far are closed. */
    fun screen(): CoroutineScope = CoroutineScope(Dispatchers.Default).also { AutoCloseable { it.cancel() }.untilEnd() }

    /** A folder that is not there yet. */
    fun folder(name: String = "crm"): String = File(folders.newFolder(), name).path

    /** The records of a device, English unless said otherwise. */
    suspend fun device(folder: String = folder(), language: Language = Language.ENGLISH, phone: Phone = Phone()): Crm =
        Crm.open(folder, language, phone.platform).untilEnd()

    /** The records of a device that an office knows. */
    suspend fun Office.device(
        user: String,
        url: String = this.url,
        folder: String = folder(),
        language: Language = Language.ENGLISH,
        phone: Phone = Phone()
    ): Crm = this@Scenario.device(folder, language, phone).also {
        it.enrol(EnrolCode(url, code(user), "$user's phone"))
    }

    /** Runs a test's coroutines. */
    fun run(work: suspend CoroutineScope.() -> Unit): Unit = runBlocking { work() }
}

/** Waits until something holds; it may be asked often. */
suspend fun eventually(what: String, found: () -> Any? = { "" }, holds: suspend () -> Boolean) {
    val begun = TimeSource.Monotonic.markNow()
    while (!holds()) {
        check(begun.elapsedNow() < PATIENCE) { "in vain: $what ${found()}" }
        delay(20.milliseconds)
    }
}

/** Fails instead of waiting for ever. */
suspend fun <T> soon(work: suspend CoroutineScope.() -> T): T = withTimeout(PATIENCE) { work() }

/** What goes wrong as the library says it. */
suspend inline fun <reified E : CrmException> fails(crossinline work: suspend () -> Unit): E {
    try {
        work()
    } catch (error: CrmException) {
        if (error is E) return error
        throw AssertionError("not a ${E::class.simpleName}: ${error.javaClass.simpleName} ${error.code}", error)
    }
    throw AssertionError("no ${E::class.simpleName}")
}

// Runs the test classes that it is given, and says how it went in a line that a script reads.
package outrider.crm

import kotlin.system.exitProcess
import org.junit.runner.Description
import org.junit.runner.JUnitCore
import org.junit.runner.notification.Failure
import org.junit.runner.notification.RunListener

/** Prints each test with its time, and why it failed. */
private class Teller : RunListener() {
    private var begunAt = 0L
    private var word = "ok"

    override fun testStarted(description: Description) {
        begunAt = System.nanoTime()
        word = "ok"
    }

    override fun testFailure(failure: Failure) {
        word = "FAILED"
        println(failure.trace)
    }

    override fun testAssumptionFailure(failure: Failure) {
        word = "left out: ${failure.message}"
    }

    override fun testFinished(description: Description) {
        val took = (System.nanoTime() - begunAt) / 1_000_000
        println("${description.testClass.simpleName}.${description.methodName}: $word ($took ms)")
    }
}

/** `Suite CLASS...` */
public fun main(args: Array<String>) {
    val core = JUnitCore().apply { addListener(Teller()) }
    val results = args.map { name -> core.run(Class.forName(name)) }
    val failed = results.sumOf { it.failureCount }
    val leftOut = results.sumOf { it.assumptionFailureCount }
    println("kotlin: ${results.sumOf { it.runCount } - failed - leftOut} passed, $failed failed")
    // Listeners that block for ever, as one test has them, must not keep the process.
    exitProcess(if (failed > 0) 1 else 0)
}

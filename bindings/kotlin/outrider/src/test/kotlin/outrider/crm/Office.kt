// The office that tests talk to: real servers, devices of other languages, slow lines (bindings/tests/SCENARIOS.md).
package outrider.crm

import java.net.URI
import java.net.URLDecoder
import java.net.URLEncoder
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpRequest.BodyPublishers
import java.net.http.HttpResponse.BodyHandlers
import org.junit.Assume.assumeTrue

/** Asks the office; its answer by name. What the machine cannot do leaves the test out. */
private fun ask(path: String, vararg form: Pair<String, Any>): Map<String, String> {
    val address = checkNotNull(System.getenv("OUTRIDER_OFFICE")) { "OUTRIDER_OFFICE names no office" }
    val quote = { text: Any -> URLEncoder.encode(text.toString(), Charsets.UTF_8) }
    val body = form.joinToString("&") { (name, value) -> "${quote(name)}=${quote(value)}" }
    val request = HttpRequest.newBuilder(URI(address + path)).POST(BodyPublishers.ofString(body))
        .header("Content-Type", "application/x-www-form-urlencoded").build()
    val answer = client.send(request, BodyHandlers.ofString())
    assumeTrue("$path: ${answer.body()}", answer.statusCode() != 501)
    check(answer.statusCode() == 200) { "$path: ${answer.body()}" }
    return answer.body().lines().filter { '=' in it }.associate { line ->
        val (name, value) = line.split("=", limit = 2)
        // A value with line breaks comes quoted.
        if (name.endsWith("*")) name.dropLast(1) to URLDecoder.decode(value, Charsets.UTF_8) else name to value
    }
}

private val client = HttpClient.newHttpClient()

/** One server, as a process of its own. */
class Office private constructor(private val number: String, val url: String) : AutoCloseable {
    fun code(user: String): String = ask("/code", "office" to number, "user" to user).getValue("code")

    /** A code for a device that the office lets in by [approve]. */
    fun codeToApprove(user: String): String =
        ask("/code", "office" to number, "user" to user, "approve" to "yes").getValue("code")

    fun approve(user: String) = tell("/approve", "user" to user)

    fun wipe(user: String) = tell("/wipe", "user" to user)

    fun role(user: String, role: String) = tell("/role", "user" to user, "role" to role)

    fun rules() = tell("/rules")

    fun kill() = tell("/kill")

    fun start() = tell("/start")

    fun fill(customers: Int) = tell("/fill", "customers" to customers)

    fun slow(bytesPerSecond: Int): Line = ask("/slow", "office" to number, "bytes_per_second" to bytesPerSecond).let {
        Line(it.getValue("proxy"), it.getValue("url"))
    }

    fun peer(user: String, kind: String = "python"): Peer =
        Peer(ask("/peer", "office" to number, "user" to user, "kind" to kind).getValue("peer"))

    override fun close() = tell("/end")

    private fun tell(path: String, vararg form: Pair<String, Any>) {
        ask(path, "office" to number, *form)
    }

    companion object {
        fun open(): Office = ask("/office").let { Office(it.getValue("office"), it.getValue("url")) }

        /** A folder on a disk of its own. */
        fun disk(bytes: Long): String = ask("/disk", "bytes" to bytes).getValue("path")
    }
}

/** A slow line to a server. */
class Line(private val number: String, val url: String) {
    fun speed(bytesPerSecond: Int) {
        ask("/speed", "proxy" to number, "bytes_per_second" to bytesPerSecond)
    }

    fun cut() {
        ask("/cut", "proxy" to number)
    }
}

/** A device of another language. */
class Peer(private val number: String) {
    fun create(entity: String, vararg fields: Pair<String, Any>): RecordName =
        RecordName.fromString(ask("/peer/create", "peer" to number, "entity" to entity, *fields).getValue("record"))

    fun edit(record: RecordName, vararg fields: Pair<String, Any>) {
        ask("/peer/edit", "peer" to number, "record" to record, *fields)
    }

    fun note(record: RecordName, line: String) {
        ask("/peer/note", "peer" to number, "record" to record, "line" to line)
    }

    fun get(record: RecordName): Map<String, String> = ask("/peer/get", "peer" to number, "record" to record)

    fun sync() {
        ask("/peer/sync", "peer" to number)
    }
}

private typealias RecordName = java.util.UUID

// Files in and out.
package outrider.crm

import java.io.File
import java.util.concurrent.ConcurrentLinkedQueue
import kotlin.test.*
import kotlinx.coroutines.*
import outrider.*

class FilesTest : Scenario() {
    @Test
    fun importExport() = run {
        val crm = device()
        val csv = File(folders.root, "customers.csv")
        csv.writeText("Company name,Phone number,Employees\n" + rows(1..40) + "Bad,+86 10 1,many\n")
        val proposal = crm.proposeImport(csv.path, ImportWishes(entity = "customer", region = "CN"))
        assertEquals("customer", proposal.entity)
        assertEquals("company_name", proposal.columns.single { it.column == "Company name" }.field)
        val tried = crm.importFile(csv.path, proposal.mapping, isDryRun = true)
        assertEquals(40uL to 1uL, tried.created to tried.rejected)
        assertEquals(0u, crm.count(ListQuery("customer")))
        assertEquals("Employees" to 42uL, tried.errors.single().let { it.column to it.row })
        val told = ConcurrentLinkedQueue<ULong>()
        val done = crm.importFile(csv.path, proposal.mapping) { bytes, _ -> told += bytes }
        assertEquals(40uL to 1uL, done.created to done.rejected)
        eventually("progress is told") { told.isNotEmpty() }
        assertEquals(40uL, crm.importFile(csv.path, proposal.mapping).unchanged)
        val batch = crm.imports().last()
        assertEquals(done.number to 40uL, batch.number to batch.created)
        fails<CrmException.Invalid> { crm.importFile(csv.path, "no mapping") }
        fails<CrmException.NotFound> { crm.proposeImport(File(folders.root, "nothing.csv").path) }

        val json = File(folders.root, "customers.json").path
        val exported = crm.exportFile(json, FileFormat.JSON, CUSTOMERS)
        assertEquals(40uL to File(json).length().toULong(), exported.records to exported.bytes)
        assertEquals(
            "file_exists",
            fails<CrmException.Refused> {
                crm.exportFile(json, FileFormat.JSON, CUSTOMERS)
            }.code
        )
        fails<CrmException.Invalid> { crm.exportFile("$json.vcf", FileFormat.V_CARD, ListQuery("opportunity")) }
        assertFalse(File("$json.vcf").exists())
        val undone = crm.undoImport(batch.number)
        assertEquals(40uL, undone.archived + undone.kept)
        assertEquals(0u, crm.count(ListQuery("customer")))
        assertTrue(crm.imports().single { it.number == batch.number }.isUndone)

        val other = device()
        val back = other.importExported(json) { _, _ -> }
        assertEquals(40uL, back.created)
        assertEquals(40u, other.count(ListQuery("customer")))
    }

    @Test
    fun importExportCanBeCancelled() = run {
        val crm = device()
        val csv = File(folders.root, "customers.csv")
        csv.writeText("Company name,Phone number,Employees\n" + rows(1..20_000))
        val mapping = crm.proposeImport(csv.path, ImportWishes(entity = "customer")).mapping
        val job = launch(Dispatchers.Default) { crm.importFile(csv.path, mapping) }
        eventually("some rows are in") { crm.count(ListQuery("customer")) > 0u }
        soon { job.cancelAndJoin() }
        val arrived = crm.count(ListQuery("customer"))
        assertTrue(arrived in 1u..19_999u, "$arrived")
        val rest = crm.importFile(csv.path, mapping)
        assertEquals(arrived to 20_000uL - arrived, rest.unchanged to rest.created, "what was imported is kept")
    }

    @Test
    fun importExportOfAllRecords() = run {
        val crm = device()
        crm.create(customer("Acme"))
        val copy = File(folders.root, "copy.db")
        assertEquals("plain", fails<CrmException.Refused> { crm.exportStore(copy.path) }.code)
        assertFalse(copy.exists())
        crm.exportStore(copy.path, plain = true)
        assertTrue(copy.length() > 0)
        fails<CrmException.Refused> { crm.exportStore(copy.path, plain = true) }
    }

    private fun rows(numbers: IntRange) = numbers.joinToString("") { "Customer $it,+86 10 ${60_000_000 + it},$it\n" }
}

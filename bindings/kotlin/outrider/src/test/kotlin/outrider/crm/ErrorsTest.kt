// Each error has a word for programs and a sentence for people.
package outrider.crm

import kotlin.test.*
import outrider.*

class ErrorsTest {
    @Test
    fun everyErrorHasAWordAndASentence() {
        val all = listOf(
            CrmException.Invalid("code", "A sentence.", null),
            CrmException.NotFound("code", "A sentence."),
            CrmException.NotPermitted("code", "A sentence.", listOf("tier")),
            CrmException.Refused("code", "A sentence."),
            CrmException.NotEnrolled("code", "A sentence."),
            CrmException.WaitsForApproval("code", "A sentence.", "ab"),
            CrmException.Offline("code", "A sentence."),
            CrmException.Untrusted("code", "A sentence."),
            CrmException.Barred("code", "A sentence.", 1u),
            CrmException.Wiped("code", "A sentence."),
            CrmException.Locked("code", "A sentence."),
            CrmException.KeyUnavailable("code", "A sentence."),
            CrmException.WrongKey("code", "A sentence."),
            CrmException.StorageFull("code", "A sentence."),
            CrmException.Damaged("code", "A sentence."),
            CrmException.InUse("code", "A sentence."),
            CrmException.Closed("code", "A sentence."),
            CrmException.Cancelled("code", "A sentence."),
            CrmException.TooMuch("code", "A sentence."),
            CrmException.OutOfDate("code", "A sentence."),
            CrmException.Failed("code", "A sentence.")
        )
        assertEquals(CrmException::class.java.permittedSubclasses.size, all.size)
        all.forEach { assertEquals("code" to "A sentence.", it.code to it.sentence) }
        assertEquals(
            listOf("WaitsForApproval", "Offline", "KeyUnavailable", "InUse", "Closed", "Cancelled"),
            all.filter { it.isPassing }.map { it.javaClass.simpleName }
        )
    }

    @Test
    fun everyEntityHasItsParts() = object : Scenario() {}.run {
        val folder = kotlin.io.path.createTempDirectory().toFile()
        try {
            Crm.open("$folder/crm", platform = Phone().platform).use { crm ->
                val names = crm.entities().map { it.name }
                assertEquals(CrmRecord::class.java.permittedSubclasses.size - 1, names.size)
                val record = crm.create(customer("Acme"))
                val found = crm.get(record)!!
                assertEquals(
                    listOf(record, "customer", false),
                    listOf(found.id, found.entity, found.common?.isArchived)
                )
                assertContains(names, found.entity)
            }
        } finally {
            folder.deleteRecursively()
        }
    }
}

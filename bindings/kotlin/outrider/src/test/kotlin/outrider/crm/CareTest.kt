// Whether all is well, what support may see, and what there is to fill in.
package outrider.crm

import java.io.File
import java.util.zip.ZipFile
import kotlin.test.*
import outrider.*

class CareTest : Scenario() {
    @Test
    fun diagnosis() = run {
        val office = office()
        val crm = office.device("Anna", language = Language.CHINESE)
        crm.create(customer("三川秘密实业", CustomerChange.Notes("nobody may read this")))
        val status = crm.status()
        assertEquals(office.url to "Anna", status.server to status.user)
        assertTrue(status.waiting > 0u)
        assertEquals(listOf(EntityCount("customer", 1u)), status.records.filter { it.entity == "customer" })
        val storage = crm.storage()
        assertTrue(storage.databaseBytes > 0u && storage.fileBytes >= storage.databaseBytes, "$storage")
        val found = crm.diagnose()
        assertEquals(emptyList(), found.filter { it.isProblem })
        assertTrue(found.all { it.sentence.isNotEmpty() })
        assertEquals("no_fix", fails<CrmException.Invalid> { crm.repair("magic") }.code)
        assertEquals(0uL, crm.repair("rows"))
        val file = File(folders.root, "support.zip").path
        val bundle = crm.writeSupportBundle(file, "the app's own log")
        assertTrue(bundle.parts.isNotEmpty())
        fails<CrmException.Refused> { crm.writeSupportBundle(file) }
        val text = ZipFile(file).use { zip ->
            zip.entries().asSequence().joinToString("\n") { zip.getInputStream(it).readBytes().decodeToString() }
        }
        assertContains(text, "\"entity\": \"customer\"")
        listOf("三川", "秘密", "nobody may", "own log").forEach { assertFalse(it in text, it) }
        assertTrue(version().isNotEmpty())
    }

    @Test
    fun schema() = run {
        val english = device()
        val chinese = device(language = Language.CHINESE)
        val customer = chinese.entities().single { it.name == "customer" }
        assertEquals(listOf("客户", "客户信息表", "company_name"), listOf(customer.label, customer.plural, customer.title))
        val name = customer.fields.single { it.name == "company_name" }
        assertTrue(name.isRequired && name.isWrittenHere && name.typeName == "text" && name.charsMax == 200u, "$name")
        assertEquals("公司名称" to "register", name.label to name.kind)
        val parent = customer.fields.single { it.name == "parent_id" }
        assertEquals("customer", parent.linksTo)
        assertTrue(customer.fields.single { it.name == "credit_limit" }.isRestricted)
        assertEquals("phone_label", customer.fields.single { it.name == "phones" }.columns[1].picklist)
        val stages = english.choices("sales_stage")
        assertEquals("prospecting" to "Prospecting", stages.first().let { it.id to it.label })
        assertEquals("初步接触", chinese.choices("sales_stage").first().label)
        assertEquals("unknown_picklist", fails<CrmException.NotFound> { english.choices("shoe_sizes") }.code)
        // What a record says of itself is what the schema says.
        val record = english.get(english.create(customer("Acme")))!!
        assertContains(english.entities().map { it.name }, record.entity)
    }
}

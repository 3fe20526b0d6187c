// This device, and one of another language, at the same records.
package outrider.crm

import kotlin.test.*
import outrider.*

class TwoDevicesTest : Scenario() {
    @Test
    fun offlineEditsOnTwoDevices() = run {
        val office = office()
        val crm = office.device("Anna")
        val peer = office.peer("Ben")
        val record = crm.create(customer("三川实业"))
        crm.sync()
        peer.sync()
        crm.update(record, change(CustomerChange.Phone("+86 10 1234 5678")))
        peer.edit(record, "email" to "info@sanchuan.example", "tags+" to "south")
        crm.sync()
        peer.sync()
        crm.sync()
        val here = crm.customerNow(record)
        assertEquals("+86 10 1234 5678" to "info@sanchuan.example", here.phone to here.email)
        assertEquals(listOf("south"), here.common.tags)
        val there = peer.get(record)
        assertEquals("+86 10 1234 5678" to "info@sanchuan.example", there["phone"] to there["email"])
        assertEquals(emptyList(), crm.conflicts())
        val theirs = peer.create("customer", "company_name" to "Peer's")
        peer.sync()
        crm.sync()
        assertEquals("Peer's", crm.customerNow(theirs).companyName)
    }

    @Test
    fun conflictAndSettling() = run {
        val office = office()
        val crm = office.device("Anna", language = Language.CHINESE)
        val peer = office.peer("Ben")
        val record = crm.create(customer("Acme"))
        crm.sync()
        peer.sync()
        crm.update(record, change(CustomerChange.CompanyName("Acme North")))
        peer.edit(record, "company_name" to "Acme South")
        peer.sync()
        crm.sync()
        assertEquals(listOf("company_name"), crm.customerNow(record).common.conflicts)
        val conflict = crm.conflicts(record).single()
        assertEquals("customer" to "公司名称", conflict.entity to conflict.label)
        assertTrue(conflict.mustSettle)
        assertEquals(setOf("Acme North", "Acme South"), conflict.values.map { it.text }.toSet())
        assertEquals(setOf("Anna", "Ben"), conflict.values.map { it.by }.toSet())
        assertTrue(conflict.values.all { it.at != null })
        assertEquals(conflict.values.last(), conflict.values.single { it.isShown })
        val north = conflict.values.single { it.by == "Anna" }
        crm.settle(record, conflict.key, north.value)
        assertEquals(emptyList(), crm.conflicts())
        assertEquals("no_conflict", fails<CrmException.NotFound> { crm.settle(record, conflict.key, north.value) }.code)
        crm.sync()
        peer.sync()
        assertEquals("Acme North", peer.get(record)["company_name"])
        assertEquals("Acme North", crm.customerNow(record).companyName)
    }

    @Test
    fun longText() = run {
        val office = office()
        val crm = office.device("Anna")
        val peer = office.peer("Ben")
        val record = crm.create(customer("Acme", CustomerChange.Notes("Called. 已联系")))
        crm.sync()
        peer.sync()
        val seen = crm.text(record, "notes")
        assertEquals("Called. 已联系", seen.text)
        peer.note(record, "Ben: wants an offer")
        peer.sync()
        crm.sync()
        // Anna typed on what she saw, before Ben's line came.
        val typed = TextEdit.Splices(listOf(Splice(0u, 6u, "Phoned"), Splice(9u, 0u, "经")))
        assertTrue(crm.editText(record, "notes", typed, seen))
        val both = crm.text(record, "notes").text
        assertEquals("Phoned. 已经联系\nBen: wants an offer", both.trimEnd())
        crm.editText(record, "notes", TextEdit.Append("Anna: sent"))
        assertFalse(crm.editText(record, "notes", TextEdit.Becomes(crm.text(record, "notes").text)))
        crm.sync()
        peer.sync()
        val there = peer.get(record).getValue("notes")
        assertContains(there, "Ben: wants an offer")
        assertContains(there, "Anna: sent")
        fails<CrmException.Invalid> { crm.editText(record, "phone", TextEdit.Append("no long text")) }
        fails<CrmException.Invalid> { crm.read { editText(record, "notes", TextEdit.Append("x"), listOf("zz")) } }
    }

    @Test
    fun refusalAndInbox() = run {
        val office = office()
        office.role("Anna", "sales_rep")
        office.role("Boss", "administrator")
        office.rules()
        val boss = office.device("Boss")
        val crm = office.device("Anna", language = Language.CHINESE)
        boss.sync()
        crm.sync()
        val product = CrmChanges.Product(
            listOf(ProductChange.Name("Pump"), ProductChange.Common(CommonChange.ExternalId("p:1")))
        )
        val forbidden = fails<CrmException.NotPermitted> { crm.create(product) }
        assertTrue(forbidden.code.isNotEmpty() && forbidden.sentence.isNotEmpty())
        val record = crm.write(listOf(Edit.Create(product, null)), anyway = true).single()
        val report = crm.sync()
        assertTrue(report.refused >= 1u, "$report")
        val refusal = crm.inbox().first { it.record == record }
        assertEquals("product", refusal.entity)
        assertTrue(refusal.reason.any { it in '\u4e00'..'\u9fff' }, refusal.reason)
        assertEquals(FieldValue.Text("Pump"), refusal.values["name"])
        val proposal = crm.askApproval(refusal, "客户急需")
        assertEquals(proposal, crm.inbox().first { it.number == refusal.number }.proposal)
        crm.sync()
        boss.sync()
        assertIs<CrmRecord.Proposal>(boss.get(proposal))
        crm.inbox().forEach { assertTrue(crm.dismiss(it)) }
        assertFalse(crm.dismiss(refusal))
        assertEquals(emptyList(), crm.inbox())
        assertEquals("no_refusal", fails<CrmException.NotFound> { crm.askApproval(refusal, "again") }.code)
        val mine = crm.create(customer("Mine"))
        assertTrue(crm.may(Operation.EDIT, mine))
    }
}

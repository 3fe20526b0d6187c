// Typed records: what is written is what is read, and only what was named changes.
package outrider.crm

import java.time.Instant
import java.time.LocalDate
import kotlin.test.*
import outrider.*

class RecordsTest : Scenario() {
    @Test
    fun typedRecords() = run {
        val crm = device()
        val address = Address("CN", "广东省", "深圳市", "南山区", "科技园 1 号", "518057")
        val customer = crm.create(
            customer(
                "三川实业",
                CustomerChange.Industry("manufacturing"),
                CustomerChange.AnnualRevenue(yuan("1200000.50")),
                CustomerChange.Potential("0.7500".toBigDecimal()),
                CustomerChange.NextContactAt(Instant.parse("2026-03-01T08:30:00.125Z")),
                CustomerChange.Address(address),
                CustomerChange.Geo(GeoPoint(22.5431, 114.0579, 12u, "gps")),
                CustomerChange.Employees(250),
                CustomerChange.Visits(2),
                CustomerChange.Phones(
                    CustomerPhonesEdit(add = listOf(listOf(CustomerPhonesChange.Number("+86 755 1234 5678"))))
                ),
                CustomerChange.Common(CommonChange.Tags(TextSetEdit(add = listOf("重点", "south"))))
            )
        )
        val read = crm.customerNow(customer)
        assertEquals("三川实业", read.companyName)
        assertEquals("manufacturing", read.industry)
        assertEquals(0, "1200000.50".toBigDecimal().compareTo(read.annualRevenue!!.amount))
        assertEquals("CNY", read.annualRevenue!!.currency)
        assertEquals(0, "0.75".toBigDecimal().compareTo(read.potential))
        assertEquals(Instant.parse("2026-03-01T08:30:00.125Z"), read.nextContactAt)
        assertEquals(address, read.address)
        assertEquals(GeoPoint(22.5431, 114.0579, 12u, "gps"), read.geo)
        assertEquals(250L to 2L, read.employees to read.visits)
        assertEquals(listOf("+86 755 1234 5678"), read.phones.map { it.number })
        assertEquals(setOf("重点", "south"), read.common.tags.toSet())

        val contact = crm.create(
            CrmChanges.Contact(
                listOf(ContactChange.Name(PersonName("王", "小明", "王小明", "先生")), ContactChange.CustomerId(customer))
            )
        )
        assertEquals("王小明", (crm.get(contact) as CrmRecord.Contact).record.name?.full)
        val opportunity = crm.create(
            change(
                OpportunityChange.Name("Line 2"),
                OpportunityChange.CustomerId(customer),
                OpportunityChange.SalesStage("proposal"),
                OpportunityChange.ExpectedCloseDate(LocalDate.parse("2026-06-30")),
                OpportunityChange.Description("长文本\nline two")
            )
        )
        val opened = crm.opportunityNow(opportunity)
        assertEquals(LocalDate.parse("2026-06-30"), opened.expectedCloseDate)
        assertEquals("长文本\nline two", opened.description)
        assertEquals(customer, opened.customerId)
        val span =
            TimeSpan(Instant.parse("2026-03-02T01:00:00Z"), Instant.parse("2026-03-02T02:00:00Z"), "Asia/Shanghai")
        val visit = crm.create(
            change(VisitChange.Subject("Look"), VisitChange.Status("scheduled"), VisitChange.Scheduled(span))
        )
        assertEquals(span, crm.visitNow(visit).scheduled)
        val contract = crm.create(
            CrmChanges.Contract(
                listOf(
                    ContractChange.Name("Service 2026"),
                    ContractChange.Status("draft"),
                    ContractChange.CustomerId(customer),
                    ContractChange.Term(Period(LocalDate.parse("2026-01-01"), LocalDate.parse("2026-12-31")))
                )
            )
        )
        val found = crm.get(contract)!!
        assertEquals(LocalDate.parse("2026-12-31"), (found as CrmRecord.Contract).record.term?.end)
        assertEquals(contract to "contract", found.id to found.entity)
        assertNull(crm.get(crm.drawId()))
    }

    @Test
    fun patchesSayWhatChanged() = run {
        val crm = device()
        val record = crm.create(customer("Acme", CustomerChange.Phone("+86 10 1234 5678"), CustomerChange.Qq("12345")))
        assertTrue(crm.update(record, change(CustomerChange.Phone("+86 10 8765 4321"))))
        val changed = crm.customerNow(record)
        assertEquals(
            listOf("Acme", "+86 10 8765 4321", "12345"),
            listOf(changed.companyName, changed.phone, changed.qq)
        )
        assertTrue(crm.update(record, change(CustomerChange.Qq(null))))
        assertNull(crm.customerNow(record).qq)
        val required = fails<CrmException.Invalid> { crm.update(record, change(CustomerChange.CompanyName(null))) }
        assertEquals("required" to "company_name", required.code to required.field)
        assertContains(required.sentence, "Company name")
        fails<CrmException.Invalid> { crm.update(record, change(CustomerChange.CompanyName(""))) }
        val bad = fails<CrmException.Invalid> { crm.update(record, change(CustomerChange.Industry("alchemy"))) }
        assertEquals("industry", bad.field)
        val custom = CustomerChange.Common(CommonChange.Custom("shoe_size", FieldValue.Integer(44)))
        assertEquals("unknown_field", fails<CrmException.Invalid> { crm.update(record, change(custom)) }.code)
        fails<CrmException.Invalid> { crm.create(change(CustomerChange.Phone("1"))) }
        fails<CrmException.NotFound> { crm.update(crm.drawId(), change(CustomerChange.Phone("1"))) }
        // What is written twice is not written.
        val waiting = crm.outbox().size
        assertFalse(crm.update(record, change(CustomerChange.Phone("+86 10 8765 4321"))))
        assertEquals(waiting, crm.outbox().size)
        val rows = CustomerChange.Phones(
            CustomerPhonesEdit(add = listOf(listOf(CustomerPhonesChange.Number("111"))))
        )
        crm.update(record, change(rows))
        val row = crm.customerNow(record).phones.single().row
        val label = CustomerPhonesRowEdit(row, listOf(CustomerPhonesChange.IsPrimary(true)))
        crm.update(record, change(CustomerChange.Phones(CustomerPhonesEdit(edit = listOf(label)))))
        assertEquals("111" to true, crm.customerNow(record).phones.single().let { it.number to it.isPrimary })
        crm.update(record, change(CustomerChange.Phones(CustomerPhonesEdit(remove = listOf(row)))))
        assertEquals(emptyList(), crm.customerNow(record).phones)
        crm.update(record, change(CustomerChange.Visits(3)))
        crm.update(record, change(CustomerChange.Visits(-1)))
        assertEquals(2, crm.customerNow(record).visits)
    }

    @Test
    fun patchesSayWhatChangedOrNothingDoes() = run {
        val crm = device()
        val both = crm.drawId()
        val edits = listOf(
            Edit.Create(customer("Acme"), both),
            Edit.Create(change(OpportunityChange.CustomerId(both)), null)
        )
        assertEquals("required", fails<CrmException.Invalid> { crm.write(edits) }.code)
        assertNull(crm.get(both), "a tap is written whole or not at all")
        val good = Edit.Create(
            change(
                OpportunityChange.Name("New"),
                OpportunityChange.CustomerId(both),
                OpportunityChange.SalesStage("won")
            ),
            null
        )
        val (customer, opportunity) = crm.write(listOf(edits.first(), good))
        assertEquals(both, customer)
        assertEquals(customer, crm.opportunityNow(opportunity).customerId)
        crm.archive(opportunity)
        assertTrue(crm.get(opportunity)!!.common!!.isArchived)
        crm.restore(opportunity)
        assertFalse(crm.get(opportunity)!!.common!!.isArchived)
        fails<CrmException.TooMuch> { crm.write(List(65) { Edit.Archive(customer) }) }
    }
}

// What the records add up to, and what is found in them.
package outrider.crm

import kotlin.test.*
import outrider.*

class ReportTest : Scenario() {
    @Test
    fun pipelineReport() = run {
        val crm = device(language = Language.CHINESE)
        val customer = crm.create(customer("Acme"))
        suspend fun opportunity(stage: String, money: Money) = crm.create(
            change(
                OpportunityChange.Name("$stage ${money.amount}"),
                OpportunityChange.CustomerId(customer),
                OpportunityChange.SalesStage(stage),
                OpportunityChange.ExpectedAmount(money)
            )
        )
        opportunity("proposal", yuan("1000.10"))
        opportunity("proposal", yuan("2000.20"))
        opportunity("won", yuan("500"))
        opportunity("lost", yuan("70"))
        opportunity("negotiation", Money("99".toBigDecimal(), "EUR"))
        val (yuan, euro) = crm.pipelineReport()
        assertEquals("CNY" to "EUR", yuan.currency to euro.currency)
        assertEquals(4uL to 1uL, yuan.count to euro.count)
        val proposal = yuan.byStage.single { it.stage == "proposal" }
        assertEquals("方案报价" to 2uL, proposal.label to proposal.count)
        assertEquals(0, "3000.30".toBigDecimal().compareTo(proposal.amount))
        assertEquals(0, "1500.15".toBigDecimal().compareTo(proposal.weighted))
        assertEquals(1uL to 1uL, yuan.wonCount to yuan.lostCount)
        assertEquals(50.0, yuan.winRatePercent)
        assertEquals(0, "99".toBigDecimal().compareTo(euro.openAmount))
    }

    @Test
    fun searchInChinese() = run {
        val crm = device()
        val record = crm.create(customer("上海三川精密实业有限公司", CustomerChange.Phone("+86 21 5888 7766")))
        crm.create(customer("Northwind"))
        suspend fun found(text: String) = crm.search(SearchQuery(text)).hits.map { it.record }
        assertEquals(listOf(record), found("三川"))
        assertEquals(listOf(record), found("sanchuan"))
        assertEquals(listOf(record), found("scjm"))
        assertEquals(listOf(record), found("88877"))
        assertEquals(emptyList(), found("四川"))
        val hit = crm.search(SearchQuery("三川", listOf("customer"))).hits.single()
        assertEquals(hit.title, hit.titleParts.joinToString("") { it.text })
        assertEquals(listOf("三川"), hit.titleParts.filter { it.isHit }.map { it.text })
        val page = crm.search(SearchQuery("*%'\" OR 1"))
        assertFalse(page.isCut)
        fails<CrmException.Invalid> { crm.search(SearchQuery("x", listOf("unicorn"))) }
    }

    @Test
    fun timelineLinksHistoryUndo() = run {
        val crm = device()
        val here = GeoPoint(31.2304, 121.4737)
        val customer = crm.create(customer("Acme", CustomerChange.Geo(here), CustomerChange.Phone("111")))
        val deal = crm.create(
            change(
                OpportunityChange.Name("Line 2"),
                OpportunityChange.CustomerId(customer),
                OpportunityChange.SalesStage("proposal")
            )
        )
        crm.update(deal, change(OpportunityChange.SalesStage("negotiation")))
        val told = crm.timeline(TimelineQuery(customer)).entries
        assertContains(told.map { it.kind }, "opportunity")
        assertContains(told.map { it.kind }, "opportunity.stages")
        val stages = crm.timeline(TimelineQuery(customer, kinds = listOf("opportunity.stages"), limit = 1u))
        assertEquals(1, stages.entries.size)
        assertEquals(listOf(customer), crm.links(deal).outgoing.map { it.record })
        assertEquals(listOf(deal), crm.links(customer).incoming.map { it.record })
        assertEquals(listOf(customer), crm.near(here).map { it.record })
        assertEquals(emptyList(), crm.near(GeoPoint(0.0, 0.0), "customer", 100u, 5u))
        fails<CrmException.Invalid> { crm.near(GeoPoint(99.0, 0.0)) }

        crm.update(customer, change(CustomerChange.Phone("222"), CustomerChange.Qq("12345")))
        val entry = crm.history(customer, "phone").first()
        assertEquals("changed" to "Phone number", entry.what to entry.label)
        assertEquals(FieldValue.Text("111") to FieldValue.Text("222"), entry.old to entry.new)
        assertTrue(entry.isOwn && !entry.isSent)
        val tap = crm.undoable().first()
        assertEquals(setOf("phone", "qq"), tap.items.map { it.key }.toSet())
        crm.update(customer, change(CustomerChange.Qq("54321")))
        val undone = crm.undo(tap)
        assertEquals(listOf("phone"), undone.items.map { it.key })
        assertEquals(listOf("qq"), undone.skipped)
        val now = crm.customerNow(customer)
        assertEquals("111" to "54321", now.phone to now.qq)
        fails<CrmException.NotFound> { crm.undo(tap.copy(number = 999)) }
    }
}

// Lists: conditions, order, pages.
package outrider.crm

import kotlin.test.*
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.launchIn
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.toList
import outrider.*

class QueriesTest : Scenario() {
    @Test
    fun queries() = run {
        val crm = device()
        (1..25).forEach { number ->
            val tier = CustomerChange.Tier(if (number % 2 == 0) "a" else "b")
            crm.create(customer("Customer %02d".format(number), tier, CustomerChange.Employees(number.toLong())))
        }
        val even = Filter("tier", Compare.IS, FieldValue.Text("a"))
        assertEquals(12u, crm.count(ListQuery("customer", listOf(even))))
        assertEquals(13u, crm.count(ListQuery("customer", listOf(even.copy(compare = Compare.IS_NOT)))))
        val from = Filter("employees", Compare.FROM, FieldValue.Integer(24))
        assertEquals(
            listOf("Customer 25", "Customer 24"),
            first(crm, CUSTOMERS.copy(filters = listOf(from), descending = true))
        )
        val contains = Filter("company_name", Compare.CONTAINS, FieldValue.Text("er 1"))
        assertEquals(10u, crm.count(ListQuery("customer", listOf(contains))))
        assertEquals(25u, crm.count(ListQuery("customer", listOf(Filter("email", Compare.IS)))))
        assertEquals(listOf("Customer 07"), first(crm, ListQuery("customer", text = "customer 07", limit = 1u)))
        assertNotNull(fails<CrmException.Invalid> { crm.list(ListQuery("customer", sort = "shoe_size")) }.code)
        fails<CrmException.Invalid> { crm.list(ListQuery("customer", after = "nowhere")) }
        fails<CrmException.NotFound> { crm.list(ListQuery("unicorn")) }
        val archived = crm.list(CUSTOMERS).records.first()
        crm.archive(archived.id)
        assertEquals(24u, crm.count(CUSTOMERS))
        assertEquals(25u, crm.count(CUSTOMERS.copy(withArchived = true)))
    }

    @Test
    fun queriesPageByPage() = run {
        val crm = device()
        val all = (1..25).map { "Customer %02d".format(it) }
        all.forEach { crm.create(customer(it)) }
        val pages = RecordPages(crm, CUSTOMERS.copy(limit = 10u))
        val first = pages.load()
        val last = pages.load(pages.load(first.next).next)
        assertEquals(listOf(10, 5), listOf(first.records.size, last.records.size))
        assertNull(last.next)
        assertEquals(3, pages.load(size = 3).records.size)
        assertEquals(all, names(pages.all().toList()))
        var outdated = 0
        val watching = pages.outdated().onEach { outdated++ }.launchIn(this)
        eventually("a change of the first page is told") {
            crm.update(first.records.first().id, change(CustomerChange.Qq("$outdated${System.nanoTime()}".take(20))))
            outdated > 0
        }
        watching.cancel()
        assertEquals(emptyList(), RecordPages(crm, CUSTOMERS.copy(text = "customer")).outdated().toList())
    }

    private suspend fun first(crm: Crm, query: ListQuery) = names(crm.list(query).records)
}

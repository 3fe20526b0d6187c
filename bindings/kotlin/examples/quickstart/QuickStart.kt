import kotlinx.coroutines.flow.first
import outrider.*
import outrider.crm.*

suspend fun quickStart(folder: String, url: String, code: String, platform: Platform): String =
    Crm.open(folder, Language.CHINESE, platform).use { crm ->
        crm.enrol(EnrolCode(url, code, "Anna's phone"))
        val name = CustomerChange.CompanyName("三川实业")
        val customer = crm.create(CrmChanges.Customer(listOf(name)))
        crm.update(customer, CrmChanges.Customer(listOf(CustomerChange.Phone("+86 10 1234 5678"))))
        try {
            crm.sync()
        } catch (error: CrmException.Offline) {
            println(error.sentence) // Everything is kept, and goes with the next sync.
        }
        crm.watch(ListQuery("customer")).first().joinToString { (it as CrmRecord.Customer).record.companyName!! }
    }

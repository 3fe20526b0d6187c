// Short words for the changes that tests make most.
package outrider.crm

import outrider.*

fun customer(name: String, vararg more: CustomerChange): CrmChanges =
    CrmChanges.Customer(listOf(CustomerChange.CompanyName(name), *more))

fun change(vararg changes: CustomerChange): CrmChanges = CrmChanges.Customer(changes.toList())

fun change(vararg changes: VisitChange): CrmChanges = CrmChanges.Visit(changes.toList())

fun change(vararg changes: OpportunityChange): CrmChanges = CrmChanges.Opportunity(changes.toList())

fun yuan(amount: String): Money = Money(amount.toBigDecimal(), "CNY")

suspend fun Crm.customerNow(record: RecordId): Customer = (get(record) as CrmRecord.Customer).record

suspend fun Crm.visitNow(record: RecordId): Visit = (get(record) as CrmRecord.Visit).record

suspend fun Crm.opportunityNow(record: RecordId): Opportunity = (get(record) as CrmRecord.Opportunity).record

val CUSTOMERS = ListQuery("customer", sort = "company_name")

fun names(records: List<CrmRecord>): List<String?> = records.map { (it as CrmRecord.Customer).record.companyName }

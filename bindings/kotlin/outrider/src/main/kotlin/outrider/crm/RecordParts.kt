// What every record has, whatever its entity: for lists that hold several kinds.
package outrider.crm

import outrider.*

/** Names the record. */
public val CrmRecord.id: RecordId get() = parts.id

/** Name of its entity, as questions use it. */
public val CrmRecord.entity: String get() = parts.entity

/** What all entities share; nothing for an entity that this version does not know. */
public val CrmRecord.common: Common? get() = parts.common

private class Parts(val entity: String, val id: RecordId, val common: Common?)

private val CrmRecord.parts: Parts
    get() = when (this) {
        is CrmRecord.Activity -> Parts("activity", record.id, record.common)
        is CrmRecord.Asset -> Parts("asset", record.id, record.common)
        is CrmRecord.Campaign -> Parts("campaign", record.id, record.common)
        is CrmRecord.CampaignMember -> Parts("campaign_member", record.id, record.common)
        is CrmRecord.CampaignResponse -> Parts("campaign_response", record.id, record.common)
        is CrmRecord.CheckIn -> Parts("check_in", record.id, record.common)
        is CrmRecord.Comment -> Parts("comment", record.id, record.common)
        is CrmRecord.Consent -> Parts("consent", record.id, record.common)
        is CrmRecord.Contact -> Parts("contact", record.id, record.common)
        is CrmRecord.Contract -> Parts("contract", record.id, record.common)
        is CrmRecord.CostEntry -> Parts("cost_entry", record.id, record.common)
        is CrmRecord.Customer -> Parts("customer", record.id, record.common)
        is CrmRecord.DistinctPair -> Parts("distinct_pair", record.id, record.common)
        is CrmRecord.Feedback -> Parts("feedback", record.id, record.common)
        is CrmRecord.HoldInterval -> Parts("hold_interval", record.id, record.common)
        is CrmRecord.Interaction -> Parts("interaction", record.id, record.common)
        is CrmRecord.Lead -> Parts("lead", record.id, record.common)
        is CrmRecord.Opportunity -> Parts("opportunity", record.id, record.common)
        is CrmRecord.Payment -> Parts("payment", record.id, record.common)
        is CrmRecord.PriceEntry -> Parts("price_entry", record.id, record.common)
        is CrmRecord.PriceList -> Parts("price_list", record.id, record.common)
        is CrmRecord.Product -> Parts("product", record.id, record.common)
        is CrmRecord.Proposal -> Parts("proposal", record.id, record.common)
        is CrmRecord.Report -> Parts("report", record.id, record.common)
        is CrmRecord.ReportResult -> Parts("report_result", record.id, record.common)
        is CrmRecord.Role -> Parts("role", record.id, record.common)
        is CrmRecord.SalesOrder -> Parts("sales_order", record.id, record.common)
        is CrmRecord.SavedFilter -> Parts("saved_filter", record.id, record.common)
        is CrmRecord.ServiceRequest -> Parts("service_request", record.id, record.common)
        is CrmRecord.Shipment -> Parts("shipment", record.id, record.common)
        is CrmRecord.SlaPolicy -> Parts("sla_policy", record.id, record.common)
        is CrmRecord.StockLocation -> Parts("stock_location", record.id, record.common)
        is CrmRecord.StockMove -> Parts("stock_move", record.id, record.common)
        is CrmRecord.StockReservation -> Parts("stock_reservation", record.id, record.common)
        is CrmRecord.Team -> Parts("team", record.id, record.common)
        is CrmRecord.Territory -> Parts("territory", record.id, record.common)
        is CrmRecord.User -> Parts("user", record.id, record.common)
        is CrmRecord.Visit -> Parts("visit", record.id, record.common)
        is CrmRecord.Other -> Parts(record.entity, record.id, null)
    }

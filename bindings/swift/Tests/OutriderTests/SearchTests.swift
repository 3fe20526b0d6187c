// Search, reports, and what there is to ask about.

import Foundation
import Outrider
import XCTest

final class SearchTests: Scenario, @unchecked Sendable {
    func testSearchInChinese() async throws {
        let crm = try await open()
        let record = try await customer(
            crm,
            "三川精密实业有限公司",
            .phone("+86 512 6283 7719"),
            .notes("对水泵报价感兴趣")
        )
        _ = try await customer(crm, "四海贸易")
        for text in ["三川", "sanchuan", "scjm", "6283 77", "62837719", "水泵"] {
            let page = try await crm.search(SearchQuery(text: text))
            XCTAssertEqual(page.hits.map(\.record), [record], text)
            XCTAssertEqual(page.total, 1)
        }
        let hits = try await crm.search(SearchQuery(text: "三川", entities: ["customer"])).hits
        let marked = hits.first?.titleParts.filter(\.isHit).map(\.text)
        XCTAssertEqual(marked, ["三川"])
        let contacts = try await crm.search(SearchQuery(text: "三川", entities: ["contact"]))
        XCTAssertEqual(contacts.hits, [])
        let noted = try await crm.search(SearchQuery(text: "水泵")).hits.first
        XCTAssertEqual(noted?.snippetParts.filter(\.isHit).map(\.text), ["水泵"])
        XCTAssertNotNil(noted?.fieldLabel)
        for text in ["", " ", "'\"*(", "\0", String(repeating: "a", count: 5000), "%_", "👩‍👩‍👧‍👦"] {
            let page = try await crm.search(SearchQuery(text: text))
            XCTAssertLessThanOrEqual(page.hits.count, 20)
        }
    }

    func testPipelineReport() async throws {
        let crm = try await open(language: .chinese)
        let before = try await crm.pipelineReport()
        XCTAssertEqual(before.map(\.count), [0])
        func sell(_ stage: String, _ amount: String, _ currency: String) async throws {
            let money = Money(amount: try XCTUnwrap(Decimal(string: amount)), currency: currency)
            try await crm.create(.opportunity([.name(amount), .salesStage(stage), .expectedAmount(money)]))
        }
        try await sell("proposal", "1000.10", "CNY")
        try await sell("proposal", "2000.20", "CNY")
        try await sell("won", "500", "CNY")
        try await sell("lost", "70", "CNY")
        try await sell("proposal", "9", "EUR")
        let report = try await crm.pipelineReport()
        XCTAssertEqual(report.map(\.currency), ["CNY", "EUR"])
        let cny = report[0]
        XCTAssertEqual([cny.count, cny.openCount, cny.wonCount, cny.lostCount], [4, 2, 1, 1])
        let open = try XCTUnwrap(Decimal(string: "3000.30"))
        XCTAssertEqual([cny.openAmount, cny.wonAmount, cny.lostAmount], [open, 500, 70])
        XCTAssertEqual(cny.openWeighted, Decimal(string: "1500.15"))
        XCTAssertEqual(cny.winRatePercent, 50)
        let proposal = try XCTUnwrap(cny.byStage.first { $0.stage == "proposal" })
        XCTAssertEqual(proposal.label, "方案报价")
        XCTAssertEqual(proposal.amount, open)
        XCTAssertEqual(report[1].openAmount, 9)
    }

    func testSchema() async throws {
        XCTAssertFalse(Outrider.version().isEmpty)
        let english = try await open("english")
        let chinese = try await open("chinese", language: .chinese)
        let entities = try await english.entities()
        let customer = try XCTUnwrap(entities.first { $0.name == "customer" })
        XCTAssertEqual([customer.label, customer.title], ["Customer", "company_name"])
        let spoken = try await chinese.entities().first { $0.name == "customer" }
        XCTAssertEqual(spoken?.label, "客户")
        let name = try XCTUnwrap(customer.fields.first { $0.name == "company_name" })
        XCTAssert(name.isRequired && name.isWrittenHere && !name.isRestricted)
        XCTAssertEqual(name.charsMax, 200)
        let limit = try XCTUnwrap(customer.fields.first { $0.name == "credit_limit" })
        XCTAssert(limit.isRestricted)
        let phones = try XCTUnwrap(customer.fields.first { $0.name == "phones" })
        XCTAssertEqual(phones.columns.map(\.name), ["number", "label", "is_primary"])
        let parent = try XCTUnwrap(customer.fields.first { $0.name == "parent_id" })
        XCTAssertEqual(parent.linksTo, "customer")
        let stages = try await chinese.choices("sales_stage")
        XCTAssertEqual(stages.first { $0.id == "won" }?.label, "赢单")
        await refused("NotFound") { try await english.choices("colours") }
    }
}

// What is written is read back as it was.

import Foundation
import Outrider
import XCTest

final class RecordTests: Scenario, @unchecked Sendable {
    func testTypedRecords() async throws {
        let crm = try await open()
        let money = Money(amount: try XCTUnwrap(Decimal(string: "1250000.50")), currency: "CNY")
        let address = Address(
            country: "CN",
            province: "浙江省",
            city: "杭州市",
            district: "西湖区",
            street: "文三路 90 号",
            postcode: "310012"
        )
        let position = GeoPoint(latitude: 30.2741, longitude: 120.1551, accuracyM: 12, source: "gps")
        let moment = Date(timeIntervalSince1970: 1_772_357_415.25)
        let phone: [CustomerPhonesChange] = [.number("+86 571 8888 0001"), .isPrimary(true)]
        let record = try await customer(
            crm,
            "西湖精密仪器有限公司",
            .customerKind("company"),
            .creditLimit(money),
            .potential(Decimal(string: "0.7500")),
            .employees(320),
            .nextContactAt(moment),
            .address(address),
            .geo(position),
            .visits(3),
            .notes("第一行\nSecond line\n"),
            .phones(CustomerPhonesEdit(add: [phone])),
            .common(tags(add: ["重点", "export"]))
        )
        let customer = try await readCustomer(crm, record)
        XCTAssertEqual(customer.id, record)
        XCTAssertEqual(customer.companyName, "西湖精密仪器有限公司")
        XCTAssertEqual(customer.customerKind, "company")
        XCTAssertEqual([customer.employees, customer.visits], [320, 3])
        XCTAssertEqual(customer.creditLimit, money)
        XCTAssertEqual(customer.potential, Decimal(string: "0.75"))
        XCTAssertEqual(customer.nextContactAt, moment)
        XCTAssertEqual(customer.address, address)
        XCTAssertEqual(customer.geo, position)
        XCTAssertEqual(customer.common.tags.sorted(), ["export", "重点"])
        XCTAssertEqual(customer.phones.map(\.number), ["+86 571 8888 0001"])
        XCTAssertEqual(customer.phones.map(\.isPrimary), [true])
        let notes = try await crm.text(record, field: "notes")
        XCTAssertEqual(notes.text, "第一行\nSecond line\n")
    }

    func testTypedRecordsOfOtherEntities() async throws {
        let crm = try await open()
        let acme = try await customer(crm, "Acme")
        let name = PersonName(family: "王", given: "小明", full: "王小明", salutation: "先生")
        let contact = try await crm.create(.contact([.name(name), .customerId(acme)]))
        let found = try await crm.get(contact)?.contact
        XCTAssertEqual(found?.name, name)
        XCTAssertEqual(found?.customerId, acme)

        let term = Period(start: "2026-01-01", end: "2027-12-31")
        let contract = try await crm.create(
            .contract([.name("年度维保"), .customerId(acme), .term(term), .status("draft")])
        )
        let contractTerm = try await crm.get(contract)?.contract?.term
        XCTAssertEqual(contractTerm, term)

        let start = Date(timeIntervalSince1970: 1_777_856_400)
        let span = TimeSpan(start: start, end: start.addingTimeInterval(9000), timeZone: "Asia/Shanghai")
        let activity = try await crm.create(
            .activity([
                .subject("拜访"), .activityType("meeting"), .activityDate(span),
                .participants(RecordSetEdit(add: [contact])),
            ])
        )
        let planned = try await crm.get(activity)?.activity
        XCTAssertEqual(planned?.activityDate, span)
        XCTAssertEqual(planned?.participants, [contact])

        let line: [OpportunityLinesChange] = [.name("泵"), .qty(Decimal(string: "2.5"))]
        let opportunity = try await crm.create(
            .opportunity([
                .name("Line 3"), .customerId(acme), .expectedCloseDate("2026-09-30"),
                .salesStage("proposal"), .lines(OpportunityLinesEdit(add: [line])),
            ])
        )
        let sold = try await crm.get(opportunity)
        XCTAssertEqual(sold?.opportunity?.expectedCloseDate, "2026-09-30")
        XCTAssertEqual(sold?.opportunity?.lines.map(\.qty), [Decimal(string: "2.5")])
        XCTAssertEqual(sold?.entity, "opportunity")
        XCTAssertEqual(sold?.id, opportunity)
        XCTAssertEqual(sold?.common?.isArchived, false)
        await refused("Invalid") {
            try await crm.update(opportunity, .opportunity([.expectedCloseDate("30.9.2026")]))
        }
    }

    /// A date is a fraction of seconds in Swift: what is read and written back must not move.
    func testTypedRecordsMomentsStayWhatTheyAre() async throws {
        let crm = try await open()
        let record = try await customer(crm, "Acme")
        for milliseconds in [1, 123, 499, 577, 999] {
            let moment = Date(timeIntervalSince1970: 1_772_357_415 + Double(milliseconds) / 1000)
            try await crm.update(record, .customer([.nextContactAt(moment)]))
            let read = try await readCustomer(crm, record).nextContactAt
            XCTAssertEqual(
                try XCTUnwrap(read).timeIntervalSince1970,
                moment.timeIntervalSince1970,
                accuracy: 0.0001
            )
            let isWritten = try await crm.update(record, .customer([.nextContactAt(read)]))
            XCTAssertFalse(isWritten, "\(milliseconds) ms moved")
        }
    }
}

// Changes name what changes, and nothing else does.

import Foundation
import Outrider
import XCTest

final class PatchTests: Scenario, @unchecked Sendable {
    func testPatchesSayWhatChanged() async throws {
        let crm = try await open()
        let record = try await customer(
            crm,
            "Acme",
            .phone("+86 10 1111"),
            .phones(CustomerPhonesEdit(add: [[.number("+86 1")], [.number("+86 2")]])),
            .common(tags(add: ["a", "b"]))
        )
        let rows = try await readCustomer(crm, record).phones
        let first = try XCTUnwrap(rows.first { $0.number == "+86 1" }).row
        let second = try XCTUnwrap(rows.first { $0.number == "+86 2" }).row
        let phones = CustomerPhonesEdit(
            add: [[.number("+86 3")]],
            edit: [CustomerPhonesRowEdit(row: first, changes: [.number("+86 11")])],
            remove: [second]
        )
        let isWritten = try await crm.update(
            record,
            .customer([
                .shortName("艾克米"), .phone(nil), .visits(2), .phones(phones),
                .common(tags(add: ["c"], remove: ["a"])),
            ])
        )
        XCTAssert(isWritten)
        let customer = try await readCustomer(crm, record)
        XCTAssertEqual([customer.companyName, customer.shortName, customer.phone], ["Acme", "艾克米", nil])
        XCTAssertEqual(customer.common.tags.sorted(), ["b", "c"])
        XCTAssertEqual(customer.visits, 2)
        XCTAssertEqual(customer.phones.compactMap(\.number).sorted(), ["+86 11", "+86 3"])

        let waiting = try await crm.outbox()
        let again = try await crm.update(record, .customer([.shortName("艾克米")]))
        let nothing = try await crm.update(record, .customer([]))
        XCTAssertEqual([again, nothing], [false, false], "it says so already")
        let after = try await crm.outbox()
        XCTAssertEqual(after, waiting)
        try await refusesWhatDoesNotFit(crm, record)
    }

    private func refusesWhatDoesNotFit(_ crm: Crm, _ record: RecordId) async throws {
        func field(_ error: CrmError?) -> String? {
            if case .Invalid(_, _, let field)? = error { field } else { nil }
        }
        let cleared = await refused("Invalid") {
            try await crm.update(record, .customer([.companyName(nil)]))
        }
        XCTAssertEqual([cleared?.code, field(cleared)], ["required", "company_name"])
        let missing = await refused("Invalid") { try await crm.create(.customer([.shortName("x")])) }
        XCTAssertEqual(field(missing), "company_name")
        let unknown = await refused("Invalid") {
            try await crm.update(record, .customer([.tier("platinum")]))
        }
        XCTAssertEqual(field(unknown), "tier")
        let nobody = try await crm.drawId()
        await refused("NotFound") { try await crm.update(nobody, .customer([.phone("1")])) }
        await refused("Invalid", "NotFound") { try await crm.update(record, .contact([.jobTitle("x")])) }
    }

    func testPatchesSayWhatChangedAllOfATapOrNothing() async throws {
        let crm = try await open()
        let record = try await crm.drawId()
        let written = try await crm.write([
            .create(fields: .customer([.companyName("Acme")]), record: record),
            .create(fields: .contact([.customerId(record), .name(PersonName(full: "李雷"))]), record: nil),
            .update(record: record, changes: .customer([.phone("+86 10 1")])),
        ])
        XCTAssertEqual([written[0], written[2]], [record, record])
        let made = try await readCustomer(crm, record)
        XCTAssertEqual(made.phone, "+86 10 1")
        func isArchived() async throws -> Bool { try await readCustomer(crm, record).common.isArchived }

        await refused("Invalid") {
            try await crm.write([
                .archive(record: record), .update(record: record, changes: .customer([.companyName(nil)])),
            ])
        }
        let untouched = try await isArchived()
        try await crm.archive(record)
        let archived = try await isArchived()
        try await crm.write([.restore(record: record)])
        try await crm.archive(record)
        try await crm.restore(record)
        let restored = try await isArchived()
        XCTAssertEqual([untouched, archived, restored], [false, true, false])
        await refused("TooMuch") {
            try await crm.write(Array(repeating: .archive(record: record), count: 65))
        }
    }
}

// Values that Swift has and records do not: each is refused or taken, and nothing crashes.

import Foundation
import Outrider
import XCTest

final class NonsenseTests: Scenario, @unchecked Sendable {
    func testPatchesSayWhatChangedWhateverIsTyped() async throws {
        let crm = try await open()
        let record = try await customer(crm, "Acme")
        let never = GeoPoint(latitude: .nan, longitude: .infinity)
        let refusedChanges: [CustomerChange] = [
            .potential(.nan), .potential(2), .potential(Decimal(sign: .plus, exponent: 100, significand: 1)),
            .creditLimit(Money(amount: .nan, currency: "CNY")),
            .creditLimit(Money(amount: 1, currency: "gold")),
            .geo(never), .geo(GeoPoint(latitude: 91, longitude: 0)),
            .employees(-1), .employees(.max), .tier("platinum"), .phone("\u{0}"),
            .shortName(String(repeating: "x", count: 101)),
        ]
        for change in refusedChanges {
            let error = await refusal { try await crm.update(record, .customer([change])) }
            guard case .Invalid(_, _, let field)? = error else {
                XCTFail("\(change): \(String(describing: error))")
                continue
            }
            XCTAssertNotNil(field, "\(change)")
        }
        for moment in [Date.distantPast, .distantFuture, Date(timeIntervalSince1970: -0.5)] {
            _ = await refusal { try await crm.update(record, .customer([.nextContactAt(moment)])) }
        }
        for text in ["", "\u{FEFF}", "a\r\nb", "👩‍👩‍👧‍👦", "e\u{301}", "\u{202E}abc"] {
            try await crm.update(record, .customer([.shortName(text)]))
        }
        let read = try await readCustomer(crm, record)
        XCTAssertEqual(read.companyName, "Acme")
        XCTAssertEqual(read.shortName, "\u{202E}abc")
    }

    func testQueriesWhateverIsAsked() async throws {
        let crm = try await open()
        let record = try await customer(crm, "Acme")
        let none = try await crm.list(ListQuery(entity: "customer", limit: 0))
        XCTAssertLessThanOrEqual(none.records.count, 1)
        let most = try await crm.list(ListQuery(entity: "customer", limit: .max))
        XCTAssertEqual(most.records.count, 1)
        let many = Array(repeating: Filter(field: "tier", compare: .is), count: 21)
        await refused("Invalid", "TooMuch") {
            try await crm.list(ListQuery(entity: "customer", filters: many))
        }
        await refused("Invalid") { try await crm.near(GeoPoint(latitude: .nan, longitude: 0)) }
        let far = try await crm.near(GeoPoint(latitude: 0, longitude: 0), radiusM: .max, limit: .max)
        XCTAssertEqual(far.count, 0)
        let taps = try await crm.undoable(limit: .max)
        XCTAssertEqual(taps.count, 1)
        let splice = Splice(at: .max, delete: .max, insert: "x")
        await refused("Invalid", "Failed") {
            try await crm.editText(record, field: "notes", .splices([splice]))
        }
        await refused("NotFound", "Invalid") {
            try await crm.settle(record, key: "no/such/key", value: .text("x"))
        }
        let isDismissed = try await crm.dismiss(.min)
        XCTAssertFalse(isDismissed)
        let history = try await crm.history(record, field: "no_such_field")
        XCTAssertEqual(history, [])
        let beyond = try await crm.timeline(TimelineQuery(record: record, since: .distantFuture, limit: .max))
        XCTAssertEqual(beyond.entries, [])
    }

    private func refusal<T>(_ work: () async throws -> T) async -> CrmError? {
        do {
            _ = try await work()
            return nil
        } catch let error as CrmError {
            if case .Failed = error { XCTFail("\(error)") }
            return error
        } catch {
            XCTFail("\(error)")
            return nil
        }
    }
}

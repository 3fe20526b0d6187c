// Questions: lists, counts, and what is near.

import Foundation
import Outrider
import XCTest

final class QueryTests: Scenario, @unchecked Sendable {
    func testQueries() async throws {
        let crm = try await open()
        let begin = Date(timeIntervalSince1970: 1_767_225_600)
        let edits = (0..<120).map { number -> Edit in
            let day = begin.addingTimeInterval(Double(number) * 86_400)
            let fields: [CustomerChange] = [
                .companyName(String(format: "Customer %03d", number)), .tier(["a", "b"][number % 2]),
                .employees(Int64(number)), .nextContactAt(day),
            ]
            return .create(fields: .customer(fields), record: nil)
        }
        let made = try await crm.write(Array(edits[..<60])) + crm.write(Array(edits[60...]))

        let everything = ListQuery(entity: "customer", sort: "employees", descending: true, limit: 50)
        var pages: [[Int64?]] = []
        for try await page in crm.pages(everything) {
            pages.append(page.map { $0.customer?.employees })
        }
        XCTAssertEqual(pages.map(\.count), [50, 50, 20])
        XCTAssertEqual(pages.flatMap { $0 }, (0..<120).reversed().map { $0 })

        func count(_ filters: Filter...) async throws -> UInt64 {
            try await crm.count(ListQuery(entity: "customer", filters: filters))
        }
        let tierA = Filter(field: "tier", compare: .is, value: .text("a"))
        let late = FieldValue.moment(begin.addingTimeInterval(90 * 86_400))
        let counts = [
            try await count(tierA),
            try await count(tierA, Filter(field: "employees", compare: .to, value: .integer(9))),
            try await count(Filter(field: "tier", compare: .isNot, value: .text("a"))),
            try await count(Filter(field: "employees", compare: .from, value: .integer(110))),
            try await count(Filter(field: "company_name", compare: .contains, value: .text("mer 11"))),
            try await count(Filter(field: "next_contact_at", compare: .from, value: late)),
            // No value: those that are empty.
            try await count(Filter(field: "phone", compare: .is)),
        ]
        XCTAssertEqual(counts, [60, 5, 60, 10, 10, 30, 120])

        try await crm.archive(made[0])
        let left = try await crm.count(ListQuery(entity: "customer"))
        let all = try await crm.count(ListQuery(entity: "customer", withArchived: true))
        XCTAssertEqual([left, all], [119, 120])
        let within = try await crm.list(
            ListQuery(entity: "customer", filters: [tierA], text: "customer 07", limit: 50)
        )
        XCTAssertEqual(within.records.compactMap { $0.customer?.employees }.sorted(), [70, 72, 74, 76, 78])
        XCTAssertNil(within.next)
        await refusesNonsense(crm)
    }

    private func refusesNonsense(_ crm: Crm) async {
        let colour = Filter(field: "colour", compare: .is, value: .text("x"))
        let days = Filter(field: "tier", compare: .is, value: .days(Period(start: nil, end: nil)))
        for query in [
            ListQuery(entity: "customer", sort: "colour"),
            ListQuery(entity: "customer", after: "not a page"),
            ListQuery(entity: "customer", filters: [colour]),
            ListQuery(entity: "customer", filters: [days]),
        ] {
            await refused("Invalid") { try await crm.list(query) }
        }
        await refused("NotFound") { try await crm.list(ListQuery(entity: "spaceship")) }
        await refused("Invalid") { try await crm.search(SearchQuery(text: "x", after: "not a page")) }
    }

    func testQueriesNearAPlace() async throws {
        let crm = try await open()
        let square = GeoPoint(latitude: 31.2304, longitude: 121.4737)
        let bund = GeoPoint(latitude: 31.24, longitude: 121.49)
        let beijing = GeoPoint(latitude: 39.9042, longitude: 116.4074)
        let first = try await customer(crm, "人民广场", .geo(square))
        let second = try await customer(crm, "外滩", .geo(bund))
        _ = try await customer(crm, "北京", .geo(beijing))
        let here = GeoPoint(latitude: 31.231, longitude: 121.474)
        let near = try await crm.near(here)
        XCTAssertEqual(near.map(\.record), [first, second])
        XCTAssertLessThan(near[0].distanceM, 200)
        let close = try await crm.near(here, entity: "customer", radiusM: 500)
        XCTAssertEqual(close.count, 1)
        await refused("Invalid") { try await crm.near(GeoPoint(latitude: 123, longitude: 0)) }
    }
}

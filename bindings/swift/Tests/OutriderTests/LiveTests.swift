// Lists that stay up to date, whatever those who listen do.

import Foundation
import Outrider
import XCTest

final class LiveTests: Scenario, @unchecked Sendable {
    private let customers = ListQuery(entity: "customer", sort: "company_name", limit: 50)

    func testLiveListUpdates() async throws {
        let secrets = MemorySecrets()
        let crm = try await open("Anna", secrets: secrets)
        _ = try await crm.enrol(try await code("Anna"))
        let first = try await customer(crm, "B")
        let list = Follower(crm.watch(customers))
        try await list.becomes(customers, of: crm)
        XCTAssertEqual(list.count, 1)

        _ = try await customer(crm, "A 三川")
        let third = try await customer(crm, "C")
        try await list.becomes(customers, of: crm)
        try await crm.update(first, .customer([.companyName("D")]))
        try await crm.archive(third)
        try await list.becomes(customers, of: crm)
        try await crm.update(first, .customer([.phone("+86 10 1")]))
        try await list.becomes(customers, of: crm)

        let second = try await open("Anna", secrets: secrets)
        _ = try await customer(second, "E")
        try await second.restore(third)
        try await list.becomes(customers, of: crm)

        let peer = try await office().peer("Ben")
        _ = try await peer.create("customer", ["company_name": "AA 来自公司"])
        try await peer.sync()
        try await crm.sync()
        try await list.becomes(customers, of: crm)
        XCTAssertEqual(list.records?.count, 5)
        XCTAssertFalse(list.isEnded)
    }

    func testLiveListUpdatesWhileFilledByASync() async throws {
        let crm = try await device("Anna")
        let list = Follower(crm.watch(customers))
        _ = try await office().ask("/fill", ["customers": "300"])
        try await crm.sync()
        try await list.becomes(customers, of: crm)
        XCTAssertEqual(list.records?.count, 50)
    }

    func testLiveListUpdatesFullWindowAndLimits() async throws {
        let crm = try await open()
        try await crm.write(
            (0..<60).map { .create(fields: .customer([.companyName("N\(10 + $0)")]), record: nil) }
        )
        let list = Follower(crm.watch(customers))
        try await list.becomes(customers, of: crm)
        _ = try await customer(crm, "A")
        try await list.becomes(customers, of: crm)
        XCTAssertEqual(list.records?.count, 50)
        let customers = customers
        var more = try await crm.perform { replica in
            try (0..<63).map { _ in try replica.watch(query: customers, listener: Hears()) }
        }
        let firstPage = try XCTUnwrap(more.first).first()
        XCTAssertEqual(firstPage.records.count, 50)
        XCTAssertNotNil(firstPage.next)
        await refused("TooMuch") { for try await _ in crm.watch(customers) {} }
        more.removeAll()
        _ = try await firstList(crm.watch(customers))
        await refused("TooMuch") {
            for try await _ in crm.watch(ListQuery(entity: "customer", limit: 501)) {}
        }
        await refused("Invalid") {
            for try await _ in crm.watch(ListQuery(entity: "customer", text: "N0")) {}
        }
    }

    /// Who looks at a list seldom gets the newest one, and holds up nobody.
    func testLiveListUpdatesOfASlowConsumer() async throws {
        let crm = try await open()
        let record = try await customer(crm, "A")
        var slow = crm.watch(customers).makeAsyncIterator()
        let first = try await slow.next()
        XCTAssertEqual(first?.count, 1)
        let fast = Follower(crm.watch(customers))
        for number in 0..<100 {
            try await crm.update(record, .customer([.companyName("A \(number)")]))
        }
        try await fast.becomes(customers, of: crm)
        try await until("the newest one comes") {
            try await slow.next()?.first?.customer?.companyName == "A 99"
        }
    }

    /// The list is closed when the loop over it ends: the library has 64 at most.
    func testLiveListUpdatesEndWithTheirLoops() async throws {
        let crm = try await open()
        _ = try await customer(crm, "A")
        for _ in 0..<80 {
            _ = try await firstList(crm.watch(customers))
        }
        let kept = (0..<50).map { _ in Follower(crm.watch(customers)) }
        try await until("all are open") { kept.allSatisfy { $0.count == 1 } }
        kept.forEach { $0.cancel() }
        try await until("all have ended") { kept.allSatisfy(\.isEnded) }
        let again = (0..<60).map { _ in Follower(crm.watch(customers)) }
        try await until("as many are open again") { again.allSatisfy { $0.count == 1 } }
        XCTAssert(again.allSatisfy { $0.error == nil })
    }

    func testLiveListUpdatesEndWithTheReplica() async throws {
        var crm: Crm? = try await open()
        let list = Follower(try XCTUnwrap(crm).watch(customers))
        try await until("it is open") { list.count == 1 }
        weak var gone = crm
        crm = nil
        try await until("nobody holds it") { gone == nil && list.isEnded }
        XCTAssertNil(list.error)
    }
}

/// The first list of a stream, which ends with that.
private func firstList(_ stream: AsyncThrowingStream<[CrmRecord], any Error>) async throws -> [CrmRecord]? {
    try await stream.first { _ in true }
}

// Listeners that throw, block for ever, or call the replica from within.

import Foundation
import Outrider
import XCTest

/// One that blocks until the test is over.
private final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func wait() {
        semaphore.wait()
        // Whoever else waits goes on too.
        semaphore.signal()
    }

    func open() { semaphore.signal() }
}

private final class BlocksProgress: SyncListener {
    let gate: Gate

    init(_ gate: Gate) { self.gate = gate }

    func onProgress(progress: SyncProgress) { gate.wait() }
}

final class ListenerTests: Scenario, @unchecked Sendable {
    private let customers = ListQuery(entity: "customer", sort: "company_name", limit: 50)

    func testListenerThatMisbehaves() async throws {
        var device: Crm? = try await device("Anna")
        let (crm, customers, gate) = (try XCTUnwrap(device), customers, Gate())
        defer { gate.open() }
        let replica = crm.replica
        let bad = [
            Hears { _ in gate.wait() },
            Hears { _ in gate.wait() },
            Hears { _ in throw Mistake() },
            Hears { _ in throw PlatformError.Failed(reason: "on purpose") },
            Hears { _ in
                if try replica.count(query: customers) < 5 {
                    _ = try replica.create(fields: .customer([.companyName("from within")]))
                }
                try replica.watch(query: customers, listener: Hears()).end()
            },
        ]
        let lists = try bad.map { try crm.replica.watch(query: customers, listener: $0) }
        let good = Follower(crm.watch(customers))
        try await until("it is open") { good.count == 1 }
        _ = try await customer(crm, "A")
        try await until("each is called") { bad.allSatisfy { !$0.changes.value.isEmpty } }
        try await until("who only listens hears of all") { good.records?.count == 5 }
        let report = try await crm.performLong {
            try $0.sync(listener: BlocksProgress(gate), cancel: $1)
        }
        XCTAssertEqual(report.end, .complete)
        _ = try await customer(crm, "B")
        try await good.becomes(customers, of: crm)

        let begun = Date()
        try lists.forEach { try $0.end() }
        try await crm.lock()
        device = nil
        XCTAssertLessThan(Date().timeIntervalSince(begun), 5, "nothing waits for who blocks")
        try await until("who only listens is told the end") { good.isEnded }
        XCTAssertNil(device)
    }

    func testListenerThatMisbehavesGetsANewBeginning() async throws {
        let crm = try await open()
        let record = try await customer(crm, "A")
        let gate = Gate()
        defer { gate.open() }
        let records = Shared<[CrmRecord]>([])
        let slow = Hears { change in
            gate.wait()
            records.change { $0.apply(change) }
        }
        let fast = Hears()
        let lists = try [slow, fast].map { try crm.replica.watch(query: customers, listener: $0) }
        records.value = try lists[0].first().records
        for number in 0..<80 {
            try await crm.update(record, .customer([.companyName("A\(number)")]))
            try await until("the other one hears of each") { fast.changes.value.count > number }
        }
        gate.open()
        try await until("the list is what the query says") {
            let wanted = try await crm.list(customers).records
            return records.value == wanted
        }
        XCTAssert(slow.changes.value.contains(where: \.isReset))
        XCTAssertEqual(slow.errors.value, [])
        try lists.forEach { try $0.end() }
    }
}

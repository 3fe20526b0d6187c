// Slow lines: syncs that are cancelled, and syncs that may cost only so much.

import Foundation
import Outrider
import XCTest

final class LineTests: Scenario, @unchecked Sendable {
    private let customers = ListQuery(entity: "customer")

    func testCancelInTheMiddle() async throws {
        let office = try await office()
        _ = try await office.ask("/fill", ["customers": "3000"])
        let line = try await office.line(bytesPerSecond: 1_000_000)
        let crm = try await device("Anna", url: line.url)
        try await line.speed(bytesPerSecond: 20_000)
        let updates = crm.syncUpdates()
        let sync = Task { try await crm.sync() }
        let progress = try await first(of: updates, "something arrives") { $0.received > 0 }
        XCTAssertEqual(progress?.phase, .receiving)
        // The customers, and users.
        XCTAssertGreaterThanOrEqual(progress?.expected ?? 0, 3000)
        let state = try await crm.syncState()
        XCTAssert(state.isRunning)
        var begun = Date()
        _ = try await customer(crm, "三川实业")
        XCTAssertLessThan(Date().timeIntervalSince(begun), 2, "no screen waits for a sync")

        begun = Date()
        sync.cancel()
        let ended = await sync.result
        XCTAssertLessThan(Date().timeIntervalSince(begun), 2)
        XCTAssertThrowsError(try ended.get()) { XCTAssert($0 is CancellationError, "\($0)") }
        let there = try await crm.count(customers)
        XCTAssert((2..<3001).contains(there), "\(there): what arrived is there, and not all did")

        try await line.speed(bytesPerSecond: 50_000_000)
        let report = try await crm.sync()
        let all = try await crm.count(customers)
        XCTAssertEqual([all, report.waiting], [3001, 0])
        XCTAssertLessThan(report.received, 3000, "what was there did not come again")
    }

    func testCancelInTheMiddleOfSilence() async throws {
        let line = try await office().line(bytesPerSecond: 1_000_000)
        let crm = try await device("Anna", url: line.url)
        try await line.cut(silent: true)
        let cancel = Cancel()
        XCTAssertFalse(cancel.isCancelled())
        let sync = Task { try await crm.performLong { replica, _ in try replica.sync(cancel: cancel) } }
        try await until("it runs") { try await crm.syncState().isRunning }
        let begun = Date()
        cancel.cancel()
        // Nobody cancelled the task: what the library says comes through.
        await refused("Cancelled") { try await sync.value }
        XCTAssertLessThan(Date().timeIntervalSince(begun), 2)
        XCTAssert(cancel.isCancelled())
    }

    func testBackgroundBudget() async throws {
        let office = try await office()
        _ = try await office.ask("/fill", ["customers": "3000"])
        let line = try await office.line(bytesPerSecond: 1_000_000)
        let hints = TestHints()
        let crm = try await open("Anna", hints: hints)
        _ = try await crm.enrol(try await code("Anna", url: line.url))
        let mine = try await customer(crm, "三川实业")
        try await line.speed(bytesPerSecond: 20_000)

        let begun = Date()
        let timed = try await crm.sync(within: SyncBudget(timeMs: 2500))
        XCTAssertLessThan(Date().timeIntervalSince(begun), 3.5)
        XCTAssertEqual(timed.end, .outOfTime)
        XCTAssertEqual(timed.waiting, 0, "what waits goes first")
        let first = try await crm.count(customers)
        XCTAssertLessThan(first, 3001)

        try await line.speed(bytesPerSecond: 50_000_000)
        let small = try await crm.sync(within: SyncBudget(bytes: 60_000))
        XCTAssertEqual(small.end, .outOfBytes)
        XCTAssertLessThanOrEqual(small.bytesUp + small.bytesDown, 60_000)
        let second = try await crm.count(customers)
        XCTAssertGreaterThan(second, first, "it goes on where it stopped")

        hints.now.value = (.offline, .battery)
        let waits = try await customer(crm, "四海贸易")
        let none = try await crm.sync(within: SyncBudget(timeMs: 20_000))
        XCTAssertEqual(none.end, .noNetwork)
        XCTAssertEqual([none.waiting, none.requests], [1, 0])
        hints.now.value = (.metered, .battery)
        let pushed = try await crm.sync(within: SyncBudget(isPushOnly: true))
        XCTAssertEqual(pushed.end, .pushed)
        XCTAssertEqual(pushed.waiting, 0)
        let rest = try await crm.sync(within: SyncBudget(timeMs: 60_000))
        XCTAssertEqual(rest.end, .complete)
        let all = try await crm.count(customers)
        XCTAssertEqual(all, 3002)
        let other = try await device("Ben")
        try await other.sync()
        let names = [
            try await readCustomer(other, mine).companyName, try await readCustomer(other, waits).companyName,
        ]
        XCTAssertEqual(names, ["三川实业", "四海贸易"])
    }

    func testBackgroundBudgetOnADeadLine() async throws {
        let line = try await office().line(bytesPerSecond: 1_000_000)
        let crm = try await device("Anna", url: line.url)
        _ = try await customer(crm, "三川实业")
        try await line.cut(silent: true)
        let begun = Date()
        let report = try await crm.sync(within: SyncBudget(timeMs: 1500))
        XCTAssertLessThan(Date().timeIntervalSince(begun), 2.5)
        XCTAssertEqual(report.end, .outOfTime)
        XCTAssertEqual(report.waiting, 1)
        try await line.cut()
        await refused("Offline") { try await crm.sync() }
        try await line.speed(bytesPerSecond: 1_000_000)
        let whole = try await crm.sync()
        XCTAssertEqual(whole.waiting, 0)
    }
}

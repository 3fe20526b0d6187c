// HTTP by the package's own transport.

import Foundation
import Outrider
import XCTest

final class TransportTests: Scenario, @unchecked Sendable {
    /// Large answers, slow ones, ones that break off: by the package's own transport.
    func testPlatformTransport() async throws {
        let office = try await office()
        _ = try await office.ask("/fill", ["customers": "3000"])
        let line = try await office.line(bytesPerSecond: 1_000_000)
        let crm = try await open("Anna", transport: URLSessionTransport())
        _ = try await crm.enrol(try await code("Anna", url: line.url))
        try await line.speed(bytesPerSecond: 20_000)
        let updates = crm.syncUpdates()
        let cut = Task { try await crm.sync() }
        _ = try await first(of: updates, "something arrives") { $0.bytesDown > 60_000 }
        try await line.cut()
        await refused("Offline") { try await cut.value }

        try await line.speed(bytesPerSecond: 20_000)
        let sync = Task { try await crm.sync() }
        try await until("it runs again") { try await crm.syncState().isRunning }
        let begun = Date()
        sync.cancel()
        let ended = await sync.result
        XCTAssertLessThan(Date().timeIntervalSince(begun), 2)
        XCTAssertThrowsError(try ended.get()) { XCTAssert($0 is CancellationError, "\($0)") }
        try await line.speed(bytesPerSecond: 50_000_000)
        try await crm.sync()
        let count = try await crm.count(ListQuery(entity: "customer"))
        XCTAssertEqual(count, 3000)
        try await line.cut(silent: true)
        let budget = try await crm.sync(within: SyncBudget(timeMs: 1000))
        XCTAssertEqual(budget.end, .outOfTime)
    }

    /// An office with an authority of its own: by the library's transport; URLSession on Linux cannot look at
    /// certificates, and says so rather than trust anybody.
    func testPlatformOwnAuthority() async throws {
        let office = try await Office.open(tls: true)
        let made = try await office.ask("/code", ["user": "Anna"])
        func code(_ fingerprint: String?) -> EnrolCode {
            EnrolCode(
                url: office.url,
                code: made["code"] ?? "",
                deviceName: "Swift",
                caFingerprint: fingerprint
            )
        }
        let right = try XCTUnwrap(made["ca_fingerprint"])
        #if os(Linux)
            let careful = try await open("careful", transport: URLSessionTransport())
            await refused("Untrusted") { try await careful.enrol(code(right)) }
        #endif
        let crm = try await open("Anna")
        let wrong = String(repeating: "0", count: 64)
        await refused("Untrusted") { try await crm.enrol(code(wrong)) }
        _ = try await crm.enrol(code(right))
        let report = try await crm.sync()
        XCTAssertEqual(report.end, .complete)
        _ = try await office.ask("/end")
    }
}

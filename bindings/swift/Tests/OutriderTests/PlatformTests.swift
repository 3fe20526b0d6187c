// What an app brings, written in Swift: it is used, and what it throws is an error of the call alone.

import Foundation
import Outrider
import XCTest

/// The package's own transport, as a test looks at it and breaks it.
private final class WatchedTransport: HttpTransport {
    let calls = Shared<[String]>([])
    let failure: Shared<(any Error)?> = Shared(nil)
    private let inner = URLSessionTransport()

    func send(call: HttpCall) throws -> HttpAnswer {
        if let failure = failure.value { throw failure }
        calls.change { $0.append(call.url) }
        return try inner.send(call: call)
    }
}

final class PlatformTests: Scenario, @unchecked Sendable {
    func testPlatform() async throws {
        let (transport, hints, van) = (WatchedTransport(), TestHints(), VanPosition(nil))
        let signer = try OpenSSLSigner(in: folder)
        let begun = Date(timeIntervalSince1970: 1_772_352_000)
        let clock = TestClock(begun)
        let secrets = FileSecrets(folder.appendingPathComponent("key"))
        let crm = try await open(
            "Anna",
            secrets: secrets,
            signer: signer,
            transport: transport,
            hints: hints,
            position: van,
            clock: clock
        )
        XCTAssertEqual(try secrets.load()?.count, 32)
        let record = try await customer(crm, "三川实业")
        let created = try await readCustomer(crm, record).common.createdAt
        XCTAssertEqual(created, begun)
        clock.at.value = Date()
        _ = try await crm.enrol(try await code("Anna"))
        let report = try await crm.sync()
        XCTAssertEqual(report.end, .complete)
        XCTAssertGreaterThan(signer.signed.value, 0)
        let url = try await office().url
        XCTAssertGreaterThan(transport.calls.value.count, 1)
        XCTAssert(transport.calls.value.allSatisfy { $0.hasPrefix(url) })
        let other = try await device("Ben")
        try await other.sync()
        let name = try await readCustomer(other, record).companyName
        XCTAssertEqual(name, "三川实业")

        let visit = try await crm.create(.visit([.subject("x"), .status("new"), .customerId(record)]))
        let check = try await crm.get(try await crm.checkIn(visit, .checkIn))?.checkIn
        XCTAssertNotNil(check)
        XCTAssertNil(check?.geo, "a position that cannot be had is none")
        clock.at.value = nil
        let late = try await readCustomer(crm, try await customer(crm, "by the system's clock"))
        XCTAssertNotNil(late.common.createdAt)
        hints.isBroken.value = true
        let whole = try await crm.sync(within: SyncBudget(timeMs: 20_000))
        XCTAssertEqual(whole.end, .complete, "there is enough of both")
        hints.isBroken.value = false
        hints.now.value = (.unmetered, .saver)
        let saving = try await crm.sync(within: SyncBudget(timeMs: 20_000))
        XCTAssertEqual(saving.end, .pushed)
        XCTAssert(try secrets.erase())
        XCTAssertFalse(try secrets.erase())
    }

    func testPlatformThrows() async throws {
        let transport = WatchedTransport()
        let signer = try OpenSSLSigner(in: folder)
        let crm = try await open("Anna", signer: signer, transport: transport)
        _ = try await crm.enrol(try await code("Anna"))
        _ = try await customer(crm, "三川实业")
        let failures: [(any Error, String)] = [
            (PlatformError.Unreachable(reason: "no route"), "Offline"),
            (PlatformError.Untrusted(reason: "a stranger"), "Untrusted"),
            (PlatformError.Failed(reason: "no"), "Offline"),
            (Mistake(), "Offline"),
        ]
        for (failure, kind) in failures {
            transport.failure.value = failure
            await refused(kind) { try await crm.sync() }
            let state = try await crm.syncState()
            XCTAssertNotNil(state.lastError)
        }
        transport.failure.value = nil
        signer.isLocked.value = true
        await refused("KeyUnavailable", "Failed") { try await crm.sync() }
        signer.isLocked.value = false
        let report = try await crm.sync()
        XCTAssertEqual(report.waiting, 0)
    }

    /// A key that two processes make at once is one key.
    func testPlatformSecretsInAFile() async throws {
        let file = folder.appendingPathComponent("key")
        let kept = try await withThrowingTaskGroup(of: Data.self) { group in
            for number in 0..<8 {
                group.addTask {
                    try FileSecrets(file).keep(secret: Data(repeating: UInt8(number), count: 32))
                }
            }
            return try await group.reduce(into: Set<Data>()) { $0.insert($1) }
        }
        XCTAssertEqual(kept.count, 1)
        XCTAssertEqual(try FileSecrets(file).load(), kept.first)
        let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? NSNumber
        XCTAssertEqual(mode, 0o600)
        let nowhere = FileSecrets(folder.appendingPathComponent("missing/key"))
        await refused("Failed") { try await self.open("else", secrets: nowhere) }
    }
}

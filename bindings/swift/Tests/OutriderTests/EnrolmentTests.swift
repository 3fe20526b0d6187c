// How a device comes to its office, and what it gets there first.

import Foundation
import Outrider
import XCTest

final class EnrolmentTests: Scenario, @unchecked Sendable {
    func testEnrolAndFirstSync() async throws {
        let office = try await office()
        _ = try await office.ask("/fill", ["customers": "1200"])
        let crm = try await open("Anna")
        let nobody = try await crm.enrolment()
        XCTAssertNil(nobody)
        await refused("NotEnrolled") { try await crm.sync() }
        let before = try await customer(crm, "山海机械 before any office")

        let enrolment = try await crm.enrol(try await code("Anna"))
        XCTAssert(enrolment.isActive)
        XCTAssertEqual([enrolment.user, enrolment.url], ["Anna", office.url])
        let known = try await crm.enrolment()
        let checked = try await crm.checkEnrolment()
        XCTAssertEqual(known, checked)
        let second = try await code("Anna")
        await refused("Refused") { try await crm.enrol(second) }

        let told = Shared<[SyncProgress]>([])
        let updates = crm.syncUpdates()
        let listening = Task { for await progress in updates { told.change { $0.append(progress) } } }
        let report = try await crm.sync()
        XCTAssertEqual([report.waiting, report.refused], [0, 0])
        XCTAssertEqual(report.end, .complete)
        let count = try await crm.count(ListQuery(entity: "customer"))
        XCTAssertEqual(count, 1201)
        try await until("progress is told") { !told.value.isEmpty }
        listening.cancel()
        XCTAssert(told.value.allSatisfy { $0.expected == 0 || $0.received <= $0.expected })
        let state = try await crm.syncState()
        XCTAssertEqual([state.isRunning, state.lastSync != nil], [false, true])
        XCTAssertEqual(state.lastEnd, .complete)

        let other = try await device("Ben")
        try await other.sync()
        let seen = try await readCustomer(other, before)
        XCTAssertEqual(seen.companyName, "山海机械 before any office")
    }

    func testEnrolAndFirstSyncWrongCode() async throws {
        let crm = try await open("Anna")
        let url = try await office().url
        let wrong = EnrolCode(url: url, code: "AAAAA-BBBBB-CCCCC-DDDDD-EEEEEE", deviceName: "Swift")
        let error = await refused("Refused") { try await crm.enrol(wrong) }
        XCTAssertFalse(try XCTUnwrap(error).reason.contains("AAAAA"), "what was typed is not told again")
        let code = try await code("Anna")
        _ = try await crm.enrol(code)
        let again = try await open("again")
        await refused("Refused") { try await again.enrol(code) }
    }

    func testEnrolAndFirstSyncNobodyAnswers() async throws {
        let crm = try await open("Anna")
        let ended = try await Office.open()
        _ = try await ended.ask("/end")
        let code = EnrolCode(url: ended.url, code: "AAAAA-BBBBB", deviceName: "Swift")
        await refused("Offline") { try await crm.enrol(code) }
        for url in ["gopher://office.example", "http://office.example", "no address"] {
            let code = EnrolCode(url: url, code: "AAAAA-BBBBB", deviceName: "Swift")
            await refused("Invalid", "Untrusted") { try await crm.enrol(code) }
        }
    }

    func testEnrolAndFirstSyncWithApproval() async throws {
        let crm = try await open("Cora", language: .chinese)
        let enrolment = try await crm.enrol(try await code("Cora", needsApproval: true))
        XCTAssertFalse(enrolment.isActive)
        let error = await refused("WaitsForApproval") { try await crm.sync() }
        guard case .WaitsForApproval(_, let reason, let fingerprint)? = error else { return }
        XCTAssertEqual(fingerprint, enrolment.fingerprint)
        XCTAssert(reason.contains("指纹"), reason)
        let waiting = try await crm.checkEnrolment()
        XCTAssertFalse(waiting.isActive)
        _ = try await office().ask("/approve", ["user": "Cora"])
        let approved = try await crm.checkEnrolment()
        XCTAssert(approved.isActive)
        let report = try await crm.sync()
        XCTAssertEqual(report.end, .complete)
    }
}

// Where a device stands, and what support gets to see.

import Foundation
import Outrider
import XCTest

final class CareTests: Scenario, @unchecked Sendable {
    private let secrets = ["三川实业", "sanchuan.example", "62837719", "王小明", "Geheimnis", "vip-tag"]

    private func fill(_ crm: Crm) async throws -> RecordId {
        let record = try await customer(
            crm,
            "三川实业",
            .phone("+86 512 62837719"),
            .email("info@sanchuan.example"),
            .notes("Geheimnis"),
            .common(tags(add: ["vip-tag"]))
        )
        try await crm.create(.contact([.name(PersonName(full: "王小明")), .customerId(record)]))
        return record
    }

    func testDiagnosis() async throws {
        let crm = try await open("Anna", language: .chinese)
        _ = try await crm.enrol(try await code("Anna"))
        let record = try await fill(crm)
        let url = try await office().url
        let before = try await crm.status()
        XCTAssertEqual([before.user, before.server], ["Anna", url])
        XCTAssertEqual([before.conflicts, before.refusals, before.damaged], [0, 0, 0])
        XCTAssertNil(before.lastSync)
        XCTAssertGreaterThanOrEqual(before.waiting, 2)
        let counts = before.records.filter { $0.count > 0 }.map { "\($0.entity) \($0.count)" }
        XCTAssertEqual(counts.sorted(), ["contact 1", "customer 1"])
        try await crm.sync()
        let after = try await crm.status()
        XCTAssertEqual(after.waiting, 0)
        XCTAssertNotNil(after.lastSync)

        let storage = try await crm.storage()
        XCTAssertGreaterThan(storage.databaseBytes, storage.freeBytes)
        let may = try await crm.may(.edit, record)
        XCTAssert(may)
        let key = folder.appendingPathComponent("Anna/device.key").path
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
        let problems = try await crm.diagnose().filter(\.isProblem)
        XCTAssertEqual(problems.count, 1)
        let problem = try XCTUnwrap(problems.first)
        XCTAssertNotNil(problem.sentence.range(of: "\\p{Han}", options: .regularExpression))
        let repaired = try await crm.repair(try XCTUnwrap(problem.fix))
        XCTAssertGreaterThanOrEqual(repaired, 1)
        let left = try await crm.diagnose().filter(\.isProblem)
        XCTAssertEqual(left, [])
        await refused("Invalid") { try await crm.repair("magic") }
    }

    func testDiagnosisBundle() async throws {
        let crm = try await open()
        _ = try await fill(crm)
        let file = folder.appendingPathComponent("support.zip")
        let bundle = try await crm.writeSupportBundle(file, log: "the sync of 三川实业 failed\n")
        XCTAssert(bundle.parts.contains("log.txt"), "\(bundle.parts)")
        XCTAssertEqual(bundle.leftOut, 0)
        let bytes = try runProgram("/usr/bin/unzip", ["-p", file.path])
        XCTAssertNotNil(bytes.range(of: Data(" failed".utf8)), "what programs write is left")
        for secret in secrets {
            XCTAssertNil(bytes.range(of: Data(secret.utf8)), secret)
        }
        await refused("Refused") { try await crm.writeSupportBundle(file) }
    }
}

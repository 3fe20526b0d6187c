// Disks that are full, servers that are killed, and two that share a folder.

import Foundation
import Outrider
import XCTest

final class DiskTests: Scenario, @unchecked Sendable {
    private let customers = ListQuery(entity: "customer")

    func testFullDisk() async throws {
        let path = try await Office.ask("/disk", ["bytes": "16000000"])["path"]
        let disk = URL(fileURLWithPath: try XCTUnwrap(path))
        let size =
            try FileManager.default.attributesOfFileSystem(forPath: disk.path)[.systemSize] as? NSNumber
        XCTAssertLessThan(try XCTUnwrap(size).intValue, 17_000_000, "the disk is not seen from here")
        let platform = Platform(secrets: MemorySecrets())
        let records = disk.appendingPathComponent("records")
        let crm = try await Crm.open(folder: records, language: .english, platform: platform)
        var kept: [RecordId: String] = [:]
        for number in 0..<20 {
            kept[try await customer(crm, "kept \(number) 保留")] = "kept \(number) 保留"
        }
        let ballast = disk.appendingPathComponent("ballast")
        fill(ballast)

        let full = await refused("StorageFull") {
            for number in 0..<2000 {
                let name = "late \(number) " + String(repeating: "长", count: 150)
                kept[try await customer(crm, name)] = name
            }
        }
        XCTAssert(try XCTUnwrap(full).reason.contains("disk is full"))
        let record = try XCTUnwrap(kept.keys.first)
        await refused("StorageFull") {
            for number in 0..<2000 {
                let name = "\(number) " + String(repeating: "长", count: 90)
                try await crm.update(record, .customer([.shortName(name)]))
            }
        }
        let name = try await readCustomer(crm, record).companyName
        XCTAssertEqual(name, kept[record], "reading goes on")
        await refused("StorageFull") {
            try await crm.exportStore(disk.appendingPathComponent("copy"), plain: true)
        }
        let table = disk.appendingPathComponent("all.csv")
        await refused("StorageFull") {
            try await crm.exportFile(table, format: .csv, query: self.customers)
        }
        XCTAssertFalse(FileManager.default.fileExists(atPath: table.path), "whole or not at all")

        try FileManager.default.removeItem(at: ballast)
        let more = try await customer(crm, "with room again")
        try await crm.lock()
        try await crm.unlock()
        kept[more] = "with room again"
        var found: [RecordId: String] = [:]
        for try await page in crm.pages(customers) {
            for case .customer(let customer) in page { found[customer.id] = customer.companyName }
        }
        XCTAssertEqual(found, kept, "nothing that was written before is lost")
        let findings = try await crm.diagnose()
        // The disk itself is small, and that is told.
        XCTAssertEqual(findings.filter { $0.isProblem && $0.code != "disk_space" }, [])
    }

    /// Takes all room that a disk has.
    private func fill(_ file: URL) {
        let descriptor = Foundation.open(file.path, O_WRONLY | O_CREAT, 0o600)
        let block = [UInt8](repeating: 0, count: 4096)
        while write(descriptor, block, block.count) > 0 {}
        close(descriptor)
    }

    func testRestart() async throws {
        let office = try await office()
        let secrets = MemorySecrets()
        var crm: Crm? = try await open("Anna", secrets: secrets)
        let (record, waiting) = try await work(try XCTUnwrap(crm), office)
        weak var gone = crm
        crm = nil
        try await until("it is closed") { gone == nil }

        let again = try await open("Anna", secrets: secrets)
        let user = try await again.enrolment()?.user
        let stillWaiting = try await again.outbox()
        let phone = try await readCustomer(again, record).phone
        XCTAssertEqual([user, phone], ["Anna", "+86 512 2"])
        XCTAssertEqual(stillWaiting, waiting)
        let moved = try await office.ask("/start")["url"]
        XCTAssertEqual(moved, office.url)
        let report = try await again.sync()
        XCTAssertEqual(report.waiting, 0)
        let peer = try await office.peer("Ben")
        try await peer.sync()
        let seen = try await peer.get(record)["phone"]
        XCTAssertEqual(seen, "+86 512 2")
    }

    /// Writes while the server is gone.
    private func work(_ crm: Crm, _ office: Office) async throws -> (RecordId, [WaitingChange]) {
        _ = try await crm.enrol(try await code("Anna"))
        try await crm.sync()
        _ = try await office.ask("/kill")
        let record = try await customer(crm, "三川实业", .phone("+86 512 1"))
        await refused("Offline") { try await crm.sync() }
        try await crm.update(record, .customer([.phone("+86 512 2")]))
        let waiting = try await crm.outbox()
        XCTAssertGreaterThanOrEqual(waiting.count, 2)
        return (record, waiting)
    }

    func testAppAndExtension() async throws {
        let secrets = FileSecrets(folder.appendingPathComponent("key"))
        let app = try await open(secrets: secrets)
        let share = try await open(secrets: secrets)
        let record = try await customer(app, "三川实业")
        let name = try await readCustomer(share, record).companyName
        XCTAssertEqual(name, "三川实业")
        try await share.update(record, .customer([.phone("+86 512 2")]))
        let phone = try await readCustomer(app, record).phone
        XCTAssertEqual(phone, "+86 512 2")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (crm, name) in [(app, "app"), (share, "extension"), (app, "again")] {
                group.addTask {
                    for number in 0..<100 { _ = try await customer(crm, "\(name) \(number)") }
                }
            }
            try await group.waitForAll()
        }
        let counts = [try await app.count(customers), try await share.count(customers)]
        XCTAssertEqual(counts, [301, 301])
        try await app.lock()
        let count = try await share.count(customers)
        XCTAssertEqual(count, 301, "one that is locked does not lock the other")
    }
}

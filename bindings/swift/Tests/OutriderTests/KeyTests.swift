// The key of the records, and who holds it.

import Foundation
import Outrider
import XCTest

final class KeyTests: Scenario, @unchecked Sendable {
    private let customers = ListQuery(entity: "customer")

    private func sizes() throws -> [String: Int] {
        let records = folder.appendingPathComponent("records")
        let files = try FileManager.default.contentsOfDirectory(at: records, includingPropertiesForKeys: nil)
        let sizes = try files.map { ($0.lastPathComponent, try Data(contentsOf: $0).count) }
        return Dictionary(uniqueKeysWithValues: sizes)
    }

    func testWrongKey() async throws {
        let secrets = FileSecrets(folder.appendingPathComponent("key"))
        let crm = try await open(secrets: secrets)
        let record = try await customer(crm, "三川实业")
        try await crm.lock()
        let before = try sizes()
        for name in before.keys {
            let bytes = try Data(contentsOf: folder.appendingPathComponent("records/\(name)"))
            XCTAssertNil(bytes.range(of: Data("三川实业".utf8)), "on the disk nothing can be read")
        }

        let other = Data((0..<32).map { _ in UInt8.random(in: 0...255) })
        for wrong in [other, nil, Data("short".utf8)] {
            let secrets = MemorySecrets(wrong)
            await refused("WrongKey") { try await self.open(secrets: secrets) }
            XCTAssertEqual(secrets.secret.value, wrong, "no key is made for records that have another")
        }
        let kept = try XCTUnwrap(secrets.load())
        XCTAssertEqual(kept.count, 32)
        let locked = MemorySecrets(kept)
        locked.isLocked.value = true
        await refused("KeyUnavailable") { try await self.open(secrets: locked) }
        XCTAssertEqual(try sizes(), before)

        locked.isLocked.value = false
        let again = try await open(secrets: locked)
        let name = try await readCustomer(again, record).companyName
        XCTAssertEqual(name, "三川实业")
    }

    func testLockAndWipe() async throws {
        let secrets = MemorySecrets()
        let crm = try await open(secrets: secrets)
        let record = try await customer(crm, "三川实业")
        let list = Follower(crm.watch(customers))
        try await until("it is open") { list.count == 1 }
        let hears = Hears()
        let live = try crm.replica.watch(query: customers, listener: hears)
        try await crm.lock()
        try await until("lists end") { list.isEnded }
        XCTAssertNil(list.error)
        try await until("who listens is told") { !hears.errors.value.isEmpty }
        guard case .Closed? = hears.errors.value.last else { return XCTFail("\(hears.errors.value)") }
        try live.end()
        let isLocked = try await crm.isLocked()
        XCTAssert(isLocked)
        await refusesEverything(crm, record)

        secrets.isLocked.value = true
        await refused("KeyUnavailable") { try await crm.unlock() }
        secrets.isLocked.value = false
        try await crm.unlock()
        try await crm.unlock()
        let name = try await readCustomer(crm, record).companyName
        XCTAssertEqual(name, "三川实业")
        let again = Follower(crm.watch(customers))
        try await until("lists go on") { again.count == 1 }
        _ = try await customer(crm, "四海贸易")
        try await again.becomes(customers, of: crm)

        try await crm.wipe()
        XCTAssertNil(secrets.secret.value)
        await refused("Closed") { try await crm.list(self.customers) }
        try await until("lists end") { again.isEnded }
        let database = folder.appendingPathComponent("records/outrider.db").path
        XCTAssertFalse(FileManager.default.fileExists(atPath: database))
        let fresh = try await open(secrets: secrets)
        let count = try await fresh.count(customers)
        XCTAssertEqual(count, 0)
    }

    private func refusesEverything(_ crm: Crm, _ record: RecordId) async {
        await refused("Closed") { try await crm.get(record) }
        await refused("Closed") { try await crm.list(self.customers) }
        await refused("Closed") { try await crm.count(self.customers) }
        await refused("Closed") { try await customer(crm, "x") }
        await refused("Closed") { try await crm.update(record, .customer([.phone("1")])) }
        await refused("Closed") { try await crm.sync() }
        await refused("Closed") { try await crm.syncState() }
        await refused("Closed") { try await crm.status() }
        await refused("Closed") { try await crm.storage() }
        await refused("Closed") { try await crm.diagnose() }
        await refused("Closed") { try await crm.inbox() }
        await refused("Closed") { try await crm.entities() }
        await refused("Closed") { try await crm.enrolment() }
        await refused("Closed") { try await crm.drawId() }
        await refused("Closed") { for try await _ in crm.watch(self.customers) {} }
    }

    func testLockAndWipeByTheOffice() async throws {
        let secrets = MemorySecrets()
        let crm = try await open("Anna", secrets: secrets)
        _ = try await crm.enrol(try await code("Anna"))
        let record = try await customer(crm, "三川实业")
        _ = try await office().ask("/wipe", ["user": "Anna"])
        let list = Follower(crm.watch(customers))
        try await until("it is open") { list.count == 1 }
        await refused("Wiped") { try await crm.sync() }
        try await until("lists end") { list.isEnded }
        let isLocked = try await crm.isLocked()
        XCTAssert(isLocked)
        XCTAssertNil(secrets.secret.value)
        let other = try await device("Ben")
        try await other.sync()
        let name = try await readCustomer(other, record).companyName
        XCTAssertEqual(name, "三川实业", "what waited was sent before")
    }
}

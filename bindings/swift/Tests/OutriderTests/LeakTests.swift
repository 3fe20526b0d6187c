// Many rounds of what an app does all day keep the memory flat.

import Foundation
import Outrider
import XCTest

final class LeakTests: Scenario, @unchecked Sendable {
    /// Pools and caches have their size after these.
    private static let warmUp = 60
    /// What a round may leave behind on average: less than one record.
    private static let bytesPerRound = 8 * 1024

    func testLeak() async throws {
        let rounds = Int(ProcessInfo.processInfo.environment["OUTRIDER_LEAK_ROUNDS"] ?? "") ?? 300
        let secrets = MemorySecrets()
        let records = try await fill(secrets)
        var early = 0
        for number in 0..<(Self.warmUp + rounds) {
            if number == Self.warmUp { early = try residentBytes() }
            try await oneRound(secrets, records[number % records.count], number)
        }
        let late = try residentBytes()
        print("leak: \(early / 1024) KiB early, \(late / 1024) KiB after \(rounds) rounds")
        XCTAssertLessThan(late - early, 4 * 1024 * 1024 + rounds * Self.bytesPerRound)
    }

    private func fill(_ secrets: MemorySecrets) async throws -> [RecordId] {
        let crm = try await open(secrets: secrets)
        return try await crm.write(
            (0..<50).map { .create(fields: .customer([.companyName("三川 \($0)")]), record: nil) }
        )
    }

    private func oneRound(_ secrets: MemorySecrets, _ record: RecordId, _ number: Int) async throws {
        let query = ListQuery(entity: "customer")
        let crm = try await open(secrets: secrets)
        let list = try await crm.list(query).records
        XCTAssertEqual(list.count, 50)
        let hits = try await crm.search(SearchQuery(text: "三川")).hits
        XCTAssertFalse(hits.isEmpty)
        var stream = crm.watch(query).makeAsyncIterator()
        _ = try await stream.next()
        let hears = Hears()
        let live = try crm.replica.watch(query: query, listener: hears)
        let phone = "+86 10 \(number)"
        try await crm.update(record, .customer([.phone(phone)]))
        while try await stream.next()?.first(where: { $0.id == record })?.customer?.phone != phone {}
        try await until("a change is heard") { !hears.changes.value.isEmpty }
        await refused("Invalid") { try await crm.update(record, .customer([.companyName(nil)])) }
        // Lists that nobody closes go with the replica.
        if number % 2 == 0 { try live.end() }
    }

    private func residentBytes() throws -> Int {
        #if os(Linux)
            let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
            return (Int(pages[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE))
        #else
            throw XCTSkip("the memory of a process is read from /proc here")
        #endif
    }
}

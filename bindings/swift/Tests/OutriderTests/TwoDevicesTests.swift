// This device and one of another language edit the same records.

import Foundation
import Outrider
import XCTest

final class TwoDevicesTests: Scenario, @unchecked Sendable {
    /// Two devices that know a customer.
    private func both() async throws -> (Crm, Peer, RecordId) {
        let mine = try await device("Anna")
        let other = try await office().peer("Ben")
        let record = try await customer(mine, "三川实业", .phone("+86 512 1111"))
        try await mine.sync()
        try await other.sync()
        return (mine, other, record)
    }

    func testOfflineEditsOnTwoDevices() async throws {
        let (mine, other, record) = try await both()
        try await mine.update(record, .customer([.phone("+86 512 2222"), .common(tags(add: ["mine"]))]))
        try await other.edit(record, ["short_name": "三川", "tags+": "theirs", "visits+": "2"])
        try await mine.update(record, .customer([.visits(3)]))
        let contact = try await other.create(
            "contact",
            ["name": "{\"full\": \"李雷\"}", "customer_id": record.uuidString.lowercased()]
        )
        for _ in 0..<2 {
            try await other.sync()
            try await mine.sync()
        }
        let customer = try await readCustomer(mine, record)
        let seen = try await other.get(record)
        XCTAssertEqual([customer.phone, customer.shortName], ["+86 512 2222", "三川"])
        XCTAssertEqual(customer.visits, 5)
        XCTAssertEqual(customer.common.tags.sorted(), ["mine", "theirs"])
        XCTAssertEqual([seen["phone"], seen["short_name"], seen["visits"]], ["+86 512 2222", "三川", "5"])
        let name = try await mine.get(contact)?.contact?.name?.full
        XCTAssertEqual(name, "李雷")
        let conflicts = try await mine.conflicts()
        XCTAssertEqual(conflicts, [])
    }

    func testConflictAndSettling() async throws {
        let (mine, other, record) = try await both()
        try await mine.update(record, .customer([.companyName("三川实业（上海）")]))
        try await other.edit(record, ["company_name": "三川实业（苏州）"])
        try await other.sync()
        try await mine.sync()
        let conflicts = try await mine.conflicts(of: record)
        XCTAssertEqual(conflicts.map(\.key), ["company_name"])
        let conflict = try XCTUnwrap(conflicts.first)
        XCTAssertEqual([conflict.label, conflict.entity], ["Company name", "customer"])
        let here = try XCTUnwrap(conflict.values.first { $0.text == "三川实业（上海）" })
        let there = try XCTUnwrap(conflict.values.first { $0.text == "三川实业（苏州）" })
        XCTAssertEqual([here.by, there.by], ["Anna", "Ben"])
        XCTAssertEqual(conflict.values.filter(\.isShown).count, 1)
        XCTAssert(conflict.values.allSatisfy { $0.at != nil })
        let flagged = try await readCustomer(mine, record).common.conflicts
        XCTAssertEqual(flagged, ["company_name"])
        let status = try await mine.status()
        XCTAssertEqual(status.conflicts, 1)

        try await mine.settle(record, key: conflict.key, value: there.value)
        let left = try await mine.conflicts()
        XCTAssertEqual(left, [])
        await refused("NotFound") {
            try await mine.settle(record, key: conflict.key, value: here.value)
        }
        try await mine.sync()
        try await other.sync()
        let seen = try await other.get(record)
        let shown = try await readCustomer(mine, record).companyName
        XCTAssertEqual([shown, seen["company_name"]], ["三川实业（苏州）", "三川实业（苏州）"])
    }

    func testLongText() async throws {
        let (mine, other, record) = try await both()
        try await mine.editText(record, field: "notes", .becomes("周一：电话 ☎️\n"))
        try await mine.sync()
        try await other.sync()
        let seen = try await mine.text(record, field: "notes")
        try await other.note(record, "Tuesday: visited")
        try await other.sync()
        try await mine.sync()
        // The person still looks at the text of before, and types into its middle; places are code points.
        let place = try XCTUnwrap(seen.text.unicodeScalars.firstIndex(of: "话"))
        let at = seen.text.unicodeScalars.distance(from: seen.text.startIndex, to: place) + 1
        let splice = Splice(at: UInt32(at), delete: 0, insert: "，已确认")
        let isWritten = try await mine.editText(record, field: "notes", .splices([splice]), seen: seen.heads)
        XCTAssert(isWritten)
        try await mine.editText(record, field: "notes", .append("周三：报价"))
        let text = try await mine.text(record, field: "notes").text
        let isWrittenAgain = try await mine.editText(record, field: "notes", .becomes(text))
        XCTAssertFalse(isWrittenAgain)
        try await other.note(record, "Thursday: waiting")
        for _ in 0..<2 {
            try await mine.sync()
            try await other.sync()
        }
        let both = try await mine.text(record, field: "notes").text
        let theirs = try await other.get(record)["notes"]
        XCTAssertEqual(both, theirs)
        for part in ["周一：电话，已确认 ☎️", "Tuesday: visited", "周三：报价", "Thursday: waiting"] {
            XCTAssert(both.contains(part), "\(part) is not in \(both)")
        }
        await refused("Invalid") { try await mine.text(record, field: "phone") }
        await refused("Invalid") {
            try await mine.editText(record, field: "notes", .append("x"), seen: ["no version"])
        }
        let nobody = try await mine.drawId()
        await refused("NotFound") { try await mine.text(nobody, field: "notes") }
    }
}

// What happened with a record, what belongs to it, and how it is taken back.

import Foundation
import Outrider
import XCTest

final class StoryTests: Scenario, @unchecked Sendable {
    func testTimelineLinksHistoryUndo() async throws {
        let mine = try await device("Anna")
        let other = try await office().peer("Ben")
        let sanchuan = try await customer(mine, "三川实业", .phone("+86 512 1"))
        let opportunity = try await mine.create(
            .opportunity([.name("Line 3"), .customerId(sanchuan), .salesStage("proposal")])
        )
        try await mine.update(opportunity, .opportunity([.salesStage("negotiation")]))
        let call = try await mine.create(
            .interaction([
                .subject("电话"), .customerId(sanchuan), .channel("call"), .occurredAt(Date()),
                .summary("报价已收到"),
            ])
        )
        try await mine.sync()
        try await other.sync()
        try await other.edit(sanchuan, ["phone": "+86 512 2"])
        try await other.sync()
        try await mine.sync()

        let page = try await mine.timeline(TimelineQuery(record: sanchuan))
        XCTAssert(Set(page.entries.map(\.record)).isSuperset(of: [opportunity, call]))
        let stages = try await mine.timeline(
            TimelineQuery(record: sanchuan, kinds: ["opportunity.stages"])
        ).entries
        XCTAssertGreaterThanOrEqual(stages.count, 2)
        XCTAssert(stages.allSatisfy { $0.title == "Line 3" && $0.byName == "Anna" })
        let first = try await mine.timeline(TimelineQuery(record: sanchuan, limit: 1))
        let second = try await mine.timeline(TimelineQuery(record: sanchuan, after: first.next, limit: 1))
        XCTAssertNotEqual(first.entries, second.entries)
        let tomorrow = Date().addingTimeInterval(86_400)
        let later = try await mine.timeline(TimelineQuery(record: sanchuan, since: tomorrow))
        XCTAssertEqual(later.entries, [])
        await refused("Invalid") {
            try await mine.timeline(TimelineQuery(record: sanchuan, kinds: ["weather"]))
        }

        let named = try await mine.links(sanchuan)
        XCTAssertEqual(Set(named.incoming.map(\.record)), [opportunity, call])
        let names = try await mine.links(opportunity).outgoing.first { $0.field == "customer_id" }
        XCTAssertEqual(names?.record, sanchuan)
        XCTAssertEqual([names?.entity, names?.title], ["customer", "三川实业"])
        let nobody = try await mine.drawId()
        await refused("NotFound") { try await mine.links(nobody) }

        let phones = try await mine.history(sanchuan, field: "phone")
        let theirs = try XCTUnwrap(phones.first { $0.new == .text("+86 512 2") })
        XCTAssertEqual([theirs.by, theirs.what, theirs.label], ["Ben", "changed", "Phone number"])
        XCTAssertFalse(theirs.isOwn)
        let own = try await mine.history(opportunity, field: "sales_stage").first(where: \.isOwn)
        XCTAssertEqual(own?.new, .text("negotiation"))
        XCTAssertEqual(own?.isSent, true)
    }

    func testTimelineLinksHistoryUndoTakesBack() async throws {
        let crm = try await open()
        let record = try await customer(crm, "三川实业", .phone("+86 512 1"), .common(tags(add: ["a"])))
        try await crm.update(record, .customer([.phone("+86 512 2"), .common(tags(add: ["b"]))]))
        let tap = try await crm.undoable()[0]
        XCTAssertEqual([tap.isSent, tap.isUndone], [false, false])
        let item = try XCTUnwrap(tap.items.first { $0.key == "phone" })
        XCTAssertEqual([item.old, item.new], [.text("+86 512 1"), .text("+86 512 2")])
        XCTAssertEqual(item.label, "Phone number")
        let undone = try await crm.undo(tap.number)
        XCTAssertEqual(undone.skipped, [])
        let before = try await readCustomer(crm, record)
        XCTAssertEqual(before.phone, "+86 512 1")
        XCTAssertEqual(before.common.tags, ["a"])

        let again = try await crm.undoable()[0].number
        try await crm.undo(again)
        let redone = try await readCustomer(crm, record).phone
        XCTAssertEqual(redone, "+86 512 2", "undoing an undo does it again")
        let last = try await crm.undoable()[0].number
        try await crm.update(record, .customer([.phone("+86 512 3")]))
        let late = try await crm.undo(last)
        XCTAssertEqual(late.skipped, ["phone"], "somebody wrote since")
        await refused("NotFound") { try await crm.undo(12_345) }
    }

    func testMergeAndDuplicates() async throws {
        let crm = try await open()
        let phone = CustomerChange.phone("+86 512 6283 7719")
        let first = try await customer(crm, "三川精密实业有限公司", phone, .common(tags(add: ["old"])))
        let second = try await customer(
            crm,
            "三川精密实业",
            phone,
            .email("info@sanchuan.example"),
            .common(tags(add: ["new"]))
        )
        let typed = CrmChanges.customer([.companyName("三川精密实业公司"), .phone("0512-62837719")])
        let likely = try await crm.findDuplicates(typed)
        XCTAssertEqual(Set(likely.map(\.record)), [first, second])
        XCTAssertGreaterThanOrEqual(likely[0].score, likely[1].score)
        let others = try await crm.findDuplicates(typed, itself: first)
        XCTAssertEqual(others.map(\.record), [second])

        let contact = try await crm.create(.contact([.name(PersonName(full: "李雷")), .customerId(second)]))
        try await crm.merge(second, into: first, take: ["email"])
        let merged = try await readCustomer(crm, first)
        XCTAssertEqual(merged.email, "info@sanchuan.example")
        XCTAssertEqual(merged.common.tags.sorted(), ["new", "old"])
        let leads = try await readCustomer(crm, second).common.redirectTo
        XCTAssertEqual(leads, first)
        let linked = try await crm.links(first).incoming.map(\.record)
        XCTAssert(linked.contains(contact))
        let unmerged = try await crm.unmerge(second)
        XCTAssertEqual(unmerged.survivor, first)
        XCTAssert(unmerged.givenBack.contains("email"))
        await refused("Invalid") { try await crm.unmerge(second) }
        await refused("Invalid") { try await crm.merge(first, into: first) }
        let nobody = try await crm.drawId()
        await refused("NotFound") { try await crm.merge(nobody, into: first) }

        let isNew = try await crm.tellApart(first, second)
        let isNewAgain = try await crm.tellApart(second, first)
        XCTAssertEqual([isNew, isNewAgain], [true, false])
        let left = try await crm.findDuplicates(typed, itself: first)
        XCTAssertFalse(left.map(\.record).contains(second))
        await refused("Invalid") { try await crm.tellApart(first, contact) }
    }
}

// What the office does not let somebody do.

import Foundation
import Outrider
import OutriderDay
import XCTest

final class InboxTests: Scenario, @unchecked Sendable {
    /// A device of a sales person in an office with rules, and what it may not do.
    private func restricted() async throws -> (Crm, RecordId, CrmChanges) {
        let crm = try await open("Anna", language: .chinese)
        _ = try await crm.enrol(try await code("Anna"))
        let record = try await customer(crm, "三川实业")
        _ = try await office().ask("/role", ["user": "Anna", "role": "sales_rep"])
        try await crm.sync()
        _ = try await office().ask("/rules")
        try await crm.sync()
        return (crm, record, .product([.name("水泵 DN50")]))
    }

    func testRefusalAndInbox() async throws {
        let (crm, record, product) = try await restricted()
        let may = try await crm.may(.edit, record)
        XCTAssert(may)
        let error = await refused("NotPermitted") { try await crm.create(product) }
        XCTAssertNotNil(try XCTUnwrap(error).reason.range(of: "\\p{Han}", options: .regularExpression))
        let made = try await crm.write([.create(fields: product, record: nil)], anyway: true)[0]
        let waiting = try await crm.outbox()
        XCTAssertEqual(waiting.map(\.record), [made])
        XCTAssertEqual(waiting.map(\.entity), ["product"])

        let report = try await crm.sync()
        XCTAssertEqual([report.refused, report.waiting], [1, 0])
        let inbox = try await crm.inbox()
        let refusal = try XCTUnwrap(inbox.first)
        XCTAssertEqual(inbox.count, 1)
        XCTAssertEqual(refusal.record, made)
        XCTAssertEqual(refusal.values["name"], .text("水泵 DN50"))
        XCTAssertNotNil(refusal.reason.range(of: "\\p{Han}", options: .regularExpression))
        XCTAssertLessThanOrEqual(refusal.madeAt, refusal.refusedAt)
        let gone = try await crm.get(made)
        XCTAssertNil(gone, "what was refused is taken back here")

        let proposal = try await crm.askApproval(refusal.number, reason: "客户急需")
        let asked = try await crm.inbox().map(\.proposal)
        XCTAssertEqual(asked, [proposal])
        let second = try await crm.sync()
        XCTAssertEqual(second.refused, 0, "asking is allowed")
        let isDismissed = try await crm.dismiss(refusal.number)
        let isDismissedAgain = try await crm.dismiss(refusal.number)
        XCTAssertEqual([isDismissed, isDismissedAgain], [true, false])
        await refused("NotFound") { try await crm.askApproval(refusal.number, reason: "again") }
    }

    @MainActor
    func testRefusalAndInboxOfAScreen() async throws {
        let (crm, _, product) = try await restricted()
        try await crm.write([.create(fields: product, record: nil)], anyway: true)
        try await crm.sync()
        let inbox = Inbox(crm)
        await inbox.refresh()
        let refusal = try XCTUnwrap(inbox.refusals.first)
        let isAsked = await inbox.ask(for: refusal, reason: "客户急需")
        XCTAssert(isAsked && inbox.refusals.first?.proposal != nil)
        await inbox.dismiss(refusal)
        XCTAssertEqual(inbox.refusals, [])
        let isAskedAgain = await inbox.ask(for: refusal, reason: "again")
        XCTAssertFalse(isAskedAgain)
        XCTAssertEqual(inbox.problemCode, "no_refusal")
        XCTAssertEqual(inbox.problem, "此条目已处理。")
    }
}

// The view models of a rep, and those of the exchange, against real records.

import Foundation
import Outrider
import OutriderDay
import XCTest

@MainActor
final class DayTests: Scenario, @unchecked Sendable {
    func testPipelineReportOnScreen() async throws {
        let crm = try await open(language: .chinese)
        for (name, amount) in [("A", 100), ("B", 250)] {
            let money = Money(amount: Decimal(amount), currency: "CNY")
            try await crm.create(
                .opportunity([.name(name), .salesStage("commit"), .expectedAmount(money)])
            )
        }
        let board = OpportunityBoard(crm)
        await board.start()
        func column(_ stage: String) -> OpportunityBoard.Column? { board.columns.first { $0.id == stage } }
        try await until("both are there") { column("commit")?.cards.count == 2 }
        XCTAssertEqual(column("commit")?.stage.label, "签约中")
        XCTAssertEqual(column("commit")?.amounts, ["CNY": 350])
        XCTAssertEqual(board.columns.flatMap(\.cards).filter(\.hasConflict).count, 0)
        let cards = try XCTUnwrap(column("commit")?.cards)
        await board.moveOn(cards[0])
        try await until("it is won") { column("won")?.cards.map(\.id) == [cards[0].id] }
        await board.lose(cards[1], reason: "pricing")
        try await until("it is lost") { column("lost")?.cards.map(\.id) == [cards[1].id] }
        await board.lose(cards[0], reason: "weather")
        XCTAssertNotNil(board.problem)
    }

    func testConflictAndSettlingOnScreen() async throws {
        let mine = try await device("Anna")
        let peer = try await office().peer("Ben")
        let record = try await mine.create(.opportunity([.name("Line 3"), .salesStage("proposal")]))
        try await mine.sync()
        try await peer.sync()
        let money = Money(amount: 1000, currency: "CNY")
        try await mine.update(record, .opportunity([.expectedAmount(money)]))
        try await peer.edit(record, ["expected_amount": "2000 CNY"])
        let board = OpportunityBoard(mine)
        await board.start()
        try await peer.sync()
        try await mine.sync()
        try await until("the card is flagged") {
            board.columns.flatMap(\.cards).contains(where: \.hasConflict)
        }

        let conflicts = Conflicts(mine, of: record)
        let late = Conflicts(mine)
        await conflicts.refresh()
        await late.refresh()
        let conflict = try XCTUnwrap(conflicts.conflicts.first)
        let theirs = try XCTUnwrap(conflict.values.first { $0.by == "Ben" })
        await conflicts.settle(conflict, theirs)
        XCTAssertEqual(conflicts.conflicts, [])
        try await until("the flag is gone") { !board.columns.flatMap(\.cards).contains(where: \.hasConflict) }
        XCTAssertEqual(board.columns.flatMap(\.cards).first?.opportunity.expectedAmount?.amount, 2000)
        await late.settle(conflict, theirs)
        XCTAssertEqual(late.problemCode, "no_conflict")
        XCTAssertEqual(late.conflicts, [], "the list is right again")
    }

    func testBackgroundBudgetOnScreen() async throws {
        let office = try await office()
        _ = try await office.ask("/fill", ["customers": "2000"])
        let line = try await office.line(bytesPerSecond: 1_000_000)
        let crm = try await device("Anna", url: line.url)
        let centre = SyncCentre(crm)
        await centre.start()
        XCTAssertEqual(centre.state?.waiting, 0)
        _ = try await customer(crm, "三川实业")
        await centre.refresh()
        XCTAssertEqual(centre.state?.waiting, 1)

        try await line.speed(bytesPerSecond: 20_000)
        let changes = Shared(0)
        let watching = Task {
            for await _ in centre.changes() { changes.change { $0 += 1 } }
        }
        let syncing = Task { await centre.syncNow() }
        try await until("progress is shown") { (centre.progress?.bytesDown ?? 0) > 40_000 }
        XCTAssert(centre.isBusy)
        centre.cancel()
        let isDone = await syncing.value
        XCTAssertFalse(isDone)
        XCTAssertNil(centre.problem, "who does not wait any more is no problem")
        XCTAssertNil(centre.progress)
        watching.cancel()
        XCTAssertGreaterThan(changes.value, 1)

        await centre.sync(within: SyncBudget(timeMs: 1500))
        XCTAssertEqual(centre.report?.end, .outOfTime)
        XCTAssertEqual(centre.state?.lastEnd, .outOfTime)
        try await line.cut()
        let isOffline = await centre.syncNow()
        XCTAssertFalse(isOffline)
        XCTAssertEqual(centre.problem, "The office cannot be reached. Go on working; it is sent later.")
        XCTAssertNotNil(centre.state?.lastError)
        try await line.speed(bytesPerSecond: 50_000_000)
        async let one = centre.syncNow()
        async let other = centre.syncNow()
        let both = await [one, other]
        XCTAssertEqual(both, [true, true])
        XCTAssertEqual(centre.report?.end, .complete)
        XCTAssertEqual(centre.state?.waiting, 0)
        XCTAssertNil(centre.problem)
    }

    /// A screen that is closed follows nothing any more.
    func testLiveListUpdatesEndWithTheScreen() async throws {
        let crm = try await open()
        for _ in 0..<70 {
            let board = OpportunityBoard(crm)
            await board.start()
            XCTAssertNil(board.problem)
            try await until("the board is there") { !board.columns.isEmpty }
        }
    }
}

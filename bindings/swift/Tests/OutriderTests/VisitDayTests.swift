// The view models of a technician, against real records.

import Foundation
import Outrider
import OutriderDay
import XCTest

@MainActor
final class VisitDayTests: Scenario, @unchecked Sendable {
    private func visit(_ crm: Crm, _ subject: String, at start: Date, _ more: VisitChange...) async throws
        -> RecordId
    {
        let me = try await crm.enrolment()?.userRecord
        let span = TimeSpan(start: start, end: start.addingTimeInterval(3600))
        let fields: [VisitChange] = [
            .subject(subject), .status("scheduled"), .scheduled(span), .common(.ownerId(me)),
        ]
        return try await crm.create(.visit(fields + more))
    }

    func testVisitDayOnScreen() async throws {
        let place = GeoPoint(latitude: 31.2304, longitude: 121.4737, accuracyM: 8, source: "gps")
        let crm = try await open("Li", position: VanPosition(place))
        _ = try await crm.enrol(try await code("Li"))
        try await crm.sync()
        let morning = Calendar.current.startOfDay(for: Date()).addingTimeInterval(9 * 3600)
        let checks = VisitChecklistEdit(add: [[.name("Power off 断电"), .required(true)]])
        let second = try await visit(crm, "Second", at: morning.addingTimeInterval(7200))
        let first = try await visit(crm, "First 泵检修", at: morning, .checklist(checks))
        _ = try await visit(crm, "Tomorrow", at: morning.addingTimeInterval(86_400))
        let seal = try await crm.create(.product([.name("Seal")]))
        let me = try await crm.enrolment()?.userRecord
        try await crm.create(.stockLocation([.name("Van"), .locationKind("van"), .userId(me)]))

        let day = DateInterval(start: morning.addingTimeInterval(-3600), duration: 12 * 3600)
        let mine = MyVisits(crm, hours: day)
        await mine.start()
        try await until("today's visits are there, in order") { mine.visits.map(\.id) == [first, second] }
        XCTAssert(mine.isLoaded)
        XCTAssertEqual(mine.next?.id, first)

        let work = VisitDay(crm, visit: first)
        await work.start()
        XCTAssertEqual(work.visit?.subject, "First 泵检修")
        XCTAssert(work.outcomes.contains { $0.id == "done" })
        XCTAssertEqual(work.stage, .planned)
        let isThere = await work.arrive()
        XCTAssert(isThere)
        XCTAssertEqual(work.stage, .onSite)
        XCTAssertEqual(work.checksLeft, 1)

        let isGone = await work.leave(outcome: "done")
        XCTAssertFalse(isGone)
        XCTAssertEqual(work.problemCode, "checklist_left")
        XCTAssertEqual(work.problem, "Required checks are open. Do them, or say another outcome.")
        let row = try XCTUnwrap(work.visit?.checklist.first)
        await work.check(row, isDone: true, answer: "off")
        XCTAssertNil(work.problem)
        XCTAssertEqual(work.checksLeft, 0)
        let isNothing = await work.use(seal, quantity: 0)
        XCTAssertFalse(isNothing)
        XCTAssertEqual(work.problemCode, "bad_quantity")
        await work.use(seal, quantity: 2, serialNo: "S-1")
        XCTAssertEqual(work.visit?.parts.map(\.serialNo), ["S-1"])
        await work.note("Replaced the seal")
        await work.note("换了密封圈")
        XCTAssertEqual(work.visit?.notes, "Replaced the seal\n换了密封圈")
        await work.leave(outcome: "done", note: "完成")
        XCTAssertNil(work.problem)
        XCTAssertEqual(work.stage, .left)
        try await until("the list shows what is over") { mine.next?.id == second }

        try await crm.update(first, .visit([.priority("high")]))
        try await until("the screen shows what others write") { work.visit?.priority == "high" }
    }

    func testVisitDayOnScreenOfOneLeftInAHurry() async throws {
        let crm = try await open()
        let checks = VisitChecklistEdit(add: [[.name("Power off"), .required(true)]])
        let record = try await visit(crm, "x", at: Date(), .checklist(checks))
        let work = VisitDay(crm, visit: record)
        await work.start()
        await work.arrive()
        let isGone = await work.leave(outcome: "part_missing", isForced: true)
        XCTAssert(isGone, work.problem ?? "")
        XCTAssertEqual(work.stage, .left)
        XCTAssertEqual(work.visit?.outcome, "part_missing")
    }
}

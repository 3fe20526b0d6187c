// What the package adds to the library: order, cancellation, threads, and its own examples.

import Foundation
import Outrider
import XCTest

final class LayerTests: Scenario, @unchecked Sendable {
    func testCallsRunInTheirOrder() async throws {
        let crm = try await open()
        let order = Shared<[Int]>([])
        let gate = DispatchSemaphore(value: 0)
        let first = Task {
            try await crm.perform { _ in
                gate.wait()
                order.change { $0.append(1) }
            }
        }
        // Asked for one after the other, from one task.
        let rest = Task {
            for number in 2...5 { try await crm.perform { _ in order.change { $0.append(number) } } }
        }
        gate.signal()
        try await first.value
        try await rest.value
        XCTAssertEqual(order.value.sorted(), [1, 2, 3, 4, 5])
        XCTAssertEqual(order.value.filter { $0 > 1 }, [2, 3, 4, 5])
    }

    func testACallWhoseTaskIsCancelledBeforeItsTurnDoesNothing() async throws {
        let crm = try await open()
        let gate = DispatchSemaphore(value: 0)
        let isHeld = Shared(false)
        let holding = Task {
            try await crm.perform { _ in
                isHeld.value = true
                gate.wait()
            }
        }
        try await until("the queue is held") { isHeld.value }
        let late = Task { try await customer(crm, "never") }
        late.cancel()
        gate.signal()
        try await holding.value
        let result = await late.result
        XCTAssertThrowsError(try result.get()) { XCTAssert($0 is CancellationError, "\($0)") }
        let count = try await crm.count(ListQuery(entity: "customer"))
        XCTAssertEqual(count, 0)
    }

    func testLongCallsDoNotHoldUpShortOnes() async throws {
        let crm = try await open()
        let gate = DispatchSemaphore(value: 0)
        let began = Shared(0)
        // More than this machine has processors.
        let long = (0..<16).map { _ in
            Task {
                try await crm.performLong { _, cancel in
                    began.change { $0 += 1 }
                    gate.wait()
                    return cancel.isCancelled()
                }
            }
        }
        try await until("all of them run at once") { began.value == 16 }
        let record = try await customer(crm, "三川实业")
        let name = try await readCustomer(crm, record).companyName
        XCTAssertEqual(name, "三川实业")
        long.forEach { $0.cancel() }
        long.forEach { _ in gate.signal() }
        for task in long {
            let wasCancelled = try await task.value
            XCTAssert(wasCancelled, "the task's cancellation reaches the library")
        }
    }

    func testChangesOfAListAreAppliedInTheirOrder() throws {
        func record(_ name: String) -> CrmRecord {
            .other(record: OtherRecord(entity: name, id: UUID(), values: [:]))
        }
        func names(_ records: [CrmRecord]) -> String { records.map(\.entity).joined() }
        var list = "abcde".map { record(String($0)) }
        list.apply(
            ListChange(
                isReset: false,
                removed: [3, 0],
                moved: [Move(taken: 0, put: 2)],
                inserted: [
                    PlacedRecord(index: 0, record: record("x")), PlacedRecord(index: 4, record: record("y")),
                ],
                changed: [PlacedRecord(index: 1, record: record("C"))],
                next: nil
            )
        )
        XCTAssertEqual(names(list), "xCeby")
        list.apply(
            ListChange(
                isReset: true,
                removed: [],
                moved: [],
                inserted: [PlacedRecord(index: 0, record: record("z"))],
                changed: [],
                next: nil
            )
        )
        XCTAssertEqual(names(list), "z")
    }

    /// Threads of apps have stacks of 512 KiB, a sixteenth of what they have here.
    func testCallsNeedLittleStack() async throws {
        let crm = try await open()
        _ = try await crm.perform { _ in }
        let replica = crm.replica
        let done: Result<String?, any Error> = await withCheckedContinuation { continuation in
            let thread = Thread {
                continuation.resume(
                    returning: Result {
                        let record = try replica.create(fields: .customer([.companyName("三川实业")]))
                        _ = try replica.editText(record: record, field: "notes", edit: .append("x"))
                        let visit = try replica.create(fields: .visit([.subject("x"), .status("new")]))
                        _ = try replica.checkIn(visit: visit, event: .checkIn, note: VisitNote())
                        _ = try replica.search(query: SearchQuery(text: "三川"))
                        _ = try replica.timeline(query: TimelineQuery(record: record))
                        _ = try replica.diagnose()
                        _ = try replica.pipelineReport()
                        let page = try replica.list(query: ListQuery(entity: "customer"))
                        return page.records.first?.customer?.companyName
                    }
                )
            }
            thread.stackSize = 512 * 1024
            thread.start()
        }
        XCTAssertEqual(try done.get(), "三川实业")
    }

    func testErrorsAreSentences() async throws {
        let crm = try await open(language: .chinese)
        let error = await refused("Invalid") { try await crm.create(.customer([.shortName("x")])) }
        let known = try XCTUnwrap(error)
        XCTAssertEqual(known.reason, "公司名称：必填")
        XCTAssertEqual(known.code, "required")
        XCTAssertEqual("\(known)", known.reason)
        XCTAssertEqual((known as any Error).localizedDescription, known.reason)
    }
}

// One visit: come, look, use parts, write down, leave.

import Foundation
import Outrider

/// A visit as its screen shows it, kept up to date.
@MainActor
public final class VisitDay: Model {
    /// Where somebody stands with a visit.
    public enum Stage: Sendable {
        /// Nobody is there yet.
        case planned
        /// Somebody is there.
        case onSite
        /// Nobody is there any more.
        case left
    }

    /// The visit, with what is computed for it.
    public private(set) var visit: Visit?
    /// How it may have gone, for the form on leaving.
    public private(set) var outcomes: [ChoiceInfo] = []

    private let crm: Crm
    private let record: RecordId
    private var following: Task<Void, Never>?

    /// - Parameters:
    ///   - crm: The records.
    ///   - visit: The visit.
    public init(_ crm: Crm, visit: RecordId) {
        (self.crm, record) = (crm, visit)
    }

    deinit {
        following?.cancel()
    }

    /// Begins, or begins anew.
    public func start() async {
        following?.cancel()
        await act {
            outcomes = try await crm.choices("visit_outcome")
            try await load()
            let itself = Filter(field: "id", compare: .is, value: .link(record))
            following = follow(crm.watch(ListQuery(entity: "visit", filters: [itself], limit: 1))) {
                [weak self] _ in
                // A list has no computed values.
                try? await self?.load()
            }
        }
    }

    /// Where somebody stands with it.
    public var stage: Stage {
        let came = moment("checked_in_at")
        let went = moment("checked_out_at")
        guard let came else { return .planned }
        return went.map { $0 >= came } ?? false ? .left : .onSite
    }

    /// Checks that must be done before leaving.
    public var checksLeft: Int {
        visit?.checklist.filter { $0.required == true && $0.done != true }.count ?? 0
    }

    /// Says that somebody is there; the position is the phone's.
    @discardableResult
    public func arrive() async -> Bool {
        await tap { try await self.crm.checkIn(self.record, .checkIn) }
    }

    /// Ticks a check off, or takes that back.
    @discardableResult
    public func check(_ row: VisitChecklistRow, isDone: Bool, answer: String? = nil) async -> Bool {
        var cells: [VisitChecklistChange] = [.done(isDone)]
        if isDone { cells.append(.doneAt(Date())) }
        if let answer { cells.append(.answer(answer)) }
        let edit = VisitChecklistEdit(edit: [VisitChecklistRowEdit(row: row.row, changes: cells)])
        return await tap { try await self.crm.update(self.record, .visit([.checklist(edit)])) }
    }

    /// Takes a part from the van.
    @discardableResult
    public func use(_ product: RecordId, quantity: Decimal, serialNo: String? = nil) async -> Bool {
        let part = PartUsed(product: product, quantity: quantity, serialNo: serialNo)
        return await tap { try await self.crm.usePart(self.record, part) }
    }

    /// Adds a line to the notes; what others wrote stays.
    @discardableResult
    public func note(_ line: String) async -> Bool {
        await tap { try await self.crm.editText(self.record, field: "notes", .append(line)) }
    }

    /// Says that somebody leaves, and how it went. While required checks are open this does not work, unless it is
    /// forced.
    @discardableResult
    public func leave(outcome: String, note: String? = nil, isForced: Bool = false) async -> Bool {
        let said = VisitNote(outcome: outcome, note: note)
        let event: VisitEvent = isForced ? .forcedCheckOut : .checkOut
        return await tap { try await self.crm.checkIn(self.record, event, note: said) }
    }

    private func tap<T>(_ work: @MainActor () async throws -> T) async -> Bool {
        await act {
            _ = try await work()
            try await load()
        }
    }

    private func load() async throws {
        let found = try await crm.get(record)?.visit
        change { visit = found }
    }

    private func moment(_ name: String) -> Date? {
        if case .moment(let date)? = visit?.computed[name] { date } else { nil }
    }
}

// What two people wrote beside one another, for one of them to choose.

import Outrider

/// Fields with several values, of all records or of one.
@MainActor
public final class Conflicts: Model {
    /// The fields, each with its values.
    public private(set) var conflicts: [Conflict] = []

    private let crm: Crm
    private let record: RecordId?

    /// - Parameters:
    ///   - crm: The records.
    ///   - record: Only this record's, if it is given.
    public init(_ crm: Crm, of record: RecordId? = nil) {
        (self.crm, self.record) = (crm, record)
    }

    /// Looks again: after a sync, when the screen opens.
    public func refresh() async {
        await act { try await load() }
    }

    /// Chooses one of the values. That somebody settled it meanwhile is told, and the list is right again.
    @discardableResult
    public func settle(_ conflict: Conflict, _ choice: ConflictValue) async -> Bool {
        await act {
            do {
                try await crm.settle(conflict.record, key: conflict.key, value: choice.value)
            } catch {
                try await load()
                throw error
            }
            try await load()
        }
    }

    private func load() async throws {
        let found = try await crm.conflicts(of: record)
        change { conflicts = found }
    }
}

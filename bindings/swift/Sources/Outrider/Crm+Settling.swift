// What waits for a person, and what can be taken back.

extension Crm {
    /// Fields and cells with several values, of all records or of one.
    public func conflicts(of record: RecordId? = nil) async throws -> [Conflict] {
        try await perform { try $0.conflicts(record: record) }
    }

    /// Settles a conflict: `value` counts in place of all values there.
    public func settle(_ record: RecordId, key: String, value: FieldValue?) async throws {
        try await perform { try $0.settle(record: record, key: key, value: value) }
    }

    /// What waits to be sent, oldest first.
    public func outbox(limit: UInt32 = 100) async throws -> [WaitingChange] {
        try await perform { try $0.outbox(limit: limit) }
    }

    /// What the office refused and nobody has dismissed, the newest first.
    public func inbox(limit: UInt32 = 100) async throws -> [Refusal] {
        try await perform { try $0.inbox(limit: limit) }
    }

    /// Puts a refusal away; returns whether it was there.
    @discardableResult
    public func dismiss(_ number: Int64) async throws -> Bool {
        try await perform { try $0.dismiss(number: number) }
    }

    /// Asks the office for what it refused, with a reason; gives the proposal.
    @discardableResult
    public func askApproval(_ number: Int64, reason: String) async throws -> RecordId {
        try await perform { try $0.askApproval(number: number, reason: reason) }
    }

    /// Records that may be the same as one with these fields, the likeliest first; `itself` is that one, if it is
    /// stored.
    public func findDuplicates(
        _ fields: CrmChanges,
        itself: RecordId? = nil
    ) async throws -> [LikelyRecord] {
        try await perform { try $0.findDuplicates(fields: fields, itself: itself) }
    }

    /// Makes `loser` lead to `survivor`; of the fields in `take` the loser's values replace the survivor's.
    public func merge(_ loser: RecordId, into survivor: RecordId, take: [String] = []) async throws {
        try await perform { try $0.merge(loser: loser, survivor: survivor, take: take) }
    }

    /// Takes a merge back.
    @discardableResult
    public func unmerge(_ loser: RecordId) async throws -> Unmerged {
        try await perform { try $0.unmerge(loser: loser) }
    }

    /// Remembers that two records look the same and are not; returns whether that is new.
    @discardableResult
    public func tellApart(_ one: RecordId, _ other: RecordId) async throws -> Bool {
        try await perform { try $0.tellApart(one: one, other: other) }
    }

    /// The taps of this device that can be taken back, the newest first.
    public func undoable(limit: UInt32 = 20) async throws -> [Tap] {
        try await perform { try $0.undoable(limit: limit) }
    }

    /// Takes a tap back: what it changed is again as it was, except what somebody wrote since.
    @discardableResult
    public func undo(_ number: Int64) async throws -> Undone {
        try await perform { try $0.undo(number: number) }
    }

    /// What this device knows of a record's past.
    public func history(_ record: RecordId, field: String? = nil) async throws -> [HistoryEntry] {
        try await perform { try $0.history(record: record, field: field) }
    }
}

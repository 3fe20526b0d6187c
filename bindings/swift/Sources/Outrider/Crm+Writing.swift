// Writing: what is written is on the disk when a call returns, and waits to be sent.

extension Crm {
    /// Creates a record; gives its id.
    ///
    /// - Throws: `Invalid` when a value does not fit or a required one is missing, `NotPermitted`, `StorageFull`.
    @discardableResult
    public func create(_ fields: CrmChanges) async throws -> RecordId {
        try await perform { try $0.create(fields: fields) }
    }

    /// Changes the fields that are named, and no others; returns whether anything was written.
    @discardableResult
    public func update(_ record: RecordId, _ changes: CrmChanges) async throws -> Bool {
        try await perform { try $0.update(record: record, changes: changes) }
    }

    /// Archives a record.
    public func archive(_ record: RecordId) async throws {
        try await perform { try $0.archive(record: record) }
    }

    /// Brings an archived record back.
    public func restore(_ record: RecordId) async throws {
        try await perform { try $0.restore(record: record) }
    }

    /// An id for a record that is created in the same tap as others that name it.
    public func drawId() async throws -> RecordId {
        try await perform { try $0.drawId() }
    }

    /// Does all edits of one tap or none, at most 64. With `anyway` also what the user may not do: the office
    /// decides, and what it refuses comes back to the inbox.
    @discardableResult
    public func write(_ edits: [Edit], anyway: Bool = false) async throws -> [RecordId] {
        try await perform { try $0.write(edits: edits, anyway: anyway) }
    }

    /// A long text, with what names the version that is shown.
    public func text(_ record: RecordId, field: String) async throws -> SeenText {
        try await perform { try $0.text(record: record, field: field) }
    }

    /// Edits a long text. With the heads of the version that the person saw, the edit is merged with what came
    /// meanwhile.
    @discardableResult
    public func editText(
        _ record: RecordId,
        field: String,
        _ edit: TextEdit,
        seen: [String]? = nil
    ) async throws -> Bool {
        try await perform { try $0.editText(record: record, field: field, edit: edit, seen: seen) }
    }

    /// Makes a lead a customer with a contact and an opportunity.
    public func convertLead(_ lead: RecordId) async throws -> ConvertedLead {
        try await perform { try $0.convertLead(lead: lead) }
    }

    /// Marks an activity as held, and tells what happened as an interaction.
    @discardableResult
    public func completeActivity(
        _ activity: RecordId,
        outcome: String? = nil,
        note: String? = nil
    ) async throws -> RecordId? {
        try await perform {
            try $0.completeActivity(activity: activity, outcome: outcome, note: note)
        }
    }

    /// Records that somebody comes to a visit, pauses, goes on or leaves. Where nobody says the position, the
    /// platform's source is asked: that may take seconds, so it runs beside short calls.
    @discardableResult
    public func checkIn(
        _ visit: RecordId,
        _ event: VisitEvent,
        note: VisitNote = VisitNote()
    ) async throws -> RecordId {
        try await performLong { replica, _ in
            try replica.checkIn(visit: visit, event: event, note: note)
        }
    }

    /// Records a part that was used on a visit, and takes it from stock.
    @discardableResult
    public func usePart(_ visit: RecordId, _ part: PartUsed) async throws -> RecordId {
        try await perform { try $0.usePart(visit: visit, part: part) }
    }
}

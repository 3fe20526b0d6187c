// The office: enrolment and exchange.

extension Crm {
    /// Enrols this device with a code. What was written before goes to the office with the first sync.
    ///
    /// - Throws: `Refused` for a code that is not valid, `Offline`, `Untrusted`, `Invalid` for an address that is none.
    public func enrol(_ code: EnrolCode) async throws -> Enrolment {
        try await performLong { try $0.enrol(code: code, cancel: $1) }
    }

    /// Asks whether the office has approved the device that waits for it.
    public func checkEnrolment() async throws -> Enrolment {
        try await performLong { try $0.checkEnrolment(cancel: $1) }
    }

    /// Whose this device is; nothing before it is enrolled.
    public func enrolment() async throws -> Enrolment? {
        try await perform { try $0.enrolment() }
    }

    /// Exchanges everything with the office, because a person wants it now.
    ///
    /// - Throws: `Offline`: everything is kept, try again. `NotEnrolled`, `WaitsForApproval`, `Barred`, `Wiped`,
    ///   `Untrusted`.
    @discardableResult
    public func sync() async throws -> SyncReport {
        try await performLong { [updates] in try $0.sync(listener: updates, cancel: $1) }
    }

    /// Exchanges within a budget, in the background; the next one goes on where this one stopped.
    @discardableResult
    public func sync(within budget: SyncBudget) async throws -> SyncReport {
        try await performLong { [updates] in
            try $0.syncFor(budget: budget, listener: updates, cancel: $1)
        }
    }

    /// Where this device stands with the office.
    public func syncState() async throws -> SyncState {
        try await perform { try $0.syncState() }
    }

    /// How far syncs are, from now on and until nobody holds this any more; whoever is slow gets the newest.
    public func syncUpdates() -> AsyncStream<SyncProgress> {
        updates.stream()
    }
}

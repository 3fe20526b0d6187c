// What the office refused: read, asked for, put away.

import Outrider

/// The refusals that nobody has dismissed.
@MainActor
public final class Inbox: Model {
    /// The newest first.
    public private(set) var refusals: [Refusal] = []

    private let crm: Crm

    /// - Parameter crm: The records.
    public init(_ crm: Crm) {
        self.crm = crm
    }

    /// Looks again: after a sync, when the screen opens.
    public func refresh() async {
        await act { try await load() }
    }

    /// Asks the office for it all the same.
    @discardableResult
    public func ask(for refusal: Refusal, reason: String) async -> Bool {
        await act {
            try await crm.askApproval(refusal.number, reason: reason)
            try await load()
        }
    }

    /// Puts it away.
    @discardableResult
    public func dismiss(_ refusal: Refusal) async -> Bool {
        await act {
            try await crm.dismiss(refusal.number)
            try await load()
        }
    }

    private func load() async throws {
        let found = try await crm.inbox()
        change { refusals = found }
    }
}

// The exchange with the office: whether it runs, how far it is, what went wrong last.

import Outrider

/// Where this device stands with its office.
@MainActor
public final class SyncCentre: Model {
    /// What is known, as of the last look.
    public private(set) var state: SyncState?
    /// How far a sync is that runs.
    public private(set) var progress: SyncProgress?
    /// What the last sync did.
    public private(set) var report: SyncReport?

    private let crm: Crm
    private var following: Task<Void, Never>?
    private var running: Task<SyncReport, any Error>?

    /// - Parameter crm: The records.
    public init(_ crm: Crm) {
        self.crm = crm
    }

    deinit {
        following?.cancel()
    }

    /// Follows all syncs of these records, whoever began them.
    public func start() async {
        following?.cancel()
        let updates = crm.syncUpdates()
        following = Task { [weak self] in
            for await progress in updates {
                self?.change { self?.progress = progress }
            }
        }
        await refresh()
    }

    /// Looks again.
    public func refresh() async {
        await act { try await load() }
    }

    /// Syncs, because a person wants it now. Who taps twice waits for the same sync.
    @discardableResult
    public func syncNow() async -> Bool {
        await run { try await $0.sync() }
    }

    /// Syncs in the background, within what the system gives.
    @discardableResult
    public func sync(within budget: SyncBudget) async -> Bool {
        await run { try await $0.sync(within: budget) }
    }

    /// Ends the sync that runs; what arrived is kept.
    public func cancel() {
        running?.cancel()
    }

    private func run(_ sync: @escaping @Sendable (Crm) async throws -> SyncReport) async -> Bool {
        await act {
            let crm = crm
            let task = running ?? Task { try await sync(crm) }
            running = task
            let done = await withTaskCancellationHandler {
                await task.result
            } onCancel: {
                task.cancel()
            }
            if running == task { change { (running, progress) = (nil, nil) } }
            // After a wipe or a lock there is no state to look at; what the sync said counts.
            if case .success(let report) = done { change { self.report = report } }
            let looked = try? await crm.syncState()
            change { state = looked ?? state }
            _ = try done.get()
        }
    }

    private func load() async throws {
        let found = try await crm.syncState()
        change { state = found }
    }
}

// What all view models have: they live on the main actor, tell when they changed, and turn errors into sentences.

import Foundation
import Outrider

#if canImport(Combine)
    import Combine
#endif

/// Something that a screen shows.
///
/// SwiftUI observes it as an `ObservableObject`; anything else loops over `changes()`.
@MainActor
open class Model {
    /// Why the last thing that was done did not work, as a sentence to show; nothing if it did.
    public private(set) var problem: String?
    /// The same for programs: `checklist_left`, `offline`.
    public private(set) var problemCode: String?
    /// Whether something is being done.
    public private(set) var isBusy = false

    private var listeners: [UUID: AsyncStream<Void>.Continuation] = [:]

    #if canImport(Combine)
        /// Tells SwiftUI that something changes.
        @Published private var revision = 0
    #endif

    init() {}

    /// An element for each time that something changed; whoever is slow gets one for several.
    public func changes() -> AsyncStream<Void> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let number = UUID()
            listeners[number] = continuation
            continuation.onTermination = { [weak self] _ in
                Task { @MainActor in self?.listeners[number] = nil }
            }
        }
    }

    /// Changes something that is shown.
    func change(_ work: () -> Void) {
        #if canImport(Combine)
            revision &+= 1
        #endif
        work()
        listeners.values.forEach { $0.yield() }
    }

    /// Does what a tap asks for; what goes wrong is told in `problem`. Returns whether it worked. Who does not wait
    /// any more is no problem.
    @discardableResult
    func act(_ work: () async throws -> Void) async -> Bool {
        change { (isBusy, problem, problemCode) = (true, nil, nil) }
        do {
            try await work()
            change { isBusy = false }
            return true
        } catch {
            change {
                isBusy = false
                note(error)
            }
            return false
        }
    }

    /// Follows a list until its task is cancelled: `show` holds the model weakly, and the model cancels when it goes.
    /// What goes wrong is told in `problem`.
    func follow(
        _ list: AsyncThrowingStream<[CrmRecord], any Error>,
        _ show: @escaping @MainActor ([CrmRecord]) async -> Void
    ) -> Task<Void, Never> {
        Task { [weak self] in
            do {
                for try await records in list {
                    await show(records)
                }
            } catch {
                self?.change { self?.note(error) }
            }
        }
    }

    private func note(_ error: any Error) {
        if error is CancellationError { return }
        problem = (error as? CrmError)?.reason ?? error.localizedDescription
        problemCode = (error as? CrmError)?.code
    }
}

#if canImport(Combine)
    extension Model: ObservableObject {}
#endif

// The records of one device for apps: every call of the library as an async function, made on a queue of its own.
// The library's calls block; none of them may run on the main thread, nor on one of Swift's few shared threads.

import Foundation

/// The records of one device: read, written, watched and exchanged.
///
/// Short calls run one after the other, in the order in which they were made; long ones (a sync, an import) run
/// beside them, so that no screen waits for a network. A task that is cancelled ends its call, which then throws
/// `CancellationError`; everything else that goes wrong is a `CrmError`, of which `reason` is a sentence for people.
///
/// The records are closed when nobody holds this any more.
public final class Crm: Sendable {
    /// The library's own object, for calls that are made from a background thread anyway.
    public let replica: Replica
    let updates = SyncUpdates()
    private let queue = DispatchQueue(label: "outrider.records", qos: .userInitiated)

    /// Takes over a replica that is open.
    public init(_ replica: Replica) {
        self.replica = replica
    }

    /// Opens the records in `folder`, or begins with none.
    ///
    /// - Parameters:
    ///   - folder: Where the records are; an app and its extension share one in their app group.
    ///   - language: What people are spoken to in; that of the system if nobody says.
    ///   - platform: What the phone does best. On a phone `transport` and `secrets` are needed.
    /// - Throws: `WrongKey`, `KeyUnavailable`, `Wiped`, `StorageFull`, `Damaged`, `OutOfDate`.
    public static func open(
        folder: URL,
        language: Language? = nil,
        platform: Platform = Platform()
    ) async throws -> Crm {
        let replica = try await runAlone {
            try Replica.open(folder: folder.path, language: language, platform: platform)
        }
        return Crm(replica)
    }

    /// Does something short with the records, after what was asked before.
    ///
    /// - Throws: What `work` throws; `CancellationError` when the task was cancelled before its turn came.
    public func perform<T: Sendable>(
        _ work: @Sendable @escaping (Replica) throws -> T
    ) async throws -> T {
        let ticket = Ticket()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                queue.async { [replica] in
                    continuation.resume(
                        with: Result {
                            if ticket.isCancelled { throw CancellationError() }
                            return try work(replica)
                        }
                    )
                }
            }
        } onCancel: {
            ticket.cancel()
        }
    }

    /// Does something that may take long, beside everything else. When the task is cancelled `Cancel` is too, which
    /// is to be given to the library's call.
    ///
    /// - Throws: What `work` throws; `CancellationError` when the task was cancelled.
    public func performLong<T: Sendable>(
        _ work: @Sendable @escaping (Replica, Cancel) throws -> T
    ) async throws -> T {
        let cancel = Cancel()
        let replica = replica
        return try await withTaskCancellationHandler {
            do {
                try Task.checkCancellation()
                return try await Self.runAlone { try work(replica, cancel) }
            } catch CrmError.Cancelled where Task.isCancelled {
                throw CancellationError()
            }
        } onCancel: {
            cancel.cancel()
        }
    }

    /// Runs something without waiting for it, after what was asked before.
    func enqueue(_ work: @Sendable @escaping (Replica) -> Void) {
        queue.async { [replica] in work(replica) }
    }

    /// A serial queue has a thread of its own as soon as it has work, however many others are blocked.
    static func runAlone<T: Sendable>(_ work: @Sendable @escaping () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue(label: "outrider.long", qos: .utility).async {
                continuation.resume(with: Result { try work() })
            }
        }
    }
}

/// Whether what waits for its turn is still wanted.
private final class Ticket: @unchecked Sendable {
    private let lock = NSLock()
    private var cancelled = false

    var isCancelled: Bool { lock.withLock { cancelled } }

    func cancel() { lock.withLock { cancelled = true } }
}

// Lists that stay up to date, as async sequences.

import Foundation

extension Crm {
    /// A page of a list, now and after each of its changes: the whole page, to be shown as it is.
    ///
    /// Whoever is slow gets the newest page and holds up nobody. The list is closed when the loop over it ends, its
    /// task is cancelled, or nobody holds the stream; the stream ends when the records are locked or closed.
    ///
    /// It throws what `Replica.watch` throws, and later `Damaged` and the like when the list cannot be kept up to
    /// date; that another program holds the store for a moment is waited for.
    public func watch(_ query: ListQuery) -> AsyncThrowingStream<[CrmRecord], any Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let list = OpenList()
            continuation.onTermination = { _ in
                // Closing waits for the records; whoever ends a loop does not.
                DispatchQueue.global().async { list.close() }
            }
            enqueue { replica in
                let watcher = Watcher(continuation)
                do {
                    let live = try replica.watch(query: query, listener: watcher)
                    watcher.begin(with: try live.first().records)
                    list.opened(live)
                } catch {
                    continuation.finish(throwing: error)
                }
            }
        }
    }
}

/// A list that may be closed before it is open.
private final class OpenList: @unchecked Sendable {
    private let lock = NSLock()
    private var live: LiveList?
    private var isClosed = false

    func opened(_ live: LiveList) {
        let isLate = lock.withLock {
            if !isClosed { self.live = live }
            return isClosed
        }
        if isLate { try? live.end() }
    }

    func close() {
        let live = lock.withLock {
            isClosed = true
            defer { self.live = nil }
            return self.live
        }
        try? live?.end()
    }
}

/// Hears the changes of one list. Only the library holds it: when that lets go, nothing more comes.
private final class Watcher: ListListener, @unchecked Sendable {
    private let continuation: AsyncThrowingStream<[CrmRecord], any Error>.Continuation
    private let lock = NSLock()
    private var records: [CrmRecord]?
    /// Changes that were told before the list was there that they begin with.
    private var early: [ListChange] = []

    init(_ continuation: AsyncThrowingStream<[CrmRecord], any Error>.Continuation) {
        self.continuation = continuation
    }

    deinit {
        continuation.finish()
    }

    func begin(with first: [CrmRecord]) {
        lock.withLock {
            var records = first
            early.forEach { records.apply($0) }
            early = []
            self.records = records
            // Within the lock, so that an older page never follows a newer one.
            continuation.yield(records)
        }
    }

    func onChange(change: ListChange) {
        lock.withLock {
            guard records != nil else {
                early.append(change)
                return
            }
            records?.apply(change)
            if let records { continuation.yield(records) }
        }
    }

    func onError(error: CrmError) {
        switch error {
        case .InUse: break
        case .Closed: continuation.finish()
        default: continuation.finish(throwing: error)
        }
    }
}

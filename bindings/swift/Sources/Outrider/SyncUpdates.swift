// How far syncs are, for whoever wants to know.

import Foundation

/// Tells the progress of a replica's syncs to all who listen.
final class SyncUpdates: SyncListener, @unchecked Sendable {
    private let lock = NSLock()
    private var listeners: [UUID: AsyncStream<SyncProgress>.Continuation] = [:]

    deinit {
        listeners.values.forEach { $0.finish() }
    }

    func stream() -> AsyncStream<SyncProgress> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let number = UUID()
            lock.withLock { listeners[number] = continuation }
            continuation.onTermination = { [weak self] _ in
                guard let self else { return }
                _ = self.lock.withLock { self.listeners.removeValue(forKey: number) }
            }
        }
    }

    func onProgress(progress: SyncProgress) {
        let told = lock.withLock { Array(listeners.values) }
        told.forEach { $0.yield(progress) }
    }
}

// What background work should know. Not compiled where this was written: there is no Network framework on Linux.

#if canImport(Network)
    import Foundation
    import Network

    #if canImport(UIKit)
        import UIKit
    #endif

    /// Tells the library of the network and of low power mode, without asking anybody: it watches.
    public final class PhoneHints: DeviceHints, @unchecked Sendable {
        private let monitor = NWPathMonitor()
        private let lock = NSLock()
        private var path: NWPath?

        /// Begins to watch the network.
        public init() {
            monitor.pathUpdateHandler = { [weak self] path in
                guard let self else { return }
                self.lock.withLock { self.path = path }
            }
            monitor.start(queue: DispatchQueue(label: "outrider.network", qos: .utility))
        }

        deinit {
            monitor.cancel()
        }

        /// The network of now. Before the system has said anything there is one.
        public func network() throws -> Outrider.Network {
            guard let path = lock.withLock({ path }) else { return .unmetered }
            if path.status != .satisfied { return .offline }
            return path.isExpensive || path.isConstrained ? .metered : .unmetered
        }

        /// The power of now.
        public func power() throws -> Power {
            ProcessInfo.processInfo.isLowPowerModeEnabled ? .saver : .battery
        }
    }
#endif

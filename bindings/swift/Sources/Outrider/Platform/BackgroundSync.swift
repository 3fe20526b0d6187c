// Exchange while the app is not open. Not compiled where this was written: BackgroundTasks is of iOS.

#if canImport(BackgroundTasks) && os(iOS)
    @preconcurrency import BackgroundTasks
    import Foundation

    /// Has the system wake the app for a short exchange, now and then. `identifier` stands in the app's Info.plist
    /// under `BGTaskSchedulerPermittedIdentifiers`.
    public struct BackgroundSync: Sendable {
        /// What the task is called.
        public let identifier: String
        /// How long to wait at least until the next one.
        public let interval: TimeInterval
        /// The system gives about 30 seconds; the rest is for opening and closing.
        public let budget: SyncBudget

        /// - Parameters:
        ///   - identifier: What the task is called.
        ///   - interval: How long to wait at least until the next one.
        ///   - budget: What one exchange may cost.
        public init(
            identifier: String,
            interval: TimeInterval = 15 * 60,
            budget: SyncBudget = SyncBudget(timeMs: 20_000)
        ) {
            (self.identifier, self.interval, self.budget) = (identifier, interval, budget)
        }

        /// Registers the work; to be called before the app has finished launching.
        ///
        /// - Parameter open: Opens the records, or gives those that are open.
        public func register(open: @escaping @Sendable () async throws -> Crm) {
            BGTaskScheduler.shared.register(forTaskWithIdentifier: identifier, using: nil) { task in
                schedule()
                let given = Given(task: task)
                let work = Task {
                    do {
                        try await open().sync(within: budget)
                        given.task.setTaskCompleted(success: true)
                    } catch {
                        given.task.setTaskCompleted(success: false)
                    }
                }
                given.task.expirationHandler = { work.cancel() }
            }
        }

        /// Asks for the next one; to be called when the app goes into the background.
        public func schedule() {
            let request = BGAppRefreshTaskRequest(identifier: identifier)
            request.earliestBeginDate = Date(timeIntervalSinceNow: interval)
            // Where the user switched background work off nothing comes of it.
            try? BGTaskScheduler.shared.submit(request)
        }
    }

    /// What the system gave; it may be ended from any thread.
    private struct Given: @unchecked Sendable {
        let task: BGTask
    }
#endif

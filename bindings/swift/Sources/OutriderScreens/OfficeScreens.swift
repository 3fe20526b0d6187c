// The pipeline, conflicts and the exchange, in SwiftUI. Not compiled where this was written: there is no SwiftUI on
// Linux.

#if canImport(SwiftUI)
    import Outrider
    import OutriderDay
    import SwiftUI

    /// Opportunities by stage.
    public struct BoardScreen: View {
        @ObservedObject private var board: OpportunityBoard

        /// - Parameter board: The board that is shown.
        public init(_ board: OpportunityBoard) {
            self.board = board
        }

        /// A section for each stage that has something.
        public var body: some View {
            List {
                ForEach(board.columns.filter { !$0.cards.isEmpty }) { column in
                    Section("\(column.stage.label) (\(column.cards.count))") {
                        ForEach(column.cards) { card in
                            HStack {
                                if card.hasConflict { Image(systemName: "exclamationmark.triangle") }
                                Text(card.opportunity.name ?? "")
                            }
                            .swipeActions {
                                Button("Move on") { Task { await board.moveOn(card) } }
                            }
                        }
                    }
                }
            }
            .task { await board.start() }
        }
    }

    /// Fields with several values, for somebody to choose.
    public struct ConflictsScreen: View {
        @ObservedObject private var conflicts: Conflicts

        /// - Parameter conflicts: The list that is shown.
        public init(_ conflicts: Conflicts) {
            self.conflicts = conflicts
        }

        /// A section for each field, a button for each value.
        public var body: some View {
            List {
                ForEach(conflicts.conflicts, id: \.self) { conflict in
                    Section("\(conflict.title) · \(conflict.label)") {
                        ForEach(conflict.values, id: \.self) { value in
                            Button {
                                Task { await conflicts.settle(conflict, value) }
                            } label: {
                                VStack(alignment: .leading) {
                                    Text(value.text)
                                    Text(value.by ?? "").font(.caption)
                                }
                            }
                        }
                    }
                }
            }
            .task { await conflicts.refresh() }
        }
    }

    /// Whether everything is exchanged.
    public struct SyncScreen: View {
        @ObservedObject private var centre: SyncCentre

        /// - Parameter centre: What is shown.
        public init(_ centre: SyncCentre) {
            self.centre = centre
        }

        /// What waits, how far it is, what went wrong.
        public var body: some View {
            Form {
                LabeledContent("Waiting", value: "\(centre.state?.waiting ?? 0)")
                if let progress = centre.progress, progress.expected > 0 {
                    ProgressView(value: Double(progress.received), total: Double(progress.expected))
                }
                if let problem = centre.problem ?? centre.state?.lastError {
                    Text(problem).foregroundStyle(.red)
                }
                if centre.isBusy {
                    Button("Stop") { centre.cancel() }
                } else {
                    Button("Sync now") { Task { await centre.syncNow() } }
                }
            }
            .task { await centre.start() }
        }
    }
#endif

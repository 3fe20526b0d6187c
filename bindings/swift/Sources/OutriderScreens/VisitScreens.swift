// The day of a rep or a technician, in SwiftUI. Not compiled where this was written: there is no SwiftUI on Linux.

#if canImport(SwiftUI)
    import Outrider
    import OutriderDay
    import SwiftUI

    /// Where to go today.
    public struct MyVisitsScreen: View {
        @ObservedObject private var visits: MyVisits
        private let crm: Crm

        /// - Parameters:
        ///   - crm: The records.
        ///   - visits: The list that is shown.
        public init(_ crm: Crm, visits: MyVisits) {
            (self.crm, self.visits) = (crm, visits)
        }

        /// A row for each visit.
        public var body: some View {
            List(visits.visits) { visit in
                NavigationLink {
                    VisitScreen(VisitDay(crm, visit: visit.id))
                } label: {
                    VStack(alignment: .leading) {
                        Text(visit.subject ?? "")
                            .strikethrough(MyVisits.isOver(visit))
                        if let start = visit.scheduled?.start {
                            Text(start, style: .time).font(.caption)
                        }
                    }
                }
            }
            .task { await visits.start() }
        }
    }

    /// One visit: come, check, write down, leave.
    public struct VisitScreen: View {
        @StateObject private var day: VisitDay
        @State private var line = ""
        @State private var outcome = "done"

        /// - Parameter day: The visit that is shown.
        public init(_ day: @autoclosure @escaping () -> VisitDay) {
            _day = StateObject(wrappedValue: day())
        }

        /// A form with a section for each step.
        public var body: some View {
            Form {
                if let problem = day.problem {
                    Text(problem).foregroundStyle(.red)
                }
                switch day.stage {
                case .planned, .left:
                    Button("Check in") { Task { await day.arrive() } }
                case .onSite:
                    checklist
                    notes
                    leaving
                }
            }
            .disabled(day.isBusy)
            .navigationTitle(day.visit?.subject ?? "")
            .task { await day.start() }
        }

        private var checklist: some View {
            Section("Checklist") {
                ForEach(day.visit?.checklist ?? [], id: \.row) { row in
                    Toggle(
                        row.name ?? "",
                        isOn: Binding(
                            get: { row.done ?? false },
                            set: { isDone in Task { await day.check(row, isDone: isDone) } }
                        )
                    )
                }
            }
        }

        private var notes: some View {
            Section("Notes") {
                Text(day.visit?.notes ?? "")
                TextField("Add a line", text: $line)
                    .onSubmit {
                        Task { if await day.note(line) { line = "" } }
                    }
            }
        }

        private var leaving: some View {
            Section("Leaving") {
                Picker("Outcome", selection: $outcome) {
                    ForEach(day.outcomes, id: \.id) { Text($0.label).tag($0.id) }
                }
                Button("Check out") { Task { await day.leave(outcome: outcome) } }
            }
        }
    }
#endif

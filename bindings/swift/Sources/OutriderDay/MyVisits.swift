// The day of a rep or a technician: where to go, in order.

import Foundation
import Outrider

/// The visits of a user within some hours, kept up to date.
@MainActor
public final class MyVisits: Model {
    /// The visits, the first one first.
    public private(set) var visits: [Visit] = []
    /// Whether the list has come.
    public private(set) var isLoaded = false

    private let crm: Crm
    private let hours: DateInterval
    private var following: Task<Void, Never>?

    /// - Parameters:
    ///   - crm: The records.
    ///   - hours: From when to when, such as today.
    public init(_ crm: Crm, hours: DateInterval) {
        (self.crm, self.hours) = (crm, hours)
    }

    deinit {
        following?.cancel()
    }

    /// What comes next: the first visit that is neither over nor called off.
    public var next: Visit? {
        visits.first { !Self.isOver($0) }
    }

    /// Whether nothing is left to do at a visit.
    public static func isOver(_ visit: Visit) -> Bool {
        ["completed", "closed", "cancelled", "cannot_complete"].contains(visit.status ?? "")
    }

    /// Begins, or begins anew. The visits are those of the user whose device this is; before the first sync, when
    /// nobody knows that user's record, they are all.
    public func start() async {
        following?.cancel()
        await act {
            let user = try await crm.enrolment()?.userRecord
            following = follow(crm.watch(Self.query(user: user, hours: hours))) { [weak self] in
                self?.show($0.compactMap(\.visit))
            }
        }
    }

    /// Ends.
    public func stop() {
        following?.cancel()
    }

    private func show(_ found: [Visit]) {
        change { (visits, isLoaded) = (found, true) }
    }

    private static func query(user: RecordId?, hours: DateInterval) -> ListQuery {
        var filters = [
            Filter(field: "scheduled_start", compare: .from, value: .moment(hours.start)),
            Filter(field: "scheduled_start", compare: .to, value: .moment(hours.end)),
        ]
        if let user {
            filters.append(Filter(field: "owner_id", compare: .is, value: .link(user)))
        }
        return ListQuery(entity: "visit", filters: filters, sort: "scheduled_start", limit: 100)
    }
}

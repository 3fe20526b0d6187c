// The pipeline as a board: a column for each stage.

import Foundation
import Outrider

/// Opportunities by stage, kept up to date.
@MainActor
public final class OpportunityBoard: Model {
    /// An opportunity on the board.
    public struct Card: Identifiable, Sendable {
        /// The opportunity.
        public let opportunity: Opportunity
        /// Whether somebody has to choose between values that were written beside one another.
        public let hasConflict: Bool

        /// Names the opportunity.
        public var id: RecordId { opportunity.id }
    }

    /// A stage with what is in it.
    public struct Column: Identifiable, Sendable {
        /// The stage.
        public let stage: ChoiceInfo
        /// Its opportunities, the one that closes first on top.
        public let cards: [Card]

        /// Id of the stage.
        public var id: String { stage.id }

        /// What they are worth, by currency.
        public var amounts: [String: Decimal] {
            let known = cards.compactMap(\.opportunity.expectedAmount)
            return known.reduce(into: [:]) { $0[$1.currency, default: 0] += $1.amount }
        }
    }

    /// The columns, in the order of the list of stages.
    public private(set) var columns: [Column] = []

    private let crm: Crm
    private var stages: [ChoiceInfo] = []
    private var following: Task<Void, Never>?

    /// - Parameter crm: The records.
    public init(_ crm: Crm) {
        self.crm = crm
    }

    deinit {
        following?.cancel()
    }

    /// Begins, or begins anew. A board shows 500 opportunities at most.
    public func start() async {
        following?.cancel()
        await act {
            stages = try await crm.choices("sales_stage")
            let query = ListQuery(entity: "opportunity", sort: "expected_close_date", limit: 500)
            following = follow(crm.watch(query)) { [weak self] in
                self?.show($0.compactMap(\.opportunity))
            }
        }
    }

    /// Moves an opportunity to the next stage that is open, or from the last of those to won.
    @discardableResult
    public func moveOn(_ card: Card) async -> Bool {
        await act {
            let order = stages.map(\.id).filter { !["lost", "on_hold"].contains($0) }
            let place = order.firstIndex(of: card.opportunity.salesStage ?? "") ?? -1
            guard place + 1 < order.count else { return }
            try await crm.update(card.id, .opportunity([.salesStage(order[place + 1])]))
        }
    }

    /// Says that an opportunity is lost, and why: an id of the picklist `lost_reason`.
    @discardableResult
    public func lose(_ card: Card, reason: String) async -> Bool {
        await act {
            try await crm.update(card.id, .opportunity([.salesStage("lost"), .lostReason(reason)]))
        }
    }

    private func show(_ opportunities: [Opportunity]) {
        let byStage = Dictionary(grouping: opportunities) { $0.salesStage ?? "" }
        let arranged = stages.map { stage in
            let cards = byStage[stage.id, default: []].map {
                Card(opportunity: $0, hasConflict: !$0.common.conflicts.isEmpty)
            }
            return Column(stage: stage, cards: cards)
        }
        change { columns = arranged }
    }
}

// How a list that is watched becomes the next one.

extension [CrmRecord] {
    /// Makes the old list the new one, in the order that the library gives: what is removed, moved, inserted,
    /// changed; or all of it, when the list begins anew.
    public mutating func apply(_ change: ListChange) {
        if change.isReset {
            removeAll(keepingCapacity: true)
        }
        for place in change.removed {
            remove(at: Int(place))
        }
        for move in change.moved {
            insert(remove(at: Int(move.taken)), at: Int(move.put))
        }
        for placed in change.inserted {
            insert(placed.record, at: Int(placed.index))
        }
        for placed in change.changed {
            self[Int(placed.index)] = placed.record
        }
    }
}

// Lists that are longer than a page.

extension Crm {
    /// All pages of a list, one after the other; each is asked for when the loop comes to it.
    public func pages(_ query: ListQuery) -> Pages {
        Pages(crm: self, query: query)
    }
}

/// The pages of a list.
public struct Pages: AsyncSequence, Sendable {
    /// A page.
    public typealias Element = [CrmRecord]

    let crm: Crm
    let query: ListQuery

    /// Begins with the first page.
    public func makeAsyncIterator() -> Iterator {
        Iterator(crm: crm, query: query)
    }

    /// Where a loop stands.
    public struct Iterator: AsyncIteratorProtocol {
        let crm: Crm
        /// What to ask next; nothing after the last page.
        var query: ListQuery?

        /// The next page, unless it is empty.
        public mutating func next() async throws -> [CrmRecord]? {
            guard let asked = query else { return nil }
            let page = try await crm.list(asked)
            query = page.next.map { asked.after($0) }
            return page.records.isEmpty ? nil : page.records
        }
    }
}

extension ListQuery {
    /// The same question for the page that begins there.
    public func after(_ next: String) -> ListQuery {
        ListQuery(
            entity: entity,
            filters: filters,
            text: text,
            sort: sort,
            descending: descending,
            after: next,
            limit: limit,
            withArchived: withArchived
        )
    }
}

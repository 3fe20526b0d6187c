// Questions: lists, search, what is near, timelines, links, sums.

extension Crm {
    /// A record, with all that is computed for it; nothing if it is not on this device.
    public func get(_ record: RecordId) async throws -> CrmRecord? {
        try await perform { try $0.get(record: record) }
    }

    /// A page of an entity's records.
    public func list(_ query: ListQuery) async throws -> ListPage {
        try await perform { try $0.list(query: query) }
    }

    /// How many records the conditions of a question hold for.
    public func count(_ query: ListQuery) async throws -> UInt64 {
        try await perform { try $0.count(query: query) }
    }

    /// Searches all records, the best hits first.
    public func search(_ query: SearchQuery) async throws -> SearchPage {
        try await perform { try $0.search(query: query) }
    }

    /// Records near a place, the nearest first.
    public func near(
        _ place: GeoPoint,
        entity: String? = nil,
        radiusM: UInt32 = 10_000,
        limit: UInt32 = 50
    ) async throws -> [NearRecord] {
        try await perform {
            try $0.near(place: place, entity: entity, radiusM: radiusM, limit: limit)
        }
    }

    /// What happened with a customer and all that belongs to it, or with any other record.
    public func timeline(_ query: TimelineQuery) async throws -> TimelinePage {
        try await perform { try $0.timeline(query: query) }
    }

    /// The links of a record, both ways.
    public func links(_ record: RecordId) async throws -> RecordLinks {
        try await perform { try $0.links(record: record) }
    }

    /// Where the sales stand, by currency.
    public func pipelineReport() async throws -> [Pipeline] {
        try await perform { try $0.pipelineReport() }
    }

    /// What entities and fields there are.
    public func entities() async throws -> [EntityInfo] {
        try await perform { try $0.entities() }
    }

    /// The choices of a picklist, in the order of forms.
    public func choices(_ picklist: String) async throws -> [ChoiceInfo] {
        try await perform { try $0.choices(picklist: picklist) }
    }
}

// Somebody who looks at a list all the time.

import Foundation
import Outrider
import XCTest

/// Follows a stream of lists, until it ends or is let go.
final class Follower: Sendable {
    private let pages = Shared<[[CrmRecord]]>([])
    private let end = Shared<(isThere: Bool, error: (any Error)?)>((false, nil))
    private let task: Shared<Task<Void, Never>?> = Shared(nil)

    init(_ stream: AsyncThrowingStream<[CrmRecord], any Error>) {
        let (pages, end) = (pages, end)
        task.value = Task {
            do {
                for try await records in stream { pages.change { $0.append(records) } }
                end.value = (true, nil)
            } catch {
                end.value = (true, error)
            }
        }
    }

    deinit { task.value?.cancel() }

    /// The newest list.
    var records: [CrmRecord]? { pages.value.last }
    /// How many lists came.
    var count: Int { pages.value.count }
    var isEnded: Bool { end.value.isThere }
    var error: (any Error)? { end.value.error }

    func cancel() { task.value?.cancel() }

    /// Waits until the list is what the query says.
    func becomes(
        _ query: ListQuery,
        of crm: Crm,
        file: StaticString = #filePath,
        line: UInt = #line
    ) async throws {
        try await until("the list is what the query says", file: file, line: line) {
            let wanted = try await crm.list(query).records
            return records == wanted
        }
    }
}

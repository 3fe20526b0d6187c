// Files in and out. Each runs beside short calls, and ends when its task is cancelled.

import Foundation

/// Hears how far something long is: so much of so much, of nothing where nobody knows. It is called on a thread of
/// its own.
public typealias ProgressHandler = @Sendable (_ done: UInt64, _ total: UInt64?) -> Void

extension Crm {
    /// Says how a file (CSV, XLSX, JSON, vCard) would be imported.
    public func proposeImport(
        _ file: URL,
        wishes: ImportWishes = ImportWishes()
    ) async throws -> ImportProposal {
        try await performLong { try $0.proposeImport(file: file.path, wishes: wishes, cancel: $1) }
    }

    /// Imports a file, or says what that would do. Whoever cancels keeps what was imported until then.
    public func importFile(
        _ file: URL,
        mapping: String,
        isDryRun: Bool = false,
        progress: ProgressHandler? = nil
    ) async throws -> ImportSummary {
        try await performLong {
            try $0.importFile(
                file: file.path,
                mapping: mapping,
                isDryRun: isDryRun,
                listener: progress.map(Hearer.init),
                cancel: $1
            )
        }
    }

    /// The imports of this device, the newest first.
    public func imports(limit: UInt32 = 20) async throws -> [ImportBatch] {
        try await performLong { replica, _ in try replica.imports(limit: limit) }
    }

    /// Takes an import back; what somebody wrote into since stays.
    public func undoImport(_ number: Int64) async throws -> ImportUndone {
        try await performLong { try $0.undoImport(number: number, cancel: $1) }
    }

    /// Writes the records of a question into a file that is there whole or not at all.
    public func exportFile(
        _ file: URL,
        format: FileFormat,
        query: ListQuery,
        progress: ProgressHandler? = nil
    ) async throws -> Exported {
        try await performLong {
            try $0.exportFile(
                file: file.path,
                format: format,
                query: query,
                listener: progress.map(Hearer.init),
                cancel: $1
            )
        }
    }

    /// Takes back a file that this or another device exported as JSON, CSV or XLSX.
    public func importExported(
        _ file: URL,
        progress: ProgressHandler? = nil
    ) async throws -> ImportSummary {
        try await performLong {
            try $0.importExported(file: file.path, listener: progress.map(Hearer.init), cancel: $1)
        }
    }

    /// Writes a copy of all records of this device into one file, for support. Whoever has it can read everything in
    /// it: of records that are encrypted `plain` must say that this is wanted.
    public func exportStore(_ file: URL, plain: Bool = false) async throws {
        try await performLong { try $0.exportStore(file: file.path, plain: plain, cancel: $1) }
    }
}

private final class Hearer: ProgressListener {
    private let handler: ProgressHandler

    init(_ handler: @escaping ProgressHandler) {
        self.handler = handler
    }

    func onProgress(done: UInt64, total: UInt64?) {
        handler(done, total)
    }
}

// Where this device stands, what may be wrong with it, and locking it.

import Foundation

extension Crm {
    /// Where this device stands.
    public func status() async throws -> DeviceStatus {
        try await perform { try $0.status() }
    }

    /// What the records take.
    public func storage() async throws -> StorageUse {
        try await performLong { try $0.storage(cancel: $1) }
    }

    /// Whether the user may do something with a record, as far as this device knows: for buttons.
    public func may(_ operation: Outrider.Operation, _ record: RecordId) async throws -> Bool {
        try await perform { try $0.may(operation: operation, record: record) }
    }

    /// Looks whether something is wrong with the records. It reads them all.
    public func diagnose() async throws -> [Finding] {
        try await performLong { try $0.diagnose(cancel: $1) }
    }

    /// Does a repair that a finding names; returns how much was repaired.
    public func repair(_ fix: String) async throws -> UInt64 {
        try await performLong { try $0.repair(fix: fix, cancel: $1) }
    }

    /// Writes a file for support, with nothing that anybody typed.
    public func writeSupportBundle(_ file: URL, log: String? = nil) async throws -> SupportBundle {
        try await performLong { try $0.writeSupportBundle(file: file.path, log: log, cancel: $1) }
    }

    /// Locks the records: nothing of them and of their key stays in memory. Streams of lists end, and calls that
    /// run are cancelled. It does not wait for what was asked before.
    public func lock() async throws {
        try await Self.runAlone { [replica] in try replica.lock() }
    }

    /// Opens the records again, with the key that the platform gives now.
    public func unlock() async throws {
        try await Self.runAlone { [replica] in try replica.unlock() }
    }

    /// Whether the records are locked.
    public func isLocked() async throws -> Bool {
        try await perform { try $0.isLocked() }
    }

    /// Removes everything from this device. What waits to be sent is lost: ask first, and say how much that is.
    public func wipe() async throws {
        try await Self.runAlone { [replica] in try replica.wipe() }
    }
}

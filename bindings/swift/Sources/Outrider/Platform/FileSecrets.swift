// The key in a file: for tests and for Linux. On a phone it belongs into the Keychain.

import Foundation

/// Keeps the key of the records in a file that only its owner may read.
public final class FileSecrets: SecretStore {
    private let file: URL

    /// - Parameter file: Where the key is, best outside of the folder of the records.
    public init(_ file: URL) {
        self.file = file
    }

    /// The key, if there is one.
    public func load() throws -> Data? {
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        return try told { try Data(contentsOf: file) }
    }

    /// Keeps a key; what was there stays.
    public func keep(secret: Data) throws -> Data {
        if let known = try load() { return known }
        return try told {
            // Written whole beside it and linked, so that of two processes one wins and both get its key.
            let beside = file.appendingPathExtension(UUID().uuidString)
            defer { try? FileManager.default.removeItem(at: beside) }
            let handle = try Self.create(beside)
            try handle.write(contentsOf: secret)
            try handle.synchronize()
            try handle.close()
            guard link(beside.path, file.path) == 0 || errno == EEXIST else {
                throw CocoaError(.fileWriteUnknown)
            }
            return try Data(contentsOf: file)
        }
    }

    /// Destroys the key; tells whether there was one.
    public func erase() throws -> Bool {
        guard FileManager.default.fileExists(atPath: file.path) else { return false }
        try told { try FileManager.default.removeItem(at: file) }
        return true
    }

    private static func create(_ file: URL) throws -> FileHandle {
        let descriptor = open(file.path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        guard descriptor >= 0 else { throw CocoaError(.fileWriteNoPermission) }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    /// What the library is told goes over as the sentence of the system.
    private func told<T>(_ work: () throws -> T) throws -> T {
        do {
            return try work()
        } catch {
            throw PlatformError.Failed(reason: error.localizedDescription)
        }
    }
}

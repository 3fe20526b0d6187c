// What a platform brings, as tests want to look at it and to break it.

import Foundation
import Outrider

/// A value that several threads share.
final class Shared<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var held: Value

    init(_ value: Value) { held = value }

    var value: Value {
        get { lock.withLock { held } }
        set { lock.withLock { held = newValue } }
    }

    func change<T>(_ change: (inout Value) -> T) -> T { lock.withLock { change(&held) } }
}

/// A secret store in memory that can be locked.
final class MemorySecrets: SecretStore {
    let secret: Shared<Data?>
    let isLocked = Shared(false)

    init(_ secret: Data? = nil) { self.secret = Shared(secret) }

    func load() throws -> Data? {
        try check()
        return secret.value
    }

    func keep(secret new: Data) throws -> Data {
        try check()
        return secret.change { kept in
            kept = kept ?? new
            return kept ?? new
        }
    }

    func erase() throws -> Bool {
        secret.change { kept in
            defer { kept = nil }
            return kept != nil
        }
    }

    private func check() throws {
        if isLocked.value { throw PlatformError.Locked(reason: "the keyring is locked") }
    }
}

/// What a test has the platform do wrong that no `PlatformError` says.
struct Mistake: Error {}

final class TestHints: DeviceHints {
    let now: Shared<(Network, Power)> = Shared((.unmetered, .charging))
    let isBroken = Shared(false)

    func network() throws -> Network {
        if isBroken.value { throw Mistake() }
        return now.value.0
    }

    func power() throws -> Power {
        if isBroken.value { throw PlatformError.Failed(reason: "nobody knows") }
        return now.value.1
    }
}

/// Where the van is; a test moves it. Without a place the user has said no.
final class VanPosition: PositionSource {
    let place: Shared<GeoPoint?>

    init(_ place: GeoPoint?) { self.place = Shared(place) }

    func position() throws -> GeoPoint? {
        guard let place = place.value else { throw Mistake() }
        return place
    }
}

final class TestClock: WallClock {
    let at: Shared<Date?>

    init(_ at: Date) { self.at = Shared(at) }

    func now() throws -> Date {
        guard let at = at.value else { throw Mistake() }
        return at
    }
}

/// A key as secure hardware has it, by OpenSSL.
final class OpenSSLSigner: DeviceSigner {
    let signed = Shared(0)
    let isLocked = Shared(false)
    private let key: URL

    init(in folder: URL) throws {
        key = folder.appendingPathComponent("signer.pem")
        try runProgram(
            "/usr/bin/openssl",
            ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key.path]
        )
    }

    func publicKey() throws -> Data {
        // The key's last 65 bytes are the uncompressed point.
        try runProgram("/usr/bin/openssl", ["ec", "-in", key.path, "-pubout", "-outform", "DER"]).suffix(65)
    }

    func sign(message: Data) throws -> Data {
        if isLocked.value { throw PlatformError.Locked(reason: "the phone is locked") }
        signed.change { $0 += 1 }
        return try runProgram("/usr/bin/openssl", ["dgst", "-sha256", "-sign", key.path], input: message)
    }
}

/// What a program of the system says.
@discardableResult
func runProgram(_ program: String, _ words: [String], input: Data = Data()) throws -> Data {
    let (process, asks, answers) = (Process(), Pipe(), Pipe())
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = words
    (process.standardInput, process.standardOutput) = (asks, answers)
    process.standardError = FileHandle.nullDevice
    try process.run()
    try asks.fileHandleForWriting.write(contentsOf: input)
    try asks.fileHandleForWriting.close()
    let answer = answers.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw PlatformError.Failed(reason: "\(program) failed") }
    return answer
}

/// Hears changes of a list and does with them what a test says.
final class Hears: ListListener {
    let changes = Shared<[ListChange]>([])
    let errors = Shared<[CrmError]>([])
    private let then: @Sendable (ListChange) throws -> Void

    init(_ then: @escaping @Sendable (ListChange) throws -> Void = { _ in }) { self.then = then }

    func onChange(change: ListChange) throws {
        changes.change { $0.append(change) }
        try then(change)
    }

    func onError(error: CrmError) { errors.change { $0.append(error) } }
}

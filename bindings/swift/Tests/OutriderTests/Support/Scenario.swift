// What scenarios stand on: folders that go away, devices, an office that is started when it is first asked for.

import Foundation
import Outrider
import XCTest

/// A test with a folder of its own. XCTest runs one at a time, so that what it holds may be handed from actor to actor.
class Scenario: XCTestCase, @unchecked Sendable {
    /// How long to wait for what another thread or process does.
    static let patience: TimeInterval = 30

    private(set) var folder = URL(fileURLWithPath: "/nowhere")
    private var started: Office?

    override func setUp() async throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("outrider-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    override func tearDown() async throws {
        if let started { _ = try await started.ask("/end") }
        started = nil
        // What the test opened may still be closing, and takes its own files away meanwhile.
        try await OutriderTests.until("the folder is gone") {
            try? FileManager.default.removeItem(at: folder)
            return !FileManager.default.fileExists(atPath: folder.path)
        }
    }

    func office() async throws -> Office {
        if let started { return started }
        let office = try await Office.open()
        started = office
        return office
    }

    /// A device that has no office yet.
    func open(
        _ name: String = "records",
        secrets: any SecretStore = MemorySecrets(),
        signer: (any DeviceSigner)? = nil,
        transport: (any HttpTransport)? = nil,
        hints: (any DeviceHints)? = nil,
        position: (any PositionSource)? = nil,
        clock: (any WallClock)? = nil,
        language: Language = .english
    ) async throws -> Crm {
        let platform = Platform(
            secrets: secrets,
            signer: signer,
            transport: transport,
            hints: hints,
            position: position,
            clock: clock
        )
        return try await Crm.open(
            folder: folder.appendingPathComponent(name),
            language: language,
            platform: platform
        )
    }

    func code(_ user: String, url: String? = nil, needsApproval: Bool = false) async throws -> EnrolCode {
        let office = try await office()
        let form = needsApproval ? ["user": user, "approve": "yes"] : ["user": user]
        let code = try await office.ask("/code", form)["code"] ?? ""
        return EnrolCode(url: url ?? office.url, code: code, deviceName: "Swift")
    }

    /// A device of a user, enrolled.
    func device(_ user: String, url: String? = nil) async throws -> Crm {
        let crm = try await open(user)
        _ = try await crm.enrol(try await code(user, url: url))
        return crm
    }
}

/// A customer of that name.
func customer(_ crm: Crm, _ name: String, _ more: CustomerChange...) async throws -> RecordId {
    try await crm.create(.customer([.companyName(name)] + more))
}

/// The customer as it is now.
func readCustomer(_ crm: Crm, _ record: RecordId) async throws -> Customer {
    let found = try await crm.get(record)
    return try XCTUnwrap(found?.customer)
}

/// A change of tags.
func tags(add: [String] = [], remove: [String] = []) -> CommonChange {
    .tags(TextSetEdit(add: add, remove: remove))
}

/// Expects that something is refused with an error of this kind, such as `Invalid`; gives the error.
@discardableResult
func refused<T>(
    _ kinds: String...,
    file: StaticString = #filePath,
    line: UInt = #line,
    _ work: () async throws -> T
) async -> CrmError? {
    do {
        let result = try await work()
        XCTFail("it gave \(result) in place of \(kinds)", file: file, line: line)
    } catch let error as CrmError {
        let kind = Mirror(reflecting: error).children.first?.label ?? ""
        XCTAssert(kinds.contains(kind), "\(kind): \(error)", file: file, line: line)
        XCTAssertFalse(error.reason.isEmpty || error.code.isEmpty, file: file, line: line)
        return error
    } catch {
        XCTFail("it threw \(error) in place of \(kinds)", file: file, line: line)
    }
    return nil
}

/// Waits until something is so, looking from where it is called.
func until(
    _ what: String,
    file: StaticString = #filePath,
    line: UInt = #line,
    isolation: isolated (any Actor)? = #isolation,
    _ isSo: () async throws -> Bool
) async throws {
    let deadline = Date(timeIntervalSinceNow: Scenario.patience)
    while try await !isSo() {
        if Date() > deadline { return XCTFail("it never happened: \(what)", file: file, line: line) }
        try await Task.sleep(nanoseconds: 10_000_000)
    }
}

/// The first element that is as it should be; the test fails when none comes in time.
func first<S: AsyncSequence & Sendable>(
    of sequence: S,
    _ what: String,
    file: StaticString = #filePath,
    line: UInt = #line,
    where isSo: @escaping @Sendable (S.Element) -> Bool
) async throws -> S.Element? where S.Element: Sendable {
    try await withThrowingTaskGroup(of: S.Element?.self) { group in
        group.addTask { try await sequence.first(where: isSo) }
        group.addTask {
            try await Task.sleep(nanoseconds: UInt64(Scenario.patience) * 1_000_000_000)
            return nil
        }
        let found = try await group.next() ?? nil
        group.cancelAll()
        if found == nil { XCTFail("it never came: \(what)", file: file, line: line) }
        return found
    }
}

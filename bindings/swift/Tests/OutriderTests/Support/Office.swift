// The office that runs beside the suite: real servers, devices of other languages, slow lines, small disks.

import Foundation
import XCTest

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A server of its own, and what can be done to it.
struct Office: Sendable {
    let number: String
    let url: String

    /// Asks the office something; what this machine cannot do skips the test.
    static func ask(_ path: String, _ form: [String: String] = [:]) async throws -> [String: String] {
        let address = try XCTUnwrap(
            ProcessInfo.processInfo.environment["OUTRIDER_OFFICE"],
            "OUTRIDER_OFFICE is the address of an office that runs; see bindings/tests"
        )
        var request = URLRequest(url: try XCTUnwrap(URL(string: address + path)))
        request.httpMethod = "POST"
        request.timeoutInterval = 300
        request.setValue("application/x-www-form-urlencoded", forHTTPHeaderField: "Content-Type")
        request.httpBody = Data(form.map { "\(quoted($0))=\(quoted($1))" }.joined(separator: "&").utf8)
        let (data, response) = try await URLSession.shared.data(for: request)
        let text = String(decoding: data, as: UTF8.self)
        switch (response as? HTTPURLResponse)?.statusCode {
        case 200: return answer(text)
        case 501: throw XCTSkip(text)
        default: throw OfficeFailed(path: path, text: text)
        }
    }

    static func open(tls: Bool = false) async throws -> Office {
        let made = try await ask("/office", tls ? ["tls": "yes"] : [:])
        return Office(number: try XCTUnwrap(made["office"]), url: try XCTUnwrap(made["url"]))
    }

    func ask(_ path: String, _ form: [String: String] = [:]) async throws -> [String: String] {
        try await Self.ask(path, form.merging(["office": number]) { $1 })
    }

    /// A device of another language.
    func peer(_ user: String, kind: String = "python") async throws -> Peer {
        Peer(number: try await ask("/peer", ["user": user, "kind": kind])["peer"] ?? "")
    }

    /// A slow line to it.
    func line(bytesPerSecond: Int) async throws -> Line {
        let made = try await ask("/slow", ["bytes_per_second": "\(bytesPerSecond)"])
        return Line(number: try XCTUnwrap(made["proxy"]), url: try XCTUnwrap(made["url"]))
    }

    private static func quoted(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    }

    private static func answer(_ text: String) -> [String: String] {
        let lines = text.split(separator: "\n").compactMap { line -> (String, String)? in
            guard let end = line.firstIndex(of: "=") else { return nil }
            let name = line[..<end]
            let value = String(line[line.index(after: end)...])
            return name.hasSuffix("*")
                ? (String(name.dropLast()), value.removingPercentEncoding ?? value) : (String(name), value)
        }
        return Dictionary(lines) { $1 }
    }
}

struct OfficeFailed: Error, CustomStringConvertible {
    let path: String
    let text: String
    var description: String { "the office, \(path): \(text)" }
}

/// A device of another language, with its own copy of the records.
struct Peer: Sendable {
    let number: String

    func create(_ entity: String, _ fields: [String: String]) async throws -> UUID {
        let made = try await Office.ask(
            "/peer/create",
            fields.merging(["peer": number, "entity": entity]) { $1 }
        )
        return try XCTUnwrap(UUID(uuidString: made["record"] ?? ""))
    }

    func edit(_ record: UUID, _ fields: [String: String]) async throws {
        _ = try await Office.ask("/peer/edit", fields.merging(named(record)) { $1 })
    }

    func note(_ record: UUID, _ line: String) async throws {
        _ = try await Office.ask("/peer/note", named(record).merging(["line": line]) { $1 })
    }

    func get(_ record: UUID) async throws -> [String: String] {
        try await Office.ask("/peer/get", named(record))
    }

    func sync() async throws {
        _ = try await Office.ask("/peer/sync", ["peer": number])
    }

    private func named(_ record: UUID) -> [String: String] {
        ["peer": number, "record": record.uuidString.lowercased()]
    }
}

/// A slow line to a server.
struct Line: Sendable {
    let number: String
    let url: String

    func cut(silent: Bool = false) async throws {
        _ = try await Office.ask("/cut", silent ? ["proxy": number, "silent": "yes"] : ["proxy": number])
    }

    func speed(bytesPerSecond: Int) async throws {
        _ = try await Office.ask("/speed", ["proxy": number, "bytes_per_second": "\(bytesPerSecond)"])
    }
}

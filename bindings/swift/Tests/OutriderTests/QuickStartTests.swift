// The quick start of the README is a program that runs.

import Foundation
import Outrider
import XCTest

final class QuickStartTests: Scenario, @unchecked Sendable {
    private let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    func testQuickStartIsThatOfTheReadme() throws {
        let program = try String(
            contentsOf: package.appendingPathComponent("Sources/QuickStart/main.swift"),
            encoding: .utf8
        )
        let readme = try String(contentsOf: package.appendingPathComponent("README.md"), encoding: .utf8)
        XCTAssert(readme.contains("```swift\n\(program)```"), "the README shows another one")
        XCTAssertLessThan(program.split(separator: "\n").count, 20)
    }

    func testQuickStartRuns() async throws {
        let code = try await code("Anna")
        #if os(macOS)
            let products = Bundle(for: Self.self).bundleURL.deletingLastPathComponent()
        #else
            let products = Bundle.main.bundleURL
        #endif
        let program = products.appendingPathComponent("QuickStart").path
        let said = try runProgram(program, [folder.path, code.url, code.code])
        XCTAssertEqual(String(decoding: said, as: UTF8.self), "[\"三川实业\"]\n")
        let other = try await device("Ben")
        try await other.sync()
        let customers = try await other.list(ListQuery(entity: "customer")).records.compactMap(\.customer)
        XCTAssertEqual(customers.map(\.shortName), ["三川"])
    }
}

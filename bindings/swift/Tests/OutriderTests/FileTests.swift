// Files in and out.

import Foundation
import Outrider
import XCTest

final class FileTests: Scenario, @unchecked Sendable {
    private let customers = ListQuery(entity: "customer", sort: "company_name")
    private let erp = ImportWishes(entity: "customer", source: "erp", region: "CN")

    private func file(_ name: String, _ text: String? = nil) throws -> URL {
        let file = folder.appendingPathComponent(name)
        try text?.write(to: file, atomically: true, encoding: .utf8)
        return file
    }

    private func count(_ crm: Crm) async throws -> UInt64 {
        try await crm.count(ListQuery(entity: "customer"))
    }

    func testImportExport() async throws {
        let crm = try await open()
        let table = try file(
            "客户.csv",
            """
            公司名称,电话号码,客户编号ERP,员工人数
            三川精密实业有限公司,0512-62837719,E-1,320
            四海贸易有限公司,010-55550000,E-2,45
            Alster Pumpen GmbH,+49 40 1234567,E-3,many

            """
        )
        let proposal = try await crm.proposeImport(table, wishes: erp)
        XCTAssertEqual(proposal.entity, "customer")
        let fields = Dictionary(uniqueKeysWithValues: proposal.columns.map { ($0.column, $0.field) })
        XCTAssertEqual(fields["公司名称"], "company_name")
        XCTAssertEqual(fields["员工人数"], "employees")

        let tried = try await crm.importFile(table, mapping: proposal.mapping, isDryRun: true)
        let before = try await count(crm)
        XCTAssertEqual([tried.rows, before], [3, 0], "a trial writes nothing")
        let told = Shared<[UInt64]>([])
        let done = try await crm.importFile(table, mapping: proposal.mapping) { read, _ in
            told.change { $0.append(read) }
        }
        XCTAssertEqual([done.created, done.rejected], [tried.created, tried.rejected])
        XCTAssertEqual(done.created + done.rejected, 3)
        XCTAssertEqual(done.errors.map(\.column), ["员工人数"])
        try await until("progress is told") { !told.value.isEmpty }
        let again = try await crm.importFile(table, mapping: proposal.mapping)
        XCTAssertEqual([again.created, again.updated, again.unchanged], [0, 0, done.created])

        let number = try XCTUnwrap(done.number)
        let batch = try await crm.imports().first { $0.number == number }
        XCTAssertEqual(batch?.created, done.created)
        XCTAssertEqual(batch?.isUndone, false)
        let undone = try await crm.undoImport(number)
        XCTAssertEqual([undone.archived, undone.kept], [done.created, 0])
        let after = try await count(crm)
        XCTAssertEqual(after, 0)
        await refused("Invalid") { try await crm.undoImport(12_345) }
        await refused("Invalid") { try await crm.importFile(table, mapping: "no mapping") }
        let missing = try file("nothing.csv")
        await refused("NotFound") { try await crm.proposeImport(missing) }
    }

    func testImportExportWrittenAndReadBack() async throws {
        let crm = try await open()
        let names = ["三川实业", "Alster Pumpen GmbH", "\"quoted\", and\nbroken"]
        for name in names { _ = try await customer(crm, name, .common(tags(add: ["vip"]))) }
        let table = try file("all.csv")
        let exported = try await crm.exportFile(table, format: .csv, query: customers)
        let bytes = try Data(contentsOf: table)
        XCTAssertEqual([exported.records, exported.leftOut, exported.bytes], [3, 0, UInt64(bytes.count)])
        await refused("Refused") { try await crm.exportFile(table, format: .csv, query: self.customers) }
        XCTAssertEqual(try Data(contentsOf: table), bytes, "a file that is there stays")

        for (format, ending) in [(FileFormat.csv, "csv"), (.xlsx, "xlsx"), (.json, "json")] {
            let copy = try file("copy.\(ending)")
            _ = try await crm.exportFile(copy, format: format, query: customers)
            let other = try await open(ending)
            let summary = try await other.importExported(copy) { _, _ in }
            XCTAssertEqual([summary.created, summary.rejected], [3, 0], ending)
            let mine = try await crm.list(customers).records.map {
                [$0.id.uuidString, $0.customer?.companyName]
            }
            let theirs = try await other.list(customers).records.map {
                [$0.id.uuidString, $0.customer?.companyName]
            }
            XCTAssertEqual(mine, theirs)
            let again = try await other.importExported(copy)
            XCTAssertEqual(again.unchanged, 3)
        }
        let lines = try file("all.jsonl")
        let told = Shared<[UInt64]>([])
        let written = try await crm.exportFile(lines, format: .jsonLines, query: customers) { done, _ in
            told.change { $0.append(done) }
        }
        XCTAssertEqual(written.records, 3)
        try await until("progress is told") { !told.value.isEmpty }
        let calendar = try file("x.ics")
        await refused("Invalid") {
            try await crm.exportFile(calendar, format: .iCalendar, query: ListQuery(entity: "stock_location"))
        }
        let cards = try await crm.exportFile(try file("x.vcf"), format: .vCard, query: customers)
        XCTAssertEqual(cards.records, 3)
        let foreign = try file("foreign.csv", "a,b\n1,2\n")
        await refused("Invalid") { try await crm.importExported(foreign) }
    }

    func testImportExportIsCancelled() async throws {
        let crm = try await open()
        let rows = (0..<20_000).map { "Customer \($0),+86 10 \(10_000_000 + $0)\n" }.joined()
        let table = try file("many.csv", "company_name,phone\n" + rows)
        let mapping = try await crm.proposeImport(table, wishes: erp).mapping
        let began = Shared(false)
        let importing = Task {
            try await crm.importFile(table, mapping: mapping) { _, _ in began.value = true }
        }
        try await until("it has begun") { began.value }
        importing.cancel()
        let ended = await importing.result
        XCTAssertThrowsError(try ended.get()) { XCTAssert($0 is CancellationError, "\($0)") }
        let there = try await count(crm)
        XCTAssertLessThan(there, 20_000)
        _ = try await crm.importFile(table, mapping: mapping)
        let all = try await count(crm)
        XCTAssertEqual(all, 20_000, "done again, it brings the rest")
        let target = try file("many.json")
        let exporting = Task {
            try await crm.exportFile(target, format: .json, query: ListQuery(entity: "customer"))
        }
        exporting.cancel()
        let result = await exporting.result
        XCTAssertThrowsError(try result.get()) { XCTAssert($0 is CancellationError, "\($0)") }
        XCTAssertFalse(FileManager.default.fileExists(atPath: target.path))
    }

    func testImportExportOfTheStore() async throws {
        let secrets = MemorySecrets()
        let crm = try await open(secrets: secrets)
        _ = try await customer(crm, "三川实业")
        let target = try file("copy.db")
        let sealed = await refused("Refused") { try await crm.exportStore(target) }
        XCTAssertEqual(sealed?.code, "plain")
        XCTAssertFalse(FileManager.default.fileExists(atPath: target.path))
        try await crm.exportStore(target, plain: true)
        let bytes = try Data(contentsOf: target)
        XCTAssertEqual(String(decoding: bytes.prefix(16), as: UTF8.self), "outrider-store 1")
        await refused("Refused") { try await crm.exportStore(target, plain: true) }
        XCTAssertEqual(try Data(contentsOf: target), bytes, "a file that is there stays")
    }
}

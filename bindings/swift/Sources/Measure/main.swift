// How long things take on a large store: a line of JSON for each. `bindings/swift/measure` builds and runs it.

import Foundation
import Outrider

/// Prints a measurement.
func tell(_ name: String, _ value: Double, _ unit: String) {
    let number = String(format: "%.3f", value)
    print("{\"language\":\"swift\",\"name\":\"\(name)\",\"value\":\(number),\"unit\":\"\(unit)\"}")
}

/// Seconds that something takes.
func seconds<T>(_ work: () throws -> T) rethrows -> (Double, T) {
    let begun = DispatchTime.now().uptimeNanoseconds
    let result = try work()
    return (Double(DispatchTime.now().uptimeNanoseconds - begun) / 1e9, result)
}

/// The middle one of many.
func median(_ times: Int, _ work: (Int) throws -> Void) rethrows -> Double {
    var taken: [Double] = []
    for number in 0..<times { taken.append(try seconds { try work(number) }.0) }
    return taken.sorted()[times / 2]
}

/// The key of the store that is measured, if it has one: 64 digits in a file.
final class MeasuredSecrets: SecretStore {
    private let key: Data

    init?(_ folder: String) {
        guard let text = try? String(contentsOfFile: folder + "/measure.key", encoding: .utf8) else {
            return nil
        }
        let digits = Array(text.trimmingCharacters(in: .whitespacesAndNewlines))
        let bytes = stride(from: 0, to: digits.count - 1, by: 2).map {
            UInt8(String(digits[$0...$0 + 1]), radix: 16)
        }
        key = Data(bytes.compactMap { $0 })
    }

    func load() -> Data? { key }
    func keep(secret: Data) -> Data { key }
    func erase() throws -> Bool { throw PlatformError.Failed(reason: "what is measured keeps its key") }
}

/// Hears changes of the list until the phone number is there that the last one writes.
final class Hears: ListListener {
    let heard = DispatchSemaphore(value: 0)
    private let last: String

    init(until last: String) { self.last = last }

    func onChange(change: ListChange) {
        let records = change.changed + change.inserted
        if records.contains(where: { $0.record.customer?.phone == last }) { heard.signal() }
    }

    func onError(error: CrmError) { print("the list failed: \(error)") }
}

let folder = CommandLine.arguments[1]
let platform = Platform(secrets: MeasuredSecrets(folder))
let (opening, replica) = try seconds {
    try Replica.open(folder: folder, language: .english, platform: platform)
}
tell("open", opening * 1000, "ms")

let query = ListQuery(entity: "customer", sort: "company_name", limit: 50)
let (listing, page) = try seconds { try replica.list(query: query) }
tell("first_list", listing * 1000, "ms")
let records = page.records.map(\.id)

// One look at the clock is as dear as the call: a hundred calls are measured at once.
let call = try median(1000) { _ in for _ in 0..<100 { _ = try replica.isLocked() } } / 100
tell("call", call * 1e6, "µs")
tell("get", try median(1000) { _ = try replica.get(record: records[$0 % records.count]) } * 1e6, "µs")

let updates = 1000
let hears = Hears(until: "+86 10 \(updates)")
let live = try replica.watch(query: query, listener: hears)
let (updating, isHeard) = try seconds {
    for number in 1...updates {
        let phone = CustomerChange.phone("+86 10 \(number)")
        _ = try replica.update(record: records[number % records.count], changes: .customer([phone]))
    }
    return hears.heard.wait(timeout: .now() + 60) == .success
}
guard isHeard else { fatalError("the last change was not heard within a minute") }
tell("live_updates", updating * 1000, "ms")
try live.end()

// An answer of a server: URLSession pushes its bytes, the library fetches them.

import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// The head and the body of one answer. Who asks for more waits until it is there, no longer than the request says.
final class Answer: HttpBody, @unchecked Sendable {
    /// Bytes that wait to be fetched before the task is paused: a slow disk holds up the network, not the memory.
    static let waitingMax = 1024 * 1024
    /// Until a connection stands and the answer begins; a push may wait for the disk of a busy server.
    static let headSeconds = 120.0

    let call: HttpCall
    private let task: URLSessionTask
    private let condition = NSCondition()
    private var response: HTTPURLResponse?
    private var waiting = Data()
    private var isPaused = false
    private var isOver = false
    private var failure: PlatformError?

    init(of task: URLSessionTask, to call: HttpCall) {
        self.task = task
        self.call = call
    }

    func begin(with response: HTTPURLResponse) {
        change { self.response = response }
    }

    func append(_ data: Data) {
        change {
            waiting.append(data)
            #if canImport(Darwin)
                // Elsewhere a task that is paused begins anew.
                if waiting.count > Self.waitingMax && !isPaused {
                    isPaused = true
                    task.suspend()
                }
            #endif
        }
    }

    func end(with error: (any Error)?) {
        change {
            isOver = true
            failure = error.map(Self.cause)
        }
    }

    private func change(_ change: () -> Void) {
        condition.withLock {
            change()
            condition.broadcast()
        }
    }

    /// Waits until something is so, or nothing more comes.
    private func wait(seconds: Double, until isSo: () -> Bool) throws {
        let deadline = Date(timeIntervalSinceNow: seconds)
        while !isSo() && !isOver {
            if !condition.wait(until: deadline) {
                task.cancel()
                throw PlatformError.Unreachable(reason: "the server fell silent")
            }
        }
        if !isSo(), let failure { throw failure }
    }

    func head() throws -> HttpAnswer {
        try condition.withLock {
            try wait(seconds: Self.headSeconds) { response != nil }
            guard let response else {
                throw PlatformError.Unreachable(reason: "the connection ended without an answer")
            }
            let headers = response.allHeaderFields.map {
                HttpHeader(name: "\($0.key)", value: "\($0.value)")
            }
            return HttpAnswer(status: UInt16(response.statusCode), headers: headers, body: self)
        }
    }

    func read(max: UInt32) throws -> Data {
        try condition.withLock {
            try wait(seconds: Double(call.silenceMs) / 1000) { !waiting.isEmpty }
            let bytes = waiting.prefix(Int(max))
            // A copy, so that indices begin at nought again and what was read is given back.
            waiting = Data(waiting.dropFirst(bytes.count))
            if isPaused && waiting.count <= Self.waitingMax / 2 {
                isPaused = false
                task.resume()
            }
            return Data(bytes)
        }
    }

    func end() {
        task.cancel()
    }

    private static func cause(of error: any Error) -> PlatformError {
        let reason = error.localizedDescription
        switch (error as? URLError)?.code {
        case .serverCertificateUntrusted, .serverCertificateHasUnknownRoot, .serverCertificateHasBadDate,
            .serverCertificateNotYetValid, .secureConnectionFailed, .cancelledByTrust:
            return .Untrusted(reason: reason)
        default:
            return .Unreachable(reason: reason)
        }
    }
}

extension URLError.Code {
    /// What a task ends with whose server was not believed: see `judge`.
    fileprivate static let cancelledByTrust = URLError.Code.userCancelledAuthentication
}

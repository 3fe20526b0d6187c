// HTTP by URLSession: the system's proxies and trust. A phone has no other transport; on desktops the library has one
// of its own.

import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Sends the library's requests by a `URLSession` of its own: no cache, no cookies, no redirects.
///
/// Where the office has an authority of its own, that alone may vouch for the server. This takes the Security
/// framework; without it (Linux) such requests are `Untrusted`, and the library's own transport is the one to use.
public final class URLSessionTransport: HttpTransport {
    private let session: URLSession
    private let answers = Answers()

    /// - Parameter configuration: What else matters to the app, such as `allowsCellularAccess`.
    public init(configuration: URLSessionConfiguration = .ephemeral) {
        configuration.urlCache = nil
        configuration.httpCookieStorage = nil
        configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
        // How long to wait is said with each request, and looked after by whoever waits.
        configuration.timeoutIntervalForRequest = 24 * 60 * 60
        let queue = OperationQueue()
        queue.maxConcurrentOperationCount = 1
        session = URLSession(configuration: configuration, delegate: answers, delegateQueue: queue)
    }

    deinit {
        session.invalidateAndCancel()
    }

    /// Sends a request; returns as soon as the head of the answer is there.
    public func send(call: HttpCall) throws -> HttpAnswer {
        guard let url = URL(string: call.url) else {
            throw PlatformError.Unreachable(reason: "this is no address: \(call.url)")
        }
        #if !canImport(Security)
            if call.authority != nil || call.acceptsAnyCertificate {
                throw PlatformError.Untrusted(reason: "this system cannot look at certificates")
            }
        #endif
        var request = URLRequest(url: url)
        request.httpMethod = call.method
        if !call.body.isEmpty { request.httpBody = call.body }
        for header in call.headers {
            request.addValue(header.value, forHTTPHeaderField: header.name)
        }
        let task = session.dataTask(with: request)
        let answer = Answer(of: task, to: call)
        answers.await(answer, of: task)
        task.resume()
        return try answer.head()
    }
}

/// The answers that are still coming, by task.
private final class Answers: NSObject, URLSessionDataDelegate, @unchecked Sendable {
    private let lock = NSLock()
    private var coming: [Int: Answer] = [:]

    func await(_ answer: Answer, of task: URLSessionTask) {
        lock.withLock { coming[task.taskIdentifier] = answer }
    }

    private func answer(of task: URLSessionTask) -> Answer? {
        lock.withLock { coming[task.taskIdentifier] }
    }

    func urlSession(
        _ session: URLSession,
        dataTask: URLSessionDataTask,
        didReceive response: URLResponse,
        completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
    ) {
        if let response = response as? HTTPURLResponse { answer(of: dataTask)?.begin(with: response) }
        completionHandler(.allow)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        answer(of: dataTask)?.append(data)
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        let answer = lock.withLock { coming.removeValue(forKey: task.taskIdentifier) }
        answer?.end(with: error)
    }

    func urlSession(
        _ session: URLSession,
        task: URLSessionTask,
        willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest,
        completionHandler: @escaping @Sendable (URLRequest?) -> Void
    ) {
        completionHandler(nil)
    }

    #if canImport(Security)
        func urlSession(
            _ session: URLSession,
            task: URLSessionTask,
            didReceive challenge: URLAuthenticationChallenge,
            completionHandler: @escaping @Sendable (URLSession.AuthChallengeDisposition, URLCredential?) ->
                Void
        ) {
            guard let trust = challenge.protectionSpace.serverTrust, let call = answer(of: task)?.call else {
                return completionHandler(.performDefaultHandling, nil)
            }
            let (disposition, credential) = judge(trust, for: call)
            completionHandler(disposition, credential)
        }
    #endif
}

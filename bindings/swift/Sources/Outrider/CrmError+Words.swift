// What every error has, whatever its kind.

import Foundation

extension CrmError {
    /// A stable word for programs.
    public var code: String { parts.code }

    /// A sentence for people, in their language.
    public var reason: String { parts.reason }

    private var parts: (code: String, reason: String) {
        switch self {
        case .Invalid(let code, let reason, _),
            .NotFound(let code, let reason),
            .NotPermitted(let code, let reason, _),
            .Refused(let code, let reason),
            .NotEnrolled(let code, let reason),
            .WaitsForApproval(let code, let reason, _),
            .Offline(let code, let reason),
            .Untrusted(let code, let reason),
            .Barred(let code, let reason, _),
            .Wiped(let code, let reason),
            .Locked(let code, let reason),
            .KeyUnavailable(let code, let reason),
            .WrongKey(let code, let reason),
            .StorageFull(let code, let reason),
            .Damaged(let code, let reason),
            .InUse(let code, let reason),
            .Closed(let code, let reason),
            .Cancelled(let code, let reason),
            .TooMuch(let code, let reason),
            .OutOfDate(let code, let reason),
            .Failed(let code, let reason):
            (code, reason)
        }
    }
}

/// `"\(error)"` and `error.localizedDescription` are the sentence: the generated half has it, and does not say so.
extension CrmError: CustomStringConvertible {}

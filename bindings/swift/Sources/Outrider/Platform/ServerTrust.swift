// Whether a server is the office's. Not compiled where this was written: there is no Security framework on Linux.

#if canImport(Security)
    import Foundation
    import Security

    /// Believes a server as the request says: by the system's authorities, by the office's own alone, or anyhow for
    /// the one request that fetches an authority, of which the library compares the fingerprint.
    func judge(
        _ trust: SecTrust,
        for call: HttpCall
    ) -> (URLSession.AuthChallengeDisposition, URLCredential?) {
        if call.acceptsAnyCertificate {
            return (.useCredential, URLCredential(trust: trust))
        }
        guard let der = call.authority else { return (.performDefaultHandling, nil) }
        guard let authority = SecCertificateCreateWithData(nil, der as CFData),
            SecTrustSetAnchorCertificates(trust, [authority] as CFArray) == errSecSuccess,
            SecTrustSetAnchorCertificatesOnly(trust, true) == errSecSuccess,
            SecTrustEvaluateWithError(trust, nil)
        else { return (.rejectProtectionSpace, nil) }
        return (.useCredential, URLCredential(trust: trust))
    }
#endif

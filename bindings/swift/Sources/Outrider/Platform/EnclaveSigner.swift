// The device's key in the Secure Enclave. Not compiled where this was written: there is no CryptoKit on Linux.

#if canImport(CryptoKit) && canImport(Security)
    import CryptoKit
    import Foundation
    import Security

    /// Signs for this device with a P-256 key that never leaves the Secure Enclave. What is kept in `secrets` is a
    /// sealed handle, which is of use on this device alone.
    public final class EnclaveSigner: DeviceSigner {
        private let key: SecureEnclave.P256.Signing.PrivateKey

        /// Whether this device has one; a simulator may not.
        public static var isAvailable: Bool { SecureEnclave.isAvailable }

        /// - Parameter secrets: Where the handle is kept: an account of its own, not that of the records' key.
        public init(secrets: any SecretStore) throws {
            if let sealed = try secrets.load() {
                key = try SecureEnclave.P256.Signing.PrivateKey(dataRepresentation: sealed)
                return
            }
            // Usable in the background, after the first unlock.
            guard
                let access = SecAccessControlCreateWithFlags(
                    nil,
                    kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly,
                    .privateKeyUsage,
                    nil
                )
            else {
                throw PlatformError.Failed(reason: "the Secure Enclave refused the access that is wanted")
            }
            let made = try SecureEnclave.P256.Signing.PrivateKey(accessControl: access)
            let kept = try secrets.keep(secret: made.dataRepresentation)
            key = try SecureEnclave.P256.Signing.PrivateKey(dataRepresentation: kept)
        }

        /// The public half, 65 bytes.
        public func publicKey() throws -> Data {
            key.publicKey.x963Representation
        }

        /// The signature of a message, in DER.
        public func sign(message: Data) throws -> Data {
            do {
                return try key.signature(for: message).derRepresentation
            } catch {
                throw PlatformError.Locked(reason: error.localizedDescription)
            }
        }
    }
#endif

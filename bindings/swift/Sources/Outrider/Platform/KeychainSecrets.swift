// The key in the Keychain. Not compiled where this was written: there is no Security framework on Linux.

#if canImport(Security)
    import Foundation
    import Security

    /// Keeps the key of the records in the Keychain of this device alone, readable after the first unlock, so that
    /// background work can open them.
    public final class KeychainSecrets: SecretStore {
        private let account: String
        private let accessGroup: String?

        /// - Parameters:
        ///   - account: Names the records; one key is kept under it.
        ///   - accessGroup: The Keychain group that an app shares with its extensions.
        public init(account: String, accessGroup: String? = nil) {
            self.account = account
            self.accessGroup = accessGroup
        }

        private var item: [CFString: Any] {
            var item: [CFString: Any] = [
                kSecClass: kSecClassGenericPassword,
                kSecAttrService: "outrider",
                kSecAttrAccount: account,
                kSecUseDataProtectionKeychain: true,
            ]
            item[kSecAttrAccessGroup] = accessGroup
            return item
        }

        /// The key, if there is one.
        public func load() throws -> Data? {
            var found: CFTypeRef?
            let wanted = item.merging([kSecReturnData: true]) { $1 }
            switch SecItemCopyMatching(wanted as CFDictionary, &found) {
            case errSecSuccess: return found as? Data
            case errSecItemNotFound: return nil
            case let status: throw failure(status)
            }
        }

        /// Keeps a key; what was there stays.
        public func keep(secret: Data) throws -> Data {
            let added = item.merging([
                kSecValueData: secret,
                kSecAttrAccessible: kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly,
            ]) { $1 }
            switch SecItemAdd(added as CFDictionary, nil) {
            case errSecSuccess, errSecDuplicateItem: break
            case let status: throw failure(status)
            }
            guard let kept = try load() else {
                throw PlatformError.Failed(reason: "the Keychain kept no key")
            }
            return kept
        }

        /// Destroys the key; tells whether there was one.
        public func erase() throws -> Bool {
            switch SecItemDelete(item as CFDictionary) {
            case errSecSuccess: return true
            case errSecItemNotFound: return false
            case let status: throw failure(status)
            }
        }

        private func failure(_ status: OSStatus) -> PlatformError {
            let reason = SecCopyErrorMessageString(status, nil) as String? ?? "Keychain error \(status)"
            return status == errSecInteractionNotAllowed ? .Locked(reason: reason) : .Failed(reason: reason)
        }
    }
#endif

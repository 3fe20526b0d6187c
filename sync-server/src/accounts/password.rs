//! Argon2id with the parameters that its authors' successors recommend: 19 MiB, two passes.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};

use super::AccountError;

/// Bytes of a password, at most: longer ones would cost time before they are refused.
pub const PASSWORD_BYTES_MAX: usize = 1_024;

/// Random bytes that make equal passwords different hashes.
pub type Salt = [u8; 16];

/// A hash of a password that nobody has, checked against where a login is not known.
const NOBODYS_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                            AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes a password; PHC text.
///
/// # Errors
///
/// [`AccountError::Invalid`] for one that is empty or too long.
pub fn hash_password(password: &str, salt: &Salt) -> Result<String, AccountError> {
    if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
        return Err(AccountError::Invalid("a password has 1 to 1024 bytes"));
    }
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), salt);
    hash.map(|hash: PasswordHash| hash.to_string()).map_err(|_| AccountError::Hash)
}

/// Whether it is the password with this hash; without one it takes as long to say no.
pub(super) fn is_password(password: &str, hash: Option<&str>) -> bool {
    if password.len() > PASSWORD_BYTES_MAX {
        return false;
    }
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(NOBODYS_HASH)) else { return false };
    let fits = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
    fits && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_own_hash_alone() {
        let hash = hash_password("马到成功 42", &[1; 16]).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(is_password("马到成功 42", Some(&hash)));
        assert!(!is_password("马到成功 43", Some(&hash)));
        assert!(!is_password("", Some(&hash)));
        assert_ne!(hash, hash_password("马到成功 42", &[2; 16]).unwrap());
        assert!(!is_password("x", Some("no hash")));
    }

    #[test]
    fn an_unknown_login_costs_a_hash_of_the_same_strength() {
        assert!(PasswordHash::new(NOBODYS_HASH).is_ok());
        let own = hash_password("x", &[1; 16]).unwrap();
        let strength = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(strength(NOBODYS_HASH), strength(&own));
        assert!(!is_password("anything", None));
    }

    #[test]
    fn a_password_has_a_limit() {
        assert!(hash_password("", &[0; 16]).is_err());
        assert!(hash_password(&"x".repeat(PASSWORD_BYTES_MAX), &[0; 16]).is_ok());
        assert!(hash_password(&"x".repeat(PASSWORD_BYTES_MAX + 1), &[0; 16]).is_err());
        assert!(!is_password(&"x".repeat(PASSWORD_BYTES_MAX + 1), None));
    }
}

//! Who is signed in, and in which language they read.
//!
//! The cookie holds the session's token and nothing else. What a form must bring along (`csrf`)
//! is made from the token, so it fits this session alone.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
};
use outrider_core::{
    access::{Grant, Level, Operation, PartKind},
    ids::{RecordId, from_hex, to_hex},
    schema::Language,
};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::failure::Failure;
use crate::{
    access::Eyes,
    accounts::{
        AccountError, Live, SESSION_AGE_MS_MAX, Seen, TOKEN_BYTES, Token, find_session, hash_token,
    },
    audit::reading::{Asker, Who},
    config::Config,
    state::AppState,
    storage::accounts::{Account, Role, SeenAs},
};

/// Name of the cookie with the session's token.
pub(super) const SESSION_COOKIE: &str = "outrider_session";
/// What the name of that cookie begins with where people come by TLS alone: browsers then take it
/// from this very host alone, so no other site of the same domain can put one there.
const SECURE_PREFIX: &str = "__Host-";
/// Name of the cookie with the language that was chosen before signing in.
const LANGUAGE_COOKIE: &str = "outrider_language";
/// How long the language is remembered: a year.
const LANGUAGE_AGE_S: i64 = 365 * 24 * 60 * 60;

/// Someone who is signed in.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct Session {
    /// The account.
    pub account: Uuid,
    /// What was typed to sign in.
    pub login: String,
    /// The name under which edits are written.
    pub user: String,
    /// The user's record, once there is one.
    pub user_record: Option<RecordId>,
    /// What they may do; while they look as somebody else, what that person may.
    pub role: Role,
    /// As whom they look at the office, if not as themselves. Nothing can be written then.
    pub seen_as: Option<Seen>,
    /// SHA-256 of the session's token.
    pub token_hash: [u8; 32],
    /// What they may do, or the person as whom they look.
    pub grant: Grant,
    /// What they read.
    pub language: Language,
    /// What every form of theirs carries.
    pub csrf: String,
}

/// Whose eyes a page is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'s> {
    /// The name.
    pub user: &'s str,
    /// The user's record, once there is one.
    pub user_record: Option<RecordId>,
    /// What they may do.
    pub role: Role,
}

impl Session {
    /// For whose eyes pages are made: the one place that says it. What is visible follows from it;
    /// who is responsible is the account, always.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        match &self.seen_as {
            Some(seen) => {
                let Seen { user, user_record, role, target: _ } = seen;
                Subject { user, user_record: *user_record, role: *role }
            }
            None => Subject { user: &self.user, user_record: self.user_record, role: self.role },
        }
    }

    /// With whose eyes records are read.
    pub(crate) fn eyes(&self) -> Eyes {
        eyes_of(self.subject())
    }

    /// Whether they may do something with records of an entity, whosever they are.
    pub(super) fn may(&self, operation: Operation, entity: &str) -> bool {
        self.grant.level(entity, operation, PartKind::Main) > Level::None
    }

    /// Whether they see what somebody else brought.
    pub(super) fn sees_all_of(&self, user: &str) -> bool {
        let Subject { user: own, role, .. } = self.subject();
        role == Role::Administrator || own == user
    }

    /// Who the audit says it is.
    pub(crate) fn who(&self) -> Who {
        Who { device: None, account: Some(self.account), subject: self.seen_id() }
    }
}

fn eyes_of(Subject { user, user_record, role }: Subject<'_>) -> Eyes {
    match role {
        Role::Administrator => Eyes::All,
        Role::Office => Eyes::of_user(user, user_record),
    }
}

fn subject_of(live: &Live) -> Subject<'_> {
    let Live { account, seen_as } = live;
    match seen_as {
        Some(Seen { user, user_record, role, target: _ }) => {
            Subject { user, user_record: *user_record, role: *role }
        }
        None => {
            Subject { user: &account.user, user_record: account.user_record, role: account.role }
        }
    }
}

impl Session {
    /// The account or user's record as which they look.
    pub(crate) fn seen_id(&self) -> Option<Uuid> {
        self.seen_as.as_ref().map(|seen| match seen.target {
            SeenAs::Account(id) => id,
            SeenAs::User(id) => id.0,
        })
    }
}

impl FromRequestParts<AppState> for Session {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Failure> {
        let next = if parts.method == Method::GET {
            parts.uri.path_and_query().map_or("/", |path| path.as_str())
        } else {
            parts.uri.path()
        };
        let session = find(&parts.headers, state).await?;
        if let Some(session) = &session {
            Asker::tell(parts, session.who());
        }
        session.ok_or_else(|| Failure::SignIn { next: next.to_owned(), fields: Vec::new() })
    }
}

/// The session of a request's cookie, if there is one that lives.
pub(super) async fn find(
    headers: &HeaderMap,
    state: &AppState,
) -> Result<Option<Session>, Failure> {
    let Some(token) = token_of(headers, &state.config) else { return Ok(None) };
    let now_ms = state.now_ms();
    let policies = std::sync::Arc::clone(&state.policies);
    let found = state.run(move |storage| {
        let Some(live) = find_session(storage, &token, now_ms)? else { return Ok(None) };
        let grant = policies.seen(storage, &eyes_of(subject_of(&live)), now_ms)?.grant().clone();
        Ok::<_, AccountError>(Some((live, grant)))
    });
    Ok(found.await?.map(|(Live { account, seen_as }, grant)| {
        let Account { id, login, user, user_record, role, language, .. } = account;
        Session {
            account: id,
            login,
            user,
            user_record,
            role: seen_as.as_ref().map_or(role, |seen| seen.role),
            seen_as,
            grant,
            token_hash: hash_token(&token),
            language: language.unwrap_or_else(|| language_of(headers)),
            csrf: csrf_of(&token),
        }
    }))
}

/// What forms of the session with this token carry.
fn csrf_of(token: &Token) -> String {
    let mut hash = Sha256::new();
    hash.update(b"outrider csrf");
    hash.update(token);
    to_hex(&<[u8; 32]>::from(hash.finalize()))
}

/// The token in the request's cookie.
pub(super) fn token_of(headers: &HeaderMap, config: &Config) -> Option<Token> {
    from_hex::<TOKEN_BYTES>(&cookie(headers, &session_name(config))?)
}

/// Name of the cookie with the session's token.
fn session_name(config: &Config) -> String {
    let prefix = if config.is_https() { SECURE_PREFIX } else { "" };
    format!("{prefix}{SESSION_COOKIE}")
}

pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let fields = headers.get_all(header::COOKIE).iter().filter_map(|field| field.to_str().ok());
    let mut pairs =
        fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(found, _)| found.trim() == name).map(|(_, value)| value.trim().to_owned())
}

/// The language that was chosen in this browser, else what it asks for, else English.
pub(super) fn language_of(headers: &HeaderMap) -> Language {
    match cookie(headers, LANGUAGE_COOKIE).as_deref() {
        Some("en") => return Language::En,
        Some("zh") => return Language::Zh,
        Some(_) | None => {}
    }
    let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let weight = |item: &str| {
        let quality = item.split(";q=").nth(1).and_then(|q| q.trim().parse::<f32>().ok());
        quality.unwrap_or(1.0)
    };
    let best = |prefix: &str| {
        let items = asked.unwrap_or_default().split(',').map(str::trim);
        let items = items.filter(|item| item.to_ascii_lowercase().starts_with(prefix));
        items.map(weight).fold(0.0, f32::max)
    };
    if best("zh") > best("en") { Language::Zh } else { Language::En }
}

/// The value of a header that gives the browser its token; `None` takes it away.
pub(super) fn session_cookie(token: Option<&Token>, config: &Config) -> HeaderValue {
    let (value, age_s) = match token {
        Some(token) => (to_hex(token), SESSION_AGE_MS_MAX / 1_000),
        None => (String::new(), 0),
    };
    cookie_header(&session_name(config), &value, age_s, config)
}

/// The value of a header that makes the browser remember a language.
pub(super) fn language_cookie(language: Language, config: &Config) -> HeaderValue {
    let value = match language {
        Language::En => "en",
        Language::Zh => "zh",
    };
    cookie_header(LANGUAGE_COOKIE, value, LANGUAGE_AGE_S, config)
}

fn cookie_header(name: &str, value: &str, age_s: i64, config: &Config) -> HeaderValue {
    let secure = if config.is_https() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age_s}{secure}");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

impl From<AccountError> for crate::error::AppError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Storage(error) => Self::Storage(error),
            AccountError::Wrong
            | AccountError::Unknown(_)
            | AccountError::Invalid(_)
            | AccountError::Taken
            | AccountError::LastAdministrator
            | AccountError::WrongCode
            | AccountError::Sealed => Self::bad_request("account", error.to_string()),
            AccountError::Hash => Self::Internal("a password could not be hashed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_language_is_chosen_or_asked_for() {
        let asked = |value| language_of(&headers(&[(header::ACCEPT_LANGUAGE, value)]));
        assert_eq!(asked("zh-CN,zh;q=0.9,en;q=0.8"), Language::Zh);
        assert_eq!(asked("en-GB,en;q=0.9,zh;q=0.8"), Language::En);
        assert_eq!(asked("de, zh;q=0.5, en;q=0.4"), Language::Zh);
        assert_eq!(asked("fr"), Language::En);
        assert_eq!(asked("en;q=bad, zh;q="), Language::En);
        let both = headers(&[
            (header::ACCEPT_LANGUAGE, "zh-CN"),
            (header::COOKIE, "a=b; outrider_language=en"),
        ]);
        assert_eq!(language_of(&both), Language::En);
        assert_eq!(language_of(&HeaderMap::new()), Language::En);
    }

    #[test]
    fn a_token_is_found_among_cookies_or_not_at_all() {
        let token = "ab".repeat(32);
        let text = format!("x=1; {SESSION_COOKIE}={token};y=2");
        let mut fields = HeaderMap::new();
        fields.insert(header::COOKIE, text.parse().unwrap());
        let plain = Config::from_flags([]).unwrap();
        let secure = Config::from_flags(["--secure-cookies"]).unwrap();
        assert_eq!(token_of(&fields, &plain), Some([0xab; 32]));
        assert_eq!(token_of(&fields, &secure), None, "any site of the domain could have put it");
        let text = format!("x=1; __Host-{SESSION_COOKIE}={token};y=2");
        fields.insert(header::COOKIE, text.parse().unwrap());
        assert_eq!(token_of(&fields, &secure), Some([0xab; 32]));
        let short = headers(&[(header::COOKIE, "outrider_session=ab")]);
        assert_eq!(token_of(&short, &plain), None);
        assert_ne!(csrf_of(&[1; 32]), csrf_of(&[2; 32]));
    }

    #[test]
    fn cookies_are_for_tls_alone_where_people_come_by_tls() {
        let of = |flags: &[&str]| {
            let config = Config::from_flags(flags.iter().copied()).unwrap();
            session_cookie(Some(&[1; 32]), &config).to_str().unwrap().to_owned()
        };
        assert!(!of(&[]).contains("Secure"));
        let plain = of(&["--public-url", "http://crm.example.com"]);
        assert!(plain.contains("HttpOnly; SameSite=Lax") && !plain.contains("Secure"), "{plain}");
        for flags in [&["--public-url", "https://crm.example.com"][..], &["--secure-cookies"]] {
            let cookie = of(flags);
            assert!(cookie.starts_with("__Host-outrider_session=01"), "{cookie}");
            assert!(cookie.contains("; Path=/; ") && cookie.ends_with("; Secure"), "{cookie}");
            assert!(!cookie.contains("Domain"), "{cookie}");
        }
    }
}

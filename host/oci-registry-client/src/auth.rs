//! Credentials, and the authorization of requests by them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use serde::Deserialize;

use crate::challenge::Challenge;

/// What a request does with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Reads.
    Pull,
    /// Writes, and reads what is there already.
    Push,
}

/// What a request needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// The repository.
    pub repository: String,
    /// What happens to it.
    pub action: Action,
    /// A second repository that blobs are mounted from.
    pub from: Option<String>,
}

impl Access {
    /// Reading a repository.
    pub fn pull(repository: &str) -> Self {
        Access { repository: repository.to_owned(), action: Action::Pull, from: None }
    }

    /// Writing a repository.
    pub fn push(repository: &str) -> Self {
        Access { repository: repository.to_owned(), action: Action::Push, from: None }
    }

    /// Scopes of a token (distribution, "Token Scope Documentation").
    fn scopes(&self) -> Vec<String> {
        let actions = match self.action {
            Action::Pull => "pull",
            Action::Push => "pull,push",
        };
        let own = format!("repository:{}:{actions}", self.repository);
        let from = self.from.as_ref().map(|from| format!("repository:{from}:pull"));
        std::iter::once(own).chain(from).collect()
    }
}

/// What proves who asks. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A user and a password or access token.
    Password(String, String),
    /// An identity token of a token service, as `docker login` keeps it.
    Identity(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Secret::Password(..) => "Password(..)",
            Secret::Identity(_) => "Identity(..)",
        })
    }
}

/// Whom the registry sees. Without a secret requests are anonymous.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// For reading.
    pub pull: Option<Secret>,
    /// For writing, and for reading what is written.
    pub push: Option<Secret>,
}

impl Credentials {
    /// The same for everything.
    pub fn both(secret: Secret) -> Self {
        Credentials { pull: Some(secret.clone()), push: Some(secret) }
    }

    fn of(&self, action: Action) -> Option<&Secret> {
        match action {
            Action::Pull => self.pull.as_ref(),
            Action::Push => self.push.as_ref(),
        }
    }
}

/// A token with the time until which it is used.
struct Token {
    value: HeaderValue,
    until: Instant,
}

/// Tokens are not used in their last seconds: a request must arrive while they hold.
const SKEW: Duration = Duration::from_secs(10);
/// Life of a token whose service does not tell (distribution, "Token Authentication Specification").
const DEFAULT_LIFE: Duration = Duration::from_secs(60);
/// Keeps the map of tokens small, whatever is asked for.
const MAX_TOKENS: usize = 256;

/// Knows how the registry wants to be asked, and the tokens that it gave.
pub(crate) struct Authenticator {
    credentials: Credentials,
    challenge: Mutex<Option<Challenge>>,
    tokens: Mutex<HashMap<Access, Token>>,
}

/// How to get a token: the request is the client's to send.
#[derive(Debug)]
pub(crate) struct TokenRequest {
    pub(crate) realm: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) authorization: Option<HeaderValue>,
    /// Body of a POST, where an identity token is exchanged (OAuth 2).
    pub(crate) form: Option<Vec<(&'static str, String)>>,
}

/// What is to be done before a request is sent.
pub(crate) enum Authorization {
    /// Nothing, or nothing known yet.
    None,
    /// This header.
    Header(HeaderValue),
    /// A token must be asked for.
    Ask(TokenRequest),
}

/// Answer of a token service.
#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Authenticator {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Authenticator { credentials, challenge: Mutex::default(), tokens: Mutex::default() }
    }

    /// Remembers what the registry asked for. False when it was asked and answered before: asking again would not help.
    pub(crate) fn learn(&self, challenge: Challenge, access: &Access, sent: bool) -> bool {
        let mut known = lock(&self.challenge);
        let is_new = known.as_ref() != Some(&challenge);
        let is_bearer = matches!(challenge, Challenge::Bearer { .. });
        let can_answer = is_bearer || self.credentials.of(access.action).is_some();
        *known = Some(challenge);
        // A token may have been revoked; a password does not become right.
        let was_token = lock(&self.tokens).remove(access).is_some();
        can_answer && (is_new || !sent || (is_bearer && was_token))
    }

    /// Whether there is anything to say who asks.
    pub(crate) fn has_secret(&self, action: Action) -> bool {
        self.credentials.of(action).is_some()
    }

    pub(crate) fn authorization(&self, access: &Access, now: Instant) -> Authorization {
        let secret = self.credentials.of(access.action);
        match lock(&self.challenge).as_ref() {
            None => Authorization::None,
            Some(Challenge::Basic) => match secret.and_then(basic) {
                Some(header) => Authorization::Header(header),
                None => Authorization::None,
            },
            Some(Challenge::Bearer { realm, service }) => {
                if let Some(token) = lock(&self.tokens).get(access)
                    && token.until > now
                {
                    return Authorization::Header(token.value.clone());
                }
                Authorization::Ask(token_request(realm, service.as_deref(), access, secret))
            }
        }
    }

    /// Keeps a token, and returns the header that it makes. The rest of a sentence when the answer holds none.
    pub(crate) fn keep(
        &self,
        access: &Access,
        answer: &[u8],
        now: Instant,
    ) -> Result<HeaderValue, &'static str> {
        let answer: Answer = serde_json::from_slice(answer)
            .map_err(|_| "the token service answered with something else than a token")?;
        let token =
            answer.token.or(answer.access_token).ok_or("the token service answered without a token")?;
        let life = answer.expires_in.map_or(DEFAULT_LIFE, Duration::from_secs);
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| "the token service answered with a token that fits into no header")?;
        value.set_sensitive(true);
        // Short-lived ones are used for half of their life.
        let usable = life.checked_sub(SKEW).filter(|usable| *usable > life / 2).unwrap_or(life / 2);
        let mut tokens = lock(&self.tokens);
        if tokens.len() >= MAX_TOKENS {
            tokens.retain(|_, token| token.until > now);
        }
        if tokens.len() >= MAX_TOKENS {
            tokens.clear();
        }
        tokens.insert(access.clone(), Token { value: value.clone(), until: now + usable });
        Ok(value)
    }
}

fn token_request(
    realm: &str,
    service: Option<&str>,
    access: &Access,
    secret: Option<&Secret>,
) -> TokenRequest {
    let realm = realm.to_owned();
    match secret {
        Some(Secret::Identity(identity)) => {
            let mut form = vec![
                ("grant_type", "refresh_token".to_owned()),
                ("refresh_token", identity.clone()),
                ("client_id", "orascache".to_owned()),
                ("scope", access.scopes().join(" ")),
            ];
            form.extend(service.map(|service| ("service", service.to_owned())));
            TokenRequest { realm, query: Vec::new(), authorization: None, form: Some(form) }
        }
        _ => {
            let service = service.map(|service| ("service", service.to_owned()));
            let scopes = access.scopes().into_iter().map(|scope| ("scope", scope));
            let query = service.into_iter().chain(scopes).collect();
            TokenRequest { realm, query, authorization: secret.and_then(basic), form: None }
        }
    }
}

fn basic(secret: &Secret) -> Option<HeaderValue> {
    let Secret::Password(user, password) = secret else { return None };
    let mut value =
        HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Nothing panics while these are held.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer() -> Challenge {
        Challenge::Bearer { realm: "https://auth/token".to_owned(), service: Some("r".to_owned()) }
    }

    fn user() -> Secret {
        Secret::Password("user".to_owned(), "hunter2".to_owned())
    }

    #[test]
    fn passwords_are_not_shown() {
        let credentials = Credentials::both(user());
        assert!(!format!("{credentials:?}").contains("hunter2"));
        assert!(!format!("{:?}", basic(&user())).contains("dXNlcj"));
    }

    #[test]
    fn each_action_has_its_own_secret() {
        let credentials = Credentials { pull: None, push: Some(user()) };
        let authenticator = Authenticator::new(credentials);
        assert!(authenticator.learn(Challenge::Basic, &Access::push("a"), false));
        let now = Instant::now();
        // RFC 7617's encoding of user:hunter2.
        let Authorization::Header(header) = authenticator.authorization(&Access::push("a"), now) else {
            panic!()
        };
        assert_eq!(header, "Basic dXNlcjpodW50ZXIy");
        assert!(matches!(authenticator.authorization(&Access::pull("a"), now), Authorization::None));
        assert!(!authenticator.learn(Challenge::Basic, &Access::push("a"), true), "asked and answered");
    }

    #[test]
    fn tokens_are_kept_until_shortly_before_their_end() {
        let authenticator = Authenticator::new(Credentials::both(user()));
        let access = Access { from: Some("b/c".to_owned()), ..Access::push("a") };
        authenticator.learn(bearer(), &access, false);
        let now = Instant::now();
        let Authorization::Ask(request) = authenticator.authorization(&access, now) else { panic!() };
        assert_eq!(
            request.query,
            [("service", "r"), ("scope", "repository:a:pull,push"), ("scope", "repository:b/c:pull")]
                .map(|(name, value)| (name, value.to_owned()))
        );
        assert!(request.authorization.is_some());
        authenticator.keep(&access, br#"{"token":"t","expires_in":300}"#, now).unwrap();
        let at = |seconds| authenticator.authorization(&access, now + Duration::from_secs(seconds));
        assert!(matches!(at(289), Authorization::Header(header) if header == "Bearer t"));
        assert!(matches!(at(291), Authorization::Ask(_)));
        // Refused although it holds: another one is asked for, once.
        assert!(authenticator.learn(bearer(), &access, true));
        assert!(!authenticator.learn(bearer(), &access, true));
    }

    #[test]
    fn identity_tokens_are_exchanged() {
        let authenticator = Authenticator::new(Credentials::both(Secret::Identity("secret".to_owned())));
        authenticator.learn(bearer(), &Access::pull("a"), false);
        let Authorization::Ask(request) = authenticator.authorization(&Access::pull("a"), Instant::now())
        else {
            panic!()
        };
        assert!(request.query.is_empty() && request.authorization.is_none());
        assert!(request.form.unwrap().contains(&("refresh_token", "secret".to_owned())));
    }

    #[test]
    fn answers_without_a_token_are_errors() {
        let authenticator = Authenticator::new(Credentials::default());
        let keep = |answer: &[u8]| authenticator.keep(&Access::pull("a"), answer, Instant::now());
        assert!(keep(b"{}").is_err() && keep(b"<html>").is_err() && keep(br#"{"token":"a\nb"}"#).is_err());
        assert!(keep(br#"{"access_token":"t"}"#).is_ok());
    }
}

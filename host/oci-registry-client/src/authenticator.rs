//! Remembers how the registry wants requests to be authenticated, and the tokens that were issued.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::HeaderValue;

use crate::access::{Access, Action};
use crate::challenge::Challenge;
use crate::credentials::{Credentials, Secret};
use crate::token::{TokenRequest, read_token};

/// A token, and the time until which it is used.
struct Token {
    value: HeaderValue,
    until: Instant,
}

/// A token is not used in its last seconds, so that it is still valid when the request arrives.
const SKEW: Duration = Duration::from_secs(10);
/// Largest number of tokens that are kept.
const MAX_TOKENS: usize = 256;

/// Reads credentials again. `None` where they cannot be read now.
pub(crate) type Reread = Box<dyn Fn() -> Option<Credentials> + Send + Sync>;

/// The state of authentication with one registry.
pub(crate) struct Authenticator {
    credentials: Mutex<Credentials>,
    /// Where the credentials are read again before each use.
    reread: Option<Reread>,
    challenge: Mutex<Option<Challenge>>,
    tokens: Mutex<HashMap<Access, Token>>,
}

/// What has to be done before a request is sent.
pub(crate) enum Authorization {
    /// Nothing.
    None,
    /// The request carries this header.
    Header(HeaderValue),
    /// A token must be requested first.
    Request(TokenRequest),
}

impl Authenticator {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Authenticator {
            credentials: Mutex::new(credentials),
            reread: None,
            challenge: Mutex::default(),
            tokens: Mutex::default(),
        }
    }

    /// The same, with credentials that are read again before each use. Those that were read last
    /// stay where they cannot be read.
    pub(crate) fn rereading(self, reread: Reread) -> Self {
        Authenticator { reread: Some(reread), ..self }
    }

    /// The secret for an action, as it is now. Tokens that were issued for another one are
    /// forgotten.
    fn secret(&self, action: Action) -> Option<Secret> {
        let read = self.reread.as_ref().and_then(|reread| reread());
        let mut credentials = lock(&self.credentials);
        if let Some(read) = read.filter(|read| *read != *credentials) {
            *credentials = read;
            lock(&self.tokens).clear();
        }
        credentials.of(action).cloned()
    }

    /// Remembers one of the challenges of a 401. `was_sent` says whether the refused request
    /// carried an authorization.
    ///
    /// Returns whether the same request can succeed now. It cannot when the challenge was known and
    /// answered before.
    pub(crate) fn learn(&self, challenges: Vec<Challenge>, access: &Access, was_sent: bool) -> bool {
        let Some(challenge) = self.choose(challenges, access) else { return false };
        let mut known = lock(&self.challenge);
        let is_new = known.as_ref() != Some(&challenge);
        let is_bearer = matches!(challenge, Challenge::Bearer { .. });
        let can_answer = is_bearer || self.has_secret(access.action);
        *known = Some(challenge);
        // A token may have been revoked, so that another one helps. A wrong password stays wrong.
        let was_token = lock(&self.tokens).remove(access).is_some();
        can_answer && (is_new || !was_sent || (is_bearer && was_token))
    }

    /// A token can be had with a password, with an identity token and anonymously, so that Bearer
    /// is preferred.
    fn choose(&self, challenges: Vec<Challenge>, access: &Access) -> Option<Challenge> {
        let has_password = matches!(lock(&self.credentials).of(access.action), Some(Secret::Password(..)));
        let rank = |challenge: &Challenge| match challenge {
            Challenge::Bearer { .. } => 0,
            Challenge::Basic if has_password => 1,
            Challenge::Basic => 2,
        };
        challenges.into_iter().min_by_key(rank)
    }

    /// Whether there are credentials for an action.
    pub(crate) fn has_secret(&self, action: Action) -> bool {
        lock(&self.credentials).of(action).is_some()
    }

    /// Whether the registry has asked for authentication so far.
    pub(crate) fn is_challenged(&self) -> bool {
        lock(&self.challenge).is_some()
    }

    pub(crate) fn authorization(&self, access: &Access, now: Instant) -> Authorization {
        let secret = self.secret(access.action);
        match lock(&self.challenge).as_ref() {
            None => Authorization::None,
            Some(Challenge::Basic) => match secret.as_ref().and_then(Secret::basic) {
                Some(header) => Authorization::Header(header),
                None => Authorization::None,
            },
            Some(Challenge::Bearer { realm, service }) => {
                if let Some(token) = lock(&self.tokens).get(access)
                    && token.until > now
                {
                    return Authorization::Header(token.value.clone());
                }
                Authorization::Request(TokenRequest::new(realm, service.as_deref(), access, secret.as_ref()))
            }
        }
    }

    /// Whether the password is another one than the one in a header that the registry refused.
    pub(crate) fn has_other_password(&self, access: &Access, refused: Option<&HeaderValue>) -> bool {
        let is_basic = matches!(*lock(&self.challenge), Some(Challenge::Basic));
        let header = self.secret(access.action).as_ref().and_then(Secret::basic).filter(|_| is_basic);
        refused.is_some() && header.is_some() && header.as_ref() != refused
    }

    /// Keeps the token in the answer of a token service. Returns the header with it.
    ///
    /// # Errors
    /// The rest of a sentence, when the answer holds no usable token.
    pub(crate) fn keep(
        &self,
        access: &Access,
        answer: &[u8],
        now: Instant,
    ) -> Result<HeaderValue, &'static str> {
        let (token, life) = read_token(answer)?;
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| "the token service answered with a token that fits into no header")?;
        value.set_sensitive(true);
        // Tokens with a short life are used for half of it.
        let usable = life.checked_sub(SKEW).filter(|usable| *usable > life / 2).unwrap_or(life / 2);
        let until = now.checked_add(usable).unwrap_or(now);
        let mut tokens = lock(&self.tokens);
        if tokens.len() >= MAX_TOKENS {
            tokens.retain(|_, token| token.until > now);
        }
        if tokens.len() >= MAX_TOKENS {
            tokens.clear();
        }
        tokens.insert(access.clone(), Token { value: value.clone(), until });
        Ok(value)
    }
}

/// The code that holds these locks does not panic, so that a poisoned lock cannot be in a wrong
/// state.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn each_action_has_its_own_secret() {
        let credentials = Credentials { pull: None, push: Some(user()) };
        let authenticator = Authenticator::new(credentials);
        assert!(authenticator.learn(vec![Challenge::Basic], &Access::push("a"), false));
        let now = Instant::now();
        let Authorization::Header(header) = authenticator.authorization(&Access::push("a"), now) else {
            panic!()
        };
        assert_eq!(header, "Basic dXNlcjpodW50ZXIy");
        assert!(matches!(authenticator.authorization(&Access::pull("a"), now), Authorization::None));
        let is_answerable = authenticator.learn(vec![Challenge::Basic], &Access::push("a"), true);
        assert!(!is_answerable, "the password was sent already");
    }

    #[test]
    fn a_challenge_that_can_be_answered_is_chosen() {
        for challenges in [vec![Challenge::Basic, bearer()], vec![bearer(), Challenge::Basic]] {
            let anonymous = Authenticator::new(Credentials::default());
            assert!(anonymous.learn(challenges, &Access::pull("a"), false));
            let authorization = anonymous.authorization(&Access::pull("a"), Instant::now());
            assert!(matches!(authorization, Authorization::Request(_)));
        }
        let anonymous = Authenticator::new(Credentials::default());
        assert!(!anonymous.learn(vec![Challenge::Basic], &Access::pull("a"), false));
        assert!(!anonymous.learn(Vec::new(), &Access::pull("a"), false));
    }

    #[test]
    fn tokens_are_kept_until_shortly_before_their_end() {
        let authenticator = Authenticator::new(Credentials::both(user()));
        let access = Access { from: Some("b/c".to_owned()), ..Access::push("a") };
        authenticator.learn(vec![bearer()], &access, false);
        let now = Instant::now();
        let Authorization::Request(request) = authenticator.authorization(&access, now) else { panic!() };
        assert_eq!(
            request.query,
            [("service", "r"), ("scope", "repository:a:pull,push"), ("scope", "repository:b/c:pull")]
                .map(|(name, value)| (name, value.to_owned()))
        );
        assert!(request.authorization.is_some());
        authenticator.keep(&access, br#"{"token":"t","expires_in":300}"#, now).unwrap();
        let at = |seconds| authenticator.authorization(&access, now + Duration::from_secs(seconds));
        assert!(matches!(at(289), Authorization::Header(header) if header == "Bearer t"));
        assert!(matches!(at(291), Authorization::Request(_)));
        // A refused token is replaced once.
        assert!(authenticator.learn(vec![bearer()], &access, true));
        assert!(!authenticator.learn(vec![bearer()], &access, true));
    }

    #[test]
    fn credentials_that_changed_are_used_and_tokens_of_the_former_ones_are_not() {
        let read = std::sync::Arc::new(Mutex::new(Some(Credentials::both(user()))));
        let source = read.clone();
        let authenticator =
            Authenticator::new(Credentials::both(user())).rereading(Box::new(move || lock(&source).clone()));
        let (access, now) = (Access::push("a"), Instant::now());
        authenticator.learn(vec![Challenge::Basic], &access, false);
        let header = || match authenticator.authorization(&access, now) {
            Authorization::Header(header) => header,
            _ => panic!("a header"),
        };
        let first = header();
        assert!(!authenticator.has_other_password(&access, Some(&first)));
        *lock(&read) = Some(Credentials::both(Secret::Password("user-2".to_owned(), "x".to_owned())));
        assert!(authenticator.has_other_password(&access, Some(&first)), "the former one was refused");
        let second = header();
        assert_ne!(first, second);
        // What cannot be read now stays as it was.
        *lock(&read) = None;
        assert_eq!(header(), second);

        authenticator.learn(vec![bearer()], &access, false);
        authenticator.keep(&access, br#"{"token":"t","expires_in":300}"#, now).unwrap();
        assert!(matches!(authenticator.authorization(&access, now), Authorization::Header(_)));
        *lock(&read) = Some(Credentials::both(user()));
        assert!(matches!(authenticator.authorization(&access, now), Authorization::Request(_)));
    }

    #[test]
    fn a_token_that_fits_into_no_header_is_an_error() {
        let authenticator = Authenticator::new(Credentials::default());
        let keep = |answer: &[u8]| authenticator.keep(&Access::pull("a"), answer, Instant::now());
        assert!(keep(br#"{"token":"a\nb"}"#).is_err());
        assert!(keep(br#"{"access_token":"t","expires_in":1e300}"#).is_ok());
    }
}

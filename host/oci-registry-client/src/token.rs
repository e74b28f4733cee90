//! Tokens of a token service (distribution, "Token Authentication Specification").

use std::time::Duration;

use hyper::header::HeaderValue;
use serde::Deserialize;
use serde_json::Value;

use crate::access::Access;
use crate::credentials::Secret;

/// A request for a token. The client sends it.
#[derive(Debug)]
pub(crate) struct TokenRequest {
    /// Address of the token service, as the registry names it.
    pub(crate) realm: String,
    /// Parameters of the address.
    pub(crate) query: Vec<(&'static str, String)>,
    /// Credentials for the token service.
    pub(crate) authorization: Option<HeaderValue>,
    /// Body of a POST, where an identity token is exchanged (OAuth 2, RFC 6749, section 6).
    pub(crate) form: Option<Vec<(&'static str, String)>>,
}

impl TokenRequest {
    pub(crate) fn new(realm: &str, service: Option<&str>, access: &Access, secret: Option<&Secret>) -> Self {
        let realm = realm.to_owned();
        let service = service.map(|service| ("service", service.to_owned()));
        if let Some(Secret::Identity(identity)) = secret {
            let mut form = vec![
                ("grant_type", "refresh_token".to_owned()),
                ("refresh_token", identity.clone()),
                ("client_id", "orascache".to_owned()),
                ("scope", access.scopes().join(" ")),
            ];
            form.extend(service);
            return TokenRequest { realm, query: Vec::new(), authorization: None, form: Some(form) };
        }
        let scopes = access.scopes().into_iter().map(|scope| ("scope", scope));
        let query = service.into_iter().chain(scopes).collect();
        TokenRequest { realm, query, authorization: secret.and_then(Secret::basic), form: None }
    }

    /// Whether the request carries something secret.
    pub(crate) fn has_credentials(&self) -> bool {
        self.authorization.is_some() || self.form.is_some()
    }
}

/// Life of a token whose service does not say how long it lives.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);

/// The answer of a token service. Some services write numbers as text.
#[derive(Deserialize)]
struct TokenResponse {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<Value>,
}

/// Reads the answer of a token service: the token, and how long it lives.
///
/// # Errors
/// The rest of a sentence, when the answer holds no token.
pub(crate) fn read_token(answer: &[u8]) -> Result<(String, Duration), &'static str> {
    let answer: TokenResponse = serde_json::from_slice(answer)
        .map_err(|_| "the token service answered with something else than a token")?;
    let token = [answer.token, answer.access_token].into_iter().flatten().find(|token| !token.is_empty());
    let token = token.ok_or("the token service answered without a token")?;
    let life = match answer.expires_in {
        Some(Value::Number(seconds)) => seconds.as_f64(),
        Some(Value::String(seconds)) => seconds.trim().parse().ok(),
        _ => None,
    };
    // A negative life is one that has ended: the token serves for one request.
    let life = life.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default());
    Ok((token, life.unwrap_or(DEFAULT_LIFE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_read_as_numbers_text_and_fractions() {
        for (expires_in, seconds) in [
            ("300", 300.0),
            ("\"300\"", 300.0),
            ("300.5", 300.5),
            ("-1", 0.0),
            ("\"soon\"", 60.0),
            ("null", 60.0),
        ] {
            let answer = format!(r#"{{"token":"t","expires_in":{expires_in}}}"#);
            let (token, life) = read_token(answer.as_bytes()).unwrap();
            assert_eq!((token.as_str(), life.as_secs_f64()), ("t", seconds), "{expires_in}");
        }
    }

    #[test]
    fn an_empty_token_is_passed_over() {
        let (token, _) = read_token(br#"{"token":"","access_token":"t"}"#).unwrap();
        assert_eq!(token, "t");
        for answer in [&b"{}"[..], b"<html>", br#"{"token":"","access_token":null}"#] {
            assert!(read_token(answer).is_err());
        }
    }

    #[test]
    fn identity_tokens_are_exchanged_in_a_form() {
        let secret = Secret::Identity("secret".to_owned());
        let request = TokenRequest::new("https://auth/token", None, &Access::pull("a"), Some(&secret));
        assert!(request.query.is_empty() && request.authorization.is_none() && request.has_credentials());
        assert!(request.form.unwrap().contains(&("refresh_token", "secret".to_owned())));
    }
}

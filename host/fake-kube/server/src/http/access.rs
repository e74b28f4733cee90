//! Which requests are let in.
//!
//! The server listens on loopback, which any page in a browser of this machine can reach. Three
//! checks keep such pages and other users of the machine out: the `Host` must be loopback, so that
//! a name that an attacker resolves to 127.0.0.1 does not help (DNS rebinding); the request must
//! not come from a page; and it must carry the token.

use std::net::IpAddr;

use fake_kube_apimachinery::status::ApiError;
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::request::Parts;
use serde_json::Value;

use crate::token::Token;

/// Refuses a request that may not be answered.
///
/// # Errors
/// 403 when the host is not loopback or the request was sent by a page of another site; 401 when
/// there is a token and the request does not carry it.
pub fn check(parts: &Parts, token: Option<&Token>) -> Result<(), ApiError> {
    check_host(parts)?;
    check_site(parts)?;
    check_token(parts, token)
}

fn check_host(parts: &Parts) -> Result<(), ApiError> {
    let headers = parts.headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or_default());
    let hosts: Vec<&str> = headers.chain(parts.uri.authority().map(|authority| authority.as_str())).collect();
    if !hosts.is_empty() && hosts.iter().all(|host| is_loopback(host)) {
        return Ok(());
    }
    Err(forbidden(format!(
        "this API server answers only on loopback, but the request was for host {:?}: use the server address \
         of the kubeconfig",
        hosts.join(", ")
    )))
}

/// Whether `HOST` or `HOST:PORT` names this machine's loopback interface.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Browsers add `Origin` to requests of pages that can change something, and `Sec-Fetch-Site` to
/// all requests. Kubernetes clients send neither.
fn check_site(parts: &Parts) -> Result<(), ApiError> {
    let site = parts.headers.get("sec-fetch-site").map(|site| site.to_str().unwrap_or("unreadable"));
    let sent_by_page = site.is_some_and(|site| !matches!(site, "none" | "same-origin"));
    if parts.headers.contains_key(ORIGIN) || sent_by_page {
        return Err(forbidden(
            "this API server does not answer requests of web pages: use kubectl or a client library"
                .to_owned(),
        ));
    }
    Ok(())
}

fn check_token(parts: &Parts, token: Option<&Token>) -> Result<(), ApiError> {
    let Some(token) = token else { return Ok(()) };
    let given = parts.headers.get(AUTHORIZATION).map_or(&[][..], |value| value.as_bytes());
    // The scheme is case-insensitive (RFC 9110, section 11.1).
    let given = match given.split_at_checked(7) {
        Some((scheme, given)) if scheme.eq_ignore_ascii_case(b"bearer ") => given,
        _ => &[],
    };
    if token.matches(given) {
        return Ok(());
    }
    Err(ApiError {
        code: 401,
        reason: "Unauthorized".into(),
        message: "Unauthorized".to_owned(),
        details: Value::Null,
    })
}

fn forbidden(message: String) -> ApiError {
    ApiError { code: 403, reason: "Forbidden".into(), message, details: Value::Null }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::{check, is_loopback};
    use crate::token::Token;

    fn code(headers: &[(&str, &str)], token: Option<&Token>) -> u16 {
        let mut request = Request::get("/api");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check(&parts, token).map_or_else(|error| error.code, |()| 200)
    }

    #[test]
    fn only_loopback_hosts_are_answered() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:1", "127.8.0.1", "[::1]:443"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "example.com", "localhost.example.com", "127.0.0.1.example.com", "10.0.0.1", "[::2]"]
        {
            assert!(!is_loopback(host), "{host}");
            assert_eq!(code(&[("Host", host)], None), 403, "{host}");
        }
        assert_eq!(code(&[], None), 403);
        assert_eq!(code(&[("Host", "localhost"), ("Host", "example.com")], None), 403);
    }

    #[test]
    fn requests_of_web_pages_are_refused() {
        let with = |name: &str, value: &str| code(&[("Host", "localhost"), (name, value)], None);
        assert_eq!(with("Origin", "http://localhost"), 403);
        assert_eq!(with("Origin", "null"), 403);
        assert_eq!(with("Sec-Fetch-Site", "cross-site"), 403);
        assert_eq!(with("Sec-Fetch-Site", "same-site"), 403);
        assert_eq!(with("Sec-Fetch-Site", "none"), 200);
    }

    #[test]
    fn the_token_must_be_the_whole_token() {
        let token = Token::new("secret");
        let with = |value: &str| code(&[("Host", "localhost"), ("Authorization", value)], Some(&token));
        assert_eq!(with("Bearer secret"), 200);
        assert_eq!(with("bearer secret"), 200);
        for value in ["", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets", "Basic secret", "secret"] {
            assert_eq!(with(value), 401, "{value}");
        }
        assert_eq!(code(&[("Host", "localhost")], Some(&token)), 401);
        assert_eq!(code(&[("Host", "localhost")], None), 200);
    }
}

//! What a registry asks for: `WWW-Authenticate` (RFC 9110, 11.6.1; distribution, "Token
//! Authentication Specification").

use hyper::HeaderMap;
use hyper::header::WWW_AUTHENTICATE;

/// How requests are authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// User and password with every request.
    Basic,
    /// A token of a token service.
    Bearer {
        /// Address of the token service.
        realm: String,
        /// Name of the registry at the token service.
        service: Option<String>,
    },
}

impl Challenge {
    /// All challenges that this client knows how to answer, in the order of the headers. The scope
    /// of a challenge is ignored: the caller knows better what it needs.
    pub(crate) fn read_all(headers: &HeaderMap) -> Vec<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| parse(value).unwrap_or_default()).collect()
    }
}

fn parse(value: &str) -> Option<Vec<Challenge>> {
    let challenges = http_auth::parse_challenges(value).ok()?;
    let known = challenges.iter().filter_map(|challenge| {
        if challenge.scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        if !challenge.scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let parameter = |wanted: &str| {
            let mut found = challenge.params.iter();
            found.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.to_unescaped())
        };
        Some(Challenge::Bearer { realm: parameter("realm")?, service: parameter("service") })
    });
    Some(known.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Vec<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        Challenge::read_all(&headers)
    }

    #[test]
    fn both_schemes_are_known() {
        assert_eq!(read(&["Basic realm=\"x\""]), [Challenge::Basic]);
        let bearer = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a:pull,push""#;
        let wanted = Challenge::Bearer {
            realm: "https://auth.docker.io/token".to_owned(),
            service: Some("registry.docker.io".to_owned()),
        };
        assert_eq!(read(&[bearer]), std::slice::from_ref(&wanted));
        assert_eq!(read(&["Negotiate", bearer]), std::slice::from_ref(&wanted));
        assert_eq!(read(&["Basic realm=\"x\"", bearer]), [Challenge::Basic, wanted.clone()]);
        assert_eq!(read(&[&format!("Basic realm=\"x\", {bearer}")]), [Challenge::Basic, wanted]);
    }

    #[test]
    fn unknown_challenges_are_left_out() {
        for value in ["Negotiate", "Bearer service=\"x\"", "", "\"\""] {
            assert_eq!(read(&[value]), [], "{value}");
        }
    }
}

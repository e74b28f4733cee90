//! What a registry asks for: `WWW-Authenticate` (RFC 9110; distribution-spec's token authentication).

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
        /// Name of the registry there.
        service: Option<String>,
    },
}

impl Challenge {
    /// The first challenge that can be answered. The scope is not taken from it: what is needed is known better here.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).find_map(|value| {
            let challenges = http_auth::parse_challenges(value).ok()?;
            challenges.iter().find_map(|challenge| {
                if challenge.scheme.eq_ignore_ascii_case("basic") {
                    return Some(Challenge::Basic);
                }
                if !challenge.scheme.eq_ignore_ascii_case("bearer") {
                    return None;
                }
                let parameter = |wanted: &str| {
                    let mut found = challenge.params.iter();
                    found
                        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                        .map(|(_, value)| value.to_unescaped())
                };
                Some(Challenge::Bearer { realm: parameter("realm")?, service: parameter("service") })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        Challenge::read(&headers)
    }

    #[test]
    fn both_schemes_are_known() {
        assert_eq!(read(&["Basic realm=\"x\""]), Some(Challenge::Basic));
        let bearer = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a:pull,push""#;
        let wanted = Challenge::Bearer {
            realm: "https://auth.docker.io/token".to_owned(),
            service: Some("registry.docker.io".to_owned()),
        };
        assert_eq!(read(&[bearer]), Some(wanted.clone()));
        assert_eq!(read(&["Negotiate", bearer]), Some(wanted));
    }

    #[test]
    fn what_cannot_be_answered_is_none() {
        for value in ["Negotiate", "Bearer service=\"x\"", "", "\"\""] {
            assert_eq!(read(&[value]), None, "{value}");
        }
    }
}

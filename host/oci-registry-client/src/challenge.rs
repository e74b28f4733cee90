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
        values.flat_map(parse).collect()
    }
}

/// Names and values of the parameters of a challenge.
type Parameters = Vec<(String, String)>;

fn parse(value: &str) -> Vec<Challenge> {
    let challenges: Vec<(String, Parameters)> = match http_auth::parse_challenges(value) {
        Ok(challenges) => challenges
            .iter()
            .map(|challenge| {
                let parameters = challenge.params.iter();
                let parameters = parameters.map(|(name, value)| ((*name).to_owned(), value.to_unescaped()));
                (challenge.scheme.to_owned(), parameters.collect())
            })
            .collect(),
        Err(_) => split_leniently(value),
    };
    challenges.iter().filter_map(|(scheme, parameters)| known(scheme, parameters)).collect()
}

fn known(scheme: &str, parameters: &Parameters) -> Option<Challenge> {
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let parameter = |wanted: &str| {
        let mut found = parameters.iter();
        found.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.clone())
    };
    Some(Challenge::Bearer { realm: parameter("realm")?, service: parameter("service") })
}

/// Splits challenges that break the grammar. Some registries write the address of the realm without
/// quotes, where a value without quotes must have neither `:` nor `/` (RFC 9110, 11.2).
fn split_leniently(value: &str) -> Vec<(String, Parameters)> {
    let mut challenges: Vec<(String, Parameters)> = Vec::new();
    let mut is_quoted = false;
    let parts = value.split(|character| {
        is_quoted ^= character == '"';
        character == ',' && !is_quoted
    });
    for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
        // A scheme is a word before the first parameter, or alone.
        let (scheme, parameter) = match part.split_once([' ', '=']) {
            None => (Some(part), ""),
            Some((word, rest)) if part.as_bytes().get(word.len()) == Some(&b' ') => (Some(word), rest.trim()),
            Some(_) => (None, part),
        };
        challenges.extend(scheme.map(|scheme| (scheme.to_owned(), Parameters::new())));
        if let (Some((_, parameters)), Some((name, value))) =
            (challenges.last_mut(), parameter.split_once('='))
        {
            parameters.push((name.trim().to_owned(), value.trim().trim_matches('"').to_owned()));
        }
    }
    challenges
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
    fn realms_without_quotes_are_read() {
        let wanted = |service: Option<&str>| Challenge::Bearer {
            realm: "https://auth.example.org/token".to_owned(),
            service: service.map(str::to_owned),
        };
        for (value, service) in [
            ("Bearer realm=https://auth.example.org/token", None),
            ("bearer  Realm=https://auth.example.org/token, service=r", Some("r")),
            (r#"Bearer service="r, of us",realm=https://auth.example.org/token"#, Some("r, of us")),
        ] {
            assert_eq!(read(&[value]), [wanted(service)], "{value}");
        }
        let both = "Negotiate, Basic realm=a/b, Bearer realm=https://auth.example.org/token";
        assert_eq!(read(&[both]), [Challenge::Basic, wanted(None)]);
    }

    #[test]
    fn unknown_challenges_are_left_out() {
        for value in ["Negotiate", "Bearer service=\"x\"", "", "\"\""] {
            assert_eq!(read(&[value]), [], "{value}");
        }
    }
}

//! How Kubernetes reads variables in the words of a command and in the values of variables: it puts
//! the value of `NAME` in place of `$(NAME)`, and takes `$$` for a dollar sign (core/v1 Container,
//! command; core/v1 EnvVar, value).

use crate::json::Json;

/// The text with `$` written so that Kubernetes does not expand it.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}

/// A variable of a container. The value is escaped by the caller where that matters.
pub(crate) fn variable<'a>(name: &'static str, value: Json<'a>) -> Json<'a> {
    Json::object([("name", Some(name.into())), ("value", Some(value))])
}

/// The names of the variables that Kubernetes expands in a text.
pub(crate) fn references(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (_, behind) = rest.split_once('$')?;
            if let Some(escaped) = behind.strip_prefix('$') {
                rest = escaped;
            } else if let Some((name, after)) = behind.strip_prefix('(').and_then(|text| text.split_once(')'))
            {
                rest = after;
                return Some(name);
            } else {
                rest = behind;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_as_kubernetes_expands_them() {
        for (text, wanted) in [
            ("$(A)", &["A"][..]),
            ("x$(A)-$(B)y", &["A", "B"]),
            ("$$(A)", &[]),
            ("$$$(A)", &["A"]),
            ("$A $ ${A} $(A", &[]),
            ("$()", &[""]),
        ] {
            assert_eq!(references(text).collect::<Vec<_>>(), wanted, "{text}");
        }
        assert_eq!(references(&escaped("$(A) $$(B) $")).count(), 0);
    }
}

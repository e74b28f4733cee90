//! Text from templates. Sentences and JSON fragments are most of what admission writes, and a template with its
//! arguments is a fraction of the code that building either piece by piece is.

use crate::json::Json;
use orascache_api::steps::ANNOTATION_PREFIX;

/// Fills a template: `%` stands for the next argument, `@` for the prefix of our annotations.
pub(crate) fn fill(template: &str, arguments: &[&str]) -> String {
    let mut arguments = arguments.iter();
    let mut text = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some(at) = rest.bytes().position(|byte| byte == b'%' || byte == b'@') {
        let (before, after) = rest.split_at(at);
        text.push_str(before);
        text.push_str(if after.starts_with('@') {
            ANNOTATION_PREFIX
        } else {
            arguments.next().copied().unwrap_or_default()
        });
        rest = after.get(1..).unwrap_or_default();
    }
    text.push_str(rest);
    text
}

/// A string as JSON text.
pub(crate) fn quoted(text: &str) -> String {
    Json::from(text).to_text()
}

/// A list of JSON texts as the inside of a JSON array.
pub(crate) fn joined(items: &[String]) -> String {
    items.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_not_templates() {
        assert_eq!(fill("%: @a %", &["1 % @", "2"]), "1 % @: oras.converged-computing.github.io/a 2");
        assert_eq!(fill("é%é", &[]), "éé");
    }

    #[test]
    fn strings_are_escaped() {
        assert_eq!(quoted("a\"\\\n\u{1}é"), r#""a\"\\\n\u0001é""#);
    }
}

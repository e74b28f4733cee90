//! Label and field selectors, in the form of query strings and of `LabelSelector` objects.

use crate::status::ApiError;
use serde_json::Value;

/// A conjunction of requirements on labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

/// A conjunction of requirements on fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<(String, String, bool)>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    Exists(String),
    NotExists(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
}

impl LabelSelector {
    /// Reads `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
    ///
    /// # Errors
    /// 400 when the text is no selector.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let wrong = |part: &str| {
            ApiError::bad_request(format!(
                "unable to parse requirement: found {part:?}, expected: a label selector such as a=b, a in (b,c) or !a"
            ))
        };
        let mut requirements = Vec::new();
        for part in split(text) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            requirements.push(if let Some(key) = part.strip_prefix('!') {
                Requirement::NotExists(key.trim().to_owned())
            } else if let Some((key, values)) = set_based(part, " notin ") {
                Requirement::NotIn(key, values.ok_or_else(|| wrong(part))?)
            } else if let Some((key, values)) = set_based(part, " in ") {
                Requirement::In(key, values.ok_or_else(|| wrong(part))?)
            } else if let Some((key, value)) = part.split_once("!=") {
                Requirement::NotIn(key.trim().to_owned(), vec![value.trim().to_owned()])
            } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
                Requirement::In(key.trim().to_owned(), vec![value.trim().to_owned()])
            } else if part.contains(char::is_whitespace) {
                return Err(wrong(part));
            } else {
                Requirement::Exists(part.to_owned())
            });
        }
        Ok(Self(requirements))
    }

    /// Reads `{"matchLabels": ..., "matchExpressions": ...}`; what is not understood matches nothing.
    pub fn from_json(selector: &Value) -> Self {
        let mut requirements = Vec::new();
        if let Some(Value::Object(labels)) = selector.get("matchLabels") {
            for (key, value) in labels {
                requirements.push(Requirement::In(
                    key.clone(),
                    value.as_str().map(str::to_owned).into_iter().collect(),
                ));
            }
        }
        for expression in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
            let text = |name: &str| expression.get(name).and_then(Value::as_str).unwrap_or_default();
            let values = expression.get("values").and_then(Value::as_array).into_iter().flatten();
            let values: Vec<String> = values.filter_map(Value::as_str).map(str::to_owned).collect();
            let key = text("key").to_owned();
            requirements.push(match text("operator") {
                "In" => Requirement::In(key, values),
                "NotIn" => Requirement::NotIn(key, values),
                "Exists" => Requirement::Exists(key),
                "DoesNotExist" => Requirement::NotExists(key),
                _ => Requirement::In(key, Vec::new()),
            });
        }
        Self(requirements)
    }

    /// Whether an object's labels satisfy all requirements.
    pub fn matches(&self, object: &Value) -> bool {
        self.matches_labels(object.pointer("/metadata/labels"))
    }

    /// Whether a map of labels satisfies all requirements.
    pub fn matches_labels(&self, labels: Option<&Value>) -> bool {
        let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        self.0.iter().all(|requirement| match requirement {
            Requirement::Exists(key) => label(key).is_some(),
            Requirement::NotExists(key) => label(key).is_none(),
            Requirement::In(key, values) => {
                label(key).is_some_and(|found| values.iter().any(|value| value == found))
            }
            Requirement::NotIn(key, values) => {
                label(key).is_none_or(|found| !values.iter().any(|value| value == found))
            }
        })
    }

    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `key in (a,b)`; the values are `None` when the parentheses are missing.
fn set_based(part: &str, operator: &str) -> Option<(String, Option<Vec<String>>)> {
    let (key, values) = part.split_once(operator)?;
    let inner = values.trim().strip_prefix('(').and_then(|values| values.strip_suffix(')'));
    let values = inner.map(|inner| inner.split(',').map(|value| value.trim().to_owned()).collect());
    Some((key.trim().to_owned(), values))
}

/// Splits at commas that are not inside parentheses.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_u32;
    for character in text.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(character);
        }
    }
    parts
}

impl FieldSelector {
    /// Reads `metadata.name=a,status.phase!=b`.
    ///
    /// # Errors
    /// 400 when the text is no selector.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let mut terms = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (field, value, equal) = if let Some((field, value)) = part.split_once("!=") {
                (field, value, false)
            } else if let Some((field, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
                (field, value, true)
            } else {
                return Err(ApiError::bad_request(format!(
                    "invalid selector: {text:?}; can't understand {part:?}: write field=value"
                )));
            };
            terms.push((field.trim().to_owned(), value.trim().to_owned(), equal));
        }
        Ok(Self(terms))
    }

    /// Whether an object's fields satisfy all requirements. An absent field is the empty string.
    pub fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|(field, wanted, equal)| {
            let mut place = Some(object);
            for part in field.split('.') {
                place = place.and_then(|value| value.get(part));
            }
            let found = match place {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            (found == *wanted) == *equal
        })
    }

    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields that are asked about.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(field, _, _)| field.as_str())
    }

    /// The value that a field must have, if the selector demands one.
    pub fn required_value(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(name, _, equal)| name == field && *equal).map(|(_, value, _)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{FieldSelector, LabelSelector};
    use serde_json::json;

    #[test]
    fn label_selectors() {
        let object = json!({"metadata": {"labels": {"a": "b", "c": "d"}}});
        for (selector, matches) in [
            ("", true),
            ("a=b", true),
            ("a==b,c=d", true),
            ("a!=b", false),
            ("x!=b", true),
            ("a", true),
            ("!a", false),
            ("!x", true),
            ("a in (x,b)", true),
            ("a in (x),c", false),
            ("a notin (b)", false),
            ("x notin (b)", true),
        ] {
            assert_eq!(
                LabelSelector::parse(selector).expect("valid").matches(&object),
                matches,
                "{selector}"
            );
        }
        assert!(LabelSelector::parse("a in b").is_err());
        assert!(LabelSelector::parse("a b").is_err());
        let selector = LabelSelector::from_json(&json!({"matchLabels": {"a": "b"}, "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["d"]}, {"key": "e", "operator": "DoesNotExist"}]}));
        assert!(selector.matches(&object));
    }

    #[test]
    fn field_selectors() {
        let object = json!({"metadata": {"name": "n"}, "spec": {"nodeName": "x"}});
        assert!(
            FieldSelector::parse("metadata.name=n,spec.nodeName!=y,status.phase=")
                .expect("valid")
                .matches(&object)
        );
        assert!(!FieldSelector::parse("metadata.name=m").expect("valid").matches(&object));
        assert!(FieldSelector::parse("nonsense").is_err());
    }
}

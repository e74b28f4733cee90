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
    Greater(String, i64),
    Less(String, i64),
}

impl LabelSelector {
    /// Parses a selector such as `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1,m<9`.
    ///
    /// # Errors
    /// 400 when the text is not a selector.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let parts = split(text);
        let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
        Ok(Self(parts.map(requirement).collect::<Result<_, _>>()?))
    }

    /// Reads `{"matchLabels": ..., "matchExpressions": ...}`. An unknown operator matches nothing.
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
        let number = |key: &str| label(key).and_then(|found| found.parse::<i64>().ok());
        self.0.iter().all(|requirement| match requirement {
            Requirement::Exists(key) => label(key).is_some(),
            Requirement::NotExists(key) => label(key).is_none(),
            Requirement::In(key, values) => {
                label(key).is_some_and(|found| values.iter().any(|value| value == found))
            }
            Requirement::NotIn(key, values) => {
                label(key).is_none_or(|found| !values.iter().any(|value| value == found))
            }
            Requirement::Greater(key, bound) => number(key).is_some_and(|found| found > *bound),
            Requirement::Less(key, bound) => number(key).is_some_and(|found| found < *bound),
        })
    }

    /// Whether there are no requirements, so that everything matches.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn requirement(part: &str) -> Result<Requirement, ApiError> {
    let wrong = || {
        ApiError::bad_request(format!(
            "unable to parse requirement: found {part:?}, expected: a label selector such as a=b, a in (b,c), a>1 or !a"
        ))
    };
    let value = |text: &str| {
        let text = text.trim();
        let is_word = !text.contains(|c: char| c.is_whitespace() || "=!<>(),".contains(c));
        if is_word { Ok(text.to_owned()) } else { Err(wrong()) }
    };
    let key = |text: &str| if text.trim().is_empty() { Err(wrong()) } else { value(text) };
    if let Some(name) = part.strip_prefix('!') {
        return Ok(Requirement::NotExists(key(name)?));
    }
    if let Some((left, values)) = part.split_once('(') {
        let (name, operator) = left.trim().rsplit_once(char::is_whitespace).ok_or_else(wrong)?;
        let values = values.strip_suffix(')').ok_or_else(wrong)?;
        let values = values.split(',').map(value).collect::<Result<_, _>>()?;
        return match operator {
            "in" => Ok(Requirement::In(key(name)?, values)),
            "notin" => Ok(Requirement::NotIn(key(name)?, values)),
            _ => Err(wrong()),
        };
    }
    if let Some(position) = part.find(['<', '>']) {
        let (name, bound) = (&part[..position], &part[position + 1..]);
        let bound = value(bound)?;
        let bound = bound.parse().map_err(|_| {
            ApiError::bad_request(format!(
                "unable to parse requirement: values[0]: Invalid value: {bound:?}: for 'Gt', 'Lt' operators, the value must be an integer"
            ))
        })?;
        let make = if part[position..].starts_with('>') { Requirement::Greater } else { Requirement::Less };
        return Ok(make(key(name)?, bound));
    }
    if let Some((name, wanted)) = part.split_once("!=") {
        return Ok(Requirement::NotIn(key(name)?, vec![value(wanted)?]));
    }
    if let Some((name, wanted)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Ok(Requirement::In(key(name)?, vec![value(wanted)?]));
    }
    Ok(Requirement::Exists(key(part)?))
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
    /// Parses a selector such as `metadata.name=a,status.phase!=b`.
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

    /// Whether there are no requirements, so that everything matches.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields that have requirements.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(field, _, _)| field.as_str())
    }

    /// The value that a field must have, if there is such a requirement.
    pub fn required_value(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(name, _, equal)| name == field && *equal).map(|(_, value, _)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{FieldSelector, LabelSelector};
    use serde_json::json;

    #[test]
    fn label_selectors_are_parsed_and_matched() {
        let object = json!({"metadata": {"labels": {"a": "b", "c": "d", "n": "5"}}});
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
            ("a in(x,b)", true),
            ("a notin(b),c", false),
            ("n>4", true),
            ("n > 5", false),
            ("n>-1,n<9", true),
            ("n<5", false),
            ("a>1", false),
            ("x<1", false),
        ] {
            assert_eq!(
                LabelSelector::parse(selector).expect("valid").matches(&object),
                matches,
                "{selector}"
            );
        }
        for wrong in [
            "a in b", "a b", "a>b", "a>=1", "a=>1", "a>", ">1", "=b", "a=b=c", "a in (b", "a)", "a of (b)",
            "!",
        ] {
            assert_eq!(LabelSelector::parse(wrong).expect_err(wrong).code, 400);
        }
        let selector = LabelSelector::from_json(&json!({"matchLabels": {"a": "b"}, "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["d"]}, {"key": "e", "operator": "DoesNotExist"}]}));
        assert!(selector.matches(&object));
    }

    #[test]
    fn field_selectors_are_parsed_and_matched() {
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

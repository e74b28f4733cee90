//! Label selectors (meta/v1 LabelSelector): `matchLabels` and `matchExpressions`, all of which must
//! match.

use super::document::{self, Place};
use crate::findings::Findings;
use crate::json::Json;
use crate::names;

/// Which labels an object must have. An empty selector matches everything.
#[derive(Debug, Default)]
pub(crate) struct Selector<'a>(Vec<Requirement<'a>>);

/// A requirement about one label.
#[derive(Debug)]
struct Requirement<'a> {
    key: &'a str,
    operator: Operator,
    /// Empty unless the operator is `In` or `NotIn`.
    values: Vec<&'a str>,
}

/// How a label is compared (meta/v1 LabelSelectorOperator).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

const KEY: &str = "the key of a label: write one like team or example.org/team";
const VALUE: &str = "the value of a label: use up to 63 letters, digits, '-', '_' and '.'";

impl<'a> Selector<'a> {
    /// Reads a selector.
    pub(crate) fn read(tree: &'a Json<'a>, place: &Place<'_>, findings: &mut Findings) -> Self {
        let mut requirements = Vec::new();
        for (name, value, place) in document::members(tree, place, findings) {
            match name {
                "matchLabels" => {
                    for (key, value, place) in document::members(value, &place, findings) {
                        let Some(value) = document::text(value, &place, findings) else { continue };
                        if !names::is_key(key) {
                            findings.refuse(format!("{place} is not {KEY}"));
                        }
                        if !names::is_label_value(value) {
                            findings.refuse(format!("{place} is not {VALUE}"));
                        }
                        requirements.push(Requirement { key, operator: Operator::In, values: vec![value] });
                    }
                }
                "matchExpressions" => {
                    for (item, place) in document::items(value, &place, findings) {
                        requirements.extend(expression(item, &place, findings));
                    }
                }
                _ => place.refuse_unknown("matchLabels or matchExpressions", findings),
            }
        }
        Selector(requirements)
    }

    /// Whether an object with these labels matches.
    pub(crate) fn matches(&self, labels: Option<&Json<'_>>) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.and_then(|labels| labels.get(requirement.key)).and_then(Json::as_str);
            let is_listed = value.is_some_and(|value| requirement.values.contains(&value));
            match requirement.operator {
                Operator::In => is_listed,
                Operator::NotIn => !is_listed,
                Operator::Exists => value.is_some(),
                Operator::DoesNotExist => value.is_none(),
            }
        })
    }
}

fn expression<'a>(tree: &'a Json<'a>, place: &Place<'_>, findings: &mut Findings) -> Option<Requirement<'a>> {
    let mut key = None;
    let mut operator = None;
    let mut values = Vec::new();
    let before = findings.problems.len();
    for (name, value, place) in document::members(tree, place, findings) {
        match name {
            "key" => {
                key = document::text(value, &place, findings);
                if key.is_some_and(|key| !names::is_key(key)) {
                    findings.refuse(format!("{place} is not {KEY}"));
                }
            }
            "operator" => {
                operator = match value.as_str() {
                    Some("In") => Some(Operator::In),
                    Some("NotIn") => Some(Operator::NotIn),
                    Some("Exists") => Some(Operator::Exists),
                    Some("DoesNotExist") => Some(Operator::DoesNotExist),
                    _ => None,
                };
            }
            "values" => values = document::texts(value, &place, names::is_label_value, VALUE, findings),
            _ => place.refuse_unknown("key, operator or values", findings),
        }
    }
    if findings.problems.len() > before {
        return None;
    }
    match (key, operator) {
        (Some(key), Some(operator)) => {
            let takes_values = matches!(operator, Operator::In | Operator::NotIn);
            if takes_values == values.is_empty() {
                let rule = if takes_values {
                    "given: In and NotIn compare with it"
                } else {
                    "left out: Exists and DoesNotExist compare with nothing"
                };
                findings.refuse(format!("{place}.values must be {rule}"));
            }
            Some(Requirement { key, operator, values })
        }
        _ => {
            findings.refuse(format!(
                "{place} must have a key and an operator, which is one of In, NotIn, Exists and DoesNotExist"
            ));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selects(selector: &str, labels: &str) -> Result<bool, Vec<String>> {
        let (selector, labels) = (Json::parse(selector).unwrap(), Json::parse(labels).unwrap());
        let mut findings = Findings::default();
        let selector = Selector::read(&selector, &Place::root("it"), &mut findings);
        if findings.problems.is_empty() {
            Ok(selector.matches(Some(&labels)))
        } else {
            Err(findings.problems)
        }
    }

    #[test]
    fn labels_match_as_in_kubernetes() {
        let labels = r#"{"team":"climate","tier":""}"#;
        for (selector, wanted) in [
            ("{}", true),
            (r#"{"matchLabels":{"team":"climate"}}"#, true),
            (r#"{"matchLabels":{"tier":""}}"#, true),
            (r#"{"matchLabels":{"team":"ocean"}}"#, false),
            (r#"{"matchLabels":{"other":"climate"}}"#, false),
            (r#"{"matchExpressions":[{"key":"team","operator":"In","values":["ocean","climate"]}]}"#, true),
            (r#"{"matchExpressions":[{"key":"team","operator":"NotIn","values":["climate"]}]}"#, false),
            (r#"{"matchExpressions":[{"key":"absent","operator":"NotIn","values":["climate"]}]}"#, true),
            (r#"{"matchExpressions":[{"key":"tier","operator":"Exists"}]}"#, true),
            (r#"{"matchExpressions":[{"key":"tier","operator":"DoesNotExist"}]}"#, false),
            (
                r#"{"matchLabels":{"team":"climate"},"matchExpressions":[{"key":"x","operator":"Exists"}]}"#,
                false,
            ),
        ] {
            assert_eq!(selects(selector, labels), Ok(wanted), "{selector}");
        }
        let selector = Json::parse(r#"{"matchLabels":{"a":""}}"#).unwrap();
        assert!(!Selector::read(&selector, &Place::root("it"), &mut Findings::default()).matches(None));
    }

    #[test]
    fn a_problem_names_its_place() {
        for (selector, wanted) in [
            ("[]", "it must be an object, not a list"),
            (
                r#"{"matchLabel":{}}"#,
                "it.matchLabel is unknown: write matchLabels or matchExpressions, or remove it",
            ),
            (r#"{"matchLabels":{"a b":"c"}}"#, "it.matchLabels.a b is not the key of a label"),
            (r#"{"matchLabels":{"a":"c d"}}"#, "it.matchLabels.a is not the value of a label"),
            (r#"{"matchLabels":{"a":1}}"#, "it.matchLabels.a must be a string, not a number"),
            (
                r#"{"matchExpressions":[{"key":"a"}]}"#,
                "it.matchExpressions[0] must have a key and an operator",
            ),
            (r#"{"matchExpressions":[{"key":"a","operator":"Is"}]}"#, "In, NotIn, Exists and DoesNotExist"),
            (
                r#"{"matchExpressions":[{"key":"a","operator":"In"}]}"#,
                "it.matchExpressions[0].values must be given",
            ),
            (
                r#"{"matchExpressions":[{"key":"a","operator":"Exists","values":["b"]}]}"#,
                "values must be left out",
            ),
            (
                r#"{"matchExpressions":[{"key":"-","operator":"Exists"}]}"#,
                "[0].key is not the key of a label",
            ),
        ] {
            let problems = selects(selector, "{}").unwrap_err();
            assert!(
                matches!(&problems[..], [problem] if problem.contains(wanted)),
                "{selector}: {problems:?}"
            );
        }
    }
}

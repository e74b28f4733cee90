//! The match conditions of a webhook (`plugin/webhook/matchconditions`).

use fake_kube_apimachinery::match_condition::{MatchCondition, Variables};
use serde::Deserialize;

/// A condition as the configuration contains it.
#[derive(Clone, Debug, Deserialize)]
pub struct Written {
    #[serde(default)]
    expression: String,
}

/// Compiled conditions. An expression that does not compile is an error of every evaluation.
#[derive(Debug, Default)]
pub struct Conditions(Vec<Result<MatchCondition, String>>);

impl Conditions {
    /// Compiles conditions.
    pub fn compile(written: &[Written]) -> Self {
        Self(written.iter().map(|one| MatchCondition::compile(one.expression.trim())).collect())
    }

    /// Whether there is nothing to evaluate.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all conditions hold. When one does not hold, errors of others do not matter.
    ///
    /// # Errors
    /// The conditions that could not be evaluated, when no condition is false.
    pub fn hold(&self, variables: &Variables) -> Result<bool, String> {
        let mut errors = Vec::new();
        for condition in &self.0 {
            let result = condition.as_ref().map_err(Clone::clone);
            match result.and_then(|condition| condition.evaluate(variables)) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => errors.push(error),
            }
        }
        match errors.as_slice() {
            [] => Ok(true),
            [one] => Err(one.clone()),
            many => Err(format!("[{}]", many.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use fake_kube_apimachinery::match_condition::Variables;
    use serde_json::json;

    use super::{Conditions, Written};

    fn hold(expressions: &[&str]) -> Result<bool, String> {
        let written: Vec<Written> =
            expressions.iter().map(|one| Written { expression: (*one).to_owned() }).collect();
        let object = json!({"a": 1});
        Conditions::compile(&written).hold(&Variables::new(Some(&object), None, &json!({})))
    }

    #[test]
    fn false_wins_over_errors_and_errors_over_true() {
        assert_eq!(hold(&[]), Ok(true));
        assert_eq!(hold(&["object.a == 1", "object.a > 0"]), Ok(true));
        assert_eq!(hold(&["object.b == 1", "object.a == 2"]), Ok(false));
        let error = "expression 'object.b == 1' resulted in error: no such key: b";
        assert_eq!(hold(&["object.a == 1", "object.b == 1"]), Err(error.to_owned()));
        assert_eq!(hold(&["object.b == 1", "object.b == 1"]), Err(format!("[{error}, {error}]")));
    }
}

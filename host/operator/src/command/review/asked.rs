//! Whether the API server would ask about a request: by the admission rules of the component and
//! their match conditions.

use anyhow::anyhow;
use fake_kube::apimachinery::match_condition::{MatchCondition, Variables};
use fake_kube::builtins::catalogue;
use orascache_contract::{AdmissionRule, Description, Kind, Operation};
use serde_json::Value;

/// The rules of a component.
pub(super) struct Asked {
    primary: Kind,
    rules: Vec<(AdmissionRule, Vec<MatchCondition>)>,
}

impl Asked {
    /// Compiles the conditions of a component.
    ///
    /// # Errors
    /// When one of them is not a condition.
    pub(super) fn about(description: &Description) -> anyhow::Result<Self> {
        let compile = |rule: &AdmissionRule| {
            let conditions = rule.conditions.iter().map(|condition| {
                MatchCondition::compile(&condition.expression)
                    .map_err(|why| anyhow!("the match condition {} of the component: {why}", condition.name))
            });
            Ok((rule.clone(), conditions.collect::<anyhow::Result<_>>()?))
        };
        let rules = description.admission.iter().map(compile).collect::<anyhow::Result<_>>()?;
        Ok(Self { primary: description.primary.clone(), rules })
    }

    /// Whether the API server asks about the request of an AdmissionReview. Which namespaces are
    /// left out is not looked at.
    pub(super) fn is_asked(&self, request: &Value) -> bool {
        let text = |pointer: &str| request.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (group, version, kind) = (text("/kind/group"), text("/kind/version"), text("/kind/kind"));
        let resource = match text("/resource/resource") {
            "" => self.plural(group, version, kind),
            given => given,
        };
        let variables = variables(request);
        self.rules.iter().any(|(rule, conditions)| {
            rule.group == group
                && rule.versions.iter().any(|of_rule| of_rule == version)
                && rule.resources.iter().any(|of_rule| of_rule == resource)
                && text("/subResource").is_empty()
                && rule.operations.iter().any(|operation| name(*operation) == text("/operation"))
                // A condition that cannot be evaluated counts as a failed webhook.
                && conditions.iter().all(|condition| condition.evaluate(&variables).unwrap_or(true))
        })
    }

    fn plural(&self, group: &str, version: &str, kind: &str) -> &str {
        let primary = &self.primary;
        if (primary.group(), primary.version(), &*primary.kind) == (group, version, kind) {
            return &primary.plural;
        }
        let known = catalogue()
            .iter()
            .find(|resource| (resource.group, resource.version, resource.kind) == (group, version, kind));
        known.map_or("", |resource| resource.plural)
    }
}

fn name(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
    }
}

fn variables(request: &Value) -> Variables {
    let object = |name: &str| request.get(name).filter(|object| !object.is_null());
    let mut rest = request.clone();
    if let Some(members) = rest.as_object_mut() {
        members.retain(|name, _| !matches!(name.as_str(), "uid" | "object" | "oldObject"));
    }
    Variables::new(object("object"), object("oldObject"), &rest)
}

//! What the `podFailurePolicy` of a Job says about a pod that failed (batch/v1 PodFailurePolicy).

use k8s_openapi::api::batch::v1::{PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// What a failed pod means for its Job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It counts for the limits of the Job. So it is without a rule that matches.
    Count,
    /// It does not count, and is replaced.
    Ignore,
    /// Its index has failed.
    FailIndex,
    /// The Job has failed, with this message.
    FailJob(String),
}

/// The first rule that matches decides.
pub(super) fn verdict(policy: Option<&PodFailurePolicy>, pod: &Pod) -> Verdict {
    let rules = policy.map(|policy| policy.rules.as_slice()).unwrap_or_default();
    for (position, rule) in rules.iter().enumerate() {
        let by_code = rule.on_exit_codes.as_ref().and_then(|codes| matching_container(codes, pod));
        let by_condition = || {
            let patterns = rule.on_pod_conditions.as_deref().unwrap_or_default();
            let conditions = || pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
            let matches = |(kind, status): (&str, &str)| {
                conditions().any(|found| found.type_ == kind && found.status == status)
            };
            let mut patterns = patterns
                .iter()
                .map(|pattern| (pattern.type_.as_str(), pattern.status.as_deref().unwrap_or("True")));
            patterns.find(|pattern| matches(*pattern)).map(|(kind, _)| format!("has condition {kind}"))
        };
        let Some(why) = by_code.or_else(by_condition) else { continue };
        return match rule.action.as_str() {
            "Ignore" => Verdict::Ignore,
            "FailIndex" => Verdict::FailIndex,
            "FailJob" => {
                let namespace = pod.namespace().unwrap_or_default();
                let pod = pod.name_any();
                Verdict::FailJob(format!(
                    "Pod {namespace}/{pod} {why}, matching the FailJob rule at index {position}"
                ))
            }
            _ => Verdict::Count,
        };
    }
    Verdict::Count
}

/// How a container ended that the rule is about. Containers that ended with 0 never match.
fn matching_container(rule: &PodFailurePolicyOnExitCodesRequirement, pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let containers = status.container_statuses.iter().flatten();
    let containers = containers.chain(status.init_container_statuses.iter().flatten());
    let named = |name: &str| rule.container_name.as_deref().is_none_or(|wanted| wanted == name);
    containers.filter(|container| named(&container.name)).find_map(|container| {
        let code = container.state.as_ref()?.terminated.as_ref()?.exit_code;
        let is_listed = rule.values.contains(&code);
        let matches = match rule.operator.as_str() {
            "In" => is_listed,
            "NotIn" => !is_listed,
            _ => false,
        };
        (code != 0 && matches)
            .then(|| format!("failed with exit code {code} of container {}", container.name))
    })
}

#[cfg(test)]
mod tests {
    use super::{Verdict, verdict};
    use k8s_openapi::api::batch::v1::PodFailurePolicy;
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::{Value, json};

    fn of(rules: Value, status: Value) -> Verdict {
        let policy: PodFailurePolicy = serde_json::from_value(json!({"rules": rules})).expect("a policy");
        let pod = json!({"metadata": {"name": "p", "namespace": "lab"}, "status": status});
        let pod: Pod = serde_json::from_value(pod).expect("a pod");
        verdict(Some(&policy), &pod)
    }

    /// A pod whose container `app` ended with a code, beside a sidecar that ended with 0.
    fn ended(code: i32) -> Value {
        let container = |name: &str, code: i32| {
            json!({"name": name, "ready": false, "restartCount": 0, "image": "i", "imageID": "",
                "state": {"terminated": {"exitCode": code}}})
        };
        json!({"phase": "Failed", "containerStatuses": [container("helper", 0), container("app", code)]})
    }

    #[test]
    fn exit_codes_are_listed_or_not_listed_and_0_never_matches() {
        let rule = |operator: &str, values: Value, container: Value| json!([{"action": "Ignore", "onExitCodes": {"operator": operator, "values": values, "containerName": container}}]);
        for (operator, values, container, code, wanted) in [
            ("In", json!([97, 98]), json!(null), 98, Verdict::Ignore),
            ("In", json!([97]), json!(null), 98, Verdict::Count),
            ("In", json!([98]), json!("app"), 98, Verdict::Ignore),
            ("In", json!([98]), json!("helper"), 98, Verdict::Count),
            ("NotIn", json!([1]), json!(null), 98, Verdict::Ignore),
            ("NotIn", json!([98]), json!(null), 98, Verdict::Count),
            ("NotIn", json!([1]), json!("helper"), 98, Verdict::Count),
        ] {
            let found = of(rule(operator, values.clone(), container.clone()), ended(code));
            assert_eq!(found, wanted, "{operator} {values} {container} {code}");
        }
        assert_eq!(verdict(None, &Pod::default()), Verdict::Count);
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let codes = |action: &str, code: i32| json!({"action": action, "onExitCodes": {"operator": "In", "values": [code]}});
        let lost = json!({"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]});
        let rules = json!([lost, codes("FailJob", 98), codes("Ignore", 98), codes("FailIndex", 3)]);
        let message =
            "Pod lab/p failed with exit code 98 of container app, matching the FailJob rule at index 1";
        assert_eq!(of(rules.clone(), ended(98)), Verdict::FailJob(message.to_owned()));
        assert_eq!(of(rules.clone(), ended(3)), Verdict::FailIndex);
        assert_eq!(of(rules.clone(), ended(4)), Verdict::Count);
        let mut evicted = ended(98);
        evicted["conditions"] = json!([{"type": "DisruptionTarget", "status": "True"}]);
        assert_eq!(of(rules.clone(), evicted.clone()), Verdict::Ignore);
        evicted["conditions"][0]["status"] = json!("False");
        assert_eq!(of(rules, evicted), Verdict::FailJob(message.to_owned()));
    }
}

//! Repeats recorded decisions with a component, and says where it decides otherwise.

use crate::engine::{Guest, Outcome};
use crate::output::Format;
use crate::record::{Decision, Record};
use orascache_controller::contract::{DecideError, Plan};
use serde_json::{Value, json};
use similar::TextDiff;

/// Lines around a change that a diff shows.
const CONTEXT: usize = 3;

/// A recorded decision that a component makes otherwise.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What was decided about, for example `reconcile OrasCache lab/demo`.
    pub subject: String,
    /// What was recorded, as [`readable`] has it.
    pub recorded: Value,
    /// What the component decides.
    pub replayed: Value,
    /// From one to the other, as a unified diff of YAML.
    pub diff: String,
}

/// Repeats a decision; `None` when its output is the same, byte for byte.
pub fn replay(record: &Record, guest: &Guest) -> Option<Difference> {
    let again = record.decision.again(guest);
    (!record.decision.decides_like(&again)).then(|| difference(&record.decision, &again))
}

fn difference(recorded: &Decision, replayed: &Decision) -> Difference {
    let (before, after) = (readable(recorded), readable(replayed));
    let diff = if before == after {
        // Other bytes of the same JSON: what is readable would not show it.
        unified(&format!("{recorded:#?}\n"), &format!("{replayed:#?}\n"))
    } else {
        unified(&yaml(&before), &yaml(&after))
    };
    Difference { subject: subject(recorded), recorded: before, replayed: after, diff }
}

fn unified(before: &str, after: &str) -> String {
    TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(CONTEXT)
        .header("recorded", "replayed")
        .to_string()
}

fn yaml(value: &Value) -> String {
    // Members of JSON objects are strings, which YAML can hold.
    Format::Yaml.render(value).unwrap_or_else(|_| format!("{value:#}\n"))
}

/// What was decided about, for example `review CREATE Pod lab/step`.
pub fn subject(decision: &Decision) -> String {
    match decision {
        Decision::Reconcile { observed, .. } => {
            let primary: Value = serde_json::from_str(&observed.primary).unwrap_or_default();
            let name = name(&primary["metadata"]["namespace"], &primary["metadata"]["name"]);
            format!("reconcile {} {name}", primary["kind"].as_str().unwrap_or("object"))
        }
        Decision::Review { review, context, .. } => {
            let review: Value = serde_json::from_str(review).unwrap_or_default();
            let request = &review["request"];
            let word = |value: &Value, otherwise: &str| value.as_str().unwrap_or(otherwise).to_owned();
            let (operation, kind) =
                (word(&request["operation"], "of"), word(&request["kind"]["kind"], "object"));
            let metadata = &request["object"]["metadata"];
            let named = [&request["name"], &metadata["name"], &metadata["generateName"]];
            let found = named.into_iter().find(|name| name.as_str().is_some_and(|name| !name.is_empty()));
            let name = name(&request["namespace"], found.unwrap_or(&Value::Null));
            let asked_again = if context.complete { ", with what was asked for" } else { "" };
            format!("review {operation} {kind} {name}{asked_again}")
        }
    }
}

fn name(namespace: &Value, name: &Value) -> String {
    let name = name.as_str().unwrap_or("(without a name)");
    match namespace.as_str() {
        Some(namespace) if !namespace.is_empty() => format!("{namespace}/{name}"),
        _ => name.to_owned(),
    }
}

/// The output of a decision with objects and patches as JSON rather than as text.
pub fn readable(decision: &Decision) -> Value {
    match decision {
        Decision::Reconcile { output: Ok(plan), .. } => readable_plan(plan),
        Decision::Review { output: Ok(Outcome::Need(references)), .. } => json!({"need": references}),
        Decision::Review { output: Ok(Outcome::Decided(verdict)), .. } => json!({"decided": {
            "uid": verdict.uid,
            "allowed": verdict.allowed,
            "code": verdict.code,
            "message": verdict.message,
            "warnings": verdict.warnings,
            "patch": verdict.patch.as_deref().map(parsed),
            "audit": verdict.audit,
        }}),
        Decision::Reconcile { output: Err(error), .. } | Decision::Review { output: Err(error), .. } => {
            readable_error(error)
        }
    }
}

fn readable_plan(plan: &Plan) -> Value {
    let generated = plan.generate.iter().map(|generated| {
        json!({"secret": parsed(&generated.secret), "key": generated.key, "bytes": generated.bytes})
    });
    json!({"plan": {
        "generate": generated.collect::<Vec<_>>(),
        "apply": plan.apply.iter().map(|text| parsed(text)).collect::<Vec<_>>(),
        "delete": plan.delete,
        "status": plan.status.as_deref().map(parsed),
        "events": plan.events,
        "requeueAfter": plan.requeue_after,
    }})
}

fn readable_error(error: &DecideError) -> Value {
    json!({ "error": error.to_string() })
}

/// JSON where it is some, else the text.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{difference, subject};
    use crate::engine::{Outcome, ReviewContext};
    use crate::record::Decision;
    use orascache_controller::contract::{DecideError, Observed, Plan};
    use orascache_webhook::Verdict;

    fn reconcile(output: Result<Plan, DecideError>) -> Decision {
        let observed = Observed {
            primary: r#"{"kind":"OrasCache","metadata":{"name":"demo","namespace":"lab"}}"#.into(),
            owned: Vec::new(),
            related: Vec::new(),
            failures: Vec::new(),
            now: 0,
        };
        Decision::Reconcile { observed, output }
    }

    fn planned(text: &str) -> Decision {
        reconcile(Ok(Plan { apply: vec![text.to_owned()], ..Plan::default() }))
    }

    #[test]
    fn a_diff_shows_objects_line_by_line() {
        let found = difference(
            &planned(r#"{"kind":"Service","spec":{"port":5000,"type":"A"}}"#),
            &planned(r#"{"kind":"Service","spec":{"port":5001,"type":"A"}}"#),
        );
        assert_eq!(found.subject, "reconcile OrasCache lab/demo");
        assert!(found.diff.starts_with("--- recorded\n+++ replayed\n"), "{}", found.diff);
        let changed: Vec<&str> = found
            .diff
            .lines()
            .skip(2)
            .filter(|line| line.starts_with(['-', '+']))
            .map(str::trim_end)
            .collect();
        assert_eq!(changed.len(), 2, "{}", found.diff);
        assert!(changed[0].ends_with("port: 5000") && changed[1].ends_with("port: 5001"), "{}", found.diff);
    }

    #[test]
    fn other_bytes_of_the_same_json_are_shown_too() {
        let found = difference(&planned(r#"{"a":1,"b":2}"#), &planned(r#"{"b":2,"a":1}"#));
        assert!(found.diff.lines().any(|line| line.starts_with('+')), "{}", found.diff);
    }

    #[test]
    fn a_failure_is_named() {
        let found = difference(&planned("{}"), &reconcile(Err(DecideError::Stopped("it panicked".into()))));
        assert_eq!(found.replayed["error"], "the guest was stopped: it panicked");
    }

    #[test]
    fn reviews_have_the_name_of_their_object() {
        let of = |review: &str, complete| {
            let verdict = Outcome::Decided(Verdict::default());
            let context = ReviewContext { complete, ..ReviewContext::default() };
            subject(&Decision::Review { review: review.into(), context, output: Ok(verdict) })
        };
        let review = r#"{"request":{"operation":"CREATE","kind":{"kind":"Pod"},"namespace":"lab","object":{"metadata":{"generateName":"step-"}}}}"#;
        assert_eq!(of(review, false), "review CREATE Pod lab/step-");
        assert_eq!(of(review, true), "review CREATE Pod lab/step-, with what was asked for");
        assert_eq!(of("nonsense", false), "review of object (without a name)");
    }
}

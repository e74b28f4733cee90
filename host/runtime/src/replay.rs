//! Makes recorded decisions again with a component, and shows where it decides differently.

use crate::engine::Guest;
use crate::record::{Decision, Record};
use orascache_contract::{Outcome, Plan, Verdict};
use serde_json::{Value, json};
use similar::TextDiff;

/// Lines around a change that a diff shows.
const DIFF_CONTEXT: usize = 3;

/// A recorded decision that a component makes differently.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What was decided about, for example `reconcile OrasCache lab/demo`.
    pub subject: String,
    /// The recorded output, as [`readable`] shows it.
    pub recorded: Value,
    /// The component's output, as [`readable`] shows it.
    pub replayed: Value,
    /// The change from the recorded to the replayed output, as a unified diff of YAML.
    pub diff: String,
}

/// Makes a decision again; `None` when its output is the same, byte for byte. Blocks the thread.
pub fn replay(record: &Record, guest: &Guest) -> Option<Difference> {
    let again = record.decision.again(guest);
    (!record.decision.decides_like(&again)).then(|| difference(&record.decision, &again))
}

fn difference(recorded: &Decision, replayed: &Decision) -> Difference {
    let (before, after) = (readable(recorded), readable(replayed));
    let diff = if before == after {
        // The same JSON in other bytes, which the readable form does not show.
        unified(&format!("{recorded:#?}\n"), &format!("{replayed:#?}\n"))
    } else {
        unified(&yaml(&before), &yaml(&after))
    };
    Difference { subject: subject(recorded), recorded: before, replayed: after, diff }
}

fn unified(before: &str, after: &str) -> String {
    TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(DIFF_CONTEXT)
        .header("recorded", "replayed")
        .to_string()
}

fn yaml(value: &Value) -> String {
    // All JSON has a form in YAML; without one the diff would still be right in JSON.
    serde_saphyr::to_string(value).unwrap_or_else(|_| format!("{value:#}\n"))
}

/// What was decided about, for example `review CREATE Pod lab/step`.
pub fn subject(decision: &Decision) -> String {
    match decision {
        Decision::Reconcile { observed, .. } | Decision::Attend { observed, .. } => {
            let verb = if matches!(decision, Decision::Attend { .. }) { "attend" } else { "reconcile" };
            let primary: Value = serde_json::from_str(&observed.primary).unwrap_or_default();
            let name = name(&primary["metadata"]["namespace"], &primary["metadata"]["name"]);
            format!("{verb} {} {name}", primary["kind"].as_str().unwrap_or("object"))
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
            let asked_again = if context.complete { ", with the objects that were asked for" } else { "" };
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
        Decision::Reconcile { output: Ok(plan), .. } | Decision::Attend { output: Ok(plan), .. } => {
            json!({ "plan": readable_plan(plan) })
        }
        Decision::Review { output: Ok(Outcome::Need(needs)), .. } => json!({ "need": needs }),
        Decision::Review { output: Ok(Outcome::Decided(response)), .. } => json!({"decided": {
            "uid": response.uid,
            "verdict": readable_verdict(&response.verdict),
            "warnings": response.warnings,
            "audit": response.audit,
        }}),
        Decision::Reconcile { output: Err(error), .. }
        | Decision::Attend { output: Err(error), .. }
        | Decision::Review { output: Err(error), .. } => {
            json!({ "error": error.to_string() })
        }
    }
}

fn readable_plan(plan: &Plan) -> Value {
    let generated = plan
        .generate
        .iter()
        .map(|generated| json!({"secret": parsed(&generated.secret), "recipe": generated.recipe}));
    let rotated = plan.rotate.iter().map(|rotation| {
        json!({
            "secret": parsed(&rotation.secret), "recipe": rotation.recipe,
            "joined": rotation.joined, "step": rotation.step,
        })
    });
    let patched =
        plan.patch.iter().map(|patch| json!({"target": patch.target, "patch": parsed(&patch.patch)}));
    json!({
        "generate": generated.collect::<Vec<_>>(),
        "rotate": rotated.collect::<Vec<_>>(),
        "apply": plan.apply.iter().map(|text| parsed(text)).collect::<Vec<_>>(),
        "patch": patched.collect::<Vec<_>>(),
        "delete": plan.delete,
        "status": plan.status.as_deref().map(parsed),
        "events": plan.events,
        "questions": plan.questions,
        "requeueAfter": plan.requeue_after,
    })
}

fn readable_verdict(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Allowed(patch) => json!({"allowed": {"patch": patch.as_deref().map(parsed)}}),
        Verdict::Refused(refusal) => json!({ "refused": refusal }),
    }
}

/// The JSON in a text, or the text where it is no JSON.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{difference, subject};
    use crate::record::Decision;
    use orascache_contract::{Context, GuestError, Observed, Outcome, Plan, Response};

    fn reconcile(output: Result<Plan, GuestError>) -> Decision {
        let observed = Observed {
            primary: r#"{"kind":"OrasCache","metadata":{"name":"demo","namespace":"lab"}}"#.into(),
            ..Observed::default()
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
    fn the_same_json_in_other_bytes_is_shown_too() {
        let found = difference(&planned(r#"{"a":1,"b":2}"#), &planned(r#"{"b":2,"a":1}"#));
        assert!(found.diff.lines().any(|line| line.starts_with('+')), "{}", found.diff);
    }

    #[test]
    fn an_error_is_shown_as_a_sentence() {
        let found = difference(&planned("{}"), &reconcile(Err(GuestError::Stopped("it panicked".into()))));
        assert_eq!(found.replayed["error"], "the guest was stopped: it panicked");
    }

    #[test]
    fn reviews_are_named_after_their_object() {
        let of = |review: &str, complete| {
            let output = Ok(Outcome::Decided(Response::allowed("u")));
            let context = Context { complete, ..Context::default() };
            subject(&Decision::Review { review: review.into(), context, output })
        };
        let review = r#"{"request":{"operation":"CREATE","kind":{"kind":"Pod"},"namespace":"lab","object":{"metadata":{"generateName":"step-"}}}}"#;
        assert_eq!(of(review, false), "review CREATE Pod lab/step-");
        assert_eq!(of(review, true), "review CREATE Pod lab/step-, with the objects that were asked for");
        assert_eq!(of("nonsense", false), "review of object (without a name)");
    }
}

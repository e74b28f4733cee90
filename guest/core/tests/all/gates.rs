//! Pods that wait for their inputs behind a scheduling gate: who gets one, and when it is removed.

use crate::reviewing;
use orascache_contract::{
    ArtifactAnswer, ArtifactFinding, Context, Kind, Observed, Plan, Response, Severity, time,
};
use orascache_core::{admission, gates};
use serde_json::{Value, json};

const PREFIX: &str = "oras.converged-computing.github.io/";
const OURS: &str = "cache.converged-computing.github.io/";
const GATES: &str = r#"{"gates":true}"#;
/// 2026-11-24T12:02:39Z.
const CREATED: u64 = 1_795_521_759;

/// A pod that waits for half an hour.
fn pod(annotations: &[(&str, &str)]) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "count-7", "namespace": "lab", "annotations": {}},
        "spec": {"restartPolicy": "Never", "containers": [
            {"name": "app", "image": "busybox", "command": ["sh"], "workingDir": "/data"},
        ]},
    });
    let usual = [("oras-cache", "shared"), ("input-uri", "flow/words:1"), ("input-wait", "30m")];
    for (name, value) in usual.iter().chain(annotations) {
        pod["metadata"]["annotations"][format!("{PREFIX}{name}")] = json!(value);
    }
    pod
}

fn review(object: &Value, old: Option<&Value>, settings: &str) -> Response {
    let context = Context {
        objects: vec![reviewing::cache("shared")],
        complete: true,
        settings: settings.to_owned(),
        ..Context::default()
    };
    reviewing::decided(admission::review(&reviewing::wrap(object, old), &context).expect("a review"))
}

fn admitted(object: &Value, settings: &str) -> Value {
    let response = review(object, None, settings);
    assert_eq!(response.refusal(), None);
    reviewing::patched(object, &response)
}

fn has_gate(pod: &Value) -> bool {
    let gates = pod["spec"]["schedulingGates"].as_array();
    gates.is_some_and(|gates| gates.iter().any(|gate| gate["name"] == format!("{OURS}inputs")))
}

/// The pod as it is in the cluster.
fn gated(annotations: &[(&str, &str)], settings: &str) -> Value {
    let mut pod = admitted(&pod(annotations), settings);
    assert!(has_gate(&pod), "{pod:#}");
    assert_eq!(pod["metadata"]["labels"][format!("{OURS}gated")], "true");
    pod["metadata"]["uid"] = json!("u");
    pod["metadata"]["creationTimestamp"] = json!(time::rfc3339(CREATED));
    pod
}

/// What is observed of a pod after a while.
struct Seen {
    pod: Value,
    settings: &'static str,
    caches: Vec<Value>,
    after: i64,
    answers: Vec<ArtifactAnswer>,
    omitted: Vec<Kind>,
}

impl Seen {
    fn of(pod: Value) -> Self {
        let shared = serde_json::from_str(&reviewing::cache("shared")).expect("a cache");
        Seen { pod, settings: GATES, caches: vec![shared], after: 60, answers: vec![], omitted: vec![] }
    }

    fn plan(&self) -> Plan {
        let observed = Observed {
            primary: self.pod.to_string(),
            related: self.caches.iter().map(Value::to_string).collect(),
            omitted: self.omitted.clone(),
            answers: self.answers.clone(),
            settings: self.settings.to_owned(),
            now: CREATED.checked_add_signed(self.after).expect("a time"),
            ..Observed::default()
        };
        gates::attend(&observed).expect("a plan")
    }

    /// Answers every question of the plan.
    fn answered(mut self, finding: impl Fn(&str) -> Option<ArtifactFinding>) -> Self {
        let questions = self.plan().questions;
        assert!(!questions.is_empty(), "it asks nothing");
        self.answers = questions
            .into_iter()
            .filter_map(|question| {
                let finding = finding(&question.reference)?;
                Some(ArtifactAnswer { question, finding })
            })
            .collect();
        self
    }

    fn after(mut self, seconds: i64) -> Self {
        self.after = seconds;
        self
    }
}

fn exists() -> Option<ArtifactFinding> {
    Some(ArtifactFinding::Digest("sha256:00".to_owned()))
}

fn missing() -> Option<ArtifactFinding> {
    Some(ArtifactFinding::Missing)
}

/// Asserts that the pod is let go, and returns the seconds that are left and the event.
fn released(seen: &Seen) -> (Option<String>, String) {
    let plan = seen.plan();
    assert_eq!((plan.questions.len(), plan.requeue_after), (0, None), "{plan:?}");
    let [patch] = plan.patch.as_slice() else { panic!("it waits: {plan:?}") };
    assert_eq!((patch.target.name.as_str(), patch.target.uid.as_deref()), ("count-7", Some("u")));
    let patch: json_patch::Patch = serde_json::from_str(&patch.patch).expect("a patch");
    let mut pod = seen.pod.clone();
    json_patch::patch(&mut pod, &patch).expect("it applies");
    assert!(!has_gate(&pod) && pod["metadata"]["labels"].get(format!("{OURS}gated")).is_none());
    let key = format!("{OURS}input-wait-remaining");
    let remaining = pod["metadata"]["annotations"][&key].as_str().map(str::to_owned);
    // Nothing else is touched.
    let mut before = seen.pod.clone();
    for pod in [&mut before, &mut pod] {
        pod["metadata"]["annotations"].as_object_mut().expect("annotations").remove(&key);
        pod["metadata"]["labels"].as_object_mut().expect("labels").remove(&format!("{OURS}gated"));
        let gates = pod["spec"]["schedulingGates"].as_array_mut().expect("gates");
        gates.retain(|gate| gate["name"] != format!("{OURS}inputs"));
    }
    assert_eq!(before, pod);
    let [event] = plan.events.as_slice() else { panic!("one event: {plan:?}") };
    (remaining, format!("{}: {}", event.reason, event.note))
}

#[test]
fn a_pod_that_waits_gets_a_gate_where_the_administrator_switched_that_on() {
    for (annotations, settings, wanted) in [
        (vec![], GATES, true),
        (vec![], "", false),
        (vec![], r#"{"gates":false}"#, false),
        // Another registry is looked into only where the settings name it.
        (vec![("registry", "ghcr.io")], GATES, false),
        (vec![("registry", "ghcr.io")], r#"{"gates":true,"allowedRegistries":["ghcr.io"]}"#, true),
        // The operator trusts no authority of its own.
        (
            vec![("registry", "ghcr.io"), ("registry-ca", "configmap/ca/ca.crt")],
            r#"{"gates":true,"allowedRegistries":["ghcr.io"]}"#,
            false,
        ),
        (
            vec![("registry", "http://short:5000")],
            r#"{"gates":true,"allowedRegistries":["short:5000"]}"#,
            false,
        ),
    ] {
        let pod = admitted(&pod(&annotations), settings);
        assert_eq!(has_gate(&pod), wanted, "{annotations:?} {settings}");
        assert_eq!(pod["metadata"].get("labels").is_some(), wanted);
    }
    let mut without_wait = pod(&[]);
    without_wait["metadata"]["annotations"]
        .as_object_mut()
        .expect("a map")
        .remove(&format!("{PREFIX}input-wait"));
    assert!(!has_gate(&admitted(&without_wait, GATES)));
    let mut without_input = pod(&[("output-uri", "a:1"), ("output-path", "/data/x")]);
    without_input["metadata"]["annotations"]
        .as_object_mut()
        .expect("a map")
        .remove(&format!("{PREFIX}input-uri"));
    assert!(!has_gate(&admitted(&without_input, GATES)));
}

#[test]
fn a_pod_with_a_node_gets_no_gate_and_other_gates_and_labels_stay() {
    let mut placed = pod(&[]);
    placed["spec"]["nodeName"] = json!("node-1");
    assert!(!has_gate(&admitted(&placed, GATES)));
    let mut kueue = pod(&[]);
    kueue["spec"]["schedulingGates"] = json!([{"name": "kueue.x-k8s.io/admission"}]);
    kueue["metadata"]["labels"] = json!({"a": "b"});
    let kueue = admitted(&kueue, GATES);
    assert_eq!(kueue["spec"]["schedulingGates"].as_array().map(Vec::len), Some(2));
    assert_eq!(kueue["metadata"]["labels"], json!({"a": "b", format!("{OURS}gated"): "true"}));
}

#[test]
fn a_gate_is_never_given_twice_or_given_back() {
    let gated = gated(&[], GATES);
    assert_eq!(review(&gated, None, GATES).patch(), None, "a second review changes nothing");
    let mut released = gated.clone();
    released["spec"]["schedulingGates"] = json!([]);
    released["metadata"]["labels"] = json!({});
    // The manifest of the user is applied again.
    let response = review(&pod(&[]), Some(&released), GATES);
    assert!(!has_gate(&reviewing::patched(&pod(&[]), &response)), "{response:?}");
}

#[test]
fn the_operator_is_asked_for_the_artifacts_that_the_agent_will_pull() {
    let mut pod = gated(&[("input-uri_1", "part-{00..02}:{pod}"), ("input-uri_2", "flow/words")], GATES);
    pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] = json!("j");
    let plan = Seen::of(pod.clone()).plan();
    let asked: Vec<String> = plan
        .questions
        .iter()
        .map(|question| format!("{}:{}", question.repository, question.reference))
        .collect();
    assert_eq!(
        asked,
        ["flow/words:1", "part-00:count-7", "part-01:count-7", "part-02:count-7", "flow/words:latest"]
    );
    let first = &plan.questions[0];
    assert_eq!((first.registry.as_str(), first.plain_http), ("shared-0.shared.lab.svc:5000", true));
    assert_eq!(first.credentials, None);
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    pod["metadata"]["annotations"][format!("{PREFIX}input-uri")] = json!(format!("a:1@{digest}"));
    assert_eq!(Seen::of(pod).plan().questions[0].reference, digest);
}

#[test]
fn a_pod_is_let_go_when_all_inputs_exist_with_the_time_that_is_left() {
    let two = || Seen::of(gated(&[("input-uri_1", "b:2")], GATES));
    let waiting = two().answered(|tag| if tag == "1" { exists() } else { missing() });
    let plan = waiting.plan();
    assert_eq!((plan.patch.len(), plan.requeue_after, plan.questions.len()), (0, Some(1_740), 2));
    assert_eq!(plan.events.len(), 1);
    assert_eq!(
        plan.events[0].note,
        "It waits until 2026-11-24T12:32:39Z for b:2 in http://shared-0.shared.lab.svc:5000."
    );
    let (remaining, event) = released(&two().answered(|_| exists()));
    assert_eq!(remaining.as_deref(), Some("1740"));
    assert_eq!(event, "InputsArrived: All inputs exist. The pod is let go, and 29m of input-wait are left.");
}

#[test]
fn the_same_state_leads_to_the_same_event_at_any_time() {
    let note = |after| {
        let seen = Seen::of(gated(&[], GATES)).answered(|_| missing()).after(after);
        seen.plan().events[0].note.clone()
    };
    assert_eq!(note(1), note(1_799));
}

#[test]
fn a_pod_is_let_go_when_its_time_is_over_and_the_event_names_what_is_missing() {
    let seen = Seen::of(gated(&[("input-uri_1", "b:{2..30}")], GATES));
    let seen = seen.answered(|tag| if tag == "1" { exists() } else { missing() }).after(1_800);
    let (remaining, event) = released(&seen);
    assert_eq!(remaining.as_deref(), Some("0"));
    assert!(event.starts_with("InputWaitOver: The time of input-wait is over, and b:2, b:3, "), "{event}");
    assert!(event.contains("b:11 and 19 more did not come to http://shared-0"), "{event}");
    assert_eq!(seen.plan().events[0].severity, Severity::Warning);
    // Also when no registry ever answered.
    let (remaining, event) = released(&Seen::of(gated(&[], GATES)).after(100_000));
    assert!(remaining.as_deref() == Some("0") && event.contains("flow/words:1 did not come"), "{event}");
}

#[test]
fn a_registry_that_is_silent_gets_an_event_after_a_while() {
    let early = Seen::of(gated(&[], GATES)).after(5).plan();
    assert_eq!((early.events.len(), early.requeue_after), (0, Some(25)));
    let late = Seen::of(gated(&[], GATES)).after(40).plan();
    assert_eq!(late.requeue_after, Some(1_760));
    let event = &late.events[0];
    assert_eq!((&*event.reason, event.severity), ("NoAnswer", Severity::Warning));
    assert!(event.note.contains("no answer yet about flow/words:1"), "{}", event.note);
}

/// A change after which waiting cannot help, and a part of the event.
type Case<'c> = (&'c dyn Fn(&mut Seen), &'c str);

#[test]
fn a_pod_is_let_go_when_waiting_cannot_help() {
    let with = |change: &dyn Fn(&mut Seen)| {
        let mut seen = Seen::of(gated(&[], GATES));
        change(&mut seen);
        released(&seen)
    };
    let annotate = |seen: &mut Seen, name: &str, value: &str| {
        seen.pod["metadata"]["annotations"][format!("{PREFIX}{name}")] = json!(value);
    };
    let cases: [Case<'_>; 11] = [
        (&|seen| seen.settings = "", "the administrator switched gates off"),
        (&|seen| seen.caches.clear(), "OrasCache shared does not exist"),
        (
            &|seen| seen.caches[0]["metadata"]["deletionTimestamp"] = json!("2026-11-24T12:02:39Z"),
            "OrasCache shared is being deleted",
        ),
        (&|seen| seen.caches[0]["spec"]["deploy"] = json!(false), "has no registry of its own"),
        (&|seen| seen.caches[0]["spec"]["tls"] = json!({}), "does not know the authority"),
        (&|seen| annotate(seen, "registry", "internal.lan"), "allowedRegistries does not name the registry"),
        (&|seen| annotate(seen, "registry", "user:pass@x"), "the registry is no host"),
        (&|seen| annotate(seen, "input-uri", "a:{index}"), "a placeholder of an input has no value"),
        (&|seen| annotate(seen, "input-uri", "http://x"), "an input is no reference"),
        (&|seen| annotate(seen, "input-uri", "a:{1..2000}"), "more inputs than a step may have"),
        (&|seen| annotate(seen, "input-wait", "soon"), "no usable annotation input-wait"),
    ];
    for (change, why) in cases {
        let (remaining, event) = with(change);
        assert!(event.contains(why), "{why}: {event}");
        assert_eq!(remaining.is_some(), !why.contains("no usable"), "{event}");
    }
    let unknown = Some(ArtifactFinding::Unknown("the Secret mine may not be read.".to_owned()));
    let seen = Seen::of(gated(&[], GATES)).answered(|_| unknown.clone());
    let (remaining, event) = released(&seen);
    assert_eq!(remaining.as_deref(), Some("1740"));
    assert!(event.contains("the Secret mine may not be read. The agent looks itself."), "{event}");
}

#[test]
fn a_pod_waits_for_as_many_inputs_as_the_settings_allow() {
    const MORE: &str = r#"{"gates":true,"maximumInputs":1500}"#;
    let many = [("input-uri", "flow/part:{1..1500}")];
    let mut seen = Seen::of(gated(&many, MORE));
    seen.settings = MORE;
    assert_eq!(seen.plan().questions.len(), 1_500);
    seen.settings = GATES;
    assert!(released(&seen).1.contains("more inputs than a step may have"));
}

#[test]
fn a_cache_that_the_watch_has_not_delivered_yet_is_waited_for() {
    let mut seen = Seen::of(gated(&[], GATES)).after(4);
    seen.caches.clear();
    let plan = seen.plan();
    assert_eq!((plan.patch.len(), plan.requeue_after), (0, Some(6)));
    seen.omitted =
        vec![Kind::namespaced("cache.converged-computing.github.io/v1alpha1", "OrasCache", "orascaches")];
    assert!(!seen.after(60).plan().questions.is_empty(), "a namespace with too many caches to hand over");
}

#[test]
fn clocks_that_differ_make_no_pod_wait_longer_than_it_asks_for() {
    let plan = Seen::of(gated(&[], GATES)).after(-86_400).plan();
    assert_eq!((plan.patch.len(), plan.requeue_after), (0, Some(30)), "no time has passed");
    let waiting = Seen::of(gated(&[], GATES)).answered(|_| missing()).after(-86_400).plan();
    assert_eq!(waiting.requeue_after, Some(1_800));
    let mut without = gated(&[], GATES);
    without["metadata"].as_object_mut().expect("a map").remove("creationTimestamp");
    assert_eq!(Seen::of(without).answered(|_| missing()).plan().requeue_after, Some(1_800));
}

#[test]
fn other_gates_stay_and_a_gate_that_is_gone_takes_the_label_along() {
    let mut pod = gated(&[], GATES);
    let ours = pod["spec"]["schedulingGates"][0].clone();
    pod["spec"]["schedulingGates"] = json!([{"name": "a"}, ours, {"name": "b"}]);
    let seen = Seen::of(pod.clone()).answered(|_| exists());
    released(&seen);
    // The list is another one now: nothing happens to it.
    let patch: json_patch::Patch = serde_json::from_str(&seen.plan().patch[0].patch).expect("a patch");
    let mut changed = pod.clone();
    changed["spec"]["schedulingGates"] = json!([ours, {"name": "b"}]);
    assert!(json_patch::patch(&mut changed, &patch).is_err());
    // Somebody else removed the gate.
    pod["spec"]["schedulingGates"] = json!([{"name": "a"}]);
    let plan = Seen::of(pod.clone()).plan();
    let patch: Value = serde_json::from_str(&plan.patch[0].patch).expect("a patch");
    assert_eq!(
        patch,
        json!([{"op": "remove", "path": "/metadata/labels/cache.converged-computing.github.io~1gated"}])
    );
    assert_eq!(plan.events, []);
    pod["metadata"]["labels"] = json!({});
    assert!(Seen::of(pod.clone()).plan().is_empty());
    pod["spec"]["schedulingGates"] = json!([ours]);
    pod["metadata"]["deletionTimestamp"] = json!("2026-11-24T12:02:39Z");
    assert!(Seen::of(pod).plan().is_empty(), "a pod that is being deleted is left alone");
}

#[test]
fn answers_to_other_questions_do_not_count() {
    let mut seen = Seen::of(gated(&[], GATES)).answered(|_| exists());
    seen.answers[0].question.registry = "another".to_owned();
    assert!(seen.plan().patch.is_empty());
}

//! Properties of the rewriting, over generated pods, natively and through the component.

use fake_kube::builtins;
use orascache_contract::{Context, Outcome, Response};
use orascache_core::admission;
use orascache_operator::EMBEDDED;
use orascache_runtime::Guest;
use orascache_tests::cluster::guest;
use orascache_tests::pods;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::LazyLock;

static GUEST: LazyLock<Guest> = LazyLock::new(|| guest(EMBEDDED));

/// What the core decides natively, after checking that the component decides the same.
fn decide(review: &str, caches: &[String], settings: &str) -> Result<Outcome, String> {
    let context: Context = Context {
        objects: caches.iter().map(|text| text.as_str().into()).collect(),
        complete: true,
        settings: settings.into(),
        ..Context::default()
    };
    let native = admission::review(review, &context).map_err(|error| error.to_string());
    let component = GUEST.blocking().review(review, &context).map_err(|error| error.to_string());
    // The host adds whose fault an error is to the guest's sentence.
    match (&native, &component) {
        (Err(native), Err(component)) => assert!(component.contains(native), "{component} / {native}"),
        _ => assert_eq!(native, component),
    }
    native
}

fn response(object: &Value) -> Response {
    match decide(&pods::review(object), &[pods::cache()], "") {
        Ok(Outcome::Decided(response)) => response,
        other => panic!("no response: {other:?}"),
    }
}

fn apply(object: &Value, patch: &str) -> Value {
    let mut object = object.clone();
    let patch: json_patch::Patch = serde_json::from_str(patch).expect("a patch");
    json_patch::patch(&mut object, &patch).expect("a patch that applies");
    object
}

/// Where a patch may write, with `#` for an index.
const ALLOWED: [&str; 12] = [
    "/metadata/annotations",
    "/metadata/annotations/cache.converged-computing.github.io~1injected",
    "/spec/volumes",
    "/spec/volumes/#",
    "/spec/initContainers",
    "/spec/initContainers/#",
    "/spec/containers/#/command",
    "/spec/containers/#/env",
    "/spec/containers/#/env/#",
    "/spec/containers/#/volumeMounts",
    "/spec/containers/#/volumeMounts/#",
    "/spec/template/metadata/annotations",
];

fn pattern(pointer: &str) -> String {
    let is_index = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = pointer.split('/').map(|part| if is_index(part) { "#" } else { part }).collect();
    parts.join("/")
}

/// Takes back what was added, by what a reader of the contract would expect, not by the patch.
fn undone(mut pod: Value) -> Value {
    pod["metadata"]["annotations"]
        .as_object_mut()
        .expect("annotations")
        .remove("cache.converged-computing.github.io/injected");
    let retain = |place: &mut Value, keep: &dyn Fn(&str) -> bool| {
        if let Some(items) = place.as_array_mut() {
            items.retain(|item| keep(item["name"].as_str().unwrap_or_default()));
            if items.is_empty() {
                *place = Value::Null;
            }
        }
    };
    retain(&mut pod["spec"]["volumes"], &|name| !name.starts_with("orascache-"));
    retain(&mut pod["spec"]["initContainers"], &|name| name != "oras" && name != "oras-install");
    for container in pod["spec"]["containers"].as_array_mut().expect("containers") {
        let command = container["command"].as_array().expect("a command").clone();
        if command[0] == "/orascache/orascache-agent" {
            let separator = command.iter().position(|word| word == "--").expect("a separator");
            container["command"] = json!(command[separator + 1..]);
            retain(&mut container["volumeMounts"], &|name| !name.starts_with("orascache-"));
            retain(&mut container["env"], &|name| !name.starts_with("ORASCACHE_"));
        }
    }
    pod
}

/// A list that is empty, null or missing is no list.
fn without_empty_lists(mut pod: Value) -> Value {
    let drop = |object: &mut Value, lists: &[&str]| {
        if let Some(members) = object.as_object_mut() {
            members.retain(|name, value| {
                !lists.contains(&name.as_str())
                    || !(value.is_null() || value.as_array().is_some_and(Vec::is_empty))
            });
        }
    };
    drop(&mut pod["spec"], &["initContainers", "volumes"]);
    for container in pod["spec"]["containers"].as_array_mut().expect("containers") {
        drop(container, &["env", "volumeMounts"]);
    }
    pod
}

/// What the API server would refuse, once its defaults are filled in.
fn causes(pod: &Value) -> Vec<String> {
    let resource = builtins::find("", "v1", "pods").expect("pods are built in");
    let mut pod = pod.clone();
    let name = pod["metadata"]["name"].as_str().unwrap_or("step-x7k2p").to_owned();
    pod["metadata"]["name"] = json!(name);
    builtins::default(resource, &mut pod);
    let causes = builtins::validate_create(resource, &pod);
    causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn rewritten_pods_are_what_was_asked_for(pod in pods::pod()) {
        prop_assert_eq!(causes(&pod), Vec::<String>::new(), "the generator makes valid pods");
        let first = response(&pod);
        prop_assert!(first.is_allowed(), "{first:?}");
        let Some(patch) = first.patch() else {
            prop_assert!(first.warnings.iter().any(|warning| warning.contains("ask for nothing")));
            return Ok(());
        };
        let operations: Vec<Value> = serde_json::from_str(patch).expect("operations");
        for operation in &operations {
            let path = pattern(operation["path"].as_str().expect("a path"));
            prop_assert!(ALLOWED.contains(&path.as_str()), "{}", path);
        }
        let rewritten = apply(&pod, patch);

        // f(f(x)) = f(x)
        let second = response(&rewritten);
        prop_assert_eq!((second.is_allowed(), second.patch()), (true, None));

        // A valid pod, also to the typed library.
        prop_assert_eq!(causes(&rewritten), Vec::<String>::new());
        let mut known = rewritten.clone();
        known["spec"]["fieldOfTheFuture"] = Value::Null;
        for container in known["spec"]["containers"].as_array_mut().expect("containers") {
            container["fieldOfTheFuture"] = Value::Null;
        }
        let typed: Result<k8s_openapi::api::core::v1::Pod, _> = serde_json::from_value(known);
        prop_assert!(typed.is_ok(), "{:?}", typed.err());

        // Nothing else changed: argv, unknown fields, other containers.
        prop_assert_eq!(without_empty_lists(undone(rewritten.clone())), without_empty_lists(pod.clone()));

        // Exactly one container takes part, and credentials stay out of all containers of the user.
        let containers = rewritten["spec"]["containers"].as_array().expect("containers");
        let wrapped = containers.iter().filter(|container| container["command"][0] == "/orascache/orascache-agent");
        prop_assert_eq!(wrapped.count(), 1);
        for container in containers {
            prop_assert!(!container.to_string().contains("orascache-credentials"));
        }
        let sidecars = rewritten["spec"]["initContainers"].as_array().expect("init containers");
        let has_credentials = pod["metadata"]["annotations"].get(format!("{}oras-env", pods::PREFIX)).is_some();
        prop_assert_eq!(sidecars.iter().any(|container| container["name"] == "oras"), has_credentials);
    }

    #[test]
    fn garbage_never_panics(
        pod in pods::pod(),
        cut in 0.0_f64..1.0,
        damage in proptest::collection::vec((0.0_f64..1.0, any::<char>()), 0..4),
        settings in prop_oneof![Just(String::new()), "\\PC{0,20}", Just("{\"agentImage\":3}".to_owned())],
    ) {
        let mut text: Vec<char> = pods::review(&pod).chars().collect();
        for (place, character) in damage {
            let index = (place * text.len() as f64) as usize;
            if let Some(found) = text.get_mut(index) {
                *found = character;
            }
        }
        text.truncate(((1.0 - cut / 4.0) * text.len() as f64) as usize);
        let text: String = text.into_iter().collect();
        // Whether it is an error or a verdict: the same on both sides.
        let _ = decide(&text, &[pods::cache(), "{".to_owned()], &settings);
    }
}

#[test]
fn the_component_decides_every_recorded_review_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest/core/tests/reviews");
    let mut count = 0;
    let paths = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    for path in paths.filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(path).expect("a file");
        let input: Value = serde_saphyr::from_str(&text).expect("YAML");
        let caches: Vec<String> =
            input["caches"].as_array().into_iter().flatten().map(Value::to_string).collect();
        let settings =
            if input["settings"].is_null() { String::new() } else { input["settings"].to_string() };
        decide(&pods::review(&input["object"]), &caches, &settings).expect("a review");
        count += 1;
    }
    assert!(count > 46, "{count}");
}

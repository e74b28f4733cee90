//! A tiny guest that has nothing to do with registries: a Greeting gets a ConfigMap with its text.
//!
//! `spec.misbehave` makes it do what no guest should: `panic`, `loop`, `allocate` or `recurse`.

use serde_json::{Value, json};

/// Bindings generated from `wit/`.
#[allow(
    unsafe_code,
    reason = "the canonical ABI is spoken through raw pointers; wit-bindgen generates that code"
)]
#[allow(missing_docs, reason = "the documentation stands in the WIT package")]
#[allow(clippy::all, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "operator" });

    #[cfg(target_arch = "wasm32")]
    export!(Greeter with_types_in self);
    #[cfg(target_arch = "wasm32")]
    use super::Greeter;
}

use bindings::exports::orascache::operator::{admission, reconciler, types};

#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "exported on wasm32 only"))]
struct Greeter;

fn kind(api_version: &str, kind: &str, plural: &str) -> types::Kind {
    types::Kind {
        api_version: api_version.into(),
        kind: kind.into(),
        plural: plural.into(),
        namespaced: true,
    }
}

impl reconciler::Guest for Greeter {
    fn describe() -> reconciler::Description {
        reconciler::Description {
            primary: kind("lab.example.com/v1", "Greeting", "greetings"),
            owned: vec![kind("v1", "ConfigMap", "configmaps")],
            related: Vec::new(),
            field_manager: "greeter".into(),
        }
    }

    fn reconcile(observed: reconciler::Observed) -> Result<reconciler::Plan, types::Error> {
        let parse = |text: &String| {
            serde_json::from_str::<Value>(text).map_err(|e| types::Error::InvalidInput(e.to_string()))
        };
        let primary = parse(&observed.primary)?;
        misbehave(primary["spec"]["misbehave"].as_str().unwrap_or_default());
        let metadata = &primary["metadata"];
        let data = json!({"greeting": primary["spec"]["text"].as_str().unwrap_or("hello")});
        let mut plan = reconciler::Plan {
            generate: Vec::new(),
            apply: Vec::new(),
            delete: Vec::new(),
            status: None,
            events: Vec::new(),
            requeue_after: None,
        };
        let owned = observed.owned.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        if !owned.iter().any(|object| object["data"] == data) {
            plan.apply.push(
                json!({
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {
                        "name": metadata["name"], "namespace": metadata["namespace"],
                        "ownerReferences": [{
                            "apiVersion": primary["apiVersion"], "kind": primary["kind"], "name": metadata["name"],
                            "uid": metadata["uid"], "controller": true,
                        }],
                    },
                    "data": data,
                })
                .to_string(),
            );
        }
        let status = json!({"observedGeneration": metadata["generation"], "greeting": data["greeting"]});
        if primary["status"] != status {
            plan.status = Some(
                json!({
                    "apiVersion": primary["apiVersion"], "kind": primary["kind"],
                    "metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]},
                    "status": status,
                })
                .to_string(),
            );
        }
        Ok(plan)
    }
}

impl admission::Guest for Greeter {
    fn review(
        review: types::Object,
        _context: admission::Context,
    ) -> Result<admission::Outcome, types::Error> {
        let review: Value =
            serde_json::from_str(&review).map_err(|e| types::Error::InvalidInput(e.to_string()))?;
        Ok(admission::Outcome::Decided(admission::Verdict {
            uid: review["request"]["uid"].as_str().unwrap_or_default().to_owned(),
            allowed: true,
            code: 200,
            message: String::new(),
            warnings: Vec::new(),
            patch: None,
            audit: Vec::new(),
        }))
    }

    fn check_settings(settings: String) -> Result<(), types::Error> {
        if settings.is_empty() {
            return Ok(());
        }
        Err(types::Error::InvalidInput("a greeter has no settings: remove them".into()))
    }
}

#[allow(clippy::panic, reason = "that is what it is asked to do")]
fn misbehave(how: &str) {
    match how {
        "panic" => panic!("as asked"),
        "loop" => loop {
            std::hint::spin_loop();
        },
        "allocate" => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
            }
        }
        "recurse" => {
            std::hint::black_box(recurse(1));
        }
        _ => {}
    }
}

#[allow(unconditional_recursion, reason = "that is what it is asked to do")]
fn recurse(depth: u64) -> u64 {
    std::hint::black_box(recurse(std::hint::black_box(depth + 1))) + depth
}

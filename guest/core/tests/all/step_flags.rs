//! Properties of the flags of the agent: what the annotations ask for is what the agent reads.

use crate::reviewing;
use orascache_api::flags::{InputFlag, OutputFlag};
use orascache_contract::Context;
use orascache_core::admission;
use proptest::prelude::*;
use serde_json::{Value, json};

const PREFIX: &str = "oras.converged-computing.github.io/";

/// The values of a flag in the command of the step, as the process gets them.
fn flags(annotations: &Value, name: &str) -> Vec<String> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "step", "annotations": annotations},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "a", "command": ["sh"]}]},
    });
    let context = Context { objects: vec![reviewing::cache("shared")], complete: true, ..Context::default() };
    let response = admission::review(&reviewing::wrap(&pod, None), &context).expect("a review");
    let response = reviewing::decided(response);
    assert!(response.is_allowed(), "{response:?}");
    let rewritten = reviewing::patched(&pod, &response);
    let words = rewritten["spec"]["containers"][0]["command"].as_array().expect("a command");
    let words = words.iter().filter_map(Value::as_str).take_while(|word| *word != "--");
    let flag = format!("--{name}=");
    // Kubernetes takes $$ for a dollar sign.
    words.filter_map(|word| word.strip_prefix(&flag)).map(|value| value.replace("$$", "$")).collect()
}

fn path() -> impl Strategy<Value = String> {
    "[a-z/][a-z/, =$()é.-]{0,12}[a-z](\\{pod\\})?"
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn inputs_arrive_in_numeric_order_with_their_paths(
        inputs in proptest::collection::btree_map(
            proptest::option::of(0_u32..30),
            ("[a-z]{1,3}(:[a-z]{1,3}|:\\{00\\.\\.09\\}|:\\{pod\\})", proptest::option::of(path())),
            1..12,
        ),
    ) {
        let mut annotations = json!({format!("{PREFIX}oras-cache"): "shared"});
        let mut wanted = Vec::new();
        for (number, (uri, path)) in &inputs {
            let suffix = number.map(|number| format!("_{number}")).unwrap_or_default();
            annotations[format!("{PREFIX}input-uri{suffix}")] = json!(uri);
            // The path without a number is that of all inputs without their own.
            let path = path.as_deref().filter(|_| number.is_some());
            if let Some(path) = path {
                annotations[format!("{PREFIX}input-path{suffix}")] = json!(path);
            }
            wanted.push((uri.as_str(), path));
        }
        let found = flags(&annotations, "input");
        let read: Vec<InputFlag<'_>> = found.iter().map(|flag| InputFlag::parse(flag).expect("a flag")).collect();
        let read: Vec<_> = read.iter().map(|flag| (flag.input.text(), flag.path.map(|path| path.text()))).collect();
        prop_assert_eq!(read, wanted);
    }

    #[test]
    fn outputs_arrive_in_numeric_order_with_their_paths(
        outputs in proptest::collection::btree_map(proptest::option::of(0_u32..30), path(), 1..8),
    ) {
        let mut annotations = json!({format!("{PREFIX}oras-cache"): "shared"});
        let mut wanted = Vec::new();
        for (number, path) in &outputs {
            let suffix = number.map(|number| format!("_{number}")).unwrap_or_default();
            let uri = format!("out:x{suffix}");
            annotations[format!("{PREFIX}output-uri{suffix}")] = json!(uri);
            annotations[format!("{PREFIX}output-path{suffix}")] = json!(path);
            wanted.push((uri, path.as_str()));
        }
        let (found, default) = (flags(&annotations, "output"), flags(&annotations, "output-path"));
        prop_assert!(default.len() <= 1);
        let read: Vec<OutputFlag<'_>> = found.iter().map(|flag| OutputFlag::parse(flag).expect("a flag")).collect();
        let read: Vec<_> = read
            .iter()
            .map(|flag| {
                let own = flag.path.map(|path| path.text());
                (flag.output.text().to_owned(), own.or(default.first().map(String::as_str)).expect("a path"))
            })
            .collect();
        prop_assert_eq!(read, wanted);
    }
}

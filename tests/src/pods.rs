//! Strategies that generate valid pods with step annotations.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Prefix of the annotations.
pub const PREFIX: &str = "oras.converged-computing.github.io/";
/// The cache that generated pods name.
pub const CACHE: &str = "orascache-sample";
/// Namespace of generated pods.
pub const NAMESPACE: &str = "lab";

/// Words of commands. They have characters that are special to shells, to JSON or to Kubernetes'
/// own expansion, and the agent's separator `--`.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("--".to_owned()),
        Just("$(HOME) $$(HOME) $".to_owned()),
        Just("a; b && c | d".to_owned()),
        Just(String::new()),
        "[ -~]{1,12}",
        "[\"\\\\\u{1}\n\té漢🦀]{1,6}",
    ]
}

/// Values of a field that a later Kubernetes might add: any JSON, also fractions and nulls.
fn unknown() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({"ratio": 0.25, "deep": [null, {"x": -1.5e300}]})),
        Just(json!(18_446_744_073_709_551_615_u64)),
        Just(json!(["a~b/c", {"": ""}])),
        Just(Value::Null),
    ]
}

fn resources() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!({"requests": {"cpu": "100m"}})),
        Just(json!({"limits": {"cpu": "1", "memory": "1Gi"}})),
        Just(json!({"limits": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"}})),
    ]
}

fn security() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!({"runAsUser": 0})),
        Just(json!({"runAsUser": 1000, "readOnlyRootFilesystem": true})),
        Just(json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}})),
    ]
}

fn container(name: String) -> impl Strategy<Value = Value> {
    let lists =
        (vec(word(), 1..4), option::of(vec(word(), 0..3)), option::of(vec(word(), 0..3)), any::<bool>());
    (lists, resources(), security(), option::of(unknown())).prop_map(
        move |((command, args, values, mounts), resources, security, unknown)| {
            let env = values.map(|values| {
                let variable = |(index, value)| json!({"name": format!("V{index}"), "value": value});
                values.into_iter().enumerate().map(variable).collect::<Vec<_>>()
            });
            let mut container = without_nulls(json!({
                "name": name, "image": "busybox", "command": command, "args": args, "env": env,
                "resources": resources, "securityContext": security,
                "volumeMounts": mounts.then(|| json!([{"name": "data", "mountPath": "/data"}])),
            }));
            if let Some(unknown) = unknown {
                container["fieldOfTheFuture"] = unknown;
            }
            container
        },
    )
}

fn uri() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("flow/words:run-1".to_owned()),
        Just("{namespace}/x:{pod}".to_owned()),
        "[a-z]{1,5}/[a-z0-9]{1,5}:[A-Za-z0-9]{1,5}",
    ]
}

/// An input, and its own path.
fn input() -> impl Strategy<Value = (String, Option<&'static str>)> {
    let uri = prop_oneof![
        3 => uri(),
        1 => (0_u32..20, 0_u32..20).prop_map(|(first, more)| {
            format!("data/part:{{pod}}-{{{first:03}..{}}}", first + more)
        }),
    ];
    (uri, option::of(Just("/data/{repository}, {tag}")))
}

/// Annotations that every step with inputs and outputs may have besides, without their prefix.
fn extras() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let extra = |name: &'static str, values: &'static [&'static str]| {
        option::of(proptest::sample::select(values).prop_map(move |value| (name, value)))
    };
    let all = (
        extra("input-wait", &["30m", "1s"]),
        extra("input-conflicts", &["refuse", "last-wins"]),
        extra("registry-ca", &["configmap/lab-ca/ca.crt", "secret/lab-ca/ca.crt"]),
        extra("reuse", &["true", "false"]),
        extra("reuse-salt", &["a $(HOME)"]),
        extra("reuse-files", &["/scripts/run.sh, /x/{namespace}\n/y"]),
        extra("compression", &["gzip", "zstd"]),
    );
    all.prop_map(|(a, b, c, d, e, f, g)| [a, b, c, d, e, f, g].into_iter().flatten().collect())
}

fn annotations(containers: usize) -> impl Strategy<Value = Map<String, Value>> {
    (
        vec(input(), 0..4),
        option::of(uri()),
        any::<bool>(),
        option::of(prop_oneof![Just("/data/in"), Just("/data/{tag}/{pod}")]),
        option::of(Just("/data/log $(HOME)")),
        option::of(prop_oneof![Just("ghcr.io"), Just("http://registry.lab:5000")]),
        option::of(Just("credentials")),
        0..containers,
        option::of(any::<bool>()),
        extras(),
    )
        .prop_map(
            |(inputs, output, second, input_path, pipe, registry, secret, container, unpack, extras)| {
                let mut all = Map::new();
                let mut say = |name: &str, value: &str| {
                    all.insert(format!("{PREFIX}{name}"), json!(value));
                };
                say("oras-cache", CACHE);
                say("container", &format!("c{container}"));
                for (index, (uri, path)) in inputs.iter().enumerate() {
                    say(&format!("input-uri_{}", index * 7), uri);
                    if let Some(path) = path {
                        say(&format!("input-path_{}", index * 7), path);
                    }
                }
                for (name, value) in extras {
                    say(name, value);
                }
                if second {
                    say("output-uri_3", "second/output:{pod}");
                    say("output-path_3", "out/{namespace}, 2");
                }
                if let Some(uri) = &output {
                    say("output-uri", uri);
                    say("output-path", "out");
                }
                for (name, value) in [
                    ("input-path", input_path),
                    ("output-pipe", pipe),
                    ("registry", registry),
                    ("oras-env", secret),
                ] {
                    if let Some(value) = value {
                        say(name, value);
                    }
                }
                if let Some(unpack) = unpack {
                    say("unpack", &unpack.to_string());
                }
                all
            },
        )
}

/// A pod with step annotations.
pub fn pod() -> impl Strategy<Value = Value> {
    (1_usize..4).prop_flat_map(|count| {
        let containers: Vec<_> = (0..count).map(|index| container(format!("c{index}"))).collect();
        let init = option::of(container("prepare".to_owned()));
        (containers, init, annotations(count), security(), option::of(unknown()), any::<bool>()).prop_map(
            |(containers, init, annotations, security, unknown, generated)| {
                let name = if generated { "generateName" } else { "name" };
                let security = security.get("runAsUser").map(|user| json!({ "runAsUser": user }));
                let mut pod = json!({
                    "apiVersion": "v1", "kind": "Pod",
                    "metadata": {name: "step-", "namespace": NAMESPACE, "annotations": annotations},
                    "spec": without_nulls(json!({
                        "restartPolicy": "Never",
                        "volumes": [{"name": "data", "emptyDir": {}}],
                        "containers": containers,
                        "initContainers": init.map(|init| json!([init])),
                        "securityContext": security,
                    })),
                });
                if !generated {
                    pod["metadata"]["name"] = json!("step");
                }
                if let Some(unknown) = unknown {
                    pod["spec"]["fieldOfTheFuture"] = unknown;
                }
                pod
            },
        )
    })
}

fn without_nulls(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, member| !member.is_null());
    }
    value
}

/// An AdmissionReview about the creation of an object.
pub fn review(object: &Value) -> String {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": group, "version": version, "kind": object["kind"]},
            "namespace": NAMESPACE, "operation": "CREATE", "object": object,
        },
    })
    .to_string()
}

/// The cache that generated pods name, as JSON text.
pub fn cache() -> String {
    json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": CACHE, "namespace": NAMESPACE}, "spec": {},
    })
    .to_string()
}

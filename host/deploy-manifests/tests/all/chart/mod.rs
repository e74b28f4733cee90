//! The Helm chart, rendered and installed by Helm's own engine: it has the objects of the kustomize
//! folders.

mod helm;
mod release;
mod workflow;

use deploy_manifests::peers::parse_peer;
use deploy_manifests::{CertificateSource, ClientCaSource, ManifestOptions};
use helm::{chart, helm, rendered};
use orascache_core::describe;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Labels that the chart adds.
const CHART_LABELS: [&str; 4] = [
    "helm.sh/chart",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
];

/// Objects by kind, namespace and name, without what only a chart has.
fn comparable(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let text = |object: &Value, pointer: &str| {
        object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut map = BTreeMap::new();
    for mut object in objects {
        // Helm makes the namespace itself.
        if object["kind"] == "Namespace" || !object["metadata"]["annotations"]["helm.sh/hook"].is_null() {
            continue;
        }
        let metadata = object["metadata"].as_object_mut().expect("metadata");
        for (member, names) in
            [("labels", &CHART_LABELS[..]), ("annotations", &["helm.sh/resource-policy"][..])]
        {
            let Some(members) = metadata.get_mut(member).and_then(Value::as_object_mut) else { continue };
            members.retain(|name, _| !names.contains(&name.as_str()));
            if members.is_empty() {
                metadata.remove(member);
            }
        }
        let name =
            ["/kind", "/metadata/namespace", "/metadata/name"].map(|part| text(&object, part)).join(" ");
        assert!(map.insert(name.clone(), object).is_none(), "{name} is there twice");
    }
    map
}

/// Values of the chart, and the options that mean the same.
fn cases() -> Vec<(Value, ManifestOptions)> {
    let default = ManifestOptions::default;
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let secret = |name: &str| Some(ClientCaSource::Secret(name.to_owned()));
    let certificates = CertificateSource::CertManager;
    let digest = format!("sha256:{}", "a".repeat(64));
    vec![
        (json!({}), default()),
        // With null, Helm takes away what another file of values has.
        (json!({"namespaces": null}), default()),
        (
            json!({"image": {"repository": "mirror.test:5000/team/orascache", "tag": "1e3"}, "replicas": 5}),
            ManifestOptions {
                image: "mirror.test:5000/team/orascache:1e3".to_owned(),
                replicas: 5,
                ..default()
            },
        ),
        (
            json!({"image": {"tag": "ignored", "digest": digest}}),
            ManifestOptions { image: format!("ghcr.io/converged-computing/orascache@{digest}"), ..default() },
        ),
        (
            json!({"registry": "mirror.test:5000/k8s"}),
            ManifestOptions { registry: Some("mirror.test:5000/k8s".to_owned()), ..default() },
        ),
        (
            json!({"registry": "mirror.test", "image": {"repository": "team/orascache"}}),
            ManifestOptions {
                registry: Some("mirror.test".to_owned()),
                image: format!("team/orascache:{}", env!("CARGO_PKG_VERSION")),
                ..default()
            },
        ),
        (
            json!({"highAvailability": true, "replicas": 3}),
            ManifestOptions { high_availability: true, replicas: 3, ..default() },
        ),
        // Names of namespaces may look like numbers.
        (
            json!({"namespaces": ["team-a", "123"]}),
            ManifestOptions { namespaces: names(&["team-a", "123"]), ..default() },
        ),
        (json!({"gates": {"enabled": true}}), ManifestOptions { gates: true, ..default() }),
        (
            json!({"gates": {"enabled": true}, "namespaces": ["a"], "webhooks": {"certificate": "cert-manager"}}),
            ManifestOptions { gates: true, namespaces: names(&["a"]), certificates, ..default() },
        ),
        (json!({"webhooks": {"certificate": "cert-manager"}}), ManifestOptions { certificates, ..default() }),
        (json!({"webhooks": {"enabled": false}}), ManifestOptions { webhooks: false, ..default() }),
        (
            json!({"webhooks": {"enabled": false, "certificate": "cert-manager"}, "namespaces": ["a", "b"]}),
            ManifestOptions { webhooks: false, namespaces: names(&["a", "b"]), ..default() },
        ),
        (
            json!({"webhooks": {"clientCA": {"secret": "callers"}}}),
            ManifestOptions { client_ca: secret("callers"), ..default() },
        ),
        (
            json!({"webhooks": {"clientCA": {"configMap": "callers"}, "certificate": "cert-manager"}}),
            ManifestOptions {
                client_ca: Some(ClientCaSource::ConfigMap("callers".to_owned())),
                certificates,
                ..default()
            },
        ),
        (
            json!({
                "webhooks": {"from": [
                    {"ipBlock": {"cidr": "10.0.0.0/28"}},
                    {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
                ]},
                "networkPolicy": {"apiPorts": [8443], "egressPorts": [5000, 3128]},
            }),
            ManifestOptions {
                webhook_from: ["10.0.0.0/28", "kube-system"]
                    .map(|peer| parse_peer(peer).expect("a peer"))
                    .to_vec(),
                api_ports: vec![8443],
                egress_ports: vec![5000, 3128],
                ..default()
            },
        ),
    ]
}

#[test]
fn the_chart_renders_the_objects_of_the_same_options() {
    let cases = cases();
    let values: Vec<Value> = cases.iter().map(|(values, _)| values.clone()).collect();
    let Some(all) = rendered(&values) else { return };
    assert_eq!(all.len(), cases.len());
    for ((values, options), objects) in cases.iter().zip(all) {
        let objects = comparable(objects.unwrap_or_else(|error| panic!("{values}: {error}")));
        let expected = comparable(deploy_manifests::objects(options, &describe()).expect("usable options"));
        let names = |map: &BTreeMap<String, Value>| map.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&objects), names(&expected), "{values}");
        for (name, object) in expected {
            assert_eq!(objects[&name], object, "{name} with {values}");
        }
    }
}

#[test]
fn every_object_has_the_labels_of_its_release() {
    let Some(all) = rendered(&[json!({"settings": {"gates": true}, "gates": {"enabled": true}})]) else {
        return;
    };
    let objects = all[0].as_ref().expect("objects");
    assert!(objects.len() > 15);
    for object in objects {
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["app.kubernetes.io/instance"], "orascache", "{object}");
        assert_eq!(labels["app.kubernetes.io/managed-by"], "Helm", "{object}");
        assert!(labels["app.kubernetes.io/name"].is_string() || object["kind"] == "CustomResourceDefinition");
    }
    // Selectors of pods never change, so that they have none of these labels.
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").expect("a Deployment");
    assert_eq!(deployment["spec"]["selector"]["matchLabels"].as_object().expect("labels").len(), 2);
}

/// Values that only change the pods, with the fields that they become.
#[test]
fn what_people_say_of_pods_reaches_them() {
    let values = json!({
        "podLabels": {"team": "infra"},
        "podAnnotations": {"note": "1"},
        "nodeSelector": {"pool": "system"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "priorityClassName": "",
        "resources": {"requests": {"cpu": 1}, "limits": null},
        "image": {"pullPolicy": "Always", "pullSecrets": [{"name": "mine"}]},
        "extraArgs": ["--component=/components/a.wasm", "--workers=8"],
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "extraVolumes": [{"name": "components", "configMap": {"name": "c"}}],
        "extraVolumeMounts": [{"name": "components", "mountPath": "/components"}],
        "crds": {"install": false},
        "networkPolicy": {"enabled": false},
    });
    let Some(all) = rendered(std::slice::from_ref(&values)) else { return };
    let objects = all[0].as_ref().expect("objects");
    for kind in ["CustomResourceDefinition", "NetworkPolicy", "ConfigMap"] {
        assert!(objects.iter().all(|object| object["kind"] != kind), "{kind}");
    }
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").expect("a Deployment");
    let template = &deployment["spec"]["template"];
    assert_eq!(template["metadata"]["labels"]["team"], "infra");
    assert_eq!(template["metadata"]["annotations"], json!({"note": "1"}));
    let pod = &template["spec"];
    for field in ["nodeSelector", "tolerations", "affinity"] {
        assert_eq!(pod[field], values[field], "{field}");
    }
    assert_eq!(pod["imagePullSecrets"], values["image"]["pullSecrets"]);
    assert!(pod.get("priorityClassName").is_none());
    let container = &pod["containers"][0];
    assert_eq!(container["imagePullPolicy"], "Always");
    assert_eq!(container["resources"], json!({"requests": {"cpu": 1, "memory": "64Mi"}}));
    for (list, more) in [
        (&container["args"], "extraArgs"),
        (&container["env"], "extraEnv"),
        (&container["volumeMounts"], "extraVolumeMounts"),
        (&pod["volumes"], "extraVolumes"),
    ] {
        let list = list.as_array().expect("a list");
        let more = values[more].as_array().expect("a list");
        assert!(list.ends_with(more) && list.len() > more.len(), "{list:?}");
    }
}

#[test]
fn settings_become_the_config_map_that_the_operator_follows() {
    let settings = json!({
        "allowedRegistries": ["ghcr.io", "*.example.org"], "maximumInputs": 7, "operatorNamespace": "a{{b}}: c",
    });
    let Some(all) = rendered(&[json!({"settings": settings})]) else { return };
    let objects = all[0].as_ref().expect("objects");
    let map = objects.iter().find(|object| object["kind"] == "ConfigMap").expect("a ConfigMap");
    assert_eq!(map["metadata"]["name"], "orascache-settings");
    assert_eq!(map["metadata"]["namespace"], "orascache-system");
    let text = map["data"]["settings.yaml"].as_str().expect("text");
    let read: Value = serde_saphyr::from_str(text).expect("YAML");
    assert_eq!(read, settings);
}

#[test]
fn values_that_cannot_work_are_refused_with_a_sentence() {
    let cases = [
        (json!({"replica": 3}), "replica"),
        (json!({"replicas": 0}), "replicas"),
        (json!({"image": {"digest": "sha256:1"}}), "digest"),
        (json!({"image": {"repository": "a/b:1"}}), "repository"),
        (json!({"namespaces": ["A"]}), "namespaces"),
        (json!({"namespaces": ["a", "a"]}), "namespaces"),
        (json!({"registry": "https://mirror.test"}), "registry"),
        (json!({"webhooks": {"certificate": "self-signed"}}), "certificate"),
        (json!({"networkPolicy": {"apiPorts": [70000]}}), "apiPorts"),
        (json!({"namespaces": ["kube-system"]}), "list namespaces of users"),
        (json!({"namespaces": ["orascache-system"]}), "list namespaces of users"),
        (json!({"highAvailability": true, "replicas": 1}), "use at least 2"),
        (json!({"webhooks": {"clientCA": {"secret": "a", "configMap": "b"}}}), "leave one of"),
        (json!({"webhooks": {"enabled": false, "clientCA": {"secret": "a"}}}), "no webhooks"),
        (json!({"test": {"namespace": "orascache-system"}}), "use another one"),
    ];
    let values: Vec<Value> = cases.iter().map(|(values, _)| values.clone()).collect();
    let Some(all) = rendered(&values) else { return };
    for ((values, wanted), answer) in cases.iter().zip(all) {
        let error = answer.err().unwrap_or_else(|| panic!("{values} is accepted"));
        assert!(error.contains(wanted), "{values}: {error}");
    }
    let shared = json!({"chart": chart(), "cases": [{"values": {}, "namespace": "default"}]});
    let answer = helm("render", &shared).expect("it is installed");
    let error = answer[0]["error"].as_str().expect("an error");
    assert!(error.contains("use a namespace of its own"), "{error}");
}

#[test]
fn the_linter_finds_nothing() {
    let cases: Vec<Value> = cases()
        .into_iter()
        .map(|(values, _)| json!({"values": values, "namespace": "orascache-system"}))
        .collect();
    let Some(reports) = helm("lint", &json!({"chart": chart(), "cases": cases})) else { return };
    let reports = reports.as_array().expect("reports");
    assert_eq!(reports.len(), cases.len());
    for (report, case) in reports.iter().zip(&cases) {
        assert_eq!(report["total_charts_linted"], 1, "{report}");
        let found: Vec<&Value> = report["messages"].as_array().into_iter().flatten().collect();
        // 1 is for information: a chart without an icon.
        let found: Vec<_> = found.into_iter().filter(|message| message["severity"] != 1).collect();
        assert!(
            found.is_empty() && report["errors"].as_array().is_none_or(Vec::is_empty),
            "{case}: {report}"
        );
    }
}

#[test]
fn the_page_of_the_chart_explains_every_value() {
    let read = |name: &str| std::fs::read_to_string(chart().join(name)).expect("a file");
    let values: Value = serde_saphyr::from_str(&read("values.yaml")).expect("YAML");
    let schema: Value = serde_json::from_str(&read("values.schema.json")).expect("JSON");
    let page = read("README.md");
    for (name, value) in values.as_object().expect("values") {
        assert!(page.contains(&format!("`{name}`")), "{name}");
        let of = &schema["properties"][name];
        assert!(of["description"].is_string(), "{name}");
        // The schema knows what the file has, and nothing else.
        if let (Some(members), Some(known)) = (value.as_object(), of["properties"].as_object()) {
            for member in members.keys() {
                assert!(known.contains_key(member), "{name}.{member}");
            }
        }
    }
}

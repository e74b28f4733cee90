//! Security of the pods for retention, seeds and exports.

use crate::world;
use crate::world::World;
use serde_json::{Value, json};

fn everything() -> Value {
    json!({
        "retention": {"keepTags": 5},
        "seed": {"artifacts": [{"source": "docker.io/library/busybox:1"}], "secret": "hub"},
        "export": {"destination": "registry.example.org/lab", "secret": "lab"},
    })
}

/// The pod templates of all Jobs and CronJobs.
fn templates(world: &World) -> Vec<Value> {
    let of = |child: &Value| {
        let spec = match child["kind"].as_str()? {
            "Job" => &child["spec"],
            "CronJob" => &child["spec"]["jobTemplate"]["spec"],
            _ => return None,
        };
        Some(spec["template"].clone())
    };
    world.children.values().filter_map(of).collect()
}

#[test]
fn security_pods_are_restricted() {
    let mut world = World::new(everything());
    world.settle();
    let templates = templates(&world);
    assert_eq!(templates.len(), 3);
    for template in templates {
        let pod = &template["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        let container = &pod["containers"][0]["securityContext"];
        let wanted = json!({
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": true,
        });
        assert_eq!(*container, wanted);
    }
}

#[test]
fn security_neither_service_nor_policy_takes_these_pods_for_the_registry() {
    let mut world = World::new(everything());
    world.settle();
    let selector = &world.children["Service/demo"]["spec"]["selector"];
    for template in templates(&world) {
        let labels = template["metadata"]["labels"].as_object().unwrap();
        let is_selected =
            selector.as_object().unwrap().iter().all(|(key, value)| labels.get(key) == Some(value));
        assert!(!is_selected, "{labels:?}");
    }
}

/// A Secret may hold a password without a host. Who may write caches, and may not read Secrets, could
/// send it anywhere: only the key whose credentials are bound to hosts is mounted.
#[test]
fn security_only_credentials_that_are_bound_to_hosts_are_mounted() {
    let mut world = World::new(everything());
    world.settle();
    let templates = templates(&world);
    let volumes = templates.iter().filter_map(|template| template["spec"]["volumes"].as_array());
    let named: Vec<&Value> =
        volumes.flatten().filter(|volume| volume["secret"]["secretName"] != "demo-collection").collect();
    assert_eq!(named.len(), 2);
    for volume in named {
        let items = json!([{"key": ".dockerconfigjson", "path": ".dockerconfigjson"}]);
        assert_eq!(volume["secret"]["items"], items, "{volume}");
    }
}

/// A cache with a certificate and an account that the operator made.
fn closed() -> World {
    let mut spec = everything();
    spec["tls"] = json!({});
    spec["auth"] = json!({});
    let mut world = World::new(spec);
    world.settle();
    world
}

/// The container and the volumes of the Job or CronJob with this role.
fn task<'t>(templates: &'t [Value], role: &str) -> (&'t Value, &'t Value) {
    let is_role = |template: &&Value| template["metadata"]["labels"]["app.kubernetes.io/component"] == role;
    let pod = &templates.iter().find(is_role).expect(role)["spec"];
    (&pod["containers"][0], &pod["volumes"])
}

fn words(container: &Value) -> Vec<&str> {
    container["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

/// The keys of the Secrets of a pod: the name of each Secret, with a key and the file for it.
fn keys(volumes: &Value) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for volume in volumes.as_array().unwrap() {
        let projected = volume["projected"]["sources"].as_array().cloned().unwrap_or_default();
        for secret in projected.iter().map(|source| &source["secret"]).chain([&volume["secret"]]) {
            let name = if secret["name"].is_null() { &secret["secretName"] } else { &secret["name"] };
            for item in secret["items"].as_array().into_iter().flatten() {
                let [name, key, path] =
                    [name, &item["key"], &item["path"]].map(|text| text.as_str().unwrap().to_owned());
                found.push((name, key, path));
            }
        }
    }
    found
}

#[test]
fn security_each_pod_gets_the_keys_that_it_needs_and_never_a_private_one() {
    let templates = templates(&closed());
    let own = |key: &str, path: &str| ("demo-account".to_owned(), key.to_owned(), path.to_owned());
    let (user, pull) = (own("ORAS_USER", "ORAS_USER"), own("ORAS_PULL_PASS", "ORAS_PULL_PASS"));
    // The only password of a generated account is for both.
    let push = own("ORAS_PULL_PASS", "ORAS_PUSH_PASS");
    let authority = ("demo-tls".to_owned(), "ca.crt".to_owned(), "ca.pem".to_owned());
    let collection = ("demo-collection".to_owned(), "key".to_owned(), "key".to_owned());
    let other =
        |secret: &str| (secret.to_owned(), ".dockerconfigjson".to_owned(), ".dockerconfigjson".to_owned());
    for (role, wanted) in [
        ("retention", vec![user.clone(), pull.clone(), push.clone(), authority.clone(), collection]),
        ("seed", vec![other("hub"), user.clone(), push, authority.clone()]),
        ("export", vec![other("lab"), user, pull, authority]),
    ] {
        let (container, volumes) = task(&templates, role);
        assert_eq!(keys(volumes), wanted, "{role}");
        let mounts = container["volumeMounts"].as_array().unwrap();
        assert_eq!(mounts.len(), volumes.as_array().unwrap().len());
        assert!(mounts.iter().all(|mount| mount["readOnly"] == true), "{mounts:?}");
    }
}

#[test]
fn security_the_account_and_the_authority_of_the_cache_are_for_its_own_side_alone() {
    let templates = templates(&closed());
    let flags = |role: &str| {
        let words = words(task(&templates, role).0);
        words.into_iter().filter(|word| word.starts_with("--")).collect::<Vec<_>>()
    };
    let (own, authority) = ("/orascache-credentials", "/orascache-ca/ca.pem");
    let retention = [
        "--keep-tags=5",
        "--collection=http://demo-0.demo.lab.svc:5002",
        &format!("--credentials={own}"),
        &format!("--ca-file={authority}"),
        "--collection-key=/etc/orascache/collection/key",
    ];
    assert_eq!(flags("retention"), retention);
    let seed = [
        "--by-index",
        "--patience=600",
        "--source-credentials=/credentials",
        &format!("--destination-credentials={own}"),
        &format!("--destination-ca-file={authority}"),
    ];
    assert_eq!(flags("seed"), seed);
    let export = [
        "--all-tags",
        "--destination-credentials=/credentials",
        &format!("--source-credentials={own}"),
        &format!("--source-ca-file={authority}"),
    ];
    assert_eq!(flags("export"), export);
}

/// A forward proxy is another machine. Requests to the registry, and the account with them, go there by
/// no way: the agent never sends hosts that end with `.svc` through a proxy.
#[test]
fn security_no_forward_proxy_is_between_a_pod_and_the_registry_of_the_cache() {
    let mut spec = everything();
    spec["tls"] = json!({});
    let mut world = World::new(spec);
    let settings = json!({
        "forwardProxy": {"https": "http://proxy:3128", "http": "http://proxy:3128"},
        "clusterDomain": "cluster.example",
        "registryCA": "-----BEGIN CERTIFICATE-----\nMAQBAgME\n-----END CERTIFICATE-----\n",
    });
    world.settings = settings.to_string();
    world.related = vec![world::secret("hub"), world::secret("lab")];
    world.settle();
    let templates = templates(&world);
    for (role, proxies) in [("retention", 0), ("seed", 2), ("export", 2)] {
        let (container, _) = task(&templates, role);
        let words = words(container);
        assert_eq!(words.iter().filter(|word| word.contains("-proxy=")).count(), proxies, "{role}");
        // Garbage collection is asked for directly.
        let own: Vec<&&str> = words
            .iter()
            .filter(|word| word.contains("://demo-") && !word.starts_with("--collection="))
            .collect();
        assert!(
            !own.is_empty() && own.iter().all(|word| word.contains("https://demo-0.demo.lab.svc:5000")),
            "{own:?}"
        );
        // The authorities of the administrator count for all registries.
        assert_eq!(container["env"][0]["name"], "ORASCACHE_CA_PEM");
    }
}

#[test]
fn security_nothing_is_copied_where_a_registry_is_not_allowed() {
    let mut world = World::new(everything());
    world.related = vec![world::secret("hub"), world::secret("lab")];
    world.settings = r#"{"allowedRegistries":["docker.io"]}"#.to_owned();
    world.settle();
    assert_eq!(templates(&world).len(), 1, "retention concerns the cache alone");
    let degraded = world.condition("Degraded");
    assert_eq!(degraded["reason"], "RegistryNotAllowed");
    let message = degraded["message"].as_str().unwrap();
    assert!(message.starts_with("spec.export.destination names registry.example.org, which"), "{message}");
    assert_eq!(world.condition("Ready")["status"], "True");
    world.settings = r#"{"allowedRegistries":["docker.io","*.example.org"]}"#.to_owned();
    world.settle();
    assert_eq!(templates(&world).len(), 3);
}

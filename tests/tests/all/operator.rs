//! The operator over HTTP: caches from their creation to their deletion. Environment variables
//! decide whether the tests use fake-kube, a bare control plane or an existing cluster.

use orascache_api::sentences;
use orascache_controller::Controller;
use orascache_tests::cluster::{Cluster, PATIENCE, condition};
use orascache_tests::fixtures::{cache, http_secret};
use serde_json::{Value, json};

pub(crate) fn rolled_out(set: &Value) -> bool {
    let status = &set["status"];
    status["observedGeneration"] == set["metadata"]["generation"]
        && status["readyReplicas"] == set["spec"]["replicas"]
        && status["updatedReplicas"] == set["spec"]["replicas"]
}

/// Waits until the operator has seen and handled everything that the API server has.
pub(crate) async fn until_quiescent(operator: &Controller, cluster: &Cluster) {
    let quiescent = tokio::time::timeout(PATIENCE, operator.quiescent(&cluster.client())).await;
    quiescent.expect("in time").expect("the API answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ready_cache_causes_no_more_writes() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    let ready = cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    assert_eq!(ready["status"]["endpoint"], format!("demo-0.demo.{}.svc:5000", cluster.namespace));
    assert_eq!(ready["status"]["readyReplicas"], 1);
    assert_eq!(condition(&ready, "Degraded").expect("a condition")["status"], "False");

    let set = cluster.until(&cluster.sets(), "demo", "rolled out", rolled_out).await;
    let service = cluster.until(&cluster.services(), "demo", "there", |_| true).await;
    for child in [&set, &service] {
        let owner = &child["metadata"]["ownerReferences"][0];
        assert_eq!((&owner["uid"], &owner["controller"]), (&ready["metadata"]["uid"], &json!(true)));
    }
    assert_eq!(service["spec"]["clusterIP"], "None");
    assert_eq!(service["spec"]["selector"]["app.kubernetes.io/instance"], "demo");
    let pod = &set["spec"]["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["automountServiceAccountToken"], false);

    until_quiescent(&operator, &cluster).await;
    let before = cluster.versions().await;
    until_quiescent(&operator, &cluster).await;
    assert_eq!(cluster.versions().await, before);
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_operator_writes_nothing() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    let spec = json!({"replicas": 2, "storage": {"size": "1024Mi", "accessModes": ["ReadWriteMany"]},
        "resources": {"requests": {"cpu": "1000m", "memory": "0.5Gi"}}});
    cluster.apply(&cluster.caches(), cache("demo", spec)).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    operator.shutdown().await;
    let before = cluster.versions().await;
    let operator = cluster.operator().await;
    until_quiescent(&operator, &cluster).await;
    assert_eq!(cluster.versions().await, before);
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_image_replaces_the_pods() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let pods = cluster.api("v1", "Pod", "pods");
    let old = cluster.until(&pods, "demo-0", "there", |_| true).await;
    cluster.edit(&cluster.caches(), "demo", json!({"spec": {"image": "registry:3"}})).await;
    let new = cluster
        .until(&pods, "demo-0", "running the new image", |pod| {
            pod["spec"]["containers"][0]["image"] == "registry:3"
        })
        .await;
    assert_ne!(new["metadata"]["uid"], old["metadata"]["uid"]);
    let ready = cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    assert_eq!(ready["status"]["image"], "registry:3");
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_deploy_the_registry_is_deleted_and_storage_kept() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({"storage": {"size": "1Gi"}}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let claims = cluster.api("v1", "PersistentVolumeClaim", "persistentvolumeclaims");
    let claim = cluster.until(&claims, "demo-data", "there", |_| true).await;
    cluster.edit(&cluster.caches(), "demo", json!({"spec": {"deploy": false}})).await;
    let off = cluster.until_condition("demo", "Ready", "True", "RegistryNotDeployed").await;
    cluster.until_gone(&cluster.sets(), "demo").await;
    cluster.until_gone(&cluster.services(), "demo").await;
    assert!(off["status"].get("endpoint").is_none());
    cluster.edit(&cluster.caches(), "demo", json!({"spec": {"deploy": true}})).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let kept = cluster.until(&claims, "demo-data", "there", |_| true).await;
    assert_eq!(kept["metadata"]["uid"], claim["metadata"]["uid"]);
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_cache_deletes_its_children_and_no_others() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("demo", json!({"storage": {"size": "1Gi"}}))).await;
    cluster.apply(&cluster.caches(), cache("other", json!({}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    cluster.until_condition("other", "Ready", "True", "RegistryReady").await;
    let first = cluster.caches().get("demo").await.expect("the cache");
    cluster.caches().delete("demo", &Default::default()).await.expect("deleted");
    cluster.until_gone(&cluster.sets(), "demo").await;
    cluster.until_gone(&cluster.services(), "demo").await;
    cluster
        .until_gone(&cluster.api("v1", "PersistentVolumeClaim", "persistentvolumeclaims"), "demo-data")
        .await;
    cluster.until(&cluster.sets(), "other", "still there", |_| true).await;
    // A new cache of the same name gets children of its own.
    let second = cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    assert_ne!(first.metadata.uid, second.metadata.uid);
    let set = cluster.until(&cluster.sets(), "demo", "there", |_| true).await;
    assert_eq!(set["metadata"]["ownerReferences"][0]["uid"], json!(second.metadata.uid));
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_registry_pods_share_one_secret_and_one_volume_claim() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    let storage = json!({"size": "20Gi", "accessModes": ["ReadWriteMany"]});
    cluster.apply(&cluster.caches(), cache("made", json!({"replicas": 2, "storage": storage}))).await;
    cluster
        .apply(
            &cluster.caches(),
            cache("given", json!({"replicas": 2, "storage": storage, "secret": "mysecret"})),
        )
        .await;
    cluster.until_condition("made", "Ready", "True", "RegistryReady").await;
    cluster.until_condition("given", "Ready", "False", "SecretNotFound").await;
    let secrets = cluster.api("v1", "Secret", "secrets");
    cluster.apply(&secrets, http_secret("mysecret")).await;
    cluster.until_condition("given", "Ready", "True", "RegistryReady").await;

    let generated = cluster.until(&secrets, "made-http-secret", "there", |_| true).await;
    assert!(generated["data"]["http-secret"].as_str().is_some_and(|secret| secret.len() >= 64));
    let environment = |set: &Value, secret: &str| {
        let env = set["spec"]["template"]["spec"]["containers"][0]["env"].clone();
        let wanted = json!({"name": "REGISTRY_HTTP_SECRET", "valueFrom": {"secretKeyRef": {"key": "http-secret", "name": secret}}});
        env.as_array().is_some_and(|env| env.contains(&wanted))
    };
    let made = cluster.until(&cluster.sets(), "made", "there", |_| true).await;
    assert!(environment(&made, "made-http-secret"), "{made}");
    let given = cluster.until(&cluster.sets(), "given", "there", |_| true).await;
    assert!(environment(&given, "mysecret"), "{given}");
    assert_eq!(
        given["spec"]["template"]["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"],
        "given-data"
    );

    // After a restart, the Secret is not generated again.
    operator.shutdown().await;
    let operator = cluster.operator().await;
    let again = cluster.until(&secrets, "made-http-secret", "there", |_| true).await;
    assert_eq!(again, generated);
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_is_scaled_by_its_subresource_within_the_rules_of_its_spec() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    let storage = json!({"size": "1Gi", "accessModes": ["ReadWriteMany"]});
    cluster.apply(&cluster.caches(), cache("demo", json!({"storage": storage}))).await;
    cluster.apply(&cluster.caches(), cache("single", json!({}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let scale = |replicas: i64| kube::api::Patch::Merge(json!({"spec": {"replicas": replicas}}));
    let parameters = kube::api::PatchParams::default();
    for (replicas, status, reason) in
        [(3, "True", "RegistryReady"), (0, "False", "ScaledToZero"), (2, "True", "RegistryReady")]
    {
        cluster.caches().patch_scale("demo", &parameters, &scale(replicas)).await.expect("scaled");
        let is_scaled = |set: &Value| set["spec"]["replicas"] == replicas && rolled_out(set);
        cluster.until(&cluster.sets(), "demo", "scaled", is_scaled).await;
        cluster.until_condition("demo", "Ready", status, reason).await;
    }
    let found = cluster.caches().get_scale("demo").await.expect("a Scale").status.expect("a status");
    assert_eq!(found.replicas, 2);
    assert!(found.selector.expect("a selector").contains("app.kubernetes.io/instance=demo"));
    let budgets = cluster.api("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets");
    cluster.until(&budgets, "demo-registry", "there", |_| true).await;
    let error = cluster.caches().patch_scale("single", &parameters, &scale(2)).await.expect_err("refused");
    assert!(error.to_string().contains(sentences::SHARED_STORAGE), "{error}");
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_changes_its_type_and_a_retained_claim_outlives_its_cache() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    let storage = json!({"size": "1Gi", "whenDeleted": "Retain"});
    let of = |service: Value| cache("demo", json!({"storage": storage, "service": service}));
    let name = "demo-registry";
    for (service, kind) in [
        (json!({"type": "NodePort", "nodePort": 30500}), "NodePort"),
        (json!({"type": "LoadBalancer", "sourceRanges": ["192.0.2.0/24"]}), "LoadBalancer"),
        (json!({}), "ClusterIP"),
    ] {
        cluster.apply(&cluster.caches(), of(service)).await;
        let is_there = |found: &Value| found["spec"]["type"] == kind;
        let found = cluster.until(&cluster.services(), name, "changed", is_there).await;
        let spec = &found["spec"];
        let policy = if kind == "LoadBalancer" { json!("Local") } else { json!("Cluster") };
        let policy = if kind == "ClusterIP" { Value::Null } else { policy };
        assert_eq!(spec["externalTrafficPolicy"], policy, "{spec}");
    }
    let ready = cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    assert_eq!(ready["status"]["endpoint"], format!("demo-registry.{}.svc:5000", cluster.namespace));
    let claims = cluster.api("v1", "PersistentVolumeClaim", "persistentvolumeclaims");
    let is_free = |claim: &Value| claim["metadata"].get("ownerReferences").is_none();
    let released = cluster.until(&claims, "demo-data", "released", is_free).await;
    assert_eq!(
        released["metadata"]["annotations"]["cache.converged-computing.github.io/retained"],
        ready["metadata"]["uid"]
    );
    until_quiescent(&operator, &cluster).await;
    let before = cluster.versions().await;
    until_quiescent(&operator, &cluster).await;
    assert_eq!(cluster.versions().await, before, "a released claim is left as it is");
    cluster.caches().delete("demo", &Default::default()).await.expect("deleted");
    cluster.until_gone(&cluster.sets(), "demo").await;
    let kept = claims.get("demo-data").await.expect("the claim");
    assert_eq!(kept.metadata.uid.as_deref(), released["metadata"]["uid"].as_str());
    assert!(kept.metadata.deletion_timestamp.is_none());
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_specs_are_refused_with_a_sentence() {
    let cluster = Cluster::start().await;
    let operator = cluster.operator().await;
    cluster.apply(&cluster.caches(), cache("good", json!({}))).await;
    cluster.until_condition("good", "Ready", "True", "RegistryReady").await;
    let long = "a".repeat(53);
    for (name, spec, sentence) in [
        ("bad", json!({"image": ""}), sentences::IMAGE),
        ("bad", json!({"image": "two words"}), sentences::IMAGE),
        ("bad", json!({"image": 3}), "must be of type string"),
        ("bad", json!({"replicas": 2}), "more than one replica needs storage"),
        ("bad", json!({"replicas": -1}), sentences::REPLICAS),
        ("bad", json!({"storage": {}}), "give one of size"),
        ("bad", json!({"storage": {"size": "big"}}), sentences::SIZE),
        (
            "bad",
            json!({"storage": {"existingClaim": "x", "accessModes": ["ReadWriteMany"]}}),
            "belong to a claim that is made",
        ),
        (
            "bad",
            json!({"secret": "s", "secrets": {"registryHttp": "x"}}),
            "both give the registry's HTTP secret",
        ),
        (long.as_str(), json!({}), "the name must have at most 52 characters"),
        ("1bad", json!({}), "the name must start with a letter"),
    ] {
        let object = serde_json::from_value(cache(name, spec.clone())).expect("an object");
        let error =
            cluster.caches().create(&Default::default(), &object).await.expect_err("refused").to_string();
        assert!(error.contains(sentence), "{spec}: {error}");
    }
    let shrunk = cluster.apply(&cluster.caches(), cache("stored", json!({"storage": {"size": "2Gi"}}))).await;
    assert!(shrunk.metadata.uid.is_some());
    let patch = kube::api::Patch::Merge(json!({"spec": {"storage": {"size": "1Gi"}}}));
    let error =
        cluster.caches().patch("stored", &Default::default(), &patch).await.expect_err("refused").to_string();
    assert!(error.contains("storage cannot shrink"), "{error}");
    cluster.until_condition("good", "Ready", "True", "RegistryReady").await;
    operator.shutdown().await;
    cluster.finish().await;
}

//! `orascache migrate` in a running `orascache dev`: with webhooks, and with steps and copies as
//! processes. Where the kernel does not allow namespaces, the refusal is checked instead.

use crate::dev_cluster::{Dev, cache, get, phase, step};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::process::Command;

async fn migrate(dev: &Dev, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_orascache"))
        .args(["migrate", "--timeout=2m", "--kubeconfig"])
        .arg(dev.kubeconfig())
        .args(arguments)
        .output()
        .await
        .expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

/// Makes what the former operator makes for the cache, and waits until its registry serves.
async fn make_as_former_operator(dev: &Dev, uid: &str) {
    let text = include_str!("../../../../tests/former_operator/objects.yaml");
    let text = text.replace("NAMESPACE", "default").replace("NAME", "demo").replace("UID", uid);
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    let [service, set]: [Value; 2] = objects.try_into().expect("two objects");
    let service: Service = serde_json::from_value(service).expect("a Service");
    let set: StatefulSet = serde_json::from_value(set).expect("a StatefulSet");
    dev.api().create(&PostParams::default(), &service).await.expect("made");
    dev.api().create(&PostParams::default(), &set).await.expect("made");
    dev.registry("demo-0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_use_the_former_registry_and_the_new_one_by_the_same_name() {
    let Some(dev) = Dev::start(&[]).await else { return };
    let mut demo = cache("demo");
    // The operator is there first, and must not make objects of its own.
    demo["spec"] = json!({"suspend": true, "secrets": {"registryHttp": "from-the-spec"}});
    dev.apply(demo).await;
    let kind = GroupVersionKind::gvk("cache.converged-computing.github.io", "v1alpha1", "OrasCache");
    let resource = ApiResource::from_gvk_with_plural(&kind, "orascaches");
    let caches: Api<DynamicObject> = Api::default_namespaced_with(dev.client(), &resource);
    let uid = caches.get("demo").await.expect("the cache").uid().expect("a UID");
    make_as_former_operator(&dev, &uid).await;
    dev.apply(json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": "demo"}, "spec": {"secrets": {"registryHttp": "from-the-spec"}},
    }))
    .await;

    let output = json!({"output-uri": "flow/words:1", "output-path": "words.txt"});
    dev.apply(step("generate", "demo", output, "echo one > words.txt")).await;
    let generate = dev.until_finished("generate").await;
    assert_eq!(phase(&generate), "Succeeded", "{}", dev.log("generate", "app").await);

    // The operator says that it has seen the cache. Until then the command refuses.
    let (mut code, mut said) = migrate(&dev, &["demo"]).await;
    for _ in 0..600 {
        if code == Some(0) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        (code, said) = migrate(&dev, &["demo"]).await;
    }
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = migrate(&dev, &["demo", "--apply"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Nothing is to be done."), "{said}");

    let input =
        json!({"input-uri": "flow/words:1", "output-uri": "flow/count:1", "output-path": "count.txt"});
    dev.apply(step("count", "demo", input, "wc -l < words.txt > count.txt")).await;
    let count = dev.until_finished("count").await;
    assert_eq!(phase(&count), "Succeeded", "{}", dev.log("count", "app").await);
    let registry = dev.registry("demo-0").await;
    let tags = get(&registry, "/v2/flow/count/tags/list").await;
    assert!(tags.contains("\"1\""), "{tags}");
    let (code, said) = migrate(&dev, &[]).await;
    assert_eq!((code, said.as_str()), (Some(0), "There is nothing to migrate.\n"));
    dev.stop().await;
}

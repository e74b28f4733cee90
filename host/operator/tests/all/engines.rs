//! Pods as workflow engines make them run as processes of `orascache dev`: the webhooks rewrite
//! them, the agent pulls and pushes, and the engine's own containers learn how a step ended. Where
//! the kernel does not allow namespaces, the refusal is checked instead.

use crate::dev_cluster::engines::{documents, fixture};
use crate::dev_cluster::{Dev, PREFIX, cache, ended, get, is_job, phase, step};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

/// The text of a file that is an artifact of its own.
async fn artifact(registry: &str, repository: &str, tag: &str) -> String {
    let manifest = get(registry, &format!("/v2/{repository}/manifests/{tag}")).await;
    let manifest: Value = serde_json::from_str(&manifest).expect("a manifest");
    let layer =
        manifest["layers"][0]["digest"].as_str().unwrap_or_else(|| panic!("{repository}:{tag}: {manifest}"));
    get(registry, &format!("/v2/{repository}/blobs/{layer}")).await
}

/// A pod under another name, with some of its step annotations changed or removed.
fn renamed(pod: &Value, name: &str, annotations: &[(&str, Option<&str>)]) -> Value {
    let mut pod = pod.clone();
    pod["metadata"]["name"] = json!(name);
    let all = pod["metadata"]["annotations"].as_object_mut().expect("annotations");
    for (key, value) in annotations {
        match value {
            Some(value) => all.insert(format!("{PREFIX}{key}"), json!(value)),
            None => all.remove(&format!("{PREFIX}{key}")),
        };
    }
    pod
}

/// A running `dev` with a cache, and the address of its registry.
async fn started() -> Option<(Dev, String)> {
    let dev = Dev::start(&[]).await?;
    dev.apply(cache("orascache-sample")).await;
    let registry = dev.registry("orascache-sample-0").await;
    Some((dev, registry))
}

/// Exit code of a container, once its pod has ended.
async fn code(dev: &Dev, pod: &str, container: &str) -> i32 {
    let found = dev.until_finished(pod).await;
    let log = dev.log(pod, container).await;
    ended(&found, container).unwrap_or_else(|| panic!("{:#?}\n{log}", found.status)).0
}

#[tokio::test(flavor = "multi_thread")]
async fn argo_learns_of_steps_that_succeed_fail_or_are_reused() {
    let Some((dev, registry)) = started().await else { return };
    let pods = fixture("argo");
    let [generate, count] = pods.as_slice() else { panic!("not two pods") };
    let name = |pod: &Value| pod["metadata"]["name"].as_str().expect("a name").to_owned();
    // The second one waits for the first one.
    dev.apply(count.clone()).await;
    dev.apply(generate.clone()).await;
    for pod in [name(generate), name(count)] {
        let found = dev.until_finished(&pod).await;
        assert_eq!(phase(&found), "Succeeded", "{:#?}\n{}", found.status, dev.log(&pod, "main").await);
        assert!(dev.log(&pod, "wait").await.contains("main ended with 0"));
    }
    assert_eq!(artifact(&registry, "flow/count", "words-x7k2p").await, "3 /data/words/list.txt\n");

    // The same step of another run of the workflow, whose variables differ.
    let mut again = renamed(count, "again", &[("output-uri", Some("flow/count:second"))]);
    again["spec"]["containers"][1]["env"][2]["value"] = json!("another-node");
    dev.apply(again).await;
    assert_eq!(code(&dev, "again", "main").await, 0);
    let log = dev.log("again", "main").await;
    assert!(log.contains("reuse=hit"), "{log}");
    assert!(dev.log("again", "wait").await.contains("main ended with 0"));
    assert_eq!(artifact(&registry, "flow/count", "second").await, "3 /data/words/list.txt\n");

    // Without its input, the command is not started, and wait learns of it.
    let missing = [("input-uri", Some("flow/none:1")), ("input-wait", None), ("reuse", None)];
    dev.apply(renamed(count, "failing", &missing)).await;
    assert_eq!(code(&dev, "failing", "main").await, 98);
    assert!(dev.log("failing", "wait").await.contains("main ended with 98"));
    // An output that is not there.
    let nothing = [("output-path", Some("/data/none")), ("output-uri", Some("flow/none:1"))];
    dev.apply(renamed(generate, "pushing", &nothing)).await;
    assert_eq!(code(&dev, "pushing", "main").await, 99);
    assert!(dev.log("pushing", "wait").await.contains("main ended with 99"));
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_of_tekton_run_in_order_and_learn_of_failures() {
    let Some((dev, registry)) = started().await else { return };
    let pods = fixture("tekton");
    let [generate, count] = pods.as_slice() else { panic!("not two pods") };
    dev.apply(count.clone()).await;
    dev.apply(generate.clone()).await;
    for (pod, container) in [("generate-run-pod", "step-write"), ("count-run-pod", "step-count")] {
        let found = dev.until_finished(pod).await;
        let log = dev.log(pod, container).await;
        assert_eq!(phase(&found), "Succeeded", "{:#?}\n{log}", found.status);
        let message = ended(&found, container).expect("it has ended").1;
        assert_eq!(message, r#"[{"key":"StartedAt","type":3}]"#, "the message is Tekton's own");
    }
    // Inputs are pulled when the step before has ended: it saw none of them.
    let counted = artifact(&registry, "flow/count", "tekton").await;
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    let counted: Vec<String> = counted.lines().map(words).collect();
    assert_eq!(counted, ["3 /workspace/words/words/list.txt", "1 /workspace/before.txt", "4 total"]);

    // A first step whose input is missing: the second step is not left waiting.
    let missing = [
        ("container", Some("step-before")),
        ("input-uri", Some("flow/none:1")),
        ("input-wait", None),
        ("output-uri", None),
        ("output-path", None),
        ("output-pipe", None),
    ];
    dev.apply(renamed(count, "failing", &missing)).await;
    assert_eq!(code(&dev, "failing", "step-before").await, 98);
    assert_eq!(code(&dev, "failing", "step-count").await, 1);
    assert!(dev.log("failing", "step-count").await.contains("the step before failed"));
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_fan_out_and_in_and_those_of_a_jobset_have_names_of_their_own() {
    let Some((dev, registry)) = started().await else { return };
    // `join` first: it waits.
    for job in documents("manifests/samples/14-fan-out.yaml").into_iter().rev() {
        dev.apply(job).await;
    }
    // A Job as JobSet makes it.
    let jobset = fixture("jobset").remove(0);
    dev.apply(jobset).await;
    for name in ["split", "join", "train-workers-1"] {
        dev.until::<Job>(name, "complete", is_job("Complete")).await;
    }
    assert_eq!(artifact(&registry, "flow/join", "run-1").await, "0\n1\n2\n3\n");
    for index in ["0", "1"] {
        let tag = format!("train-workers-1-{index}");
        assert_eq!(artifact(&registry, "flow/train", &tag).await, format!("{index}\n"));
    }
    let completed = dev.api::<Job>().get("split").await.expect("a Job").status;
    assert_eq!(completed.and_then(|status| status.completed_indexes).as_deref(), Some("0-3"));
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_policy_decides_what_missing_inputs_mean() {
    let Some((dev, _)) = started().await else { return };
    for job in documents("manifests/samples/15-failure-policy.yaml") {
        dev.apply(job).await;
    }
    let strict = dev.until::<Job>("strict", "failed", is_job("Failed")).await;
    let status = strict.status.expect("a status");
    assert_eq!(status.failed, Some(1), "it is not tried again");
    let reasons: Vec<_> =
        status.conditions.into_iter().flatten().filter_map(|condition| condition.reason).collect();
    assert!(reasons.iter().all(|reason| reason == "PodFailurePolicy"), "{reasons:?}");

    // `patient` tries again, and none of its failures counts.
    assert_eq!(code(&dev, "patient-0", "read").await, 98);
    let late = json!({"output-uri": "flow/late:run-1", "output-path": "/data/late", "unpack": "true"});
    dev.apply(step("late", "orascache-sample", late, "mkdir -p /data; echo here > /data/late")).await;
    let patient = dev.until::<Job>("patient", "complete", is_job("Complete")).await;
    let status = patient.status.expect("a status");
    assert_eq!((status.succeeded, status.failed.unwrap_or(0)), (Some(1), 0));
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kueue_holds_back_runs_when_kueue_lets_it() {
    let Some((dev, registry)) = started().await else { return };
    let samples = documents("manifests/samples/16-kueue.yaml");
    dev.apply(samples[0].clone()).await;
    // The pod as Kueue's webhook leaves it.
    let mut pod = samples[1].clone();
    pod["metadata"]["labels"]["kueue.x-k8s.io/managed"] = json!("true");
    pod["spec"]["schedulingGates"] = json!([{"name": "kueue.x-k8s.io/admission"}]);
    dev.apply(pod).await;
    let is_held = |pod: &Pod| pod.spec.as_ref().is_some_and(|spec| spec.scheduling_gates.is_some());
    dev.until::<Pod>("queued-reader", "held", is_held).await;
    assert!(get(&registry, "/v2/flow/queued/manifests/run-1").await.contains("_UNKNOWN"));

    dev.patch::<Pod>("queued-reader", json!({"spec": {"schedulingGates": []}})).await;
    dev.patch::<Job>("queued", json!({"spec": {"suspend": false}})).await;
    dev.until::<Job>("queued", "complete", is_job("Complete")).await;
    let reader = dev.until_finished("queued-reader").await;
    let log = dev.log("queued-reader", "read").await;
    assert!(phase(&reader) == "Succeeded" && log.contains("done\n"), "{:#?}\n{log}", reader.status);
    dev.stop().await;
}

/// A ConfigMap with one script, as an engine makes it for its pods.
fn script(name: &str, key: &str, text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {key: text}})
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_snakemake_and_pods_of_nextflow_push_what_they_make() {
    let Some((dev, registry)) = started().await else { return };
    let job = fixture("snakemake").remove(0);
    let name = job["metadata"]["name"].as_str().expect("a name").to_owned();
    dev.apply(job).await;
    dev.until::<Job>(&name, "complete", is_job("Complete")).await;
    let manifest = get(&registry, &format!("/v2/snakemake/{name}/manifests/latest")).await;
    assert!(manifest.contains(r#""org.opencontainers.image.title":"results""#), "{manifest}");

    // Nextflow writes the script of a task into the work folder that all its pods mount.
    dev.apply(json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "nextflow-work"},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
    }))
    .await;
    let task = fixture("nextflow").remove(0);
    let mut head = task.clone();
    head["metadata"] = json!({"name": "head"});
    head["spec"]["containers"][0]["name"] = json!("head");
    head["spec"]["containers"][0]["command"] = json!([
        "sh",
        "-c",
        "mkdir -p /workspace/me/work/0f/4d2a7c9e; echo 'mkdir -p /results; echo 3 > /results/count; echo counted' > /workspace/me/work/0f/4d2a7c9e/.command.run"
    ]);
    dev.apply(head).await;
    assert_eq!(code(&dev, "head", "head").await, 0);
    let name = task["metadata"]["name"].as_str().expect("a name").to_owned();
    dev.apply(task).await;
    assert_eq!(code(&dev, &name, &name).await, 0, "{}", dev.log(&name, &name).await);
    assert!(dev.log(&name, &name).await.contains("counted"));
    let manifest = get(&registry, "/v2/nextflow/count/manifests/sample-1").await;
    assert!(manifest.contains(r#""org.opencontainers.image.title":"results""#), "{manifest}");
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_of_the_flux_and_the_metrics_operator_push_what_they_make() {
    let Some((dev, registry)) = started().await else { return };
    // The scripts that the operators put into ConfigMaps.
    dev.apply(script("flux", "flux-init.sh", "echo view > /mnt/flux/view")).await;
    dev.patch::<k8s_openapi::api::core::v1::ConfigMap>(
        "flux",
        json!({"data": {"wait-0.sh": "mkdir -p /home/flux/out; cp /mnt/flux/view /home/flux/out/"}}),
    )
    .await;
    let mut flux = fixture("flux").remove(0);
    flux["metadata"]["name"] = json!("lammps-0-abcde");
    let volume = json!({"name": "flux", "configMap": {"name": "flux"}});
    flux["spec"]["volumes"].as_array_mut().expect("volumes").push(volume);
    for list in ["initContainers", "containers"] {
        let mounts = flux["spec"][list][0]["volumeMounts"].as_array_mut().expect("mounts");
        mounts.push(json!({"name": "flux", "mountPath": "/flux_operator"}));
    }
    dev.apply(flux).await;
    assert_eq!(code(&dev, "lammps-0-abcde", "lammps").await, 0);
    let manifest = get(&registry, "/v2/flux/lammps/manifests/0").await;
    assert!(manifest.contains(r#""org.opencontainers.image.title":"out""#), "{manifest}");

    dev.apply(script("lammps-0", "launcher", "echo 'Total wall time: 0:00:01' > lammps.out")).await;
    let mut launcher = fixture("metrics-operator").remove(0);
    launcher["metadata"]["name"] = json!("lammps-0-l-0-0-abcde");
    dev.apply(launcher).await;
    assert_eq!(code(&dev, "lammps-0-l-0-0-abcde", "launcher").await, 0);
    assert_eq!(artifact(&registry, "metric/lammps", "iter-0").await, "Total wall time: 0:00:01\n");
    dev.stop().await;
}

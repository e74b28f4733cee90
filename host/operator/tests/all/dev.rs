//! `orascache dev` runs the steps of workflows: real processes, with the agent in them, against a
//! live registry. Where the kernel does not allow namespaces, the refusal is checked instead.

use crate::dev_cluster;
use crate::dev_cluster::{Dev, PREFIX, cache, container, ended, get, is_job, phase, step};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{DeleteParams, LogParams};
use kube::{Api, Resource};
use orascache_api::orascache::OrasCache;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_step_counts_what_another_one_wrote() {
    let Some(dev) = Dev::start(&[]).await else { return };
    dev.apply(cache("orascache-sample")).await;
    let registry = dev.registry("orascache-sample-0").await;
    // The sample of the README. Its second step needs what the first one has pushed.
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../manifests/samples/11-workflow.yaml");
    let samples = std::fs::read_to_string(samples).expect("a sample");
    let samples: Vec<serde_json::Value> = serde_saphyr::from_multiple(&samples).expect("documents");
    for (sample, name) in samples.into_iter().zip(["generate", "count"]) {
        assert_eq!(sample["metadata"]["name"], name);
        dev.apply(sample).await;
        let pod = dev.until_finished(name).await;
        assert_eq!(phase(&pod), "Succeeded", "{:#?}\n{}", pod.status, dev.log(name, "app").await);
    }
    let log = dev.log("count", "app").await;
    assert!(log.contains("3 words/list.txt\n"), "{log}");

    let manifest = get(&registry, "/v2/flow/count/manifests/run-1").await;
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("a manifest");
    let layer = manifest["layers"][0]["digest"].as_str().expect("a layer");
    assert_eq!(get(&registry, &format!("/v2/flow/count/blobs/{layer}")).await, "3 words/list.txt\n");
    let log = dev.log("orascache-sample-0", "registry").await;
    assert!(log.contains("GET /v2/flow/count/manifests/run-1 200"), "{log}");
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_waits_may_start_before_its_input_exists() {
    let Some(dev) = Dev::start(&[]).await else { return };
    dev.apply(cache("demo")).await;
    dev.registry("demo-0").await;
    let reading = json!({"input-uri": "flow/late:1", "input-path": "/data", "input-wait": "10m"});
    dev.apply(step("reading", "demo", reading, "cat /data/late")).await;
    // It says what it waits for.
    dev.until_log("reading", "app", "flow/late:1").await;
    let writing = json!({"output-uri": "flow/late:1", "output-path": "/data/late"});
    dev.apply(step("writing", "demo", writing, "mkdir -p /data; echo here > /data/late")).await;
    let reading = dev.until_finished("reading").await;
    let log = dev.log("reading", "app").await;
    assert!(phase(&reading) == "Succeeded" && log.contains("here\n"), "{:#?}\n{log}", reading.status);
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_step_fails_with_its_code_and_pushes_nothing() {
    let Some(dev) = Dev::start(&[]).await else { return };
    dev.apply(cache("demo")).await;
    let registry = dev.registry("demo-0").await;
    let output = json!({"output-uri": "flow/out:1", "output-path": "/data/out.txt"});
    dev.apply(step("failing", "demo", output, "mkdir -p /data; echo half > /data/out.txt; exit 3")).await;
    let failing = dev.until_finished("failing").await;
    assert_eq!((phase(&failing), ended(&failing, "app").map(|(code, _)| code)), ("Failed", Some(3)));
    assert!(get(&registry, "/v2/flow/out/manifests/1").await.contains("MANIFEST_UNKNOWN"));

    // The reason why the agent did not start the command is in the status.
    dev.apply(step("reading", "demo", json!({"input-uri": "flow/out:1", "input-path": "/data"}), "echo ran"))
        .await;
    let reading = dev.until_finished("reading").await;
    let (code, message) = ended(&reading, "app").expect("it has ended");
    assert_eq!(code, 98);
    assert!(message.contains("is not in the registry"), "{message}");
    assert!(!dev.log("reading", "app").await.contains("ran\n"));
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_with_steps_complete_or_fail() {
    let Some(dev) = Dev::start(&[]).await else { return };
    dev.apply(cache("demo")).await;
    let registry = dev.registry("demo-0").await;
    let job = |name: &str, uri: &str, spec: serde_json::Value, script: &str| {
        let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "spec": spec, "metadata": {
            "name": name, "annotations": {
                format!("{PREFIX}oras-cache"): "demo",
                format!("{PREFIX}output-uri"): uri,
                format!("{PREFIX}output-path"): "/data/out",
            },
        }});
        job["spec"]["template"] =
            json!({"spec": {"restartPolicy": "Never", "containers": [container("app", script)]}});
        job
    };
    let indexed = json!({"completionMode": "Indexed", "completions": 2, "parallelism": 2});
    let script = "mkdir -p /data && echo index $JOB_COMPLETION_INDEX > /data/out";
    dev.apply(job("sweep", "flow/sweep:{index}", indexed, script)).await;
    dev.apply(job("failing", "flow/failing:1", json!({"backoffLimit": 1}), "exit 4")).await;
    dev.until::<Job>("sweep", "complete", is_job("Complete")).await;
    dev.until::<Job>("failing", "failed", is_job("Failed")).await;
    assert!(get(&registry, "/v2/flow/sweep/manifests/1").await.contains("\"layers\""));
    let jobs: Api<Job> = dev.api();
    let failed = jobs.get("failing").await.expect("a Job").status.and_then(|status| status.failed);
    assert_eq!(failed, Some(2));
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_use_a_registry_with_tls_and_accounts_by_themselves() {
    let Some(dev) = Dev::start(&[]).await else { return };
    let mut cache = cache("demo");
    cache["spec"] = json!({"tls": {}, "auth": {}});
    dev.apply(cache).await;
    dev.registry("demo-0").await;
    let writing = json!({"output-uri": "flow/words:1", "output-path": "/data/words"});
    dev.apply(step("writing", "demo", writing, "mkdir -p /data; echo here > /data/words")).await;
    let writing = dev.until_finished("writing").await;
    let log = dev.log("writing", "app").await;
    assert_eq!(phase(&writing), "Succeeded", "{:#?}\n{log}", writing.status);
    let reading = json!({"input-uri": "flow/words:1", "input-path": "/data"});
    dev.apply(step("reading", "demo", reading, "cat /data/words; ls /orascache-ca /orascache-credentials"))
        .await;
    dev.until_finished("reading").await;
    let log = dev.log("reading", "app").await;
    // The command sees neither the account nor what the sidecar trusts.
    assert!(log.contains("here\n") && !log.contains("ca.pem") && !log.contains("ORAS_USER\n"), "{log}");
    let log = dev.log("demo-0", "registry").await;
    // Clients without an account are asked for one.
    assert!(log.contains(" 401\n") && log.contains("GET /v2/flow/words/manifests/1 200\n"), "{log}");
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seeds_and_retention_of_a_cache_with_accounts_are_counted_in_its_status() {
    let Some(dev) = Dev::start(&[]).await else { return };
    dev.apply(cache("source")).await;
    dev.registry("source-0").await;
    let writing = json!({"output-uri": "flow/words:1", "output-path": "/data/words"});
    dev.apply(step("writing", "source", writing, "mkdir -p /data; echo here > /data/words")).await;
    assert_eq!(phase(&dev.until_finished("writing").await), "Succeeded");
    let mut cache = cache("demo");
    cache["spec"] = json!({
        // The registry of dev is none that a supervisor could start again.
        "tls": {}, "auth": {}, "retention": {"maxAge": "30d", "garbageCollection": false},
        "seed": {"artifacts": [{"source": "http://source-0.source.default.svc:5000/flow/words:1"}]},
    });
    dev.apply(cache).await;
    let copied = |cache: &OrasCache| {
        let seed = cache.status.as_ref().and_then(|status| status.seed.as_ref());
        seed.is_some_and(|seed| (seed.copied, seed.skipped) == (1, Some(0)))
    };
    let seeded = dev.until::<OrasCache>("demo", "seeded", copied).await;
    // Another run, as somebody makes one by hand: `kubectl create job --from=cronjob/demo-retention`.
    let cron_job = dev.api::<CronJob>().get("demo-retention").await.expect("a CronJob");
    let template = cron_job.spec.job_template.clone();
    let mut metadata = template.metadata.unwrap_or_default();
    metadata.name = Some("by-hand".to_owned());
    metadata.owner_references = cron_job.controller_owner_ref(&()).map(|owner| vec![owner]);
    let job = Job { metadata, spec: template.spec, status: None };
    dev.api::<Job>().create(&Default::default(), &job).await.expect("created");
    let counted = |cache: &OrasCache| {
        let status = cache.status.as_ref();
        let kept = status.and_then(|status| status.retention.as_ref()?.kept_tags);
        kept == Some(1) && status.and_then(|status| status.bytes_referenced).is_some_and(|bytes| bytes > 0)
    };
    dev.until::<OrasCache>("demo", "counted", counted).await;
    // The numbers stay when the pod is gone, and nothing is written again and again.
    dev.api::<Job>().delete("by-hand", &DeleteParams::background()).await.expect("deleted");
    let name = seeded.status.and_then(|status| status.seed?.job).expect("the name of a Job");
    dev.api::<Job>().get(&name).await.expect("the Job that the status names");
    let reading = json!({"input-uri": "flow/words:1", "input-path": "/data"});
    dev.apply(step("reading", "demo", reading, "cat /data/words")).await;
    dev.until_finished("reading").await;
    assert!(dev.log("reading", "app").await.contains("here\n"));
    let cache = dev.api::<OrasCache>().get("demo").await.expect("the cache");
    assert!(counted(&cache), "{:#?}", cache.status);
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_stay_in_the_sidecar() {
    let Some(dev) = Dev::start(&[]).await else { return };
    dev.apply(cache("demo")).await;
    dev.registry("demo-0").await;
    let secrets: Api<Secret> = dev.api();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "stringData": {
        "ORAS_USER": "ann", "ORAS_PULL_PASS": "secret-pull", "ORAS_PUSH_PASS": "secret-push",
    }});
    let secret: Secret = serde_json::from_value(secret).expect("a Secret");
    secrets.create(&Default::default(), &secret).await.expect("created");
    let annotations = json!({
        "oras-env": "login", "output-uri": "flow/private:1", "output-path": "/data/env",
    });
    // What the step sees: its variables, and the processes of its namespace.
    let script = "mkdir -p /data; env > /data/env; cat /proc/[0-9]*/environ >> /data/env; ls /orascache*";
    dev.apply(step("private", "demo", annotations, script)).await;
    let pod = dev.until_finished("private").await;
    assert_eq!(phase(&pod), "Succeeded", "{:#?}\n{}", pod.status, dev.log("private", "app").await);
    let names: Vec<String> = pod
        .status
        .and_then(|status| status.init_container_statuses)
        .into_iter()
        .flatten()
        .map(|status| status.name)
        .collect();
    assert_eq!(names, ["oras-install", "oras"], "the sidecar was there");
    let registry = dev.registry("demo-0").await;
    let manifest = get(&registry, "/v2/flow/private/manifests/1").await;
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("a manifest");
    let layer = manifest["layers"][0]["digest"].as_str().expect("a layer");
    let seen = get(&registry, &format!("/v2/flow/private/blobs/{layer}")).await;
    assert!(seen.contains("HOSTNAME=private") && !seen.contains("secret-p"), "{seen}");
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_followed_and_read_of_the_run_before() {
    let Some(dev) = Dev::start(&[]).await else { return };
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "twice"}, "spec": {
        "restartPolicy": "OnFailure", "volumes": [{"name": "v", "emptyDir": {}}],
        "containers": [container("app", "echo run $(ls /v | wc -l); test -e /v/x && exit 0; touch /v/x; exit 1")],
    }});
    pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
    dev.apply(pod).await;
    dev.until_finished("twice").await;
    let pods: Api<Pod> = dev.api();
    let log = |parameters: LogParams| {
        let pods = pods.clone();
        async move { pods.logs("twice", &parameters).await.expect("a log") }
    };
    assert_eq!(log(LogParams { previous: true, ..LogParams::default() }).await, "run 0\n");
    assert_eq!(log(LogParams { follow: true, ..LogParams::default() }).await, "run 1\n");
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_when_dev_ends_however_it_ends() {
    for signal in ["TERM", "INT", "KILL"] {
        let Some(dev) = Dev::start(&[]).await else { return };
        let script = "trap '' TERM INT HUP; setsid sleep 3600 & echo up; wait";
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "endless"}, "spec": {
            "restartPolicy": "Never", "containers": [container("app", script)],
        }});
        dev.apply(pod).await;
        dev.until_log("endless", "app", "up\n").await;
        let processes = dev.processes();
        assert!(processes.len() >= 3, "helper, shell and daemon run: {processes:?}");
        let folder = dev.end_by(signal).await;
        dev_cluster::until_ended(&processes).await;
        // Nobody can delete folders after SIGKILL.
        assert!(signal == "KILL" || !folder.exists(), "{signal}: {}", folder.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_are_stored_and_not_run_when_that_is_switched_off() {
    let dev = Dev::start_unchecked(&["--no-run-pods"]).await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stored"}, "spec": {
        "restartPolicy": "Never", "containers": [container("app", "true")],
    }});
    dev.apply(pod).await;
    let is_told = |pod: &Pod| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        conditions.into_iter().flatten().any(|found| found.reason.as_deref() == Some("NotSimulated"))
    };
    dev.until::<Pod>("stored", "marked as not run", is_told).await;
    assert!(dev.processes().is_empty());
    dev.stop().await;
}

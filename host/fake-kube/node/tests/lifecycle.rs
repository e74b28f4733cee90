//! Pods from their start to their end: restarts, sidecars, deadlines, deletion, limits.

mod support;

use fake_kube_node::{Backoff, ImageFolder};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::wait::conditions;
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use support::{Cluster, container, ended, entries, is_finished, phase, pod, status, waiting};

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_ends_again_and_again_waits_longer_and_longer() {
    let hours = Backoff { first: Duration::from_secs(3600), longest: Duration::from_secs(7200) };
    let Some(cluster) = Cluster::start(|options| options.backoff = hours).await else { return };
    let mut failing = pod("failing", json!([container("c", "exit 4")]));
    failing["spec"]["restartPolicy"] = json!("OnFailure");
    cluster.create::<Pod>(failing).await;
    let failing = cluster.until("failing", "waiting", |pod| {
        waiting(pod, "c").is_some_and(|(reason, _)| reason == "CrashLoopBackOff")
    });
    let failing = failing.await;
    let status = status(&failing, "c").expect("a status");
    assert_eq!(status.restart_count, 1, "the first restart comes at once");
    let last = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    assert_eq!(last.map(|last| last.exit_code), Some(4));
    let message = waiting(&failing, "c").expect("it waits").1;
    assert_eq!(message, "back-off 3600s restarting failed container=c pod=failing");
    assert_eq!(phase(&failing), "Running");
    assert_eq!(cluster.event("failing", "BackOff").await, message);
    cluster.delete("failing", None).await;
    cluster.until_gone("failing").await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_runs_as_long_as_the_others() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    let mount = json!([{"name": "v", "mountPath": "/v"}]);
    let mut sidecar = container(
        "sidecar",
        "trap 'echo told > /v/told; exit 0' TERM; touch /v/up; while :; do sleep 0.05; done",
    );
    sidecar["restartPolicy"] = json!("Always");
    sidecar["startupProbe"] = json!({"exec": {"command": ["test", "-e", "/v/up"]}, "periodSeconds": 1});
    sidecar["volumeMounts"] = mount.clone();
    let mut main = container("main", "ls /v; test ! -e /v/told && echo before");
    main["volumeMounts"] = mount;
    let mut step = pod("step", json!([main]));
    step["spec"]["initContainers"] = json!([sidecar]);
    step["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
    let step = cluster.run(step).await;
    assert_eq!(phase(&step), "Succeeded", "{:#?}", step.status);
    assert_eq!(cluster.log("step", "main").await, "up\nbefore\n");
    assert_eq!(
        ended(&step, "sidecar").map(|(code, ..)| code),
        Some(0),
        "it heard SIGTERM: {:#?}",
        step.status
    );
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_takes_too_long_fails() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    let mut slow = pod("slow", json!([container("c", "trap 'exit 5' TERM; while :; do sleep 0.05; done")]));
    slow["spec"]["activeDeadlineSeconds"] = json!(1);
    let slow = cluster.run(slow).await;
    assert_eq!(phase(&slow), "Failed");
    assert_eq!(slow.status.as_ref().and_then(|status| status.reason.as_deref()), Some("DeadlineExceeded"));
    assert_eq!(ended(&slow, "c").map(|(code, ..)| code), Some(5));
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_asks_a_container_to_end_and_then_kills_it() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    let polite = "trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.05; done";
    let deaf = "trap '' TERM; echo up; while :; do sleep 0.05; done";
    for (name, script, grace) in [("polite", polite, 3600), ("deaf", deaf, 1)] {
        let mut step = pod(name, json!([container("c", script)]));
        step["spec"]["terminationGracePeriodSeconds"] = json!(grace);
        cluster.create::<Pod>(step).await;
        cluster.until_log(name, "c", "up").await;
        cluster.delete(name, None).await;
        cluster.until_gone(name).await;
        let log = cluster.pods.logs(name, &Default::default()).await.expect_err("the log is gone");
        assert!(log.to_string().contains("not found"), "{log}");
    }
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_runs_before_the_container_is_asked_to_end() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    // The signal alone would end the container with another code.
    let script = "trap 'test -e /tmp/hook && exit 0; exit 1' TERM; echo up; while :; do sleep 0.05; done";
    let mut step = container("c", script);
    step["lifecycle"] = json!({"preStop": {"exec": {"command": ["touch", "/tmp/hook"]}}});
    step["volumeMounts"] = json!([{"name": "v", "mountPath": "/tmp"}]);
    step["restartPolicy"] = json!("Always");
    let mut hooked = pod("hooked", json!([container("main", "true")]));
    hooked["spec"]["initContainers"] = json!([step]);
    hooked["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
    let hooked = cluster.run(hooked).await;
    assert_eq!(ended(&hooked, "c").map(|(code, ..)| code), Some(0), "{:#?}", hooked.status);
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_its_probe() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    let script = "echo up; while [ ! -e /v/go ]; do sleep 0.05; done; touch /v/ready; while [ ! -e /v/end ]; do sleep 0.05; done";
    let mut step = container("c", script);
    step["readinessProbe"] =
        json!({"exec": {"command": ["test", "-e", "/v/ready"]}, "periodSeconds": 1, "timeoutSeconds": 30});
    step["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
    let mut step = pod("step", json!([step]));
    step["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
    let uid = cluster.create::<Pod>(step).await.metadata.uid.expect("a UID");
    let is_ready = |pod: &Pod| status(pod, "c").is_some_and(|status| status.ready);
    assert!(cluster.event("step", "Unhealthy").await.starts_with("Readiness probe failed"));
    let step = cluster.until("step", "running", |pod| phase(pod) == "Running").await;
    assert!(!is_ready(&step));
    let volume = cluster.folder().join("pods").join(uid).join("volumes/v");
    std::fs::write(volume.join("go"), "").expect("a file");
    cluster.until("step", "ready", is_ready).await;
    std::fs::write(volume.join("end"), "").expect("a file");
    let step = cluster.until("step", "finished", is_finished).await;
    assert!(!is_ready(&step) && phase(&step) == "Succeeded");
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_with_indexes_completes() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    let script = "echo index $JOB_COMPLETION_INDEX of $(hostname)";
    cluster
        .create::<Job>(json!({"metadata": {"name": "sweep"}, "spec": {
            "completionMode": "Indexed", "completions": 3, "parallelism": 3,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container("c", script)]}},
        }}))
        .await;
    cluster.until_object::<Job>("sweep", conditions::is_job_completed()).await;
    assert_eq!(cluster.log("sweep-2-0", "c").await, "index 2 of sweep-2\n");
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_pods_fail_fails() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    cluster
        .create::<Job>(json!({"metadata": {"name": "failing"}, "spec": {
            "backoffLimit": 1,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container("c", "exit 9")]}},
        }}))
        .await;
    let has_failed = |job: Option<&Job>| {
        let conditions = job.and_then(|job| job.status.as_ref()?.conditions.as_ref());
        conditions.into_iter().flatten().any(|found| found.type_ == "Failed" && found.status == "True")
    };
    cluster.until_object::<Job>("failing", has_failed).await;
    for name in ["failing-0", "failing-1"] {
        let pod = cluster.pods.get(name).await.expect("a pod");
        assert_eq!(ended(&pod, "c").map(|(code, ..)| code), Some(9));
    }
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_pods_run_than_may() {
    let Some(cluster) = Cluster::start(|options| options.most_pods = 1).await else { return };
    let script = "echo up; while [ ! -e /v/end ]; do sleep 0.05; done";
    let mut step = container("c", script);
    step["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
    let mut first = pod("first", json!([step]));
    first["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
    let uid = cluster.create::<Pod>(first).await.metadata.uid.expect("a UID");
    cluster.until_log("first", "c", "up").await;
    cluster.create::<Pod>(pod("second", json!([container("c", "true")]))).await;
    let is_told =
        |pod: &Pod| waiting(pod, "c").is_some_and(|(_, message)| message.contains("1 pods run already"));
    assert_eq!(phase(&cluster.until("second", "waiting", is_told).await), "Pending");
    std::fs::write(cluster.folder().join("pods").join(uid).join("volumes/v/end"), "").expect("a file");
    cluster.until("second", "finished", is_finished).await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_are_deleted_when_the_pod_has_ended() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    let mut step = container("c", "mkdir -m 500 /v/closed; chmod 000 /v/closed");
    step["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
    let mut step = pod("step", json!([step]));
    step["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
    cluster.run(step).await;
    let pods = cluster.folder().join("pods");
    let emptied = async {
        while !entries(&pods).is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(support::PATIENCE, emptied).await.expect("the folder of the pod is deleted");
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_can_be_a_folder() {
    let image = tempfile::tempdir().expect("a folder");
    copy_with_libraries("/bin/sh", image.path());
    std::fs::create_dir_all(image.path().join("srv")).expect("a folder");
    std::fs::write(image.path().join("srv/greeting"), "hello from the image\n").expect("a file");
    let folder: ImageFolder = format!("greeter={}", image.path().display()).parse().expect("an image");
    let Some(cluster) = Cluster::start(|options| options.images = vec![folder]).await else { return };
    let script = "read line < /srv/greeting; echo $line; echo x > /srv/new && echo wrote; ls 2>&1";
    let step = json!([{"name": "c", "image": "greeter:1", "command": ["sh", "-c", script]}]);
    let step = cluster.run(pod("step", step)).await;
    let log = cluster.log("step", "c").await;
    assert!(log.starts_with("hello from the image\nwrote\n"), "{log}");
    assert!(log.contains("ls: not found"), "programs are those of the image: {log}");
    assert_eq!(ended(&step, "c").map(|(code, ..)| code), Some(127));
    assert_eq!(entries(&image.path().join("srv")), ["greeting"], "the image is not changed");
    cluster.finish().await;
}

/// Copies a program with its libraries, to the same places.
fn copy_with_libraries(program: &str, root: &Path) {
    let listed = Command::new("ldd").arg(program).output().expect("ldd runs");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let libraries = listed.split_whitespace().filter(|word| word.starts_with('/'));
    for file in libraries.chain([program]) {
        let target = root.join(file.trim_start_matches('/'));
        std::fs::create_dir_all(target.parent().expect("a folder")).expect("a folder");
        std::fs::copy(file, target).expect("copied");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_namespaces_a_container_is_refused_and_not_run() {
    // In a user namespace that allows no other ones. Where there are none at all, it is the same.
    let forbid = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" \"$@\"";
    let may = Command::new("unshare").args(["-Ur", "true"]).status().is_ok_and(|status| status.success());
    let cluster = Cluster::start_unchecked(|options| {
        if may {
            let mut helper: Vec<std::ffi::OsString> =
                ["/usr/bin/unshare", "-Ur", "/bin/sh", "-c", forbid].map(Into::into).into();
            helper.append(&mut options.helper);
            options.helper = helper;
        }
    })
    .await;
    let mark = std::env::temp_dir().join(format!("fake-kube-node-{}", std::process::id()));
    let script = format!("touch {}", mark.display());
    cluster.create::<Pod>(pod("step", json!([container("c", &script)]))).await;
    let step = cluster.until("step", "refused", |pod| {
        waiting(pod, "c").is_some_and(|(reason, _)| reason == "CreateContainerError")
    });
    let message = waiting(&step.await, "c").expect("it waits").1;
    assert!(message.contains("does not let processes make namespaces"), "{message}");
    assert!(message.contains("sysctl user.max_user_namespaces"), "{message}");
    assert!(cluster.event("step", "Failed").await.contains("namespaces"));
    assert!(!mark.exists());
    cluster.delete("step", None).await;
    cluster.until_gone("step").await;
    cluster.finish().await;
}

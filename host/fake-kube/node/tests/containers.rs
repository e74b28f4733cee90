//! Containers as processes: what they see, and what is told of them.

mod support;

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret};
use kube::api::LogParams;
use serde_json::json;
use support::{Cluster, container, ended, phase, pod, status, waiting};

#[tokio::test(flavor = "multi_thread")]
async fn init_containers_run_in_order_before_the_others() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    let mount = json!([{"name": "work", "mountPath": "/work"}]);
    let step = |name: &str, script: &str| {
        let mut step = container(name, script);
        step["volumeMounts"] = mount.clone();
        step
    };
    let mut words =
        pod("words", json!([step("main", "cat /work/list; echo main >> /work/list; cat /work/list")]));
    words["spec"]["volumes"] = json!([{"name": "work", "emptyDir": {}}]);
    words["spec"]["initContainers"] =
        json!([step("one", "echo one > /work/list"), step("two", "echo two >> /work/list")]);
    let words = cluster.run(words).await;
    assert_eq!(phase(&words), "Succeeded", "{:#?}", words.status);
    assert_eq!(cluster.log("words", "main").await, "one\ntwo\none\ntwo\nmain\n");
    assert!(status(&words, "two").is_some_and(|two| two.ready), "{:#?}", words.status);
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_below_a_link_of_the_machine_can_be_written() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    let step = |name: &str, script: &str, read_only: bool| {
        let mut step = container(name, script);
        step["volumeMounts"] = json!([{"name": "work", "mountPath": "/var/run/own", "readOnly": read_only}]);
        step
    };
    // On most machines /var/run is a link to /run.
    let read = "cat /var/run/own/word; echo more > /var/run/own/more || echo read-only";
    let mut words = pod("words", json!([step("read", read, true)]));
    words["spec"]["volumes"] = json!([{"name": "work", "emptyDir": {}}]);
    words["spec"]["initContainers"] = json!([step("write", "echo word > /var/run/own/word", false)]);
    let words = cluster.run(words).await;
    assert_eq!(phase(&words), "Succeeded", "{:#?}", words.status);
    let log = cluster.log("words", "read").await;
    assert!(log.contains("word\n") && log.contains("read-only\n"), "{log}");
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_init_container_keeps_the_others_from_starting() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    let mut failing = pod("failing", json!([container("main", "echo ran")]));
    failing["spec"]["initContainers"] = json!([container("init", "exit 3")]);
    let failing = cluster.run(failing).await;
    assert_eq!(phase(&failing), "Failed");
    assert_eq!(ended(&failing, "init").map(|(code, ..)| code), Some(3));
    assert_eq!(waiting(&failing, "main").map(|(reason, _)| reason).as_deref(), Some("PodInitializing"));
    let log = cluster.pods.logs("failing", &LogParams::default()).await.expect_err("no log");
    assert!(log.to_string().contains("is waiting to start: PodInitializing"), "{log}");
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_sees_variables_arguments_and_its_directory() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    cluster.create::<Secret>(json!({"metadata": {"name": "login"}, "stringData": {"user": "ann"}})).await;
    cluster.create::<ConfigMap>(json!({"metadata": {"name": "mode"}, "data": {"MODE": "fast"}})).await;
    let step = json!({
        "name": "c", "image": "busybox", "workingDir": "/deep/er",
        "command": ["sh", "-c", "pwd; echo \"$0|$1|$NAME|$MODE|$HOSTNAME|$HOME\"; hostname; id -u"],
        "args": ["$(NAME)", "a b; $(NONE)"],
        "envFrom": [{"configMapRef": {"name": "mode"}}],
        "env": [
            {"name": "NAME", "valueFrom": {"secretKeyRef": {"name": "login", "key": "user"}}},
        ],
    });
    let step = cluster.run(pod("step", json!([step]))).await;
    assert_eq!(phase(&step), "Succeeded", "{:#?}", step.status);
    let log = cluster.log("step", "c").await;
    assert_eq!(log, "/deep/er\nann|a b; $(NONE)|ann|fast|step|/root\nstep\n0\n");
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_runs_as_the_user_that_it_names() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    let mut step = container("c", "echo $(id -u):$(id -g) > /v/id; cat /v/id; grep CapEff /proc/self/status");
    step["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
    step["securityContext"] = json!({"runAsUser": 1000});
    let mut step = pod("step", json!([step]));
    step["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
    step["spec"]["securityContext"] = json!({"runAsUser": 1, "runAsGroup": 2000});
    let step = cluster.run(step).await;
    assert_eq!(phase(&step), "Succeeded", "{:#?}", step.status);
    assert_eq!(cluster.log("step", "c").await, "1000:2000\nCapEff:\t0000000000000000\n");
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_are_folders_at_their_paths() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    cluster
        .create::<Secret>(json!({"metadata": {"name": "s"}, "stringData": {"one": "1", "two": "2"}}))
        .await;
    let claim = json!({"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
    }});
    cluster.create::<PersistentVolumeClaim>(claim).await;
    let volumes = json!([
        {"name": "secret", "secret": {"secretName": "s", "defaultMode": 0o400}},
        {"name": "some", "projected": {"sources": [
            {"secret": {"name": "s", "items": [{"key": "two", "path": "deep/2"}]}},
            {"configMap": {"name": "none", "optional": true}},
        ]}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "own", "emptyDir": {}},
    ]);
    let step = |script: &str| {
        let mut step = container("c", script);
        step["volumeMounts"] = json!([
            {"name": "secret", "mountPath": "/etc/login"},
            {"name": "some", "mountPath": "/data/some"},
            {"name": "data", "mountPath": "/data"},
            {"name": "own", "mountPath": "/cache/part", "subPath": "a/b"},
            {"name": "own", "mountPath": "/cache/whole"},
        ]);
        step
    };
    let writing = "stat -c %a /etc/login/one; cat /etc/login/one /data/some/deep/2; ls /data/some; \
                   echo kept > /data/file; touch /cache/part/x; ls /cache/whole/a/b; \
                   touch /etc/login/new /data/some/new 2>&1 | grep -c 'Read-only'";
    let mut first = pod("first", json!([step(writing)]));
    first["spec"]["volumes"] = volumes.clone();
    let first = cluster.run(first).await;
    assert_eq!(phase(&first), "Succeeded", "{:#?} {}", first.status, cluster.log("first", "c").await);
    assert_eq!(cluster.log("first", "c").await, "400\n12deep\nx\n2\n");
    // Another pod with the same claim finds the file, and nothing of the pod's own volumes.
    let mut second = pod("second", json!([step("cat /data/file; ls /cache/whole")]));
    second["spec"]["volumes"] = volumes;
    cluster.run(second).await;
    assert_eq!(cluster.log("second", "c").await, "kept\na\n");
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_code_and_termination_message_are_in_the_status() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    let written = "echo out; echo because > /dev/termination-log; exit 7";
    let mut other = container("other", "echo elsewhere > /tmp/why; exit 1");
    other["terminationMessagePath"] = json!("/tmp/why");
    let mut logged = container("logged", "echo from the log; sh -c 'kill -KILL $$$$'; exit $?");
    logged["terminationMessagePolicy"] = json!("FallbackToLogsOnError");
    let failing = cluster.run(pod("failing", json!([container("c", written), other, logged]))).await;
    assert_eq!(phase(&failing), "Failed");
    let text = |code: i32, message: &str| Some((code, "Error".to_owned(), message.to_owned()));
    assert_eq!(ended(&failing, "c"), text(7, "because\n"));
    assert_eq!(ended(&failing, "other"), text(1, "elsewhere\n"));
    let (code, _, message) = ended(&failing, "logged").expect("it has ended");
    assert!(code == 137 && message.starts_with("from the log\n"), "{code} {message}");
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_start_says_why() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    let missing = json!([{"name": "c", "image": "busybox", "command": ["no-such-program"]}]);
    let missing = cluster.run(pod("missing", missing)).await;
    let (code, reason, message) = ended(&missing, "c").expect("it has ended");
    assert_eq!((code, reason.as_str()), (128, "StartError"));
    assert!(
        message.contains("executable file not found in $PATH: programs come from this machine"),
        "{message}"
    );
    assert!(cluster.event("missing", "Failed").await.contains("no-such-program"));

    cluster.create::<Pod>(pod("unknown", json!([{"name": "c", "image": "busybox"}]))).await;
    let unknown = cluster.until("unknown", "waiting", |pod| {
        waiting(pod, "c").is_some_and(|(reason, _)| reason == "CreateContainerError")
    });
    let message = waiting(&unknown.await, "c").expect("it waits").1;
    assert!(message.contains("write it as command"), "{message}");

    let mut path = pod("path", json!([container("c", "true")]));
    path["spec"]["volumes"] = json!([{"name": "v", "hostPath": {"path": "/"}}]);
    cluster.create::<Pod>(path).await;
    assert!(cluster.event("path", "FailedMount").await.contains("use emptyDir"));
    cluster.delete("path", None).await;
    cluster.until_gone("path").await;

    let mut place = container("c", "true");
    place["volumeMounts"] = json!([{"name": "v", "mountPath": "/usr/no-such-folder"}]);
    let mut place = pod("place", json!([place]));
    place["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
    let message = ended(&cluster.run(place).await, "c").expect("it has ended").2;
    assert!(message.contains("/usr/no-such-folder") && message.contains("has to exist"), "{message}");
    assert!(!std::path::Path::new("/usr/no-such-folder").exists(), "this machine is not changed");
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_while_the_container_runs_and_of_the_run_before() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    let mut step = container(
        "c",
        "if [ -e /w/x ]; then echo again; echo why >&2; else touch /w/x; echo first; exit 1; fi",
    );
    step["volumeMounts"] = json!([{"name": "w", "mountPath": "/w"}]);
    let mut step = pod("step", json!([step]));
    step["spec"]["volumes"] = json!([{"name": "w", "emptyDir": {}}]);
    step["spec"]["restartPolicy"] = json!("OnFailure");
    let step = cluster.run(step).await;
    assert_eq!(phase(&step), "Succeeded");
    assert_eq!(status(&step, "c").map(|status| status.restart_count), Some(1));
    let pods = &cluster.pods;
    let log = |parameters: LogParams| async move { pods.logs("step", &parameters).await.expect("a log") };
    assert_eq!(log(LogParams { previous: true, ..LogParams::default() }).await, "first\n");
    let both = log(LogParams::default()).await;
    assert!(both.contains("again\n") && both.contains("why\n"), "{both}");
    assert_eq!(log(LogParams { tail_lines: Some(1), ..LogParams::default() }).await.lines().count(), 1);
    cluster.finish().await;
}

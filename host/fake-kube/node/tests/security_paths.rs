//! Containers change nothing of this machine but their volumes.

mod support;

use k8s_openapi::api::core::v1::{Pod, Secret};
use serde_json::json;
use std::path::Path;
use support::{Cluster, container, ended, phase, pod};

#[tokio::test(flavor = "multi_thread")]
async fn folders_of_this_machine_cannot_be_written_and_others_are_the_containers_own() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    let outside = tempfile::NamedTempFile::new().expect("a file in /tmp");
    let outside = outside.path().display().to_string();
    // What can be written is the container's own; what is shown of this machine cannot be.
    let script = format!(
        "test ! -e {outside} && echo x > /tmp/own && mkdir -p /fake-kube-data/deep /opt/fake-kube /var/fake-kube && \
         for folder in /usr /bin /etc/ssl /home/* /root/.[a-z]*; do \
           test -d $folder && touch $folder/fake-kube-file 2>/dev/null && echo wrote $folder; \
         done; \
         mount -o remount,rw /usr 2>/dev/null && echo remounted; \
         umount -l /usr 2>/dev/null && echo unmounted; \
         ls / | grep -c machine; exit 0"
    );
    let writing = cluster.run(pod("writing", json!([container("c", &script)]))).await;
    assert_eq!(phase(&writing), "Succeeded", "{:#?} {}", writing.status, cluster.log("writing", "c").await);
    assert_eq!(cluster.log("writing", "c").await, "0\n");
    for path in ["/fake-kube-data", "/opt/fake-kube", "/var/fake-kube", "/tmp/own", "/usr/fake-kube-file"] {
        assert!(!Path::new(path).exists(), "{path}");
    }
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_root_can_be_written_in_volumes_only() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    let script = "touch /x 2>/dev/null; touch /tmp/x 2>/dev/null; touch /etc/x 2>/dev/null; \
                  echo y > /data/y && cat /data/y; ls /x /tmp/x /etc/x 2>/dev/null; exit 0";
    let mut step = container("c", script);
    step["securityContext"] = json!({"readOnlyRootFilesystem": true});
    step["volumeMounts"] = json!([{"name": "v", "mountPath": "/data"}]);
    let mut step = pod("step", json!([step]));
    step["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
    cluster.run(step).await;
    assert_eq!(cluster.log("step", "c").await, "y\n");
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_in_a_volume_do_not_lead_out_of_it() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    let secret = tempfile::tempdir().expect("a folder");
    std::fs::write(secret.path().join("secret"), "secret").expect("a file");
    let mut link =
        container("link", &format!("ln -s {} /v/link; ln -s ../.. /v/up", secret.path().display()));
    link["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
    for part in ["link", "up", "../.."] {
        let mut read = container("read", "ls /part");
        read["volumeMounts"] = json!([{"name": "v", "mountPath": "/part", "subPath": part}]);
        let name = format!("pod-{}", part.trim_matches(['.', '/']).len());
        let mut reading = pod(&name, json!([read]));
        reading["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
        reading["spec"]["initContainers"] = json!([link]);
        let created = serde_json::from_value::<Pod>(reading).expect("a pod");
        // The API server refuses some of them.
        if cluster.pods.create(&Default::default(), &created).await.is_err() {
            continue;
        }
        let reading = cluster.until(&name, "finished", support::is_finished).await;
        assert_eq!(phase(&reading), "Failed", "{part}");
        let (code, reason, message) = ended(&reading, "read").expect("it has ended");
        assert_eq!((code, reason.as_str()), (128, "StartError"), "{message}");
        assert!(message.starts_with("nothing can be mounted at /part"), "{message}");
    }
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_folders_that_other_users_cannot_read_and_in_no_event() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(cluster.folder()).expect("a folder").permissions(),
    );
    assert_eq!(mode & 0o777, 0o700);
    let secret = json!({"metadata": {"name": "s"}, "data": {"k": "c2VjcmV0LXZhbHVl/w=="}});
    cluster.create::<Secret>(secret).await;
    let mut step = container("c", "true");
    step["env"] = json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]);
    cluster.create::<Pod>(pod("step", json!([step]))).await;
    let message = cluster.event("step", "Failed").await;
    assert!(message.contains("mount it as a file") && !message.contains("secret-value"), "{message}");
    cluster.finish().await;
}

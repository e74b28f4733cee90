//! Processes of containers end with the node. This is the only test of its process, whose children
//! it looks at.

mod support;

use k8s_openapi::api::core::v1::Pod;
use serde_json::json;
use std::path::Path;
use support::{Cluster, container, pod};

#[tokio::test(flavor = "multi_thread")]
async fn processes_end_with_the_node() {
    let Some(cluster) = Cluster::start(|_| {}).await else { return };
    // A child that ignores signals, in a session of its own, as daemons are.
    let script = "trap '' TERM HUP; setsid sleep 3600 & echo up; wait";
    cluster.create::<Pod>(pod("step", json!([container("c", script)]))).await;
    cluster.until_log("step", "c", "up").await;
    let before = children();
    assert!(before.len() >= 3, "helper, shell and daemon run: {before:?}");
    cluster.finish().await;
    let lives = |id: &u32| Path::new(&format!("/proc/{id}")).exists();
    let left: Vec<u32> = before.into_iter().filter(lives).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The processes that this one has started, and theirs.
fn children() -> Vec<u32> {
    let mut found = Vec::new();
    let mut parents = vec![std::process::id()];
    while let Some(parent) = parents.pop() {
        for task in std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten() {
            let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let ids: Vec<u32> = list.split_whitespace().filter_map(|id| id.parse().ok()).collect();
            parents.extend(&ids);
            found.extend(ids);
        }
    }
    found
}

//! What a node is told at its start.

use crate::backoff::Backoff;
use crate::images::ImageFolder;
use fake_kube::Logs;
use k8s_openapi::api::core::v1::Pod;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// What a node is told at its start.
#[derive(Clone)]
pub struct NodeOptions {
    /// Folder for volumes and for what containers write. It is created, and the node deletes what
    /// it has put there.
    pub folder: PathBuf,
    /// Folder of volume claims: that of a claim has the name of its UID.
    pub claims: PathBuf,
    /// The command that starts the helper (`helper::main`): a program and its first arguments. The
    /// program `fake-kube-container` of this package is one.
    pub helper: Vec<OsString>,
    /// Where the output of containers goes.
    pub logs: Logs,
    /// Images that are unpacked. Containers of other images get the programs of this machine.
    pub images: Vec<ImageFolder>,
    /// Programs that containers without an unpacked image can run besides those of this machine, by
    /// the name that is the first word of their command.
    pub programs: BTreeMap<String, PathBuf>,
    /// Which pods the node runs. The answer for a pod must always be the same.
    pub accepts: fn(&Pod) -> bool,
    /// How many pods run at the same time. Others wait.
    pub most_pods: usize,
    /// When containers that ended are started again.
    pub backoff: Backoff,
}

impl NodeOptions {
    /// Options with the kubelet's defaults: 110 pods at the same time, and restarts after ten
    /// seconds to five minutes.
    pub fn new(folder: impl Into<PathBuf>, helper: Vec<OsString>) -> Self {
        let folder = folder.into();
        Self {
            claims: folder.join("claims"),
            folder,
            helper,
            logs: Logs::default(),
            images: Vec::new(),
            programs: BTreeMap::new(),
            accepts: pods_that_end,
            most_pods: 110,
            backoff: Backoff::default(),
        }
    }
}

/// Whether the containers of a pod are meant to end: its restart policy is not `Always`.
pub fn pods_that_end(pod: &Pod) -> bool {
    let policy = pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
    matches!(policy, Some("Never" | "OnFailure"))
}

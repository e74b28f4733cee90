//! What the containers of a pod share.

use crate::names::HostsFile;
use crate::process::Helper;
use crate::record::Board;
use crate::shared::Shared;
use crate::volumes::VolumeFolder;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;

/// A pod that runs, as its containers see it.
pub(crate) struct PodContext {
    pub shared: Arc<Shared>,
    pub pod: Arc<Pod>,
    pub board: Arc<Board>,
    pub helper: Helper,
    pub folder: PathBuf,
    pub hosts: HostsFile,
    pub volumes: BTreeMap<String, VolumeFolder>,
}

impl PodContext {
    pub(crate) fn namespace(&self) -> String {
        self.pod.namespace().unwrap_or_default()
    }

    pub(crate) fn uid(&self) -> String {
        self.pod.uid().unwrap_or_default()
    }
}

/// The time at which containers that do not stop are killed, once they have to stop.
pub(crate) type Deadline = watch::Receiver<Option<Instant>>;

/// The name of the pod's machine.
pub(crate) fn host_name(pod: &Pod) -> String {
    let declared = pod.spec.as_ref().and_then(|spec| spec.hostname.clone());
    let mut name = declared.unwrap_or_else(|| pod.name_any());
    // The kernel takes no longer ones, and the kubelet cuts there too.
    name.truncate(63);
    name.trim_end_matches(['-', '.']).to_owned()
}

//! Names of pods, as the DNS of a cluster resolves them: `/etc/hosts` of every container has them.
//!
//! A pod with a host name and a subdomain is `HOSTNAME.SUBDOMAIN.NAMESPACE.svc`, and the subdomain
//! itself, which is a headless Service, is `SUBDOMAIN.NAMESPACE.svc`.

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch_objects};
use kube::{Api, Client, ResourceExt};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Follows the names of pods, and keeps the files with them up to date.
#[derive(Default)]
pub(crate) struct Names {
    state: Mutex<State>,
    /// Counts events.
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// By UID, every pod that exists; the name of those that have one.
    pods: BTreeMap<String, Option<Name>>,
    /// UIDs that a list in progress has mentioned.
    listed: BTreeSet<String>,
    files: BTreeMap<PathBuf, Reader>,
}

/// Where a pod is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    namespace: String,
    host: String,
    subdomain: String,
    address: String,
}

/// Who reads a file.
struct Reader {
    namespace: String,
    host: String,
}

/// A file with names. It is no longer kept up to date once this is dropped.
pub(crate) struct HostsFile {
    names: Arc<Names>,
    path: PathBuf,
}

impl Names {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the pods of all namespaces. Does not return.
    pub(crate) async fn follow(self: Arc<Self>, client: Client) {
        let pods = watch_objects(Api::<Pod>::all(client), watcher::Config::default()).default_backoff();
        futures::pin_mut!(pods);
        while let Some(event) = pods.next().await {
            match event {
                Ok(event) => self.observe(event),
                Err(error) => tracing::debug!(%error, "the watch of pods broke"),
            }
        }
    }

    fn observe(&self, event: Event<Pod>) {
        let mut state = self.state();
        let before: Vec<Name> = state.pods.values().flatten().cloned().collect();
        match event {
            Event::Init => state.listed.clear(),
            Event::InitApply(pod) => {
                let uid = pod.uid().unwrap_or_default();
                state.listed.insert(uid.clone());
                state.pods.insert(uid, name(&pod));
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut state.listed);
                state.pods.retain(|uid, _| listed.contains(uid));
            }
            Event::Apply(pod) => {
                state.pods.insert(pod.uid().unwrap_or_default(), name(&pod));
            }
            Event::Delete(pod) => {
                state.pods.remove(&pod.uid().unwrap_or_default());
            }
        }
        if !state.pods.values().flatten().eq(&before) {
            for (path, reader) in &state.files {
                if let Err(error) = write(path, &content(&state, reader)) {
                    tracing::warn!(%error, file = %path.display(), "names of pods could not be written");
                }
            }
        }
        drop(state);
        self.changed.send_modify(|count| *count += 1);
    }

    /// Waits until the names are known of all pods that had an address when this pod was created.
    /// The watch reports changes in their order, so that it suffices to have heard of this pod.
    pub(crate) async fn reached(&self, uid: &str) {
        let mut changed = self.changed.subscribe();
        // The sender lives as long as `self`.
        let _ = changed.wait_for(|_| self.state().pods.contains_key(uid)).await;
    }

    /// Writes the names to a file, and keeps it up to date. They are those that a pod of this
    /// namespace and host name can use.
    pub(crate) fn keep(
        self: &Arc<Self>,
        path: PathBuf,
        namespace: &str,
        host: &str,
    ) -> io::Result<HostsFile> {
        let reader = Reader { namespace: namespace.to_owned(), host: host.to_owned() };
        let mut state = self.state();
        write(&path, &content(&state, &reader))?;
        state.files.insert(path.clone(), reader);
        drop(state);
        Ok(HostsFile { names: self.clone(), path })
    }
}

impl HostsFile {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for HostsFile {
    fn drop(&mut self) {
        self.names.state().files.remove(&self.path);
    }
}

/// The name of a pod that runs and has one.
fn name(pod: &Pod) -> Option<Name> {
    let spec = pod.spec.as_ref()?;
    let status = pod.status.as_ref().filter(|status| status.phase.as_deref() == Some("Running"))?;
    Some(Name {
        namespace: pod.namespace()?,
        host: spec.hostname.clone()?,
        subdomain: spec.subdomain.clone()?,
        address: status.pod_ip.clone()?,
    })
}

/// The content of a file (hosts(5)).
fn content(state: &State, reader: &Reader) -> String {
    let mut text = format!(
        "# Names of pods; this machine's own /etc/hosts is not changed.\n127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.0.1 {}\n",
        reader.host
    );
    for name in state.pods.values().flatten() {
        let Name { namespace, host, subdomain, address } = name;
        let mut names = Vec::new();
        for short in [format!("{host}.{subdomain}"), subdomain.clone()] {
            let long = format!("{short}.{namespace}");
            names.extend([format!("{long}.svc.cluster.local"), format!("{long}.svc"), long]);
            if *namespace == reader.namespace {
                names.push(short);
            }
        }
        text += &format!("{address} {}\n", names.join(" "));
    }
    text
}

/// Replaces the content of a file that stays the same file, since it is mounted.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::Names;
    use k8s_openapi::api::core::v1::Pod;
    use kube::runtime::watcher::Event;
    use serde_json::json;
    use std::sync::Arc;

    fn pod(uid: &str, namespace: &str, phase: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "db-0", "namespace": namespace, "uid": uid},
            "spec": {"containers": [], "hostname": "db-0", "subdomain": "db"},
            "status": {"phase": phase, "podIP": "127.9.9.9"},
        }))
        .expect("a pod")
    }

    #[test]
    fn a_file_follows_the_pods_that_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let names = Arc::new(Names::default());
        names.observe(Event::Apply(pod("1", "lab", "Running")));
        let file = names.keep(folder.path().join("hosts"), "lab", "step").expect("a file");
        let text = || std::fs::read_to_string(file.path()).expect("a file");
        assert!(text().contains("127.0.0.1 step\n"), "{}", text());
        let own = "127.9.9.9 db-0.db.lab.svc.cluster.local db-0.db.lab.svc db-0.db.lab db-0.db \
                   db.lab.svc.cluster.local db.lab.svc db.lab db\n";
        assert!(text().ends_with(own), "{}", text());

        names.observe(Event::Apply(pod("2", "other", "Running")));
        let foreign = "127.9.9.9 db-0.db.other.svc.cluster.local db-0.db.other.svc db-0.db.other \
                       db.other.svc.cluster.local db.other.svc db.other\n";
        assert!(text().ends_with(foreign), "short names are for the pod's own namespace: {}", text());

        names.observe(Event::Apply(pod("2", "other", "Failed")));
        assert!(text().ends_with(own));
        names.observe(Event::Delete(pod("1", "lab", "Running")));
        assert!(text().ends_with("127.0.0.1 step\n"));
        names.observe(Event::Apply(pod("1", "lab", "Running")));
        names.observe(Event::Init);
        names.observe(Event::InitDone);
        assert!(text().ends_with("127.0.0.1 step\n"), "a list that does not mention a pod");
    }

    #[tokio::test]
    async fn names_are_reached_when_the_watch_has_reported_a_pod() {
        let names = Arc::new(Names::default());
        let waiting = names.clone();
        let reached = tokio::spawn(async move { waiting.reached("1").await });
        names.observe(Event::Apply(pod("1", "lab", "Pending")));
        reached.await.expect("reached");
    }
}

//! Names of pods and Services, as the DNS of a cluster resolves them: `/etc/hosts` of every container
//! has them.
//!
//! A pod with a host name and a subdomain is `HOSTNAME.SUBDOMAIN.NAMESPACE.svc`, and the subdomain
//! itself, which is a headless Service, is `SUBDOMAIN.NAMESPACE.svc`. Another Service is
//! `NAME.NAMESPACE.svc`, with the addresses of the pods that run and that it selects: nothing stands
//! before them, so that its ports have to be theirs.

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Pod, Service};
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
    /// By UID, every pod that exists; where those that run are reached.
    pods: BTreeMap<String, Option<Place>>,
    /// UIDs that a list in progress has mentioned.
    listed: BTreeSet<String>,
    /// By UID, the Services that select pods and are not headless.
    services: BTreeMap<String, Selection>,
    /// Services that a list in progress has mentioned.
    listed_services: BTreeMap<String, Selection>,
    files: BTreeMap<PathBuf, Reader>,
}

/// Where a pod is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    namespace: String,
    address: String,
    labels: BTreeMap<String, String>,
    /// Host name and subdomain of those that have both.
    name: Option<(String, String)>,
}

/// The pods of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Selection {
    namespace: String,
    service: String,
    selector: BTreeMap<String, String>,
}

impl Selection {
    /// `None` for a Service that selects no pods, or whose name pods have already.
    fn of(service: &Service) -> Option<Self> {
        let spec = service.spec.as_ref().filter(|spec| spec.cluster_ip.as_deref() != Some("None"))?;
        Some(Selection {
            namespace: service.namespace()?,
            service: service.name_any(),
            selector: spec.selector.clone().filter(|selector| !selector.is_empty())?,
        })
    }

    fn selects(&self, pod: &Place) -> bool {
        let has = |(key, value)| pod.labels.get(key) == Some(value);
        pod.namespace == self.namespace && self.selector.iter().all(has)
    }
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

    /// Follows the pods and Services of all namespaces. Does not return.
    pub(crate) async fn follow(self: Arc<Self>, client: Client) {
        let pods = watch_objects(Api::<Pod>::all(client.clone()), watcher::Config::default());
        let services = watch_objects(Api::<Service>::all(client), watcher::Config::default());
        let pods = pods.default_backoff().for_each(|event| {
            match event {
                Ok(event) => self.observe(event),
                Err(error) => tracing::debug!(%error, "the watch of pods broke"),
            }
            std::future::ready(())
        });
        let services = services.default_backoff().for_each(|event| {
            match event {
                Ok(event) => self.observe_service(event),
                Err(error) => tracing::debug!(%error, "the watch of Services broke"),
            }
            std::future::ready(())
        });
        futures::join!(pods, services);
    }

    fn observe_service(&self, event: Event<Service>) {
        let mut state = self.state();
        match event {
            Event::Init => state.listed_services.clear(),
            Event::InitApply(service) => {
                if let Some(selection) = Selection::of(&service) {
                    state.listed_services.insert(service.uid().unwrap_or_default(), selection);
                }
            }
            Event::InitDone => state.services = std::mem::take(&mut state.listed_services),
            Event::Apply(service) => {
                let uid = service.uid().unwrap_or_default();
                match Selection::of(&service) {
                    Some(selection) => state.services.insert(uid, selection),
                    None => state.services.remove(&uid),
                };
            }
            Event::Delete(service) => {
                state.services.remove(&service.uid().unwrap_or_default());
            }
        }
        write_all(&state);
    }

    fn observe(&self, event: Event<Pod>) {
        let mut state = self.state();
        let before: Vec<Place> = state.pods.values().flatten().cloned().collect();
        match event {
            Event::Init => state.listed.clear(),
            Event::InitApply(pod) => {
                let uid = pod.uid().unwrap_or_default();
                state.listed.insert(uid.clone());
                state.pods.insert(uid, place(&pod));
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut state.listed);
                state.pods.retain(|uid, _| listed.contains(uid));
            }
            Event::Apply(pod) => {
                state.pods.insert(pod.uid().unwrap_or_default(), place(&pod));
            }
            Event::Delete(pod) => {
                state.pods.remove(&pod.uid().unwrap_or_default());
            }
        }
        if !state.pods.values().flatten().eq(&before) {
            write_all(&state);
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

/// Where a pod that runs is reached.
fn place(pod: &Pod) -> Option<Place> {
    let spec = pod.spec.as_ref()?;
    let status = pod.status.as_ref().filter(|status| status.phase.as_deref() == Some("Running"))?;
    Some(Place {
        namespace: pod.namespace()?,
        address: status.pod_ip.clone()?,
        labels: pod.labels().clone(),
        name: spec.hostname.clone().zip(spec.subdomain.clone()),
    })
}

/// Brings all files up to date.
fn write_all(state: &State) {
    for (path, reader) in &state.files {
        if let Err(error) = write(path, &content(state, reader)) {
            tracing::warn!(%error, file = %path.display(), "names of pods could not be written");
        }
    }
}

/// The content of a file (hosts(5)).
fn content(state: &State, reader: &Reader) -> String {
    let mut text = format!(
        "# Names of pods; this machine's own /etc/hosts is not changed.\n127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.0.1 {}\n",
        reader.host
    );
    let mut add = |address: &str, namespace: &str, shorts: &[String]| {
        let mut names = Vec::new();
        for short in shorts {
            let long = format!("{short}.{namespace}");
            names.extend([format!("{long}.svc.cluster.local"), format!("{long}.svc"), long]);
            if *namespace == *reader.namespace {
                names.push(short.clone());
            }
        }
        text += &format!("{address} {}\n", names.join(" "));
    };
    for Place { namespace, address, name, .. } in state.pods.values().flatten() {
        if let Some((host, subdomain)) = name {
            add(address, namespace, &[format!("{host}.{subdomain}"), subdomain.clone()]);
        }
    }
    for service in state.services.values() {
        for pod in state.pods.values().flatten().filter(|pod| service.selects(pod)) {
            add(&pod.address, &pod.namespace, std::slice::from_ref(&service.service));
        }
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
    use k8s_openapi::api::core::v1::{Pod, Service};
    use kube::ResourceExt;
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

    #[test]
    fn a_service_has_the_addresses_of_the_pods_that_it_selects() {
        let service = |uid: &str, address: &str, label: &str| -> Service {
            serde_json::from_value(json!({
                "metadata": {"name": "spread", "namespace": "lab", "uid": uid},
                "spec": {"clusterIP": address, "selector": {"app": label}},
            }))
            .expect("a Service")
        };
        let labelled = |uid: &str, namespace: &str, label: &str| {
            let mut pod = pod(uid, namespace, "Running");
            pod.labels_mut().insert("app".to_owned(), label.to_owned());
            pod
        };
        let folder = tempfile::tempdir().expect("a folder");
        let names = Arc::new(Names::default());
        let file = names.keep(folder.path().join("hosts"), "lab", "step").expect("a file");
        let lines = || {
            let text = std::fs::read_to_string(file.path()).expect("a file");
            text.lines().filter(|line| line.contains("spread")).map(str::to_owned).collect::<Vec<_>>()
        };
        names.observe_service(Event::Apply(service("s", "10.0.0.1", "db")));
        assert_eq!(lines(), Vec::<String>::new());
        names.observe(Event::Apply(labelled("1", "lab", "db")));
        let line = "127.9.9.9 spread.lab.svc.cluster.local spread.lab.svc spread.lab spread";
        assert_eq!(lines(), [line]);
        names.observe(Event::Apply(labelled("2", "lab", "db")));
        assert_eq!(lines(), [line, line]);
        names.observe(Event::Apply(labelled("3", "lab", "other")));
        names.observe(Event::Apply(labelled("4", "other", "db")));
        assert_eq!(lines(), [line, line]);
        names.observe_service(Event::Apply(service("s", "None", "db")));
        assert_eq!(lines(), Vec::<String>::new(), "a headless Service is the subdomain of its pods");
        names.observe_service(Event::Apply(service("s", "10.0.0.1", "db")));
        names.observe_service(Event::Init);
        names.observe_service(Event::InitDone);
        assert_eq!(lines(), Vec::<String>::new(), "a list that does not mention it");
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

//! The API server of a benchmark: a fake one in the benchmark's process, or with
//! `KUBEBUILDER_ASSETS` (a folder with `etcd` and `kube-apiserver`) a real one.

use crate::cluster;
use crate::request_counts::{RequestCounts, Sort};
use fake_kube::{FakeKube, Matcher};
use fake_kube_control_plane::ControlPlane;
use kube::{Client, CustomResourceExt};
use orascache_api::orascache::OrasCache;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// Changes that the fake API server remembers for watches: those of 10,000 caches.
const HISTORY: usize = 200_000;
/// What the fake API server counts. The real one counts everything.
const COUNTED: [(&str, &str); 6] = [
    ("cache.converged-computing.github.io", "orascaches"),
    ("", "services"),
    ("", "secrets"),
    ("apps", "statefulsets"),
    ("networking.k8s.io", "networkpolicies"),
    ("events.k8s.io", "events"),
];
/// Verbs of the fake API server, and those of the metric. It does not tell a patch from an apply.
const VERBS: [(&str, &str); 5] =
    [("get", "GET"), ("create", "POST"), ("update", "PUT"), ("patch", "PATCH"), ("delete", "DELETE")];
/// Requests are over when their numbers have not changed for that long.
const SETTLED: Duration = Duration::from_secs(2);

/// A fake API server with the definition of OrasCaches. It remembers the changes of 10,000 caches.
///
/// # Panics
/// When it does not start.
pub async fn fake() -> FakeKube {
    let builder = FakeKube::builder().history(HISTORY).definition(OrasCache::crd());
    builder.start().await.expect("an API server")
}

/// An API server with the definition of OrasCaches.
pub struct BenchApi {
    backend: Backend,
    client: Client,
    kubeconfig: PathBuf,
    _folder: TempDir,
}

enum Backend {
    Fake(Box<FakeKube>),
    /// Runs as long as this exists.
    Real {
        _plane: ControlPlane,
    },
}

impl BenchApi {
    /// Starts it.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let kubeconfig = folder.path().join("kubeconfig");
        let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS") else {
            let fake = fake().await;
            let (client, kubeconfig) = (fake.client(), fake.kubeconfig_path().to_owned());
            return Self { backend: Backend::Fake(Box::new(fake)), client, kubeconfig, _folder: folder };
        };
        let plane = ControlPlane::start(assets.as_ref()).expect("a control plane");
        std::fs::write(&kubeconfig, plane.kubeconfig()).expect("the kubeconfig is written");
        let client = cluster::client_of(&plane.kubeconfig(), "benchmark").await;
        cluster::wait_for_api(&client).await;
        cluster::install_crd(&client, &OrasCache::crd()).await;
        Self { backend: Backend::Real { _plane: plane }, client, kubeconfig, _folder: folder }
    }

    /// What kind of server it is, for the output.
    pub fn name(&self) -> &'static str {
        match self.backend {
            Backend::Fake(_) => "the fake API server",
            Backend::Real { .. } => "kube-apiserver",
        }
    }

    /// A client that is not the operator's.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A file with the kubeconfig for the operator.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// How many requests it has answered. The fake server counts those of the operator and without
    /// lists and watches, the real one those of everybody.
    ///
    /// # Panics
    /// When the metrics cannot be read.
    pub async fn counts(&self) -> RequestCounts {
        let Backend::Fake(fake) = &self.backend else {
            let request = http::Request::get("/metrics").body(Vec::new()).expect("a request");
            let metrics = self.client.request_text(request).await.expect("metrics");
            return RequestCounts::parse(&metrics).expect("metrics as the format says");
        };
        let log = fake.requests();
        let mut counts = RequestCounts::default();
        for (verb, counted_as) in VERBS {
            for (group, resource) in COUNTED {
                let all = Matcher::any().user_agent("orascache").verb(verb).resource(group, resource);
                counts.add(Sort::new(counted_as, resource), log.count(&all.clone().main_resource()));
                let status = Sort::new(counted_as, &format!("{resource}/status"));
                counts.add(status, log.count(&all.subresource("status")));
            }
        }
        counts
    }

    /// Waits until no further requests come, and returns their numbers.
    pub async fn settled(&self) -> RequestCounts {
        let mut counts = self.counts().await.only(is_write);
        loop {
            tokio::time::sleep(SETTLED).await;
            let now = self.counts().await.only(is_write);
            if now == counts {
                return self.counts().await;
            }
            counts = now;
        }
    }
}

/// A real server's own loops write leases all the time.
fn is_write(sort: &Sort) -> bool {
    !matches!(sort.verb.as_str(), "GET" | "LIST" | "WATCH") && sort.resource != "leases"
}

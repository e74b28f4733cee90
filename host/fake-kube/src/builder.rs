//! How a fake API server is started.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fake_kube_server::admission::Admission;
use fake_kube_server::{ApiServer, Fault, Matcher, Options};
use fake_kube_simulators::Simulators;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::cluster::FakeKube;
use crate::error::StartError;
use crate::kubeconfig::KubeconfigFile;

impl FakeKube {
    /// Starts a server on a free port of loopback, without simulators.
    ///
    /// # Errors
    /// When there is no free port, or no temporary folder for the kubeconfig.
    pub async fn start() -> Result<Self, StartError> {
        Self::builder().start().await
    }

    /// Settings to start a server with.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// Settings of a [`FakeKube`]. Every setting has a default.
///
/// ```
/// use fake_kube::{FakeKube, Fault, Matcher, Simulators};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fake_kube::StartError> {
/// let busy = Fault::Answer { code: 429, retry_after: Some(1) };
/// let cluster = FakeKube::builder()
///     .simulators(Simulators { jobs: false, ..Simulators::all() })
///     .fault(Matcher::any().verb("create").resource("", "pods"), busy, 2)
///     .start()
///     .await?;
/// # cluster.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Builder {
    options: Options,
    kubeconfig: Option<PathBuf>,
    simulators: Simulators,
    definitions: Vec<CustomResourceDefinition>,
    faults: Vec<(Matcher, Fault, usize)>,
}

impl Builder {
    /// The port on loopback. The default is a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.options.port = Some(port);
        self
    }

    /// Where to write the kubeconfig. The file stays when the server is dropped. The default is a
    /// file in a temporary folder, which is deleted with the server. Either can be read by its
    /// owner only.
    #[must_use]
    pub fn kubeconfig(mut self, path: impl Into<PathBuf>) -> Self {
        self.kubeconfig = Some(path.into());
        self
    }

    /// Which simulated controllers run. The default is none: the API stores objects, and nothing
    /// else happens.
    #[must_use]
    pub fn simulators(mut self, simulators: Simulators) -> Self {
        self.simulators = simulators;
        self
    }

    /// Installs a CustomResourceDefinition, and waits until its kind is served. May be called
    /// repeatedly.
    #[must_use]
    pub fn definition(mut self, definition: CustomResourceDefinition) -> Self {
        self.definitions.push(definition);
        self
    }

    /// The next `times` requests that match go wrong, once the server has started. May be called
    /// repeatedly. [`FakeKube::faults`] injects more of them later.
    #[must_use]
    pub fn fault(mut self, matcher: Matcher, fault: Fault, times: usize) -> Self {
        self.faults.push((matcher, fault, times));
        self
    }

    /// How many changes of each resource are kept for watches and list pages that go back. The
    /// default is 10,000.
    #[must_use]
    pub fn history(mut self, changes: usize) -> Self {
        self.options.history = changes;
        self
    }

    /// How often watches that ask for bookmarks get one. The default is a minute.
    #[must_use]
    pub fn bookmark_interval(mut self, interval: Duration) -> Self {
        self.options.bookmark_interval = interval;
        self
    }

    /// Decides about every write in this process, before the webhooks of the stored configurations
    /// are called. The default admits everything.
    #[must_use]
    pub fn admission(mut self, admission: Arc<dyn Admission>) -> Self {
        self.options.admission = admission;
        self
    }

    /// Serves plain HTTP and asks for no token. The default is HTTPS with a token that the
    /// kubeconfig contains. For clients that can do neither: every program on this machine, and
    /// every web page that knows the port, can then use the API.
    #[must_use]
    pub fn without_token(mut self) -> Self {
        self.options.token = None;
        self
    }

    /// Starts the server, installs the definitions, starts the simulators and injects the faults.
    ///
    /// # Errors
    /// When the port is taken, the kubeconfig cannot be written, or a definition is refused.
    pub async fn start(self) -> Result<FakeKube, StartError> {
        let server = ApiServer::start(self.options).await?;
        let kubeconfig = KubeconfigFile::write(self.kubeconfig, &server.kubeconfig())?;
        let mut cluster = FakeKube::new(server, kubeconfig).await?;
        for definition in &self.definitions {
            cluster.install(definition).await?;
        }
        cluster.simulate(self.simulators);
        for (matcher, fault, times) in self.faults {
            cluster.faults().inject(matcher, fault, times);
        }
        Ok(cluster)
    }
}

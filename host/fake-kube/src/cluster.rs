//! A running fake API server.

use std::net::SocketAddr;
use std::path::Path;

use fake_kube_server::{ApiServer, Faults, Logs, RequestLog};
use fake_kube_simulators::{Simulation, Simulators};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Client, Config};

use crate::error::{ClientError, DefinitionError};
use crate::kubeconfig::KubeconfigFile;
use crate::{client, definition};

/// User agent of the simulators, by which the request log tells them from the code under test.
const SIMULATORS: &str = "fake-kube-simulators";

/// A Kubernetes API server in this process.
///
/// Dropping it stops the simulators and the server, without waiting: watches end, and the port is
/// free again soon after. [`FakeKube::shutdown`] does the same and waits for it, a few seconds at
/// most. Objects end with the server.
pub struct FakeKube {
    simulation: Option<Simulation>,
    config: Config,
    client: Client,
    for_simulators: Client,
    kubeconfig: KubeconfigFile,
    server: ApiServer,
}

impl FakeKube {
    pub(crate) async fn new(server: ApiServer, kubeconfig: KubeconfigFile) -> Result<Self, ClientError> {
        let config = client::config(&server.kubeconfig()).await?;
        let client = client::client(config.clone(), None)?;
        let for_simulators = client::client(config.clone(), Some(SIMULATORS))?;
        Ok(Self { simulation: None, config, client, for_simulators, kubeconfig, server })
    }

    /// A client, whose default namespace is `default`. All clones share their connections.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A client with connections of its own and this `User-Agent`, by which [`Matcher::user_agent`]
    /// and [`RequestLog`] tell its requests from those of others.
    ///
    /// [`Matcher::user_agent`]: crate::Matcher::user_agent
    ///
    /// # Errors
    /// When the user agent cannot be the value of an HTTP header.
    pub fn client_as(&self, user_agent: &str) -> Result<Client, ClientError> {
        client::client(self.config(), Some(user_agent))
    }

    /// A configuration, for code that makes its clients itself.
    pub fn config(&self) -> Config {
        self.config.clone()
    }

    /// Where the server answers, for example `http://127.0.0.1:34567`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The text of a kubeconfig, as YAML.
    pub fn kubeconfig(&self) -> String {
        self.server.kubeconfig()
    }

    /// A file with the kubeconfig: a value for the environment variable `KUBECONFIG`.
    pub fn kubeconfig_path(&self) -> &Path {
        self.kubeconfig.path()
    }

    /// Applies a CustomResourceDefinition, and waits until its kind is served.
    ///
    /// # Errors
    /// When the server refuses the definition or does not establish it.
    pub async fn install(&self, definition: &CustomResourceDefinition) -> Result<(), DefinitionError> {
        definition::install(&self.client, definition).await
    }

    /// Runs these simulators from now on, in place of those that run. They have connections of
    /// their own and the user agent `fake-kube-simulators`.
    pub fn simulate(&mut self, simulators: Simulators) {
        self.simulation = Some(Simulation::start(self.for_simulators.clone(), simulators));
    }

    /// Stops the simulators, and returns once they have stopped. From then on only clients change
    /// objects.
    pub async fn stop_simulators(&mut self) {
        if let Some(simulation) = self.simulation.take() {
            simulation.shutdown().await;
        }
    }

    /// Injects faults: errors, delays, lost answers, broken and silent watches.
    pub fn faults(&self) -> &Faults {
        self.server.faults()
    }

    /// The log of requests. It keeps growing while the server runs.
    pub fn requests(&self) -> RequestLog {
        self.server.requests()
    }

    /// The logs of containers. A [`PodRunner`](crate::PodRunner) writes them, and `kubectl logs`
    /// reads them.
    pub fn logs(&self) -> Logs {
        self.server.logs()
    }

    /// Says where a Service answers. Webhook configurations name Services, and there is no cluster
    /// network that leads to them: the server calls `address`, and expects a certificate for
    /// `NAME.NAMESPACE.svc`.
    pub fn route_service(&self, namespace: &str, name: &str, port: u16, address: SocketAddr) {
        self.server.route_service(namespace, name, port, address);
    }

    /// Removes the route of a Service: calls fail as if the Service had no endpoints.
    pub fn remove_service_route(&self, namespace: &str, name: &str, port: u16) {
        self.server.remove_service_route(namespace, name, port);
    }

    /// Stops the simulators and the server, and returns when open requests are answered, after a
    /// few seconds at most.
    pub async fn shutdown(mut self) {
        self.stop_simulators().await;
        self.server.shutdown().await;
    }
}

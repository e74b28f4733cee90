//! Why a fake API server is not there.

use std::path::PathBuf;

/// Why a fake API server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The server could not listen, or could not create the first namespaces.
    #[error("the fake Kubernetes API server did not start: {0}")]
    Server(#[from] fake_kube_server::StartError),
    /// The kubeconfig could not be written.
    #[error("the kubeconfig {} cannot be written: {source}; choose another path", path.display())]
    Kubeconfig {
        /// Where it was to be.
        path: PathBuf,
        /// Why it could not.
        source: std::io::Error,
    },
    /// No client could be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A CustomResourceDefinition was not accepted.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The user agent cannot be the value of an HTTP header.
    #[error("{0:?} cannot be sent as a User-Agent: use visible ASCII characters")]
    UserAgent(String),
    /// The client library refused the configuration.
    #[error("the client for the fake API server cannot be made: {0}")]
    Configuration(String),
}

/// Why a CustomResourceDefinition cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// The API server refused the definition.
    #[error("the CustomResourceDefinition {name} is refused: {source}")]
    Refused {
        /// `metadata.name` of the definition.
        name: String,
        /// What the API server said.
        source: Box<kube::Error>,
    },
    /// The API server stored the definition, and does not serve its kind.
    #[error("the CustomResourceDefinition {name} is not established: see its conditions")]
    NotEstablished {
        /// `metadata.name` of the definition.
        name: String,
    },
}

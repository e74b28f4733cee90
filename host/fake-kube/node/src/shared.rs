//! What all pods of a node share.

use crate::fields::Machine;
use crate::names::Names;
use crate::options::NodeOptions;
use kube::Client;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// What all pods of a node share.
pub(crate) struct Shared {
    pub client: Client,
    pub options: NodeOptions,
    pub names: Arc<Names>,
    pub machine: Machine,
    /// One permit for each pod that may run.
    pub slots: Semaphore,
    /// What has to be done before the node is stopped.
    pub tasks: TaskTracker,
}

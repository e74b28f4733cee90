#![doc = include_str!("../README.md")]

mod builder;
mod client;
mod cluster;
mod definition;
mod error;
mod kubeconfig;

pub use builder::Builder;
pub use cluster::FakeKube;
pub use error::{ClientError, DefinitionError, StartError};

pub use fake_kube_server::admission;
pub use fake_kube_server::{
    Entry, Fault, FaultId, Faults, LogWriter, Logs, Matcher, OutputStream, Request, RequestLog,
};
pub use fake_kube_simulators::{PodPhase, PodReport, PodRun, PodRunner, Simulation, Simulators};

/// What objects mean, as pure functions: schemas, patches, selectors, quantities, match conditions.
pub use fake_kube_apimachinery as apimachinery;
/// What the API server does to objects of the built-in kinds: defaults, validation, columns.
pub use fake_kube_builtins as builtins;

pub use k8s_openapi;
pub use kube;

//! What the tests of this package share: a cluster to test against, the operator in it, and helpers
//! that wait for conditions instead of for a time.
//!
//! By default the API server is a fake one in the test's process. With `KUBEBUILDER_ASSETS` (a
//! folder with `etcd` and `kube-apiserver`) it is a bare control plane, and with
//! `ORASCACHE_TEST_KUBECONFIG` a cluster that runs already.

pub mod access;
pub mod bench_api;
pub mod cluster;
pub mod components;
pub mod failing_pods;
pub mod fixtures;
pub mod image;
pub mod node;
pub mod pods;
pub mod policy;
pub mod process;
pub mod request_counts;
pub mod reviews;
pub mod tools;
pub mod webhooks;

/// A component that manages Greetings, and misbehaves when a Greeting asks for it.
pub const GREETER: &[u8] = include_bytes!(env!("GREETER_PATH"));

/// The Kubewarden policy.
pub const KUBEWARDEN: &[u8] = include_bytes!(env!("KUBEWARDEN_PATH"));

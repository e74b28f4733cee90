//! The operator's deploy manifests as typed objects: roles, Deployment, webhook configurations and
//! what surrounds them. The same objects as a tree of kustomize folders.
//!
//! The objects are the source. The folder `manifests` of the repository contains what [`files`]
//! renders, and a test compares them. [`access::permits`] evaluates the roles, so that tests can
//! compare the requests of a running operator with them.
//!
//! Which kinds the operator may access and which requests it reviews follows from the guest's
//! description. [`webhook::configurations`] builds webhook configurations from the admission rules
//! of any guest:
//!
//! ```
//! use deploy_manifests::webhook::{ReviewEndpoint, RuleScope, WebhookParameters, configurations};
//! use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
//! use orascache_contract::{AdmissionRule, FailurePolicy, Operation};
//!
//! let rule = AdmissionRule {
//!     name: "widgets".to_owned(),
//!     mutating: false,
//!     group: "example.com".to_owned(),
//!     versions: vec!["v1".to_owned()],
//!     resources: vec!["widgets".to_owned()],
//!     operations: vec![Operation::Create],
//!     conditions: Vec::new(),
//!     on_failure: FailurePolicy::Ignore,
//!     reinvoke: false,
//! };
//! let parameters = WebhookParameters {
//!     metadata: ObjectMeta { name: Some("widgets".to_owned()), ..Default::default() },
//!     domain: "example.com".to_owned(),
//!     endpoint: ReviewEndpoint::Url("https://127.0.0.1:9443".to_owned()),
//!     ca_bundle: None,
//!     namespaces: Default::default(),
//!     scope: RuleScope::Namespaced,
//!     timeout_seconds: 5,
//! };
//! let built = configurations(&[rule], &parameters);
//! assert!(built.mutating.is_none());
//! let webhooks = built.validating.and_then(|configuration| configuration.webhooks).unwrap();
//! assert_eq!(webhooks[0].name, "widgets.example.com");
//! ```
//!
//! All objects of the operator for OrasCaches:
//!
//! ```
//! use deploy_manifests::{ManifestOptions, objects};
//!
//! let options = ManifestOptions { replicas: 3, ..ManifestOptions::default() };
//! let objects = objects(&options, &orascache_core::describe()).unwrap();
//! assert!(objects.iter().any(|object| object["kind"] == "Deployment"));
//! ```

pub mod access;
pub mod cert_manager;
pub mod chart;
pub mod deployment;
pub mod gates;
pub mod images;
pub mod kubewarden;
pub mod manifests;
pub mod names;
pub mod namespace;
pub mod network;
pub mod objects;
pub mod operator_webhooks;
pub mod peers;
pub mod rbac;
pub mod rights;
pub mod webhook;

mod error;
mod options;
mod reasons;
mod right;
mod values;

pub use error::ManifestError;
pub use manifests::files;
pub use objects::objects;
pub use options::{CertificateSource, ClientCaSource, DEFAULT_API_PORTS, ManifestOptions};

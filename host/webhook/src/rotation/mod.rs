//! A CA and a serving certificate that the operator issues and rotates itself. Both live in a
//! Secret that all replicas share.
//!
//! Every replica runs the same loop: read the Secret, serve its certificate, write its CAs into the
//! webhook configurations, and take the next [`step`](step::next_step) if one is due. Writes use
//! optimistic concurrency by resourceVersion: the first write wins, and the other replicas read it.
//! When the Secret is deleted, a new CA and certificate are made at once, and no earlier CA is
//! trusted any more.

mod ca_bundle;
mod manager;
mod options;
mod policy;
mod rotation_loop;
mod secret_content;
mod secret_store;
mod signing;
mod step;
mod validity;
mod x509;

pub use ca_bundle::{CaBundleTarget, WebhookConfigurationKind};
pub use manager::{CertificateManager, CertificateManagerError};
pub use options::{CertificateManagerOptions, WallClock};
pub use policy::RotationPolicy;

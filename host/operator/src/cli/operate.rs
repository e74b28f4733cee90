//! Arguments of `orascache run`.

use super::component::{ComponentArgs, RecordArgs};
use super::connection::ConnectionArgs;
use crate::settings::{DefaultSetting, Source};
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// `orascache run`
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The component that decides.
    #[command(flatten)]
    pub component: ComponentArgs,

    /// What is recorded.
    #[command(flatten)]
    pub record: RecordArgs,

    /// Work in these namespaces only, as in `a,b`; in all of them by default.
    #[arg(
        long,
        visible_alias = "namespace",
        value_name = "NAMES",
        value_delimiter = ',',
        env = "ORASCACHE_NAMESPACES"
    )]
    pub namespaces: Vec<String>,

    /// The cluster.
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// How many primaries (OrasCaches, with the embedded component) are reconciled at the same
    /// time, and how many writes are under way at most. There are 16 at first, fewer while the API
    /// server is overloaded, and more while it answers fast.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: u16,

    /// Where /metrics, /healthz and /readyz are served.
    #[arg(long, default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,

    /// Where admission webhooks are served over TLS, for example 0.0.0.0:9443. Without it there are
    /// none.
    #[arg(long, value_name = "ADDRESS", env = "ORASCACHE_WEBHOOK_LISTEN")]
    pub webhook_listen: Option<SocketAddr>,

    /// Namespace of the webhook's Service, and of the Secret with the certificate that the operator
    /// issues for it.
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE", default_value = "orascache-system")]
    pub webhook_namespace: String,

    /// Name of that Service.
    #[arg(
        long,
        value_name = "NAME",
        env = "ORASCACHE_WEBHOOK_SERVICE",
        default_value = deploy_manifests::names::WEBHOOK_SERVICE
    )]
    pub webhook_service: String,

    /// Name of the mutating and of the validating webhook configuration into which the operator
    /// writes the CA of that certificate.
    #[arg(
        long,
        value_name = "NAME",
        env = "ORASCACHE_WEBHOOK_CONFIGURATION",
        default_value = deploy_manifests::names::OPERATOR
    )]
    pub webhook_configuration: String,

    /// A DNS name or IP address for that certificate beside those of the Service. Can be repeated.
    #[arg(long, value_name = "NAME")]
    pub webhook_name: Vec<String>,

    /// PEM file with CAs: only clients with a certificate that one of them signed may ask for
    /// reviews. Give the API server such a certificate by its `--admission-control-config-file`. A
    /// changed file is used without a restart, and ends the connections of clients that it does not
    /// accept; while it is unusable, the CAs before stay.
    #[arg(long, value_name = "FILE", env = "ORASCACHE_WEBHOOK_CLIENT_CA", requires = "webhook_listen")]
    pub webhook_client_ca: Option<PathBuf>,

    /// Folder with tls.crt and tls.key, for example a mounted Secret of cert-manager, instead of a
    /// certificate that the operator issues. Changed files are used without a restart.
    #[arg(long, value_name = "DIR", env = "ORASCACHE_WEBHOOK_CERT_DIR")]
    pub webhook_cert_dir: Option<PathBuf>,

    /// Image that carries the agent, where a pod names none.
    #[arg(long, value_name = "IMAGE", env = "ORASCACHE_AGENT_IMAGE")]
    pub agent_image: Option<String>,

    /// ConfigMap with the administrator's settings, under settings.yaml, as NAMESPACE/NAME. Changes
    /// take effect without a restart.
    #[arg(long, value_name = "CONFIGMAP", env = "ORASCACHE_SETTINGS_FROM")]
    pub settings_from: Option<Source>,

    /// A setting for where the ConfigMap does not have it, like operatorNamespace=orascache-system. The
    /// value is a text. Can be repeated.
    #[arg(long, value_name = "NAME=TEXT")]
    pub default_setting: Vec<DefaultSetting>,

    /// Remove scheduling gates of pods when their inputs exist. The setting gates has pods get them,
    /// and manifests/gates has the rights that this needs.
    #[arg(long, env = "ORASCACHE_GATES")]
    pub gates: bool,

    /// Namespace of the Lease by which replicas elect a leader. Without it every process writes.
    #[arg(long, value_name = "NAMESPACE", env = "ORASCACHE_LEASE_NAMESPACE")]
    pub lease_namespace: Option<String>,
}

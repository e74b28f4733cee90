//! Clients of the fake API server.

use http::HeaderValue;
use http::header::USER_AGENT;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tower::BoxError;
use tower::util::MapErrLayer;

use crate::error::ClientError;

/// The configuration of a client, from the text of a kubeconfig.
pub(crate) async fn config(kubeconfig: &str) -> Result<Config, ClientError> {
    let wrong = |error: &dyn std::error::Error| ClientError::Configuration(error.to_string());
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).map_err(|error| wrong(&error))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    config.map_err(|error| wrong(&error))
}

/// A client with a TLS provider of its own. So it works in programs that have two TLS providers and
/// have chosen none, where `Client::try_from` panics.
pub(crate) fn client(mut config: Config, user_agent: Option<&str>) -> Result<Client, ClientError> {
    if let Some(user_agent) = user_agent {
        let value = HeaderValue::from_str(user_agent);
        let value = value.map_err(|_| ClientError::UserAgent(user_agent.to_owned()))?;
        config.headers.push((USER_AGENT, value));
    }
    let wrong = |error: kube::Error| ClientError::Configuration(error.to_string());
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls(&config)?).https_or_http().enable_http1().build();
    let http = legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(connector);
    let builder = ClientBuilder::new(http, config.default_namespace.clone())
        .with_layer(&MapErrLayer::new(BoxError::from));
    let builder = builder
        .with_layer(&config.extra_headers_layer().map_err(wrong)?)
        .with_layer(&config.base_uri_layer());
    Ok(match config.auth_layer().map_err(wrong)? {
        Some(auth) => builder.with_layer(&auth).build(),
        None => builder.build(),
    })
}

/// Trusts the authority of the kubeconfig, and no other one.
fn tls(config: &Config) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore::empty();
    for certificate in config.root_cert.iter().flatten() {
        roots
            .add(certificate.clone().into())
            .map_err(|error| ClientError::Configuration(error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Configuration(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

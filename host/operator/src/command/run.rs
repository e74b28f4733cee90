//! `orascache run`: the operator against a cluster.

use super::connection;
use super::failed::{Failed, runtime};
use super::load;
use crate::cli::RunArgs;
use crate::controller_runtime::ControllerThread;
use crate::operator;
use crate::webhooks::{self, Certificate};
use anyhow::{Context, anyhow};
use orascache_webhook::ClientAuthorityFile;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

pub(super) fn execute(args: &RunArgs) -> Result<ExitCode, Failed> {
    let guest = Arc::new(load::load_guest(&args.component)?);
    // It outlives the other runtime, which stops the operator.
    let thread = ControllerThread::start()?;
    runtime()?.block_on(async {
        let webhooks = webhooks(args).await?;
        let config = connection::config(&args.connection).await?;
        let connect = |config| operator::connect(config, operator::AGENT);
        let place = thread.place(|| connect(config.clone())).map_err(Failed::Unusable)?;
        let client = connect(config).map_err(Failed::Unusable)?;
        let options = operator::Options {
            namespaces: args.namespaces.clone(),
            workers: args.workers.into(),
            listen: Some(args.listen),
            lease_namespace: args.lease_namespace.clone(),
            webhooks,
            settings: args.settings_from.clone(),
            agent_image: args.agent_image.clone(),
            default_settings: args.default_setting.clone(),
            record: args.record.options(),
            hot_swap: load::hot_swap_options(&args.component),
            gates: args.gates,
            controller: Some(place),
        };
        let kind = guest.describe().primary.kind.clone();
        let running = operator::start(client, guest, options).await?;
        tracing::info!(%kind, "watching; objects of this kind are reconciled as they change");
        let outcome = tokio::select! {
            outcome = stop_requested() => outcome.map_err(Failed::from),
            reason = running.ended() => Err(Failed::Refused(anyhow!(reason))),
        };
        running.shutdown().await;
        outcome.map(|()| ExitCode::SUCCESS)
    })
}

async fn webhooks(args: &RunArgs) -> Result<Option<webhooks::Options>, Failed> {
    let certificate = match &args.webhook_cert_dir {
        Some(folder) => Certificate::Files(folder.clone()),
        None => Certificate::Managed {
            namespace: args.webhook_namespace.clone(),
            service: args.webhook_service.clone(),
            configuration: args.webhook_configuration.clone(),
            names: args.webhook_name.clone(),
        },
    };
    let client_authority = match &args.webhook_client_ca {
        Some(file) => {
            let opened = ClientAuthorityFile::open(file).await.context("--webhook-client-ca");
            Some(opened.map_err(Failed::Unusable)?)
        }
        None => None,
    };
    Ok(args.webhook_listen.map(|listen| webhooks::Options { listen, certificate, client_authority }))
}

/// Ends with SIGTERM or SIGINT.
pub(super) async fn stop_requested() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be handled")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be handled")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

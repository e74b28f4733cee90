//! `orascache manifests`: prints or writes the operator's deploy manifests.

use super::failed::Failed;
use super::load;
use crate::cli::ManifestsArgs;
use crate::output;
use anyhow::{Context, anyhow};
use deploy_manifests::peers::parse_peer;
use deploy_manifests::{CertificateSource, ClientCaSource, ManifestError, ManifestOptions};
use std::path::Path;
use std::process::ExitCode;

pub(super) fn execute(args: &ManifestsArgs) -> Result<ExitCode, Failed> {
    let unusable = |error: ManifestError| Failed::Unusable(anyhow!(error));
    let webhook_from = args.webhook_from.iter().map(|peer| parse_peer(peer)).collect::<Result<_, _>>();
    let secret = args.webhook_client_ca_secret.clone().map(ClientCaSource::Secret);
    let config_map = args.webhook_client_ca_config_map.clone().map(ClientCaSource::ConfigMap);
    let options = ManifestOptions {
        image: args.image.clone(),
        namespace: args.namespace.clone(),
        replicas: args.replicas,
        high_availability: args.high_availability,
        registry: args.registry.clone(),
        webhooks: !args.no_webhooks,
        certificates: if args.cert_manager {
            CertificateSource::CertManager
        } else {
            CertificateSource::Managed
        },
        gates: args.gates,
        namespaces: args.namespaces.clone(),
        webhook_from: webhook_from.map_err(unusable)?,
        client_ca: secret.or(config_map),
        api_ports: args.api_port.clone(),
        egress_ports: args.egress_port.clone(),
    };
    if args.images {
        options.check().map_err(unusable)?;
        let lines: String = options.images().into_iter().map(|image| image + "\n").collect();
        output::print(&lines)?;
        return Ok(ExitCode::SUCCESS);
    }
    let guest = load::load_embedded()?;
    let description = guest.describe();
    match &args.directory {
        Some(directory) => {
            write(directory, &deploy_manifests::files(&options, description).map_err(unusable)?)
                .map_err(Failed::Unusable)?;
        }
        None => {
            let objects = deploy_manifests::objects(&options, description).map_err(unusable)?;
            output::print(&args.output.render_all(&objects)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write(directory: &Path, files: &[(String, String)]) -> anyhow::Result<()> {
    for (path, text) in files {
        let path = directory.join(path);
        let parent = path.parent().unwrap_or(directory);
        std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, text)).with_context(|| {
            format!("{} cannot be written: choose another folder with --directory", path.display())
        })?;
    }
    Ok(())
}

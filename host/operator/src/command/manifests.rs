//! `orascache manifests`: what an installation consists of.

use super::Failed;
use crate::cli::ManifestsArgs;
use crate::output;
use anyhow::{Context, anyhow};
use deploy_manifests::{Certificates, Settings};
use std::path::Path;
use std::process::ExitCode;

pub(super) fn execute(args: &ManifestsArgs) -> Result<ExitCode, Failed> {
    let settings = Settings {
        image: args.image.clone(),
        namespace: args.namespace.clone(),
        replicas: args.replicas,
        certificates: if args.cert_manager { Certificates::CertManager } else { Certificates::Managed },
    };
    let unusable = |error: deploy_manifests::Error| Failed::Unusable(anyhow!(error));
    match &args.directory {
        Some(directory) => {
            write(directory, &deploy_manifests::files(&settings).map_err(unusable)?)
                .map_err(Failed::Unusable)?;
        }
        None => {
            let objects = deploy_manifests::objects(&settings).map_err(unusable)?;
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

//! `orascache module`: pushes components to registries, and pulls them.

use super::failed::{Failed, runtime};
use super::{load, registry};
use crate::cli::{ModuleCommand, ModulePullArgs, ModulePushArgs};
use crate::output;
use anyhow::{Context, anyhow};
use component_registry::Description;
use std::process::ExitCode;

pub(super) fn execute(command: &ModuleCommand) -> Result<ExitCode, Failed> {
    match command {
        ModuleCommand::Push(args) => push(args),
        ModuleCommand::Pull(args) => pull(args),
    }
}

fn push(args: &ModulePushArgs) -> Result<ExitCode, Failed> {
    let (client, remote) = registry::connect(&args.reference, args.registry.component_plain_http)?;
    if remote.reference.digest.is_some() {
        let sentence = format!(
            "{} names a digest, but the digest of a component that is pushed follows from its content: name a tag",
            args.reference
        );
        return Err(Failed::Unusable(anyhow!(sentence)));
    }
    let bytes = load::component_bytes(args.file.as_deref(), &args.registry)?;
    let interface = load::interface(&bytes)?;
    let description = Description { exports: interface.exports, imports: interface.imports };
    let pushed =
        runtime()?.block_on(component_registry::push(&client, &remote.reference, &bytes, &description));
    let digest = pushed.with_context(|| format!("the component cannot be pushed to {remote}"))?;
    output::print(&format!("{}/{}@{digest}\n", remote.endpoint.host(), remote.reference.repository))?;
    Ok(ExitCode::SUCCESS)
}

fn pull(args: &ModulePullArgs) -> Result<ExitCode, Failed> {
    let pulled = registry::fetch(&args.reference, &args.registry)?;
    std::fs::write(&args.output, &pulled.component)
        .with_context(|| format!("{} cannot be written", args.output.display()))?;
    output::print(&format!("{} {}\n", args.output.display(), pulled.digest))?;
    Ok(ExitCode::SUCCESS)
}

//! `orascache lineage`: what an artifact was made of, and what that was made of.

use super::failed::{Failed, runtime};
use super::registry;
use crate::cli::{LineageArgs, LineageFormat};
use crate::output;
use anyhow::Context;
use orascache_lineage::{Bounds, RegistrySource, dot, json, svg, text, trace};
use std::process::ExitCode;

pub(super) fn execute(args: &LineageArgs) -> Result<ExitCode, Failed> {
    let (client, remote) = registry::connect(&args.reference, args.plain_http)?;
    let bounds = Bounds { artifacts: args.limit.into(), depth: args.depth.into() };
    let source = RegistrySource::new(client);
    let host = remote.endpoint.host();
    let traced = runtime()?.block_on(trace(&source, &host, &remote.reference, bounds));
    let graph = traced.with_context(|| format!("the lineage of {remote} cannot be read"))?;
    output::print(&match args.output {
        LineageFormat::Text => text(&graph),
        LineageFormat::Json => json(&graph),
        LineageFormat::Dot => dot(&graph),
        LineageFormat::Svg => svg(&graph),
    })?;
    Ok(ExitCode::SUCCESS)
}

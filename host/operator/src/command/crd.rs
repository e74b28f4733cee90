//! `orascache crd`

use super::failed::Failed;
use crate::cli::CrdArgs;
use crate::output;
use anyhow::Context;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use orascache_api::orascache::OrasCache;
use std::process::ExitCode;

/// The CustomResourceDefinition of OrasCache, generated from its Rust types.
pub fn definition() -> CustomResourceDefinition {
    OrasCache::crd()
}

pub(super) fn execute(args: &CrdArgs) -> Result<ExitCode, Failed> {
    let text = args.output.render(&definition()).context("the CRD cannot be printed")?;
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

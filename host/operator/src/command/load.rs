//! Loads the component that decides, from the binary, a file or a registry.

use super::failed::Failed;
use super::registry;
use crate::EMBEDDED;
use crate::cli::{ComponentArgs, RegistryArgs};
use anyhow::Context;
use orascache_runtime::{CallLimits, CompiledCache, Engine, Guest, Interface, Limits, hot_swap};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folder of compiled components within the user's cache directory.
const CACHE_FOLDER: &str = "orascache";
/// Where the image has compiled code of the embedded component.
const SHIPPED_CODE: &str = "/usr/lib/orascache";
/// The digest of that code, in a program that was built for an image. `.ci/image` sets it.
const SHIPPED_DIGEST: Option<&str> = option_env!("ORASCACHE_SHIPPED_CODE");

/// Follows the file of the component, where there is one. What a registry has under a digest does
/// not change.
pub(super) fn hot_swap_options(args: &ComponentArgs) -> Option<hot_swap::Options> {
    let in_registry = |file: &&PathBuf| file.to_str().and_then(registry::reference).is_some();
    args.component.as_ref().filter(|file| !in_registry(file)).map(hot_swap::Options::new)
}

/// The bytes of the component that decides.
pub(super) fn component_bytes(
    file: Option<&Path>,
    args: &RegistryArgs,
) -> Result<Cow<'static, [u8]>, Failed> {
    let Some(file) = file else { return Ok(Cow::Borrowed(EMBEDDED)) };
    if let Some(reference) = file.to_str().and_then(registry::reference) {
        return registry::fetch(reference, args).map(|pulled| Cow::Owned(pulled.component));
    }
    let bytes =
        std::fs::read(file).with_context(|| format!("the component {} cannot be read", file.display()));
    bytes.map(Cow::Owned).map_err(Failed::Unusable)
}

/// What a component looks like from outside.
pub(super) fn interface(bytes: &[u8]) -> Result<Interface, Failed> {
    let engine = Engine::new(Limits::default()).context("no engine")?;
    // A component that is only looked at need not be kept in compiled form.
    engine.inspect(bytes, &CompiledCache::none()).map_err(|error| Failed::Unusable(error.into()))
}

/// Loads the component that decides.
pub(super) fn load_guest(args: &ComponentArgs) -> Result<Guest, Failed> {
    let bytes = component_bytes(args.component.as_deref(), &args.registry)?;
    let name = args
        .component
        .as_ref()
        .map_or_else(|| "the embedded component".to_owned(), |file| file.display().to_string());
    load(&bytes, limits(args)).with_context(|| format!("{name} cannot be used")).map_err(Failed::Unusable)
}

/// Loads the component that is part of the binary.
pub(super) fn load_embedded() -> Result<Guest, Failed> {
    Ok(load(EMBEDDED, Limits::default()).context("the embedded component cannot be used")?)
}

fn load(bytes: &[u8], limits: Limits) -> anyhow::Result<Guest> {
    let engine = Engine::new(limits).context("no engine")?;
    Ok(engine.load(bytes, &compiled_cache())?)
}

fn compiled_cache() -> CompiledCache {
    let cache = CompiledCache::of_user(CACHE_FOLDER);
    match SHIPPED_DIGEST {
        Some(digest) => cache.with_shipped(SHIPPED_CODE, digest),
        None => cache,
    }
}

/// The limits from the command line.
fn limits(args: &ComponentArgs) -> Limits {
    let default = Limits::default();
    let within = |milliseconds: u32, limits: CallLimits| CallLimits {
        deadline: Duration::from_millis(milliseconds.into()),
        ..limits
    };
    Limits {
        memory: usize::from(args.component_memory) << 20,
        reconcile: within(args.component_deadline, default.reconcile),
        review: within(args.component_review_deadline, default.review),
        calls_per_instance: args.component_calls,
        ..default
    }
}

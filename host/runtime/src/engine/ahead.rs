//! Compiles a component for other machines than this one, ahead of time.

use super::compiled_cache::shipped_name;
use super::interface::LoadError;
use super::limits::{self, Limits};
use crate::digest::digest;

/// Compiled code that a program can ship with ([`CompiledCache::with_shipped`]).
///
/// [`CompiledCache::with_shipped`]: super::CompiledCache::with_shipped
pub struct CompiledCode {
    /// How its file is called.
    pub file_name: String,
    /// What the file has in it.
    pub content: Vec<u8>,
    /// Digest of the content.
    pub digest: String,
}

/// Compiles a component for a target triple, with the instructions that every processor of that
/// architecture has.
///
/// # Errors
/// When there is no compiler for the target, or the bytes are no valid component.
pub fn compile_ahead(component: &[u8], target: &str, limits: Limits) -> Result<CompiledCode, LoadError> {
    let no_compiler = |error: wasmtime::Error| LoadError::NoCompiler(target.to_owned(), format!("{error:#}"));
    let mut config = limits::config(&limits);
    // With a target, the compiler does not ask what the processor of this machine has.
    config.target(target).map_err(no_compiler)?;
    let compiler = wasmtime::Engine::new(&config).map_err(no_compiler)?;
    let content =
        compiler.precompile_component(component).map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
    Ok(CompiledCode { file_name: shipped_name(&digest(component)), digest: digest(&content), content })
}

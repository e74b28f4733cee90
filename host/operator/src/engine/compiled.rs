//! A cache of compiled components: compiling takes a hundred milliseconds and 17 MiB, mapping next to nothing.
//!
//! Compiled code has no integrity check of its own, so that only files are mapped which lie in a directory
//! that nobody else can write, under a name made of the component's digest and of everything about the
//! engine that the code depends on, and which have the digest that was written beside them: a file that a full disk cut or a
//! disk spoilt is compiled anew.

use super::LoadError;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Extension of the file with a compiled component's digest.
const DIGEST: &str = "sha256";

/// Where compiled components are kept, if anywhere.
#[derive(Clone, Debug)]
pub struct CompiledCache {
    directory: Option<PathBuf>,
}

impl CompiledCache {
    /// Compiles every time.
    pub fn none() -> Self {
        Self { directory: None }
    }

    /// Keeps compiled components in this directory, which is made when missing.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: Some(directory.into()) }
    }

    /// The user's cache directory (freedesktop.org basedir-spec): `$XDG_CACHE_HOME/orascache`, else
    /// `$HOME/.cache/orascache`; none when neither variable is set.
    pub fn of_user() -> Self {
        let base = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
        Self { directory: base.map(|base| base.join("orascache")) }
    }

    /// Maps the compiled component, or compiles it now and keeps the result for the next start.
    pub(super) fn load(&self, engine: &Engine, bytes: &[u8], digest: &str) -> Result<Component, LoadError> {
        let file = self.directory.as_deref().and_then(|directory| match prepare(directory) {
            Ok(()) => Some(directory.join(file_name(engine, digest))),
            Err(error) => {
                tracing::debug!(directory = %directory.display(), %error, "compiled components are not kept");
                None
            }
        });
        if let Some(file) = &file
            && let Some(component) = map(engine, file)
        {
            return Ok(component);
        }
        let component =
            Component::new(engine, bytes).map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
        if let Some(file) = &file
            && let Err(error) = keep(&component, file)
        {
            tracing::debug!(file = %file.display(), %error, "the compiled component was not kept");
        }
        Ok(component)
    }
}

fn file_name(engine: &Engine, digest: &str) -> String {
    // DefaultHasher is stable for one binary, and another binary compiles anew.
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    format!("{}-{:016x}.cwasm", digest.trim_start_matches("sha256:"), hasher.finish())
}

/// Makes the directory and makes sure that nobody else can put files there.
fn prepare(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let metadata = fs::metadata(directory)?;
        // The owner of a file that this process makes is this process.
        let own = tempfile::tempfile_in(directory)?.metadata()?.uid();
        if metadata.uid() != own {
            return Err(io::Error::other("the directory belongs to another user"));
        }
        if metadata.mode() & 0o022 != 0 {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
        }
    }
    Ok(())
}

#[allow(
    unsafe_code,
    reason = "mapping compiled code is only as safe as the file it comes from; see the module"
)]
fn map(engine: &Engine, file: &Path) -> Option<Component> {
    if !file.is_file() {
        return None;
    }
    if !is_whole(file) {
        tracing::warn!(file = %file.display(), "a compiled component is not what was written; compiling it again");
        return None;
    }
    // SAFETY: `prepare` made sure that only this user can write the directory, `keep` writes whole files by
    // renaming, the name binds the content to this component, this engine and this version, and it is as it was written.
    match unsafe { Component::deserialize_file(engine, file) } {
        Ok(component) => Some(component),
        Err(error) => {
            tracing::warn!(file = %file.display(), error = format!("{error:#}"), "a compiled component is not usable; compiling it again");
            None
        }
    }
}

/// Whether a file has the digest that was written beside it.
fn is_whole(file: &Path) -> bool {
    let written = fs::read_to_string(file.with_extension(DIGEST));
    let is = fs::read(file).map(|bytes| super::load::digest(&bytes));
    matches!((written, is), (Ok(written), Ok(is)) if written == is)
}

fn keep(component: &Component, file: &Path) -> io::Result<()> {
    let compiled = component.serialize().map_err(|error| io::Error::other(format!("{error:#}")))?;
    let directory = file.parent().ok_or_else(|| io::Error::other("the file has no directory"))?;
    let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
    temporary.write_all(&compiled)?;
    temporary.persist(file)?;
    let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
    temporary.write_all(super::load::digest(&compiled).as_bytes())?;
    temporary.persist(file.with_extension(DIGEST))?;
    Ok(())
}

//! A directory with compiled components: compiling takes a hundred milliseconds and 17 MiB, mapping
//! a compiled component next to nothing.
//!
//! Compiled code has no integrity check of its own. A file is mapped only if three things hold:
//! nobody else can write its directory; its name is made of the component's digest and of all that
//! the code depends on in the engine; and its content has the digest that was written beside it. The
//! last one finds files that a full disk cut or a failing disk damaged; these are compiled again.

use crate::digest::digest;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Extension of the file that holds a compiled component's digest.
const DIGEST: &str = "sha256";

/// Where compiled components are kept, or that none are.
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

    /// The folder of a program in the user's cache directory (freedesktop.org, basedir-spec):
    /// `$XDG_CACHE_HOME/PROGRAM`, else `$HOME/.cache/PROGRAM`. None when neither variable is set.
    pub fn of_user(program: &str) -> Self {
        let base = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
        Self { directory: base.map(|base| base.join(program)) }
    }

    /// Maps the compiled component, or compiles it now and keeps the result for the next start.
    pub(super) fn load(&self, engine: &Engine, bytes: &[u8], digest: &str) -> wasmtime::Result<Component> {
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
        let component = Component::new(engine, bytes)?;
        if let Some(file) = &file
            && let Err(error) = keep(&component, file)
        {
            tracing::debug!(file = %file.display(), %error, "the compiled component was not kept");
        }
        Ok(component)
    }
}

fn file_name(engine: &Engine, digest: &str) -> String {
    // DefaultHasher gives the same value as long as the binary is the same; another binary compiles
    // again.
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    format!("{}-{:016x}.cwasm", digest.trim_start_matches("sha256:"), hasher.finish())
}

/// Makes the directory, and makes sure that nobody else can put files there.
fn prepare(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let metadata = fs::metadata(directory)?;
        // The user of this process owns the files that it makes.
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
    reason = "mapping compiled code is only as safe as the file that it comes from: see the module"
)]
fn map(engine: &Engine, file: &Path) -> Option<Component> {
    if !file.is_file() {
        return None;
    }
    if !is_whole(file) {
        tracing::warn!(file = %file.display(), "a compiled component is damaged; compiling it again");
        return None;
    }
    // SAFETY: only this user can write the directory (`prepare`), files in it are whole (`keep` writes
    // them elsewhere and renames), the name binds the content to this component, this engine and this
    // version of the crate, and the content has not changed since (`is_whole`).
    match unsafe { Component::deserialize_file(engine, file) } {
        Ok(component) => Some(component),
        Err(error) => {
            let error = format!("{error:#}");
            tracing::warn!(file = %file.display(), error, "a compiled component is not usable; compiling it again");
            None
        }
    }
}

/// Whether a file has the digest that was written beside it.
fn is_whole(file: &Path) -> bool {
    let expected = fs::read_to_string(file.with_extension(DIGEST));
    let found = fs::read(file).map(|bytes| digest(&bytes));
    matches!((expected, found), (Ok(expected), Ok(found)) if expected == found)
}

fn keep(component: &Component, file: &Path) -> io::Result<()> {
    let compiled = component.serialize().map_err(|error| io::Error::other(format!("{error:#}")))?;
    let directory = file.parent().ok_or_else(|| io::Error::other("the file has no directory"))?;
    let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
    temporary.write_all(&compiled)?;
    temporary.persist(file)?;
    let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
    temporary.write_all(digest(&compiled).as_bytes())?;
    temporary.persist(file.with_extension(DIGEST))?;
    Ok(())
}

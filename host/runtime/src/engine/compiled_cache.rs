//! A directory with compiled components: compiling takes a hundred milliseconds and 17 MiB, mapping
//! a compiled component next to nothing.
//!
//! Compiled code has no integrity check of its own, and it runs with all rights of this process. A
//! file is mapped only if all of this holds:
//!
//! - nobody but root and the user of this process can write the directory or the file, as
//!   `trusted_directory` says;
//! - its name is made of the component's digest and of all that the code depends on in the engine;
//! - its content has the digest that was written beside it. This finds files that a full disk cut
//!   or a failing disk damaged.
//!
//! The file is opened once. The descriptor whose owner, mode and content were checked is the one
//! that is mapped, so that nobody can exchange the file in between. One assumption remains: root
//! and the user of this process do not change a file in place after the check. This module never
//! does: it writes another file and renames it, and a mapping keeps the file that it was made from.
//!
//! A program may also ship with compiled code, as in an image. The directory and the file of it are
//! held to the same rules, and the digest is the one that the program was built with. The engine
//! checks that this processor has all instructions in it.
//!
//! Whatever does not hold costs time only: the component is compiled again. The new code is kept
//! where the directory is trusted and writable. A directory that is not writable is no error.

use super::trusted_directory::{Refusal, TrustedDirectory};
use crate::digest::{digest, digest_of};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Extension of a compiled component.
const CODE: &str = "cwasm";
/// Extension of the file that holds a compiled component's digest.
const DIGEST: &str = "sha256";
/// A digest has 71 bytes. Longer files are not read to their end.
const DIGEST_BYTES: u64 = 128;

/// Where compiled components are kept, or that none are.
///
/// The directory and the files in it must belong to root or to the user of this process, must not
/// be symbolic links, and nobody else may have the right to write them or to rename a directory
/// above them. Anything else is not used: a warning says what to change, and the component is
/// compiled.
#[derive(Clone, Debug)]
pub struct CompiledCache {
    directory: Option<PathBuf>,
    shipped: Option<Shipped>,
}

/// Compiled code that the program shipped with.
#[derive(Clone, Debug)]
struct Shipped {
    directory: PathBuf,
    /// Digest of the code.
    digest: String,
}

impl CompiledCache {
    /// Compiles every time.
    pub fn none() -> Self {
        Self { directory: None, shipped: None }
    }

    /// Keeps compiled components in this directory, which is made with mode 0700 when missing.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: Some(directory.into()), shipped: None }
    }

    /// The folder of a program in the user's cache directory (freedesktop.org, basedir-spec):
    /// `$XDG_CACHE_HOME/PROGRAM`, else `$HOME/.cache/PROGRAM`. None when neither variable is set.
    pub fn of_user(program: &str) -> Self {
        let base = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
        Self { directory: base.map(|base| base.join(program)), shipped: None }
    }

    /// Looks first into a directory with the compiled code of one component, which the program
    /// shipped with ([`compile_ahead`](super::compile_ahead)). Code with another digest than this one
    /// is not used.
    pub fn with_shipped(self, directory: impl Into<PathBuf>, digest: impl Into<String>) -> Self {
        Self { shipped: Some(Shipped { directory: directory.into(), digest: digest.into() }), ..self }
    }

    /// Maps the compiled component, or compiles it now and keeps the result for the next start.
    pub(super) fn load(&self, engine: &Engine, bytes: &[u8], digest: &str) -> wasmtime::Result<Component> {
        if let Some(component) = self.shipped.as_ref().and_then(|shipped| shipped.map(engine, digest)) {
            return Ok(component);
        }
        let directory = self.directory.as_deref().and_then(open);
        let name = file_name(engine, digest);
        if let Some(directory) = &directory
            && let Some(component) = map_kept(engine, directory, &name)
        {
            return Ok(component);
        }
        let component = Component::new(engine, bytes)?;
        if let Some(directory) = &directory
            && let Err(error) = keep(&component, directory, &name)
        {
            let path = directory.path().display();
            tracing::debug!(directory = %path, %error, "the compiled component was not kept");
        }
        Ok(component)
    }
}

impl Shipped {
    /// The compiled component, if it shipped with the program and may be used.
    fn map(&self, engine: &Engine, component: &str) -> Option<Component> {
        let name = shipped_name(component);
        // Other components have none. A directory that is missing is not made.
        if !self.directory.join(&name).exists() {
            return None;
        }
        let directory = open(&self.directory)?;
        let code = read_access(&directory, &name).ok()??;
        map_checked(engine, code, &directory.path().join(&name), Some(&self.digest))
    }
}

/// The name of a component's compiled code that a program ships with.
pub(super) fn shipped_name(component: &str) -> String {
    format!("{}.{CODE}", component.trim_start_matches("sha256:"))
}

/// The name of a compiled component without its extension.
fn file_name(engine: &Engine, digest: &str) -> String {
    // DefaultHasher gives the same value as long as the binary is the same; another binary compiles
    // again.
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    format!("{}-{:016x}", digest.trim_start_matches("sha256:"), hasher.finish())
}

fn open(path: &Path) -> Option<TrustedDirectory> {
    match TrustedDirectory::open_or_create(path) {
        Ok(directory) => Some(directory),
        Err(Refusal::Io(error)) => {
            tracing::debug!(directory = %path.display(), %error, "compiled components are not kept");
            None
        }
        Err(Refusal::Unsafe(reason)) => {
            tracing::warn!(
                directory = %path.display(),
                "compiled components are neither used nor kept: {reason}. \
                 Correct that, or name a directory that only you can write"
            );
            None
        }
    }
}

/// The compiled component of that name, if there is one that may be used.
fn map_kept(engine: &Engine, directory: &TrustedDirectory, name: &str) -> Option<Component> {
    let code_name = format!("{name}.{CODE}");
    let code = read_access(directory, &code_name).ok()??;
    let expected = read_access(directory, &format!("{name}.{DIGEST}")).ok()?.and_then(|file| {
        let mut text = String::new();
        file.take(DIGEST_BYTES).read_to_string(&mut text).ok().map(|_| text)
    });
    map_checked(engine, code, &directory.path().join(code_name), expected.as_deref())
}

/// The compiled component in an open file, if it has the expected digest and the engine can run it.
fn map_checked(engine: &Engine, mut code: File, path: &Path, expected: Option<&str>) -> Option<Component> {
    if expected.is_none() || expected != digest_of(&mut code).ok().as_deref() {
        tracing::warn!(
            file = %path.display(),
            "a compiled component does not have the digest that was written down when it was made; \
             compiling it again"
        );
        return None;
    }
    match map(engine, code) {
        Ok(component) => Some(component),
        Err(error) => {
            let error = format!("{error:#}");
            tracing::warn!(
                file = %path.display(), error,
                "a compiled component is not usable; compiling it again"
            );
            None
        }
    }
}

/// A file may not be used, and a warning said so.
struct Refused;

/// Opens a file of the directory; `None` when it is missing.
fn read_access(directory: &TrustedDirectory, name: &str) -> Result<Option<File>, Refused> {
    directory.file(name).map_err(|refusal| {
        let path = directory.path().join(name);
        tracing::warn!(
            file = %path.display(),
            "a compiled component is not used: {refusal}. It is compiled again; delete the file if this \
             warning comes back"
        );
        Refused
    })
}

#[allow(
    unsafe_code,
    reason = "running compiled code is only as safe as the file that it comes from: see the module"
)]
fn map(engine: &Engine, mut code: File) -> wasmtime::Result<Component> {
    // SAFETY, of both calls: only root and this user can write the file (`TrustedDirectory::file`);
    // they replace files and do not change them in place (see the module); the name binds the
    // content to this component; and the content has the digest that was written with it, or that
    // this program was built with. What was kept is bound to this engine and this version of the
    // crate by its name, what the program shipped with by having been built with it.
    match descriptor_path(&code) {
        Some(path) => unsafe { Component::deserialize_file(engine, path) },
        None => {
            let mut bytes = Vec::new();
            code.rewind()?;
            code.read_to_end(&mut bytes)?;
            unsafe { Component::deserialize(engine, bytes) }
        }
    }
}

/// A path that leads to the very file of an open descriptor (proc_pid_fd(5)); `None` where the
/// system has no such paths.
fn descriptor_path(file: &File) -> Option<PathBuf> {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let (opened, named) = (file.metadata().ok()?, std::fs::metadata(&path).ok()?);
    ((opened.dev(), opened.ino()) == (named.dev(), named.ino())).then_some(path)
}

fn keep(component: &Component, directory: &TrustedDirectory, name: &str) -> io::Result<()> {
    let compiled = component.serialize().map_err(|error| io::Error::other(format!("{error:#}")))?;
    directory.write(&format!("{name}.{CODE}"), &compiled)?;
    directory.write(&format!("{name}.{DIGEST}"), digest(&compiled).as_bytes())
}

//! Builds a guest crate into a component, or into a core module, with a nested cargo, for build
//! scripts.
//!
//! Four things need care. The nested cargo needs a target directory of its own, since the outer one
//! is locked. That directory is outside OUT_DIR, or every profile would build the guest again.
//! Flags, wrappers and profiles of the outer build must not reach the nested one. A component that
//! imports anything must fail the build.
//!
//! ```
//! let empty = b"\0asm\x0d\0\x01\0";
//! assert!(guest_build::is_component(empty));
//! assert!(guest_build::imports(empty).unwrap().is_empty());
//! ```

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fmt, fs, io};

mod inspect;

pub use inspect::{custom_section, imports, is_component, is_module, module_imports};

/// The target of guests. It has no operating system that could be imported from.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Why there is no component.
#[derive(Debug)]
pub enum BuildError {
    /// A variable that cargo sets for build scripts is not set.
    Environment(&'static str),
    /// A file or a process could not be used.
    Io(PathBuf, io::Error),
    /// The target is not installed and could not be added.
    TargetMissing(String),
    /// The nested cargo failed. Its messages say why.
    CargoFailed,
    /// The file is not a component.
    NotAComponent(PathBuf),
    /// The component imports something.
    HasImports(PathBuf, Vec<String>),
    /// The file is not a core module.
    NotAModule(PathBuf),
    /// The core module imports something that is not its host's.
    ForeignImports(PathBuf, Vec<String>),
    /// The core module lacks the custom section that its host looks for.
    SectionMissing(PathBuf, &'static str),
}

impl fmt::Display for BuildError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Environment(name) => {
                write!(
                    formatter,
                    "the variable {name} is not set: call this from a build script that cargo runs"
                )
            }
            BuildError::Io(path, error) => write!(formatter, "{} cannot be used: {error}", path.display()),
            BuildError::TargetMissing(detail) => write!(
                formatter,
                "the Rust target {TARGET} is not installed and could not be added ({detail}): run `rustup target add {TARGET}`, or name a built component in ORASCACHE_COMPONENT"
            ),
            BuildError::CargoFailed => {
                formatter.write_str("the guest did not compile; see the messages of cargo above")
            }
            BuildError::NotAComponent(path) => write!(
                formatter,
                "{} is not a WebAssembly component: a core module needs `wasm-component-ld` as its linker",
                path.display()
            ),
            BuildError::HasImports(path, imports) => write!(
                formatter,
                "{} imports {}, but a guest must import nothing: remove what needs it (a clock, randomness, IO)",
                path.display(),
                imports.join(", ")
            ),
            BuildError::NotAModule(path) => write!(
                formatter,
                "{} is not a core WebAssembly module: build it for {TARGET} with the linker that comes with the target",
                path.display()
            ),
            BuildError::ForeignImports(path, imports) => write!(
                formatter,
                "{} imports {}, but only functions of its host may be imported: remove what needs them (a clock, randomness, IO)",
                path.display(),
                imports.join(", ")
            ),
            BuildError::SectionMissing(path, section) => write!(
                formatter,
                "{} has no custom section {section}, without which no host runs it: keep the static that holds it",
                path.display()
            ),
        }
    }
}

impl std::error::Error for BuildError {}

/// A build script that makes OrasCache's component, whose sources are in `directory`, for its crate
/// to embed: the crate finds the path in the environment variable `ORASCACHE_COMPONENT_PATH`. The
/// variable `ORASCACHE_COMPONENT` names a built one to use instead.
pub fn embed_orascache(directory: &str) -> ExitCode {
    match component("orascache-component", directory, "ORASCACHE_COMPONENT") {
        Ok(path) => {
            emit(format_args!("rustc-env=ORASCACHE_COMPONENT_PATH={}", path.display()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            emit(format_args!("error={error}"));
            ExitCode::FAILURE
        }
    }
}

/// Builds `package`, whose sources are in `directory`, and returns the path of the component.
///
/// `directory` is relative to the calling package. With the environment variable `prebuilt` set,
/// the file that it names is checked and used instead.
///
/// # Errors
/// When the guest cannot be built, is not a component, or imports anything.
pub fn component(package: &str, directory: &str, prebuilt: &str) -> Result<PathBuf, BuildError> {
    emit(format_args!("rerun-if-env-changed={prebuilt}"));
    let path = match env::var_os(prebuilt) {
        Some(path) => PathBuf::from(path),
        None => build(package, directory, Kind::Component)?,
    };
    let bytes = read(&path)?;
    if !is_component(&bytes) {
        return Err(BuildError::NotAComponent(path));
    }
    match imports(&bytes) {
        Ok(imports) if imports.is_empty() => Ok(path),
        Ok(imports) => Err(BuildError::HasImports(path, imports)),
        Err(_) => Err(BuildError::NotAComponent(path)),
    }
}

/// Builds `package`, whose sources are in `directory`, into a core module. It may import functions
/// of the import module `host` only, and must have the custom section `section`.
///
/// `directory` and `prebuilt` are as in [`component`].
///
/// # Errors
/// When the guest cannot be built, is not a core module, imports anything else, or lacks the section.
pub fn module(
    package: &str,
    directory: &str,
    prebuilt: &str,
    host: &str,
    section: &'static str,
) -> Result<PathBuf, BuildError> {
    emit(format_args!("rerun-if-env-changed={prebuilt}"));
    let path = match env::var_os(prebuilt) {
        Some(path) => PathBuf::from(path),
        None => build(package, directory, Kind::Module)?,
    };
    let bytes = read(&path)?;
    let (true, Ok(imports)) = (is_module(&bytes), module_imports(&bytes)) else {
        return Err(BuildError::NotAModule(path));
    };
    let foreign: Vec<String> = imports
        .into_iter()
        .filter(|(module, _)| module != host)
        .map(|(module, name)| format!("{module}.{name}"))
        .collect();
    if !foreign.is_empty() {
        return Err(BuildError::ForeignImports(path, foreign));
    }
    match custom_section(&bytes, section) {
        Ok(Some(_)) => Ok(path),
        _ => Err(BuildError::SectionMissing(path, section)),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, BuildError> {
    emit(format_args!("rerun-if-changed={}", path.display()));
    fs::read(path).map_err(|error| BuildError::Io(path.to_owned(), error))
}

/// Prints an instruction for cargo (doc.rust-lang.org/cargo/reference/build-scripts.html).
#[allow(clippy::print_stdout, reason = "build scripts talk to cargo through stdout")]
pub fn emit(instruction: fmt::Arguments<'_>) {
    println!("cargo::{instruction}");
}

/// What a guest is built into.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Component,
    Module,
}

fn build(package: &str, directory: &str, kind: Kind) -> Result<PathBuf, BuildError> {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let sources = here.join(directory);
    watch_sources(&sources);
    ensure_target()?;
    // The two kinds have different linkers: in one directory, each would rebuild the dependencies.
    let target_dir = target_directory()?.join(match kind {
        Kind::Component => "guest",
        Kind::Module => "guest-module",
    });

    let mut cargo = Command::new(variable("CARGO")?);
    cargo
        .current_dir(&sources)
        .args([
            "rustc",
            "--profile",
            "guest",
            "--target",
            TARGET,
            "--package",
            package,
            "--lib",
            // A library that is built for other crates too is not optimised at link time.
            "--crate-type",
            "cdylib",
            "--target-dir",
        ])
        .arg(&target_dir)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", rust_flags(&here));
    if kind == Kind::Component {
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-component-ld");
    }
    for (name, _) in env::vars_os() {
        if leaks_into_guest(&name) {
            cargo.env_remove(name);
        }
    }
    if env::var_os("CARGO_NET_OFFLINE").is_some() {
        cargo.arg("--offline");
    }
    let status = cargo.status().map_err(|error| BuildError::Io("cargo".into(), error))?;
    if !status.success() {
        return Err(BuildError::CargoFailed);
    }
    let file = format!("{}.wasm", package.replace('-', "_"));
    Ok(target_dir.join(TARGET).join("guest").join(file))
}

/// Flags of the nested compiler. Panic messages name source files: their folders are replaced, so
/// that every machine builds the same bytes, wherever its crates come from. Cargo does not strip a
/// crate whose profile has settings of its own.
fn rust_flags(here: &Path) -> String {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let workspace = here.ancestors().find(|folder| folder.join("Cargo.lock").is_file());
    // Code that is optimized for speed is inlined half as readily as usual: smaller, and as fast.
    let mut flags = vec!["-Cstrip=symbols -Cllvm-args=-inlinedefault-threshold=100".to_owned()];
    let mut remap =
        |from: &Path, to: &str| flags.push(format!("--remap-path-prefix={}={to}", from.display()));
    if let Some(home) = home {
        remap(&home, "/cargo");
        // The folder of each registry is named by its host. Of several flags that fit, the last counts.
        for registry in fs::read_dir(home.join("registry/src")).into_iter().flatten().flatten() {
            remap(&registry.path(), "/cargo/registry");
        }
    }
    if let Some(workspace) = workspace {
        remap(workspace, "/orascache");
    }
    flags.join(" ")
}

/// Whether a variable is meant for the outer build: flags, wrappers and profile settings.
fn leaks_into_guest(name: &OsString) -> bool {
    let Some(name) = name.to_str() else { return false };
    matches!(
        name,
        "RUSTFLAGS"
            | "CARGO_ENCODED_RUSTFLAGS"
            | "CARGO_BUILD_RUSTFLAGS"
            | "RUSTC_WRAPPER"
            | "RUSTC_WORKSPACE_WRAPPER"
            | "CARGO_BUILD_TARGET"
            | "CARGO_TARGET_DIR"
            | "CARGO_BUILD_TARGET_DIR"
            | "CLIPPY_ARGS"
            | "RUSTC"
    ) || name.starts_with("CARGO_PROFILE_")
        || name.starts_with("CARGO_FEATURE_")
        || name.starts_with("CARGO_CFG_")
}

/// Has cargo watch everything that the guest is built from: its own sources, those of its workspace,
/// and the WIT package.
fn watch_sources(sources: &Path) {
    for ancestor in sources.ancestors().take(3) {
        for name in ["wit", "guest", "Cargo.toml", "Cargo.lock"] {
            let path = ancestor.join(name);
            if path.exists() {
                emit(format_args!("rerun-if-changed={}", path.display()));
            }
        }
    }
    emit(format_args!("rerun-if-changed={}", sources.display()));
}

/// The outer target directory, found from OUT_DIR (`<target>/<profile>/build/<package>/out`, with
/// the target triple in between when cross-compiling).
fn target_directory() -> Result<PathBuf, BuildError> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let profile = out.ancestors().nth(3).ok_or(BuildError::Environment("OUT_DIR"))?;
    let parent = profile.parent().ok_or(BuildError::Environment("OUT_DIR"))?;
    let cross = variable("TARGET")?;
    let directory =
        if parent.file_name().is_some_and(|name| *name == *cross) { parent.parent() } else { Some(parent) };
    directory.map(Path::to_path_buf).ok_or(BuildError::Environment("OUT_DIR"))
}

/// Adds the target with rustup when it is missing. Without rustup, the target must be there.
fn ensure_target() -> Result<(), BuildError> {
    if has_target()? {
        return Ok(());
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).output();
    match added {
        Ok(output) if output.status.success() && has_target()? => Ok(()),
        Ok(output) => {
            Err(BuildError::TargetMissing(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
        }
        Err(error) => Err(BuildError::TargetMissing(format!("rustup: {error}"))),
    }
}

fn has_target() -> Result<bool, BuildError> {
    let output = Command::new(variable("RUSTC")?)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|error| BuildError::Io("rustc".into(), error))?;
    let directory = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(output.status.success() && Path::new(&directory).is_dir())
}

fn variable(name: &'static str) -> Result<OsString, BuildError> {
    env::var_os(name).ok_or(BuildError::Environment(name))
}

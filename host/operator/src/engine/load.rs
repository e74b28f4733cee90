//! Decides whether a component may run here: it must import nothing and export our WIT package.

use super::{CompiledCache, Engine, Guest, bindings, instances};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use wasmtime::component::{Component, Linker};

/// The WIT package that this host speaks, without its version.
const PACKAGE: &str = "orascache:operator";
/// Its version. Before 1.0 a change of the second number breaks (semver.org, item 4).
const VERSION: (u64, u64) = (0, 2);

/// Why a component was refused.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The engine cannot be set up.
    #[error(
        "the WebAssembly engine cannot start: {0}. Lower the number of instances or raise the address space limit."
    )]
    Engine(String),
    /// Not WebAssembly, or not valid.
    #[error("this is not a valid WebAssembly component: {0}")]
    Invalid(String),
    /// A core module.
    #[error("this is a core WebAssembly module, not a component: build it for {PACKAGE}@{}.{}, for example with wasm-component-ld", VERSION.0, VERSION.1)]
    CoreModule,
    /// It wants something from the host.
    #[error("the component imports {}, but a guest must import nothing: remove what needs it (a clock, randomness, input or output)", .0.join(", "))]
    HasImports(Vec<String>),
    /// It does not speak our WIT package at all.
    #[error(
        "the component does not export {PACKAGE}/reconciler: it exports {0}. Build it for the world {PACKAGE}/operator."
    )]
    WrongWorld(String),
    /// It speaks another version.
    #[error("the component exports {found}, but this host speaks {PACKAGE}@{}.{}: build it with that version of the WIT package, or use another host", VERSION.0, VERSION.1)]
    WrongVersion {
        /// The export.
        found: String,
    },
    /// Its exports have other types than the WIT package says.
    #[error("the component's exports do not match the WIT package: {0}")]
    WrongTypes(String),
    /// `describe` failed or made no sense.
    #[error("the component cannot describe what it manages: {0}")]
    Describe(String),
}

/// What a component looks like from outside.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Interface {
    /// Names of its imports: none, for a guest that may run.
    pub imports: Vec<String>,
    /// Names of its exports, with versions.
    pub exports: Vec<String>,
    /// Size in bytes.
    pub size: usize,
    /// `sha256:` and hexadecimal digits.
    pub digest: String,
    /// The WIT package that it speaks, with its version; empty when it is not ours.
    pub wit: String,
}

/// `sha256:...` as OCI writes digests.
pub fn digest(bytes: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl Engine {
    /// Compiles a component (or maps it from the cache), checks it, and asks it what it manages.
    ///
    /// # Errors
    /// When it may not or cannot run here; the sentence says why and what to do.
    pub fn load(&self, bytes: &[u8], cache: &CompiledCache) -> Result<Guest, LoadError> {
        let (component, interface) = self.examine(bytes, cache)?;
        if !interface.imports.is_empty() {
            return Err(LoadError::HasImports(interface.imports));
        }
        check_version(&interface)?;
        // Nothing is in the linker, not even WASI.
        let linker = Linker::new(&self.wasmtime);
        let types = |error: wasmtime::Error| LoadError::WrongTypes(format!("{error:#}"));
        let prepared = linker.instantiate_pre(&component).map_err(types)?;
        let prepared = bindings::OperatorPre::new(prepared).map_err(types)?;
        let instances = instances::Instances::new(self.clone(), prepared);
        Guest::new(instances, interface)
    }

    /// Looks at a component without running it.
    ///
    /// # Errors
    /// When the bytes are no valid component.
    pub fn inspect(&self, bytes: &[u8], cache: &CompiledCache) -> Result<Interface, LoadError> {
        self.examine(bytes, cache).map(|(_, interface)| interface)
    }

    fn examine(&self, bytes: &[u8], cache: &CompiledCache) -> Result<(Component, Interface), LoadError> {
        // Byte 6 of the header is the layer: 0 for core modules, 1 for components.
        if bytes.starts_with(b"\0asm") && bytes.get(6) == Some(&0) {
            return Err(LoadError::CoreModule);
        }
        let digest = digest(bytes);
        let component = cache.load(&self.wasmtime, bytes, &digest)?;
        let kind = component.component_type();
        let imports = kind.imports(&self.wasmtime).map(|(name, _)| name.to_owned()).collect();
        let exports: Vec<String> = kind.exports(&self.wasmtime).map(|(name, _)| name.to_owned()).collect();
        let wit = exports
            .iter()
            .filter(|export| export.starts_with(PACKAGE))
            .find_map(|export| export.split_once('@'))
            .map(|(_, version)| format!("{PACKAGE}@{version}"))
            .unwrap_or_default();
        Ok((component, Interface { imports, exports, size: bytes.len(), digest, wit }))
    }
}

fn check_version(interface: &Interface) -> Result<(), LoadError> {
    let reconciler = format!("{PACKAGE}/reconciler@");
    let Some(export) = interface.exports.iter().find(|export| export.starts_with(&reconciler)) else {
        let exports =
            if interface.exports.is_empty() { "nothing".to_owned() } else { interface.exports.join(", ") };
        return Err(LoadError::WrongWorld(exports));
    };
    let mut numbers = export.trim_start_matches(&reconciler).split('.').map(str::parse::<u64>);
    let found = match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => return Err(LoadError::WrongVersion { found: export.clone() }),
    };
    let compatible = if VERSION.0 == 0 { found == VERSION } else { found.0 == VERSION.0 };
    if compatible { Ok(()) } else { Err(LoadError::WrongVersion { found: export.clone() }) }
}

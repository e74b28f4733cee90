//! Loads components: compiles, checks and asks them.

use super::Engine;
use super::compiled_cache::CompiledCache;
use super::guest::Guest;
use super::instances::Instances;
use super::interface::{self, Interface, LoadError, PACKAGE};
use super::prepared::Prepared;
use crate::digest::digest;
use wasmtime::component::{Component, Linker};

impl Engine {
    /// Compiles a component, or maps it from the cache, checks it, and asks it what it manages.
    ///
    /// # Errors
    /// When it may not or cannot run here; the sentence says why and what to do.
    pub fn load(&self, bytes: &[u8], cache: &CompiledCache) -> Result<Guest, LoadError> {
        let (component, interface) = self.examine(bytes, cache)?;
        if !interface.imports.is_empty() {
            return Err(LoadError::HasImports(interface.imports));
        }
        interface::check_version(&interface.exports)?;
        // The linker stays empty: it does not even have WASI.
        let linker = Linker::new(&self.wasmtime);
        let types = |error: wasmtime::Error| LoadError::WrongTypes(format!("{error:#}"));
        let prepared = linker.instantiate_pre(&component).map_err(types)?;
        let prepared = Prepared::new(prepared, &interface.exports).map_err(types)?;
        let instances = Instances::new(self.clone(), prepared);
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
        // Byte 6 of the header is the layer: 0 for core modules, 1 for components (component-model,
        // Binary.md).
        if bytes.starts_with(b"\0asm") && bytes.get(6) == Some(&0) {
            return Err(LoadError::CoreModule);
        }
        let digest = digest(bytes);
        let component = cache
            .load(&self.wasmtime, bytes, &digest)
            .map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
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

//! The functions of a component, found once for all of its instances.

use super::bindings::exports::orascache::operator::{admission, attendant, reconciler, rotating_reconciler};
use super::interface::PACKAGE;
use wasmtime::Store;
use wasmtime::component::InstancePre;

/// A component that can be instantiated, with the places of its functions.
pub(super) struct Prepared<T: 'static> {
    component: InstancePre<T>,
    reconciler: reconciler::GuestIndices,
    admission: admission::GuestIndices,
    /// `None` for a guest that does not export this interface, which came with 0.3.1.
    attendant: Option<attendant::GuestIndices>,
    /// The same, which came with 0.3.2.
    rotating: Option<rotating_reconciler::GuestIndices>,
}

/// The functions of an instance, by their interfaces.
pub(super) struct Functions {
    pub(super) reconciler: reconciler::Guest,
    pub(super) admission: admission::Guest,
    pub(super) attendant: Option<attendant::Guest>,
    pub(super) rotating: Option<rotating_reconciler::Guest>,
}

impl<T: Send + 'static> Prepared<T> {
    /// # Errors
    /// When a function is missing or has other types.
    pub(super) fn new(component: InstancePre<T>, exports: &[String]) -> wasmtime::Result<Self> {
        let has = |interface: &str| {
            let name = format!("{PACKAGE}/{interface}@");
            exports.iter().any(|export| export.starts_with(&name))
        };
        let (attends, rotates) = (has("attendant"), has("rotating-reconciler"));
        Ok(Self {
            reconciler: reconciler::GuestIndices::new(&component)?,
            admission: admission::GuestIndices::new(&component)?,
            attendant: attends.then(|| attendant::GuestIndices::new(&component)).transpose()?,
            rotating: rotates.then(|| rotating_reconciler::GuestIndices::new(&component)).transpose()?,
            component,
        })
    }

    /// An instance, ready to be called.
    pub(super) async fn instantiate(&self, store: &mut Store<T>) -> wasmtime::Result<Functions> {
        let instance = self.component.instantiate_async(&mut *store).await?;
        Ok(Functions {
            reconciler: self.reconciler.load(&mut *store, &instance)?,
            admission: self.admission.load(&mut *store, &instance)?,
            attendant: self.attendant.as_ref().map(|found| found.load(&mut *store, &instance)).transpose()?,
            rotating: self.rotating.as_ref().map(|found| found.load(&mut *store, &instance)).transpose()?,
        })
    }
}

//! A step that was done is not done again.
//!
//! Before anything is pulled, a key is computed over what determines the outputs. Where the
//! repositories of all outputs know it, the outputs' tags point to what was pushed then, and
//! nothing is pulled or run. Otherwise the step leaves its keys behind when everything else is done.
//!
//! - `document` is what goes into a key, `ingredients` makes it of a step, and `files` reads files
//!   whose content counts;
//! - `lookup` asks the registry for keys, takes outputs over, and leaves keys;
//! - `difference` says in what two documents differ.

pub mod difference;
pub mod document;
pub mod files;
pub mod ingredients;
pub mod lookup;

use crate::checked::CheckedStep;
use document::{Key, KeyDocument};
use oci_registry_client::Digest;
use std::ffi::OsString;

/// The keys of a step: one for each output.
#[derive(Clone, Debug)]
pub struct StepKeys {
    /// What they are made of, for the first output.
    pub document: KeyDocument,
    /// The keys, in the order of the outputs.
    pub keys: Vec<Key>,
}

impl StepKeys {
    /// Computes the keys. `manifests` are those of the inputs.
    ///
    /// # Errors
    /// A sentence, when a file that counts, or the name of the working directory, cannot be read.
    pub fn compute(
        step: &CheckedStep<'_>,
        manifests: &[Digest],
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, String> {
        let files = files::read(&step.reuse_files)?;
        let directory = std::env::current_dir()
            .map_err(|error| format!("the name of the working directory cannot be read: {error}"))?;
        let document = ingredients::document(step, manifests, files, &directory, variable);
        let keys = (0..step.outputs.len()).map(|output| document.key(output)).collect();
        Ok(StepKeys { document, keys })
    }
}

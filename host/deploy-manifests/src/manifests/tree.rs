//! Collects files.

use super::kustomize::Kustomization;
use super::yaml::document;
use crate::error::ManifestError;

/// Paths and contents of files.
#[derive(Default)]
pub(super) struct Tree(Vec<(String, String)>);

impl Tree {
    /// Adds a file.
    pub(super) fn text(&mut self, path: &str, text: String) {
        self.0.push((path.to_owned(), text));
    }

    /// Adds a kustomization with these resources to a folder.
    pub(super) fn folder(&mut self, folder: &str, resources: &[&str]) -> Result<(), ManifestError> {
        let text = document("", &Kustomization::of(resources))?;
        self.text(&format!("{folder}/kustomization.yaml"), text);
        Ok(())
    }

    /// All files, in the order in which they were added.
    pub(super) fn into_files(self) -> Vec<(String, String)> {
        self.0
    }
}

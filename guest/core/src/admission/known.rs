//! What a review knows about the cluster: the objects that the host passes with it.

use crate::fields;
use crate::json::Json;
use orascache_contract::Error;

/// Objects that the host handed over.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    /// JSON text.
    pub(crate) objects: Vec<&'a str>,
    /// Whether the host has looked for everything that was asked for.
    pub(crate) complete: bool,
}

impl<'a> Known<'a> {
    /// Parsed objects that may have this name. Parsing is skipped for texts in which the name does
    /// not occur.
    pub(crate) fn candidates(&self, name: &str) -> Result<Vec<Json<'a>>, Error> {
        self.objects
            .iter()
            .filter(|text| text.contains(name))
            .map(|text| fields::parse(text, "an object of the context"))
            .collect()
    }
}

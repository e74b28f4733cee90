//! What a review knows of the cluster.

/// Objects that the host handed over.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    /// JSON text.
    pub(crate) objects: Vec<&'a str>,
    /// Whether the host has looked for everything that was asked for.
    pub(crate) complete: bool,
}

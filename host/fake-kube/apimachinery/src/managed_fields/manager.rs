//! Who writes an object.

/// The manager of a write, as an entry of managed fields identifies it.
#[derive(Clone, Copy, Debug)]
pub struct Manager<'a> {
    /// The name of the field manager.
    pub name: &'a str,
    /// The subresource, for example `status`; none for the main resource.
    pub subresource: Option<&'a str>,
    /// The apiVersion of the written object.
    pub api_version: &'a str,
    /// The time of the write, RFC 3339.
    pub time: &'a str,
}

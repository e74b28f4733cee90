//! `spec.flavor`: which program the image of a registry is.

use serde::{Deserialize, Serialize};

/// A program that serves artifacts.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Flavor {
    /// The distribution registry, which variables configure.
    Distribution,
    /// zot from version 2.1.6 on, which a file configures.
    Zot,
}

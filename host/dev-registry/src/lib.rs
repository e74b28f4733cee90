//! Live registries for `orascache dev`.

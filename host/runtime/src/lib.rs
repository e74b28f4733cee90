//! Runs guest components.

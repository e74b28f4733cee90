//! Traits, an export macro and helpers for guests.

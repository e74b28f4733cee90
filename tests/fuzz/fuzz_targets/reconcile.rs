//! Any bytes as a primary, a child, a related object and settings: never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use orascache_contract::Observed;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut parts = text.splitn(4, '\n');
    let mut next = || parts.next().unwrap_or_default();
    let (primary, owned, related, settings) = (next(), vec![next()], vec![next()], next());
    let observed = Observed { primary, owned, related, settings, now: 1, ..Observed::default() };
    // Other tests check what the answers are.
    let _ = orascache_core::reconcile(&observed);
});

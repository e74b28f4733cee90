//! Any bytes as a primary, a child and a related object: never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use orascache_core::contract::Observed;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut parts = text.splitn(3, '\n');
    let mut next = || parts.next().unwrap_or_default();
    let primary = next();
    let (owned, related) = ([next().to_owned()], [next().to_owned()]);
    let observed = Observed { primary, owned: &owned, related: &related, failures: &[], now: 1 };
    // What it says about garbage is the business of other tests.
    let _ = orascache_core::reconcile(&observed);
});

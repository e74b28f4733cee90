//! Does one kind of work a number of times: `instruction-counts CASE COUNT`.
//!
//! `.ci/instructions` runs it in callgrind and compares the instructions with committed numbers.
//! Nothing here uses a network, and only packing uses a second thread, so that two runs differ by
//! less than a percent.

mod archives;
mod cold_start;
mod decisions;
// The same review as in the benches, without the crate that links the engine.
#[expect(dead_code, reason = "some of its reviews are of other benches")]
#[path = "../../src/reviews.rs"]
mod reviews;

/// What [`reviews`] needs of the tests' pods.
mod pods {
    pub const PREFIX: &str = "oras.converged-computing.github.io/";
    pub const CACHE: &str = "orascache-sample";
    pub const NAMESPACE: &str = "lab";
}

use std::process::ExitCode;

/// Does work a number of times.
type Case = fn(usize);

const CASES: [(&str, Case); 9] = [
    ("review", decisions::review),
    ("reconcile-new", decisions::reconcile_new),
    ("reconcile-converged", decisions::reconcile_converged),
    ("cold-start", cold_start::run),
    ("scan", archives::scan),
    ("pack", archives::pack),
    ("pack-zstd", archives::pack_zstd),
    ("unpack", archives::unpack),
    ("unpack-zstd", archives::unpack_zstd),
];

#[expect(clippy::print_stderr, reason = "it has no other output")]
fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let case = arguments.next().and_then(|name| CASES.iter().find(|(known, _)| *known == name));
    let count = arguments.next().and_then(|count| count.parse().ok());
    let (Some((_, work)), Some(count)) = (case, count) else {
        eprintln!("usage: instruction-counts {} COUNT", CASES.map(|(name, _)| name).join("|"));
        return ExitCode::FAILURE;
    };
    work(count);
    ExitCode::SUCCESS
}

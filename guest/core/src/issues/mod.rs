//! Finding the issues of a cache: problems of its spec, objects that it names and that are missing,
//! storage that cannot be as it asks, children that are not known, writes that failed, and work on
//! the registry that failed.

mod certificate;
mod children;
mod failures;
mod image;
mod references;
mod service_monitor;
mod storage;
mod tasks;

use crate::issue::{Impact, Issue, Reason};
use crate::validate::Problem;
pub(crate) use certificate::{of_certificate, of_renewal};
pub(crate) use children::of_omitted_children;
pub(crate) use failures::of_failures;
pub(crate) use image::of_image;
pub(crate) use references::{Related, of_references};
pub(crate) use service_monitor::of_service_monitor;
pub(crate) use storage::of_storage;
pub(crate) use tasks::{of_jobs_without_pods, of_registries, of_runs};

/// The issue of a spec that contradicts itself.
pub(crate) fn of_problems(problems: &[Problem]) -> Option<Issue> {
    let sentences: Vec<String> =
        problems.iter().map(|problem| format!("{}: {}.", problem.field, problem.message)).collect();
    (!sentences.is_empty()).then(|| Issue::new(Reason::InvalidSpec, Impact::Freezing, sentences.join(" ")))
}

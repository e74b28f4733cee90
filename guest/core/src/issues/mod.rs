//! Finding the issues of a cache: problems of its spec, objects that it names and that are missing,
//! storage that cannot be as it asks, and writes that failed.

mod image;
mod references;
mod storage;

use crate::issue::{Impact, Issue, Reason};
use crate::kinds::{SERVICE, STATEFUL_SET};
use crate::validate::Problem;
pub(crate) use image::of_image;
use orascache_contract::{Failure, FailureReason, Verb};
pub(crate) use references::{Related, of_references};
pub(crate) use storage::of_storage;

/// The issue of a spec that contradicts itself.
pub(crate) fn of_problems(problems: &[Problem]) -> Option<Issue> {
    let sentences: Vec<String> =
        problems.iter().map(|problem| format!("{}: {}.", problem.field, problem.message)).collect();
    (!sentences.is_empty()).then(|| Issue::new(Reason::InvalidSpec, Impact::Freezing, sentences.join(" ")))
}

/// Issues of writes of the last plan that failed.
pub(crate) fn of_failures<'f>(failures: &'f [Failure]) -> impl Iterator<Item = Issue> + 'f {
    failures.iter().map(of_failure)
}

fn of_failure(failure: &Failure) -> Issue {
    let kind = &failure.target.kind.kind;
    let target = format!("{kind} {}", failure.target.name);
    match &failure.reason {
        FailureReason::NotControlled => Issue::new(
            Reason::NameTaken,
            Impact::Blocking,
            format!(
                "{target} exists and does not belong to this cache. Delete or rename it, or give the cache another name."
            ),
        ),
        FailureReason::FieldOwnedByOther => {
            Issue::new(Reason::FieldOwnedByOther, Impact::Warning, failure.message.clone())
        }
        reason => {
            // The registry is reached through these two.
            let serves = *kind == STATEFUL_SET.kind || *kind == SERVICE.kind;
            Issue::new(
                if failure.verb == Verb::Delete { Reason::DeleteFailed } else { Reason::ApplyFailed },
                if serves { Impact::Blocking } else { Impact::Warning },
                format!("{target}: {} failed ({} {reason}): {}", failure.verb, failure.code, failure.message),
            )
        }
    }
}

//! Problems of buckets, and of changing them.

use super::Problem;
use super::report::Report;
use super::serving::check_url;
use crate::primary::{Bucket, Provider};
use orascache_api::sentences;

pub(super) fn problems(bucket: &Bucket<'_>, report: &mut Report) {
    if let Provider::S3 { endpoint: Some(endpoint), .. } = bucket.provider {
        check_url("spec.storage.s3.endpoint", endpoint, report);
    }
}

/// The problem of a change after which artifacts are elsewhere: nothing moves them.
pub(super) fn change(old: Option<&Bucket<'_>>, new: Option<&Bucket<'_>>) -> Option<Problem> {
    let (field, sentence) = match (old, new) {
        (None, None) => return None,
        (Some(old), Some(new)) if old.is_same_place(new) => return None,
        (Some(old), Some(new)) if old.field() == new.field() => (new.field(), sentences::BUCKET_IS_FIXED),
        _ => ("spec.storage", sentences::BACKEND_IS_FIXED),
    };
    Some(Problem { field, message: sentence.to_owned() })
}

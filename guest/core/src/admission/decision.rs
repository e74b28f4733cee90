//! The decision about a review, and the response that tells it.

use super::patch::Patch;
use super::request::Request;
use crate::findings::Findings;
use orascache_contract::{Needs, Refusal, Response, Verdict};

/// Key of the audit annotation.
const AUDIT_KEY: &str = "decision";
/// HTTP status of all refusals (RFC 9110, section 15.5.21): what the API server answers to an
/// object that contradicts itself.
const UNPROCESSABLE: u16 = 422;

/// The decision about a review in which nothing is refused.
pub(crate) enum Decision {
    /// The host must look these up first.
    Need(Needs),
    Made {
        /// JSON Patch, JSON text.
        patch: Option<String>,
        /// For the audit log.
        note: Option<&'static str>,
    },
}

impl Default for Decision {
    fn default() -> Self {
        Decision::Made { patch: None, note: None }
    }
}

impl Decision {
    pub(crate) fn patch(patch: Patch<'_>, note: &'static str) -> Self {
        let patch = patch.into_text();
        let note = patch.is_some().then_some(note);
        Decision::Made { patch, note }
    }
}

/// The response to a review in which nothing is to be looked up.
pub(crate) fn response(
    request: &Request<'_>,
    findings: Findings,
    patch: Option<String>,
    note: Option<&'static str>,
) -> Response {
    let is_refused = !findings.problems.is_empty();
    let note = note.filter(|_| !is_refused).map(|note| (AUDIT_KEY.to_owned(), note.to_owned()));
    Response {
        uid: request.uid.to_owned(),
        verdict: if is_refused {
            Verdict::Refused(Refusal { code: UNPROCESSABLE, message: findings.message() })
        } else {
            Verdict::Allowed(patch)
        },
        warnings: findings.warnings,
        audit: note.into_iter().collect(),
    }
}

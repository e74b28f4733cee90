//! What is found about a document, or about a part of it.

use crate::input::Place;
use orascache_contract::Refusal;
use serde_json::Value;

/// One decision, or why there is none.
#[derive(Debug)]
pub(super) struct Finding {
    /// Where it stands.
    pub(super) place: Place,
    /// As in `CronJob/nightly`; `None` where there is no object.
    pub(super) object: Option<String>,
    /// The part of the object that was decided about.
    pub(super) part: Option<Part>,
    pub(super) decision: Decision,
    pub(super) warnings: Vec<String>,
    /// Whether the API server asks about it, so that whoever creates the object is told, too.
    pub(super) is_asked: bool,
    /// What was decided about, before and after its patch.
    pub(super) change: Option<(Value, Value)>,
}

/// What is made of a part of an object.
#[derive(Debug)]
pub(super) struct Part {
    /// Kind of what is made of it.
    pub(super) kind: String,
    /// Its path, as in `spec.template`.
    pub(super) path: String,
}

/// What was decided.
#[derive(Debug)]
pub(super) enum Decision {
    /// Allowed, with a JSON Patch or unchanged.
    Allowed(Option<Value>),
    Refused(Refusal),
    /// Not decided, since this command has no business with it, or cannot look into it.
    NotReviewed(String),
    /// Not decided, since something is wrong or missing.
    Unusable(String),
}

/// What the findings come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) allowed: usize,
    pub(super) refused: usize,
    pub(super) not_reviewed: usize,
    pub(super) unusable: usize,
    pub(super) warnings: usize,
}

/// Said of a finding that nobody hears of when the object is created.
pub(super) const NOT_ASKED: &str =
    "the API server does not ask about this, so that only this command says so";

impl Finding {
    /// A finding about a place without an object.
    pub(super) fn about(place: Place, decision: Decision) -> Self {
        Self {
            place,
            object: None,
            part: None,
            decision,
            warnings: Vec::new(),
            is_asked: false,
            change: None,
        }
    }

    /// A finding about an object.
    pub(super) fn of(place: Place, object: String, decision: Decision) -> Self {
        Self { object: Some(object), ..Self::about(place, decision) }
    }

    /// How people call what it is about; empty where there is no object.
    pub(super) fn title(&self) -> String {
        let object = self.object.as_deref().unwrap_or_default();
        match &self.part {
            Some(part) => format!("{object}, {} of {}", part.kind, part.path),
            None => object.to_owned(),
        }
    }

    /// Whether a decision with something to say stays between this command and its user.
    pub(super) fn is_told_here_only(&self) -> bool {
        match &self.decision {
            Decision::Allowed(_) => !self.is_asked && !self.warnings.is_empty(),
            Decision::Refused(_) => !self.is_asked,
            Decision::NotReviewed(_) | Decision::Unusable(_) => false,
        }
    }
}

impl Tally {
    pub(super) fn of(findings: &[Finding]) -> Self {
        let mut tally = Self::default();
        for finding in findings {
            tally.warnings += finding.warnings.len();
            match &finding.decision {
                Decision::Allowed(_) => tally.allowed += 1,
                Decision::Refused(_) => tally.refused += 1,
                Decision::NotReviewed(_) => tally.not_reviewed += 1,
                Decision::Unusable(_) => tally.unusable += 1,
            }
        }
        tally
    }

    /// The exit code: 0 nothing is wrong, 1 something is refused, 2 something cannot be used.
    pub(super) fn exit_code(&self, warnings_are_errors: bool) -> u8 {
        match self {
            Tally { unusable: 1.., .. } => 2,
            Tally { refused: 1.., .. } => 1,
            Tally { warnings: 1.., .. } if warnings_are_errors => 1,
            _ => 0,
        }
    }
}

//! The issue of an image that the administrator does not allow.

use crate::issue::{Impact, Issue, Reason};
use crate::primary::Primary;
use crate::settings::Settings;

/// The issue of the registry's image. Running pods stay as they are, and no child is created.
pub(crate) fn of_image(primary: &Primary<'_>, settings: &Settings<'_>) -> Option<Issue> {
    // Without a registry no image runs. A registry that is to be removed is removed.
    if !primary.spec.deploy() {
        return None;
    }
    let refusal = settings.refuse_image(primary.spec.image())?;
    Some(Issue::new(Reason::ImageNotAllowed, Impact::Freezing, format!("spec.image {refusal}.")))
}

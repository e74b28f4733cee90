//! The generated account of a registry.

use super::{Change, MOUNT_SECONDS, Rotations, Subject};
use crate::desired;
use crate::observed::Objects;
use crate::primary::{Flavor, Primary};
use orascache_api::duration::age;
use orascache_api::names::ROTATION_ACCOUNT_ANNOTATION;
use orascache_contract::RotationStep;

const REASON: &str = "AccountRotation";

impl Rotations {
    /// zot is left out: it may not see that a mounted file changes.
    pub(super) fn add_account(&mut self, primary: &Primary<'_>, owned: &Objects<'_>, now: u64) {
        let spec = &primary.spec;
        let is_rotated = spec.flavor() != Flavor::Zot;
        let Some(auth) = spec.auth.filter(|auth| auth.is_generated() && is_rotated) else { return };
        let name = auth.accounts(&primary.metadata);
        let Some(subject) = Subject::find(primary, owned, &name, now) else { return };
        let since = subject.state.since;
        let interval = auth.rotate_after.and_then(|text| age(text).ok());
        let Some(due) = self.due(&subject, interval.map(|after| since.saturating_add(after))) else { return };
        // The name of the new account is in an annotation, until steps use it.
        let staged = subject.secret.text_of("annotations", ROTATION_ACCOUNT_ANNOTATION);
        let username = match staged.filter(|_| due.0 != RotationStep::Stage) {
            Some(name) => name.to_owned(),
            None => desired::rotated_username(now),
        };
        let data = (due.0 == RotationStep::Switch).then(|| desired::user_of(&username));
        let note = match due.0 {
            RotationStep::Stage => Some(format!(
                "Secret {name} gets another account: steps use it in {MOUNT_SECONDS} seconds, and the former account ends {MOUNT_SECONDS} seconds later."
            )),
            RotationStep::Switch => None,
            RotationStep::Finish => Some(format!("The former account in Secret {name} is removed.")),
        };
        let change = Change {
            recipe: desired::account_recipe(username.clone()),
            joined: desired::HTPASSWD_KEY,
            annotation: Some((ROTATION_ACCOUNT_ANNOTATION, username)),
            data,
            event: note.map(|note| (REASON, note)),
        };
        self.push(&subject, due, change);
    }
}

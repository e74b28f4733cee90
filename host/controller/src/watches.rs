//! Which watches a description leads to: one for each kind, whatever roles the kind has.

use crate::object::is_secret;
use crate::options::Attending;
use crate::retention::Retention;
use orascache_contract::{Description, Kind, WatchedKind};

/// Position of a kind among the watches.
pub(crate) type KindIndex = usize;

/// Position of the primary's kind.
pub(crate) const PRIMARY: KindIndex = 0;

/// One watch: which objects are asked for, and what is kept of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watch {
    pub(crate) kind: Kind,
    /// The controller does not wait for the kind, which may be absent.
    pub(crate) optional: bool,
    /// Label selector of the API; empty for all objects of the kind.
    pub(crate) label_selector: String,
    /// What is kept of each object.
    pub(crate) kept: Kept,
}

/// What is kept of the objects of one watch. Objects that no primary controls are reduced to what
/// the guest reads, because anybody may fill such objects with text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// What is kept of objects whose controller is of the primary's kind.
    pub(crate) children: Retention,
    /// What is kept of all other objects.
    pub(crate) others: Retention,
}

impl Kept {
    /// Keeps the same of all objects.
    pub(crate) fn of_all(retention: Retention) -> Self {
        Kept { children: retention.clone(), others: retention }
    }

    fn join(self, other: Self) -> Self {
        Kept { children: self.children.join(other.children), others: self.others.join(other.others) }
    }

    fn covers(&self, other: &Self) -> bool {
        self.children.covers(&other.children) && self.others.covers(&other.others)
    }
}

/// A description that no watches can be made from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the description of {kind} cannot be used: {problem}")]
pub struct InvalidDescription {
    /// The kind that the problem is with, as in `StatefulSet of apps/v1`.
    pub kind: String,
    /// What is wrong and what to write instead.
    pub problem: String,
}

/// A watch for the primary and one for each other kind, in the order of the description.
///
/// # Errors
/// When a JSON pointer is none, or when the label selectors of one kind contradict each other.
pub(crate) fn watches(description: &Description) -> Result<Vec<Watch>, InvalidDescription> {
    let mut watches = vec![Watch {
        kind: description.primary.clone(),
        optional: false,
        label_selector: String::new(),
        kept: Kept::of_all(Retention::Whole),
    }];
    for owned in &description.owned {
        let identity = Retention::fields(&[]).map_err(|problem| invalid(&owned.kind, problem))?;
        let kept = Kept { children: Retention::Whole, others: identity };
        add(&mut watches, owned, kept, Role::Owned)?;
    }
    for related in &description.related {
        let retention = match &related.fields {
            None => Retention::Whole,
            Some(pointers) => {
                Retention::fields(pointers).map_err(|problem| invalid(&related.kind, problem))?
            }
        };
        add(&mut watches, related, Kept::of_all(retention), Role::Related)?;
    }
    Ok(watches)
}

/// Watches those primaries alone that an attending controller looks after.
///
/// # Errors
/// When a JSON pointer is none.
pub(crate) fn select_primaries(
    watches: &mut [Watch],
    attending: &Attending,
) -> Result<(), InvalidDescription> {
    let Some(primary) = watches.get_mut(PRIMARY) else { return Ok(()) };
    primary.label_selector.clone_from(&attending.label_selector);
    if let Some(fields) = &attending.fields {
        let kept = Retention::fields(fields).map_err(|problem| invalid(&primary.kind, problem))?;
        primary.kept = Kept::of_all(kept);
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Owned,
    Related,
}

fn add(
    watches: &mut Vec<Watch>,
    wanted: &WatchedKind,
    kept: Kept,
    role: Role,
) -> Result<(), InvalidDescription> {
    let Some(watch) = watches.iter_mut().find(|watch| watch.kind == wanted.kind) else {
        watches.push(Watch {
            kind: wanted.kind.clone(),
            optional: wanted.optional,
            label_selector: wanted.label_selector.clone(),
            kept,
        });
        return Ok(());
    };
    if watch.label_selector != wanted.label_selector {
        if role == Role::Related && !wanted.label_selector.is_empty() {
            // The guest would be handed related objects that it did not ask for.
            return Err(invalid(
                &wanted.kind,
                format!(
                    "it is related with label selector {:?} and watched with {:?} besides: give it the \
                     same selector everywhere, or none as a related kind",
                    wanted.label_selector, watch.label_selector
                ),
            ));
        }
        // Owned objects are recognised by their controller, so that more of the kind may be
        // watched.
        watch.label_selector.clear();
    }
    watch.optional &= wanted.optional;
    watch.kept = watch.kept.clone().join(kept);
    Ok(())
}

fn invalid(kind: &Kind, problem: String) -> InvalidDescription {
    InvalidDescription { kind: named(kind), problem }
}

/// As in `StatefulSet of apps/v1`.
pub(crate) fn named(kind: &Kind) -> String {
    format!("{} of {}", kind.kind, kind.api_version)
}

impl Watch {
    /// Why objects of this watch are not what another description asks for; `None` when they are.
    pub(crate) fn mismatch(&self, wanted: &Watch) -> Option<String> {
        let kind = named(&self.kind);
        if self.label_selector != wanted.label_selector {
            return Some(format!(
                "{kind} with label selector {:?} instead of {:?}",
                wanted.label_selector, self.label_selector
            ));
        }
        if !self.kept.covers(&wanted.kept) {
            return Some(format!("more fields of {kind}"));
        }
        (self.optional && !wanted.optional).then(|| format!("{kind} at all times"))
    }
}

/// Whether objects of this kind are watched without their content: Secrets are.
pub(crate) fn is_metadata_only(kind: &Kind) -> bool {
    is_secret(kind)
}

#[cfg(test)]
mod tests {
    use super::watches;
    use crate::retention::Retention;
    use crate::testing::{description, kind};
    use orascache_contract::WatchedKind;

    #[test]
    fn a_kind_in_two_roles_is_watched_once() {
        let mut both = description(&["C"], &[]);
        both.owned[0] = WatchedKind::whole(kind("C")).with_labels("managed-by=us").or_absent();
        both.related = vec![WatchedKind::reduced(kind("C"), &["/spec"])];
        let found = watches(&both).expect("watches");
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].label_selector.as_str(), found[1].optional), ("", false));
        assert_eq!(found[1].kept.children, Retention::Whole);
        let read = Retention::fields(&["/spec".to_owned()]).expect("a pointer");
        assert_eq!(found[1].kept.others, read, "of objects of others, what the guest reads");
    }

    #[test]
    fn only_the_identity_is_kept_of_objects_of_others_of_a_kind_that_is_owned_only() {
        let found = watches(&description(&["C"], &[])).expect("watches");
        assert_eq!(found[1].kept.children, Retention::Whole);
        assert_eq!(found[1].kept.others, Retention::fields(&[]).expect("no pointers"));
        let primary = found[0].kept.clone();
        assert_eq!((primary.children, primary.others), (Retention::Whole, Retention::Whole));
    }

    #[test]
    fn contradicting_selectors_are_refused() {
        let mut both = description(&["C"], &[]);
        both.related = vec![WatchedKind::whole(kind("C")).with_labels("a=b")];
        let refused = watches(&both).expect_err("no watches").to_string();
        assert!(refused.contains("C of v1") && refused.contains("\"a=b\""), "{refused}");
        both.owned[0].label_selector = "a=b".to_owned();
        assert_eq!(watches(&both).expect("watches")[1].label_selector, "a=b");
    }

    #[test]
    fn a_field_that_is_no_pointer_is_refused() {
        let mut bad = description(&[], &[]);
        bad.related = vec![WatchedKind::reduced(kind("S"), &["spec"])];
        let refused = watches(&bad).expect_err("no watches").to_string();
        assert!(refused.contains("S of v1") && refused.contains("leading slash"), "{refused}");
    }

    #[test]
    fn a_mismatch_says_what_is_asked_for_beyond_the_watch() {
        let mut first = description(&[], &[]);
        first.related = vec![WatchedKind::reduced(kind("S"), &["/spec"]).or_absent()];
        let watch = watches(&first).expect("watches").remove(1);
        let against = |change: &dyn Fn(&mut WatchedKind)| {
            let mut other = first.clone();
            change(&mut other.related[0]);
            watch.mismatch(&watches(&other).expect("watches").remove(1))
        };
        assert_eq!(against(&|_| {}), None);
        assert_eq!(against(&|kind| kind.fields = Some(vec!["/spec/a".to_owned()])), None);
        for (change, says) in [
            (&|kind: &mut WatchedKind| kind.fields = None as Option<_>, "more fields"),
            (&|kind: &mut WatchedKind| kind.optional = false, "at all times"),
            (&|kind: &mut WatchedKind| kind.label_selector = "a".to_owned(), "label selector"),
        ] as [(&dyn Fn(&mut WatchedKind), &str); 3]
        {
            let found = against(change).expect(says);
            assert!(found.contains(says), "{found}");
        }
    }
}

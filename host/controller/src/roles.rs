//! Which kinds a reconciler owns and which it reads.

use crate::watches::{InvalidDescription, KindIndex, PRIMARY, Watch, named, watches};
use orascache_contract::{Description, Kind, WatchedKind};

/// The roles that a description gives to the watched kinds, by their positions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles {
    owned: Vec<KindIndex>,
    related: Vec<KindIndex>,
    optional: Vec<KindIndex>,
    patchable: Vec<KindIndex>,
}

/// Why a reconciler cannot become the active one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// The new reconciler manages another kind.
    #[error(
        "it manages {}, but this process manages {}: start another process for it",
        named(found),
        named(managed)
    )]
    Primary {
        /// What this process manages.
        managed: Box<Kind>,
        /// What the new reconciler manages.
        found: Box<Kind>,
    },
    /// The new reconciler has another field manager, and would not remove fields that were applied
    /// under the first one.
    #[error(
        "it applies as field manager {found:?}, but what exists was applied as {used:?}: build it with that \
         field manager"
    )]
    FieldManager {
        /// The name in use.
        used: String,
        /// The name that the new reconciler wants.
        found: String,
    },
    /// Neither the watches nor the operator's rights cover these kinds.
    #[error(
        "it needs {}, which this process does not watch: install the version that comes with it, which \
         brings the rights too, or restart this process with it",
        list(.0)
    )]
    NotWatched(Vec<Kind>),
    /// The watches do not ask for, or do not store, what the new reconciler needs. One phrase for
    /// each kind.
    #[error("it needs {}: restart this process with it", .0.join(", and "))]
    WatchedDifferently(Vec<String>),
    /// No watches can be made from the new reconciler's description.
    #[error(transparent)]
    Invalid(#[from] InvalidDescription),
}

fn list(kinds: &[Kind]) -> String {
    let names: Vec<String> = kinds.iter().map(named).collect();
    names.join(", ")
}

impl Roles {
    /// The roles that a description gives to kinds that are watched.
    ///
    /// # Errors
    /// When the watches do not cover the description.
    pub(crate) fn of(description: &Description, watched: &[Watch]) -> Result<Self, Incompatible> {
        let (mut missing, mut mismatches) = (Vec::new(), Vec::new());
        for (index, wanted) in watches(description)?.into_iter().enumerate() {
            match watched.iter().find(|watch| watch.kind == wanted.kind) {
                None => missing.push(wanted.kind),
                // Which primaries are watched is not for the description to say.
                Some(_) if index == PRIMARY => {}
                Some(watch) => mismatches.extend(watch.mismatch(&wanted)),
            }
        }
        if !missing.is_empty() {
            return Err(Incompatible::NotWatched(missing));
        }
        if !mismatches.is_empty() {
            return Err(Incompatible::WatchedDifferently(mismatches));
        }
        let find = |kinds: &[WatchedKind], with: &dyn Fn(&WatchedKind) -> bool| -> Vec<KindIndex> {
            let chosen = kinds.iter().filter(|kind| with(kind));
            chosen.filter_map(|one| watched.iter().position(|watch| watch.kind == one.kind)).collect()
        };
        let any = |_: &WatchedKind| true;
        let optional = |one: &WatchedKind| one.optional;
        let mut optional_kinds = find(&description.owned, &optional);
        optional_kinds.extend(find(&description.related, &optional));
        // A kind that is needed in one role is not optional.
        optional_kinds.retain(|index| watched.get(*index).is_some_and(|watch| watch.optional));
        optional_kinds.sort_unstable();
        optional_kinds.dedup();
        Ok(Roles {
            owned: find(&description.owned, &any),
            related: find(&description.related, &any),
            optional: optional_kinds,
            patchable: find(&description.related, &|one| one.patchable),
        })
    }

    /// Whether a plan may apply and delete objects of this kind.
    pub(crate) fn is_owned(&self, kind: KindIndex) -> bool {
        self.owned.contains(&kind)
    }

    /// Whether the reconciler reads objects of this kind.
    pub(crate) fn is_related(&self, kind: KindIndex) -> bool {
        self.related.contains(&kind)
    }

    /// Whether a plan may patch objects of this kind.
    pub(crate) fn is_patchable(&self, kind: KindIndex) -> bool {
        self.patchable.contains(&kind)
    }

    /// The kinds that the reconciler reads.
    pub(crate) fn related(&self) -> &[KindIndex] {
        &self.related
    }

    /// The kinds that the reconciler works without.
    pub(crate) fn optional(&self) -> &[KindIndex] {
        &self.optional
    }

    /// Adds the owned and related kinds of another reconciler.
    pub(crate) fn add(&mut self, others: &Roles) {
        for (into, from) in [(&mut self.owned, &others.owned), (&mut self.related, &others.related)] {
            let new: Vec<KindIndex> = from.iter().filter(|kind| !into.contains(kind)).copied().collect();
            into.extend(new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Incompatible, Roles};
    use crate::testing::{description, kind};
    use crate::watches::watches;
    use orascache_contract::{Description, WatchedKind};

    fn roles(change: impl FnOnce(&mut Description)) -> Result<Roles, Incompatible> {
        let first = description(&["C", "D"], &["S"]);
        let mut new = first.clone();
        change(&mut new);
        Roles::of(&new, &watches(&first).expect("watches"))
    }

    #[test]
    fn roles_follow_the_description_and_not_the_watches() {
        let roles = roles(|new| {
            new.owned = vec![WatchedKind::whole(kind("S"))];
            // Of an owned kind, the cache keeps only the identity of objects that no primary
            // controls.
            let patchable = WatchedKind { patchable: true, ..WatchedKind::reduced(kind("C"), &[]) };
            new.related = vec![patchable, WatchedKind::reduced(kind("D"), &[])];
        })
        .expect("all kinds are watched");
        assert!(roles.is_owned(3) && !roles.is_owned(1) && roles.is_related(1) && !roles.is_related(3));
        assert!(roles.is_patchable(1) && !roles.is_patchable(2));
        assert_eq!(roles.related(), [1, 2]);
    }

    #[test]
    fn a_kind_that_is_not_watched_is_named() {
        let refused = roles(|new| new.related.push(WatchedKind::whole(kind("ConfigMap"))));
        let refused = refused.expect_err("not watched").to_string();
        assert!(refused.contains("needs ConfigMap of v1"), "{refused}");
        let refused = roles(|new| new.owned[0].kind.namespaced = false);
        assert!(matches!(refused, Err(Incompatible::NotWatched(_))), "the same name is not the same kind");
    }

    #[test]
    fn a_kind_of_which_more_fields_are_wanted_than_are_kept_is_named() {
        let refused = roles(|new| new.related.push(WatchedKind::whole(kind("C"))));
        let refused = refused.expect_err("the identity is kept").to_string();
        assert!(refused.contains("more fields of C of v1"), "{refused}");
    }

    #[test]
    fn a_kind_that_is_watched_with_another_selector_is_named() {
        let refused = roles(|new| new.owned[0].label_selector = "a=b".to_owned());
        let refused = refused.expect_err("watched with all labels").to_string();
        assert!(refused.contains("C of v1 with label selector \"a=b\""), "{refused}");
    }

    #[test]
    fn a_kind_is_optional_when_no_role_needs_it() {
        let mut both = description(&["C"], &[]);
        both.owned = vec![WatchedKind::whole(kind("C")).or_absent()];
        let optional = |both: &Description| {
            Roles::of(both, &watches(both).expect("watches")).expect("roles").optional().to_vec()
        };
        assert_eq!(optional(&both), [1]);
        both.related = vec![WatchedKind::whole(kind("C"))];
        assert!(optional(&both).is_empty());
    }
}

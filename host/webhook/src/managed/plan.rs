//! What is to be done next with a CA and its certificate: a pure function of what there is and the time.
//!
//! A CA is replaced in phases, so that whatever certificate a replica serves, every API server trusts it:
//! 1. a next CA is made and joins the bundle ([`Step::AddAuthority`]);
//! 2. when that bundle has been published for a while, the next CA becomes the issuer and the certificate is made
//!    anew ([`Step::Switch`]); the one before it stays in the bundle, for replicas that still serve the old
//!    certificate, but its key is gone;
//! 3. when the old certificate has expired, the CA before leaves the bundle ([`Step::DropFormer`]).

use super::policy::{Policy, Validity, signed};
use time::OffsetDateTime;

/// Which CA of the bundle signed a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signer {
    /// The one that signs now.
    Issuer,
    /// The one that will sign after the next switch.
    Next,
    /// One whose key is gone.
    Former,
}

/// A certificate that can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeafFacts {
    /// When both it and its CA are valid.
    pub(super) validity: Validity,
    /// Whether it is for all names that are wanted.
    pub(super) named: bool,
    pub(super) signer: Signer,
}

/// What there is. What is unusable counts as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The CA that signs, if its key is there.
    pub(super) issuer: Option<Validity>,
    /// The CA that will, if its key is there.
    pub(super) next: Option<Validity>,
    /// Whether the bundle has CAs without keys.
    pub(super) former: bool,
    /// When the last certificate by a former CA expires, if that is known.
    pub(super) former_leaf_until: Option<OffsetDateTime>,
    /// The serving certificate, if it is signed by a CA of the bundle and its key is there.
    pub(super) leaf: Option<LeafFacts>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There is nothing to build on: make a CA and a certificate, and forget the rest.
    Begin,
    /// Make a CA that will sign one day.
    AddAuthority,
    /// Let the next CA be the issuer, and make a certificate by it.
    Switch,
    /// Make a certificate by the issuer.
    IssueLeaf,
    /// Take CAs without keys out of the bundle.
    DropFormer,
    /// Nothing before this time, as long as nothing else changes.
    Wait(OffsetDateTime),
}

/// What is to be done now. `published` is since when the API server has had the bundle as it is, if it has.
pub(super) fn plan(
    facts: &Facts,
    published: Option<OffsetDateTime>,
    policy: &Policy,
    now: OffsetDateTime,
) -> Step {
    let issuer = facts.issuer.filter(|validity| validity.covers(now));
    let next = facts.next.filter(|validity| validity.covers(now));
    let Some(leaf) = facts.leaf.filter(|leaf| leaf.named && leaf.validity.covers(now)) else {
        // Nothing that is served is worth waiting for.
        return match (issuer, next) {
            (Some(_), _) => Step::IssueLeaf,
            (None, Some(_)) => Step::Switch,
            (None, None) => Step::Begin,
        };
    };
    let settled_at = published.and_then(|since| since.checked_add(signed(policy.settle)));
    let settled = settled_at.is_some_and(|at| at <= now);
    let mut wake: Vec<OffsetDateTime> = vec![leaf.validity.until];

    match next {
        Some(_) if settled => return Step::Switch,
        Some(_) => wake.extend(settled_at),
        None if issuer.is_none_or(|validity| validity.renewal() <= now) => return Step::AddAuthority,
        None => wake.extend(issuer.map(|validity| validity.renewal())),
    }
    if let Some(issuer) = issuer {
        if leaf.signer != Signer::Issuer {
            // Left by hand: the issuer may not be published yet.
            if settled {
                return Step::IssueLeaf;
            }
            wake.extend(settled_at);
        } else {
            // A certificate ends with its CA. One that would hardly live longer is not worth making.
            let until = Validity::beginning(now, policy.leaf).within(issuer).until;
            let gains = until - leaf.validity.until >= signed(policy.leaf / 10);
            if leaf.validity.renewal() <= now && gains {
                return Step::IssueLeaf;
            }
            wake.push(leaf.validity.renewal());
        }
    }
    if facts.former && leaf.signer != Signer::Former {
        // Where the last certificate by it is not known, it was made before the issuer was.
        let known = facts.former_leaf_until;
        let gone = known.or_else(|| issuer.and_then(|issuer| issuer.from.checked_add(signed(policy.leaf))));
        match gone {
            Some(gone) if gone <= now => return Step::DropFormer,
            gone => wake.extend(gone),
        }
    }
    Step::Wait(wake.into_iter().filter(|at| *at > now).min().unwrap_or(leaf.validity.until))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(day: i32) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + time::Duration::DAY * day
    }

    fn days(from: i32, until: i32) -> Validity {
        Validity { from: at(from), until: at(until) }
    }

    /// A CA of day 0 to 3650 with a certificate of the last 90 days before `until`.
    fn healthy(until: i32) -> Facts {
        let leaf = LeafFacts { validity: days(until - 90, until), named: true, signer: Signer::Issuer };
        Facts { issuer: Some(days(0, 3650)), leaf: Some(leaf), ..Facts::default() }
    }

    fn planned(facts: &Facts, published: Option<i32>, day: i32) -> Step {
        plan(facts, published.map(at), &Policy::default(), at(day))
    }

    #[test]
    fn from_nothing_everything_is_made() {
        assert_eq!(planned(&Facts::default(), Some(0), 1), Step::Begin);
    }

    #[test]
    fn a_certificate_is_renewed_after_two_thirds() {
        assert_eq!(planned(&healthy(90), None, 59), Step::Wait(at(60)));
        assert_eq!(planned(&healthy(90), None, 60), Step::IssueLeaf);
        assert_eq!(planned(&healthy(90), None, 90), Step::IssueLeaf);
    }

    #[test]
    fn wrong_names_are_replaced_at_once() {
        let mut facts = healthy(90);
        facts.leaf = facts.leaf.map(|leaf| LeafFacts { named: false, ..leaf });
        assert_eq!(planned(&facts, None, 1), Step::IssueLeaf);
        facts.leaf = None;
        assert_eq!(planned(&facts, None, 1), Step::IssueLeaf);
    }

    #[test]
    fn a_ca_is_replaced_in_phases() {
        let renewal = 2434; // two thirds of 3650, rounded up
        let mut facts = healthy(renewal + 60);
        assert!(matches!(planned(&facts, Some(0), renewal - 1), Step::Wait(_)));
        assert_eq!(planned(&facts, Some(0), renewal), Step::AddAuthority);

        facts.next = Some(days(renewal, renewal + 3650));
        assert!(matches!(planned(&facts, None, renewal), Step::Wait(_)), "not published");
        let now = at(renewal);
        let policy = Policy::default();
        let settled = now + signed(policy.settle);
        assert_eq!(plan(&facts, Some(now), &policy, now), Step::Wait(settled));
        assert_eq!(plan(&facts, Some(now), &policy, settled), Step::Switch);
        // As long as it cannot be published, the CA that is trusted goes on.
        assert_eq!(planned(&facts, None, renewal + 31), Step::IssueLeaf);

        let leaf = LeafFacts { validity: days(renewal, renewal + 90), named: true, signer: Signer::Issuer };
        let facts = Facts {
            issuer: facts.next,
            former: true,
            former_leaf_until: Some(at(renewal + 50)),
            leaf: Some(leaf),
            ..Facts::default()
        };
        assert_eq!(planned(&facts, Some(0), renewal + 49), Step::Wait(at(renewal + 50)));
        assert_eq!(planned(&facts, Some(0), renewal + 50), Step::DropFormer);
    }

    #[test]
    fn a_former_ca_goes_even_if_its_last_certificate_is_not_known() {
        let facts = Facts { former: true, ..healthy(140) };
        assert!(matches!(planned(&facts, Some(0), 89), Step::Wait(_)));
        assert_eq!(planned(&facts, Some(0), 90), Step::DropFormer);
    }

    #[test]
    fn a_lost_key_leads_to_a_new_ca_without_an_interruption() {
        let mut facts = healthy(90);
        facts.issuer = None;
        facts.former = true;
        facts.leaf = facts.leaf.map(|leaf| LeafFacts { signer: Signer::Former, ..leaf });
        assert_eq!(planned(&facts, Some(0), 1), Step::AddAuthority);
        facts.next = Some(days(1, 3651));
        assert!(matches!(planned(&facts, None, 1), Step::Wait(_)));
        assert_eq!(planned(&facts, Some(1), 2), Step::Switch);
        // Without a certificate that can be served there is nothing to wait for.
        assert_eq!(planned(&facts, None, 90), Step::Switch);
    }

    #[test]
    fn an_expired_ca_is_not_built_on() {
        let mut facts = healthy(90);
        facts.issuer = Some(days(0, 80));
        facts.leaf = facts.leaf.map(|leaf| LeafFacts { validity: days(0, 80), ..leaf });
        assert_eq!(planned(&facts, Some(0), 80), Step::Begin);
    }

    fn any_validity() -> impl Strategy<Value = Validity> {
        (0_i32..4000, 1_i32..4000).prop_map(|(from, life)| days(from, from + life))
    }

    fn any_facts() -> impl Strategy<Value = Facts> {
        let signer = prop_oneof![Just(Signer::Issuer), Just(Signer::Next), Just(Signer::Former)];
        let leaf = (any_validity(), any::<bool>(), signer).prop_map(|(validity, named, signer)| LeafFacts {
            validity,
            named,
            signer,
        });
        let former_until = prop::option::of((0_i32..8000).prop_map(at));
        let authorities = (prop::option::of(any_validity()), prop::option::of(any_validity()), any::<bool>());
        (authorities, former_until, prop::option::of(leaf)).prop_map(
            |((issuer, next, former), former_leaf_until, leaf)| Facts {
                issuer,
                next,
                former,
                former_leaf_until,
                leaf,
            },
        )
    }

    proptest! {
        #[test]
        fn waiting_is_for_something_that_comes(facts in any_facts(), published in prop::option::of(0_i32..8000), day in 0_i32..8000) {
            let now = at(day);
            match planned(&facts, published, day) {
                // Whoever waits serves something, and looks again before it ends.
                Step::Wait(until) => {
                    let leaf = facts.leaf.unwrap();
                    prop_assert!(leaf.named && leaf.validity.covers(now));
                    prop_assert!(now < until && until <= leaf.validity.until);
                }
                // What is published and trusted is not given up before its successor is.
                Step::Switch => {
                    let serves = facts.leaf.is_some_and(|leaf| leaf.named && leaf.validity.covers(now));
                    prop_assert!(!serves || published.is_some_and(|since| since < day));
                    prop_assert!(facts.next.is_some_and(|next| next.covers(now)));
                }
                Step::IssueLeaf => prop_assert!(facts.issuer.is_some_and(|issuer| issuer.covers(now))),
                Step::DropFormer => {
                    prop_assert!(facts.leaf.is_some_and(|leaf| leaf.signer != Signer::Former));
                    prop_assert!(facts.former_leaf_until.is_none_or(|until| until <= now));
                }
                Step::AddAuthority => prop_assert!(facts.next.is_none_or(|next| !next.covers(now))),
                Step::Begin => {
                    let usable = |ca: Option<Validity>| ca.is_some_and(|ca| ca.covers(now));
                    prop_assert!(!usable(facts.issuer) && !usable(facts.next));
                }
            }
        }
    }
}

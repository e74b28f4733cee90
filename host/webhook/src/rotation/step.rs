//! Decides the next step of rotation: a pure function of the Secret's state and the time.
//!
//! A CA is replaced in phases, so that API servers trust every certificate that a replica may
//! serve:
//! 1. A next CA is made and joins the bundle ([`RotationStep::AddAuthority`]).
//! 2. Once the webhook configurations have had that bundle for a while, the next CA becomes the
//!    issuer and signs a new certificate ([`RotationStep::Switch`]). The former CA stays in the
//!    bundle, since other replicas may still serve the old certificate; its key is deleted.
//! 3. When the old certificate has expired, the former CA leaves the bundle
//!    ([`RotationStep::DropFormer`]).

use super::policy::RotationPolicy;
use super::validity::{Validity, signed};
use time::OffsetDateTime;

/// Which CA of the bundle signed a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signer {
    /// The CA that signs now.
    Issuer,
    /// The CA that signs after the next switch.
    Next,
    /// A CA whose key was deleted.
    Former,
}

/// A certificate that can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeafState {
    /// When both the certificate and its CA are valid.
    pub(super) validity: Validity,
    /// Whether it covers all names that are wanted.
    pub(super) named: bool,
    /// Which CA signed it.
    pub(super) signer: Signer,
}

/// State of the Secret. Content that cannot be used counts as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RotationState {
    /// Validity of the CA that signs, if its key is there.
    pub(super) issuer: Option<Validity>,
    /// Validity of the CA that will sign next, if its key is there.
    pub(super) next: Option<Validity>,
    /// Whether the bundle has CAs without keys.
    pub(super) former: bool,
    /// When the last certificate of a former CA expires, if that is known.
    pub(super) former_leaf_until: Option<OffsetDateTime>,
    /// The serving certificate, if a CA of the bundle signed it and its key is there.
    pub(super) leaf: Option<LeafState>,
}

/// One change of the Secret, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RotationStep {
    /// No usable CA: make a CA and a certificate, and delete the rest.
    Begin,
    /// Make the CA that will sign next.
    AddAuthority,
    /// Make the next CA the issuer, and let it sign a new certificate.
    Switch,
    /// Let the issuer sign a new certificate.
    IssueLeaf,
    /// Take CAs without keys out of the bundle.
    DropFormer,
    /// Do nothing before this time, unless the Secret or the targets change.
    Wait(OffsetDateTime),
}

/// The next step. `bundle_since` is when the webhook configurations got the present bundle; none if
/// one of them has another.
pub(super) fn next_step(
    state: &RotationState,
    bundle_since: Option<OffsetDateTime>,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> RotationStep {
    let issuer = state.issuer.filter(|validity| validity.covers(now));
    let next = state.next.filter(|validity| validity.covers(now));
    let Some(leaf) = state.leaf.filter(|leaf| leaf.named && leaf.validity.covers(now)) else {
        // There is no usable certificate, so that waiting for the bundle to settle would not help.
        return match (issuer, next) {
            (Some(_), _) => RotationStep::IssueLeaf,
            (None, Some(_)) => RotationStep::Switch,
            (None, None) => RotationStep::Begin,
        };
    };
    let settled_at = bundle_since.and_then(|since| since.checked_add(signed(policy.settle)));
    let settled = settled_at.is_some_and(|at| at <= now);
    let mut wake: Vec<OffsetDateTime> = vec![leaf.validity.until];

    match next {
        Some(_) if settled => return RotationStep::Switch,
        Some(_) => wake.extend(settled_at),
        None if issuer.is_none_or(|validity| validity.renewal() <= now) => return RotationStep::AddAuthority,
        None => wake.extend(issuer.map(|validity| validity.renewal())),
    }
    if let Some(issuer) = issuer {
        if leaf.signer != Signer::Issuer {
            // Somebody edited the Secret: API servers may not know this issuer yet.
            if settled {
                return RotationStep::IssueLeaf;
            }
            wake.extend(settled_at);
        } else {
            // A certificate is not valid longer than its CA, so that a new one may gain little
            // time.
            let until = Validity::beginning(now, policy.leaf).within(issuer).until;
            let gains = until - leaf.validity.until >= signed(policy.leaf / 10);
            if leaf.validity.renewal() <= now && gains {
                return RotationStep::IssueLeaf;
            }
            wake.push(leaf.validity.renewal());
        }
    }
    if state.former && leaf.signer != Signer::Former {
        // If the last certificate of the former CA is not known, it is older than the issuer.
        let known = state.former_leaf_until;
        let expired =
            known.or_else(|| issuer.and_then(|issuer| issuer.from.checked_add(signed(policy.leaf))));
        match expired {
            Some(at) if at <= now => return RotationStep::DropFormer,
            at => wake.extend(at),
        }
    }
    RotationStep::Wait(wake.into_iter().filter(|at| *at > now).min().unwrap_or(leaf.validity.until))
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

    /// A CA that is valid from day 0 to 3650, with a certificate for the 90 days before `until`.
    fn healthy(until: i32) -> RotationState {
        let leaf = LeafState { validity: days(until - 90, until), named: true, signer: Signer::Issuer };
        RotationState { issuer: Some(days(0, 3650)), leaf: Some(leaf), ..RotationState::default() }
    }

    fn step_on(state: &RotationState, bundle_since: Option<i32>, day: i32) -> RotationStep {
        next_step(state, bundle_since.map(at), &RotationPolicy::default(), at(day))
    }

    #[test]
    fn an_empty_secret_gets_a_ca_and_a_certificate() {
        assert_eq!(step_on(&RotationState::default(), Some(0), 1), RotationStep::Begin);
    }

    #[test]
    fn a_certificate_is_renewed_after_two_thirds_of_its_validity() {
        assert_eq!(step_on(&healthy(90), None, 59), RotationStep::Wait(at(60)));
        assert_eq!(step_on(&healthy(90), None, 60), RotationStep::IssueLeaf);
        assert_eq!(step_on(&healthy(90), None, 90), RotationStep::IssueLeaf);
    }

    #[test]
    fn a_certificate_without_all_names_is_replaced_at_once() {
        let mut state = healthy(90);
        state.leaf = state.leaf.map(|leaf| LeafState { named: false, ..leaf });
        assert_eq!(step_on(&state, None, 1), RotationStep::IssueLeaf);
        state.leaf = None;
        assert_eq!(step_on(&state, None, 1), RotationStep::IssueLeaf);
    }

    #[test]
    fn a_ca_is_replaced_in_phases() {
        let renewal = 2434; // two thirds of 3650, rounded up
        let mut state = healthy(renewal + 60);
        assert!(matches!(step_on(&state, Some(0), renewal - 1), RotationStep::Wait(_)));
        assert_eq!(step_on(&state, Some(0), renewal), RotationStep::AddAuthority);

        state.next = Some(days(renewal, renewal + 3650));
        assert!(
            matches!(step_on(&state, None, renewal), RotationStep::Wait(_)),
            "the targets have another bundle"
        );
        let now = at(renewal);
        let policy = RotationPolicy::default();
        let settled = now + signed(policy.settle);
        assert_eq!(next_step(&state, Some(now), &policy, now), RotationStep::Wait(settled));
        assert_eq!(next_step(&state, Some(now), &policy, settled), RotationStep::Switch);
        // While the bundle cannot be written, the trusted CA goes on signing.
        assert_eq!(step_on(&state, None, renewal + 31), RotationStep::IssueLeaf);

        let leaf = LeafState { validity: days(renewal, renewal + 90), named: true, signer: Signer::Issuer };
        let state = RotationState {
            issuer: state.next,
            former: true,
            former_leaf_until: Some(at(renewal + 50)),
            leaf: Some(leaf),
            ..RotationState::default()
        };
        assert_eq!(step_on(&state, Some(0), renewal + 49), RotationStep::Wait(at(renewal + 50)));
        assert_eq!(step_on(&state, Some(0), renewal + 50), RotationStep::DropFormer);
    }

    #[test]
    fn a_former_ca_is_dropped_even_if_its_last_certificate_is_not_known() {
        let state = RotationState { former: true, ..healthy(140) };
        assert!(matches!(step_on(&state, Some(0), 89), RotationStep::Wait(_)));
        assert_eq!(step_on(&state, Some(0), 90), RotationStep::DropFormer);
    }

    #[test]
    fn a_ca_without_its_key_is_replaced_without_an_interruption() {
        let mut state = healthy(90);
        state.issuer = None;
        state.former = true;
        state.leaf = state.leaf.map(|leaf| LeafState { signer: Signer::Former, ..leaf });
        assert_eq!(step_on(&state, Some(0), 1), RotationStep::AddAuthority);
        state.next = Some(days(1, 3651));
        assert!(matches!(step_on(&state, None, 1), RotationStep::Wait(_)));
        assert_eq!(step_on(&state, Some(1), 2), RotationStep::Switch);
        // Without a usable certificate there is nothing to wait for.
        assert_eq!(step_on(&state, None, 90), RotationStep::Switch);
    }

    #[test]
    fn an_expired_ca_signs_nothing() {
        let mut state = healthy(90);
        state.issuer = Some(days(0, 80));
        state.leaf = state.leaf.map(|leaf| LeafState { validity: days(0, 80), ..leaf });
        assert_eq!(step_on(&state, Some(0), 80), RotationStep::Begin);
    }

    fn any_validity() -> impl Strategy<Value = Validity> {
        (0_i32..4000, 1_i32..4000).prop_map(|(from, life)| days(from, from + life))
    }

    fn any_state() -> impl Strategy<Value = RotationState> {
        let signer = prop_oneof![Just(Signer::Issuer), Just(Signer::Next), Just(Signer::Former)];
        let leaf = (any_validity(), any::<bool>(), signer).prop_map(|(validity, named, signer)| LeafState {
            validity,
            named,
            signer,
        });
        let former_until = prop::option::of((0_i32..8000).prop_map(at));
        let authorities = (prop::option::of(any_validity()), prop::option::of(any_validity()), any::<bool>());
        (authorities, former_until, prop::option::of(leaf)).prop_map(
            |((issuer, next, former), former_leaf_until, leaf)| RotationState {
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
        fn every_step_has_its_precondition(state in any_state(), bundle_since in prop::option::of(0_i32..8000), day in 0_i32..8000) {
            let now = at(day);
            match step_on(&state, bundle_since, day) {
                // Waiting requires a usable certificate, and ends before the certificate does.
                RotationStep::Wait(until) => {
                    let leaf = state.leaf.unwrap();
                    prop_assert!(leaf.named && leaf.validity.covers(now));
                    prop_assert!(now < until && until <= leaf.validity.until);
                }
                // A usable certificate stays until the next CA's bundle has settled.
                RotationStep::Switch => {
                    let serves = state.leaf.is_some_and(|leaf| leaf.named && leaf.validity.covers(now));
                    prop_assert!(!serves || bundle_since.is_some_and(|since| since < day));
                    prop_assert!(state.next.is_some_and(|next| next.covers(now)));
                }
                RotationStep::IssueLeaf => prop_assert!(state.issuer.is_some_and(|issuer| issuer.covers(now))),
                RotationStep::DropFormer => {
                    prop_assert!(state.leaf.is_some_and(|leaf| leaf.signer != Signer::Former));
                    prop_assert!(state.former_leaf_until.is_none_or(|until| until <= now));
                }
                RotationStep::AddAuthority => prop_assert!(state.next.is_none_or(|next| !next.covers(now))),
                RotationStep::Begin => {
                    let usable = |ca: Option<Validity>| ca.is_some_and(|ca| ca.covers(now));
                    prop_assert!(!usable(state.issuer) && !usable(state.next));
                }
            }
        }
    }
}

use super::super::step::next_step;
use super::*;
use proptest::prelude::*;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn names() -> Vec<String> {
    ["hook.ns.svc", "hook.ns", "127.0.0.1"].map(str::to_owned).to_vec()
}

/// A time that X.509 can express.
fn start() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + DAY * 20_000
}

fn begin(policy: &RotationPolicy) -> SecretContent {
    SecretContent::default().after(RotationStep::Begin, &names(), policy, start()).unwrap()
}

fn read(data: &Data) -> SecretContent {
    SecretContent::read(data).0
}

/// Whether a client that has this bundle trusts a server that has this content.
fn trusts(bundle: &str, served: &SecretContent, now: OffsetDateTime) -> bool {
    let Some(loaded) = served.served() else { return false };
    let chain = &loaded.key.cert;
    let roots = CertificateDer::pem_slice_iter(bundle.as_bytes()).map(Result::unwrap);
    // Go clients also require the root to be valid.
    let valid = |root: &CertificateDer<'_>| x509::read(root).unwrap().validity.covers(now);
    roots.into_iter().any(|root| valid(&root) && x509::is_signed_by(chain, &root, now))
        && x509::covers_names(&chain[0], &names())
}

#[test]
fn content_reads_back_as_it_was_written() {
    let policy = RotationPolicy::default();
    let now = start();
    let mut content = begin(&policy);
    for step in [
        RotationStep::Wait(now),
        RotationStep::AddAuthority,
        RotationStep::Switch,
        RotationStep::AddAuthority,
        RotationStep::IssueLeaf,
        RotationStep::DropFormer,
    ] {
        content = content.after(step, &names(), &policy, now).unwrap();
        let (again, problems) = SecretContent::read(&content.data());
        assert_eq!(problems, Vec::<String>::new(), "{step:?}");
        assert_eq!(again.data(), content.data(), "{step:?}");
        assert_eq!(again.state(&names()), content.state(&names()), "{step:?}");
        assert!(trusts(&again.bundle(), &again, now));
    }
}

#[test]
fn each_step_gives_every_ca_its_role() {
    let policy = RotationPolicy::default();
    let now = start();
    let begun = begin(&policy);
    let state = begun.state(&names());
    assert!(state.issuer.is_some() && state.next.is_none() && !state.former);
    assert_eq!(state.leaf.unwrap().signer, Signer::Issuer);
    assert_eq!(state.leaf.unwrap().validity.until, now + policy.leaf);

    let added = begun.after(RotationStep::AddAuthority, &names(), &policy, now).unwrap();
    assert!(added.state(&names()).next.is_some());
    assert!(added.bundle().contains(&begun.bundle()));
    assert_eq!(added.data()[LEAF], begun.data()[LEAF]);

    let switched = added.after(RotationStep::Switch, &names(), &policy, now).unwrap();
    let state = switched.state(&names());
    assert!(state.former && state.next.is_none());
    assert_eq!(state.former_leaf_until, Some(now + policy.leaf));
    assert_eq!(switched.bundle(), added.bundle(), "a switch does not change the bundle");
    let data = switched.data();
    assert_eq!(data[ISSUER_KEY], added.data()[NEXT_KEY]);
    assert_eq!(data[FORMER_LEAF], begun.data()[LEAF]);

    let dropped = switched.after(RotationStep::DropFormer, &names(), &policy, now).unwrap();
    assert!(!dropped.state(&names()).former);
    assert!(!dropped.bundle().contains(&begun.bundle()));
    assert!(!trusts(&dropped.bundle(), &begun, now));
}

#[test]
fn a_certificate_must_cover_all_names() {
    let content = begin(&RotationPolicy::default());
    let named = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        content.state(&names).leaf.unwrap().named
    };
    assert!(named(&["hook.ns.svc"]) && named(&["127.0.0.1", "hook.ns"]));
    assert!(!named(&["hook.ns.svc", "other.ns.svc"]));
    assert!(!named(&["127.0.0.2"]));
}

#[test]
fn damaged_entries_count_as_absent() {
    let policy = RotationPolicy::default();
    let now = start();
    let good = begin(&policy).data();
    let other = begin(&policy).data();
    let change = |entry: &str, value: Option<&[u8]>| {
        let mut data = good.clone();
        match value {
            Some(value) => data.insert(entry.to_owned(), ByteString(value.to_vec())),
            None => data.remove(entry),
        };
        let (content, problems) = SecretContent::read(&data);
        (content.state(&names()), problems.join("; "))
    };
    for garbage in [None, Some(&b"garbage"[..]), Some(&[0xff, 0x00][..]), Some(&good[LEAF].0[..100])] {
        // Without a bundle clients trust nothing, whatever the other entries contain.
        let (state, _) = change(BUNDLE, garbage);
        assert_eq!((state.issuer, state.leaf), (None, None));
        assert_eq!(next_step(&state, None, &policy, now), RotationStep::Begin);
        for entry in [LEAF, LEAF_KEY] {
            let (state, _) = change(entry, garbage);
            assert_eq!(state.leaf, None);
            assert_eq!(next_step(&state, None, &policy, now), RotationStep::IssueLeaf);
        }
        let (state, _) = change(ISSUER_KEY, garbage);
        assert_eq!(next_step(&state, None, &policy, now), RotationStep::AddAuthority);
    }
    // Entries of another Secret.
    for (entry, step, says) in [
        (BUNDLE, RotationStep::Begin, "not the key of a CA"),
        (LEAF, RotationStep::IssueLeaf, "do not belong together"),
        (LEAF_KEY, RotationStep::IssueLeaf, "do not belong together"),
        (ISSUER_KEY, RotationStep::AddAuthority, "not the key of a CA"),
    ] {
        let (state, problems) = change(entry, Some(&other[entry].0));
        assert_eq!(next_step(&state, None, &policy, now), step, "{entry}");
        assert!(problems.contains(says), "{entry}: {problems}");
    }
    // A matching pair that this CA did not sign, and a serving certificate in place of a CA.
    let mut data = good.clone();
    data.extend([LEAF, LEAF_KEY].map(|entry| (entry.to_owned(), other[entry].clone())));
    let (content, problems) = SecretContent::read(&data);
    assert_eq!(content.state(&names()).leaf, None);
    assert!(problems[0].contains("no CA of ca.crt signed"), "{problems:?}");
    let (state, problems) = change(BUNDLE, Some(&good[LEAF].0));
    assert_eq!(state.issuer, None);
    assert!(problems.contains("is not a CA"), "{problems}");
}

#[test]
fn a_former_certificate_of_an_unknown_ca_is_ignored() {
    let policy = RotationPolicy::default();
    let mut content = begin(&policy);
    for step in [RotationStep::AddAuthority, RotationStep::Switch] {
        content = content.after(step, &names(), &policy, start()).unwrap();
    }
    let mut data = content.data();
    data.insert(FORMER_LEAF.to_owned(), begin(&policy).data()[LEAF].clone());
    assert_eq!(read(&data).state(&names()).former_leaf_until, None);
}

#[test]
fn pem_output_equals_that_of_rcgen() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    assert_eq!(pem(made.cert.der()), made.cert.pem().replace("\r\n", "\n"));
}

/// What happens in the simulation.
#[derive(Clone, Debug)]
enum Event {
    /// So many hours pass.
    Pass(u32),
    /// The replica of this number runs a round: it reads the Secret, writes the bundle, takes
    /// steps.
    Round(usize),
    /// Writing the bundle fails for so many hours.
    Outage(u32),
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (1_u32..100).prop_map(Event::Pass),
        6 => (0_usize..3).prop_map(Event::Round),
        1 => (1_u32..200).prop_map(Event::Outage),
    ]
}

struct Replica {
    content: SecretContent,
    settled_bundle: Option<(String, OffsetDateTime)>,
}

/// Runs three replicas with rounds at any time, an API server that learns of a bundle up to the
/// settling time later, and writes of the bundle that fail now and then. Every replica whose
/// certificate has not expired must be trusted all the time.
fn simulate(events: Vec<Event>) -> (u32, usize) {
    let policy = RotationPolicy { authority: DAY * 90, leaf: DAY * 20, settle: DAY };
    let (mut now, mut outage_until) = (start(), start());
    let mut secret = begin(&policy).data();
    let replica = || Replica { content: read(&secret), settled_bundle: None };
    let mut replicas = [replica(), replica(), replica()];
    let first = read(&secret).bundle();
    // The bundles of the webhook configuration, and since when.
    let mut written = vec![(now, first.clone())];
    let (mut switches, mut largest, mut outages) = (0, 0, 0);
    for event in events {
        match event {
            Event::Pass(hours) => now += Duration::from_secs(3600) * hours,
            Event::Outage(hours) => {
                outages += 1;
                outage_until = now + Duration::from_secs(3600) * hours;
            }
            Event::Round(index) => {
                let replica = &mut replicas[index];
                for _ in 0..8 {
                    replica.content = read(&secret);
                    let bundle = replica.content.bundle();
                    if written.last().unwrap().1 != bundle && outage_until <= now {
                        written.push((now, bundle.clone()));
                    }
                    if written.last().unwrap().1 != bundle {
                        replica.settled_bundle = None;
                    } else if replica.settled_bundle.as_ref().is_none_or(|(known, _)| *known != bundle) {
                        replica.settled_bundle = Some((bundle, now));
                    }
                    let since = replica.settled_bundle.as_ref().map(|(_, since)| *since);
                    let step = next_step(&replica.content.state(&names()), since, &policy, now);
                    if matches!(step, RotationStep::Wait(_)) {
                        break;
                    }
                    if step == RotationStep::Begin {
                        // Only many outages in a row leave no usable CA.
                        assert!(outages >= 4, "a new start after {outages} outages");
                        return (switches, largest);
                    }
                    switches += u32::from(step == RotationStep::Switch);
                    secret = replica.content.after(step, &names(), &policy, now).unwrap().data();
                }
                assert!(matches!(
                    next_step(
                        &replica.content.state(&names()),
                        replica.settled_bundle.as_ref().map(|(_, since)| *since),
                        &policy,
                        now
                    ),
                    RotationStep::Wait(_)
                ));
            }
        }
        largest = largest.max(read(&secret).bundle().matches("BEGIN").count());
        // API servers know the bundle of a settling time ago, or any later one.
        let known = written.iter().rposition(|(at, _)| *at + policy.settle <= now).unwrap_or(0);
        for replica in &replicas {
            let expired = replica.content.served().is_none_or(|loaded| loaded.expires <= now);
            for (_, bundle) in &written[known..] {
                assert!(expired || trusts(bundle, &replica.content, now), "not trusted");
            }
        }
    }
    (switches, largest)
}

/// Adds rounds, so that every replica runs one at least every three days.
fn with_regular_rounds(events: Vec<Event>) -> Vec<Event> {
    let mut all = Vec::new();
    let mut waited = 0;
    for event in events {
        if let Event::Pass(hours) = event {
            waited += hours;
        }
        all.push(event);
        if waited > 72 {
            all.extend([Event::Round(0), Event::Round(1), Event::Round(2)]);
            waited = 0;
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_served_certificate_is_trusted(events in prop::collection::vec(any_event(), 50..150)) {
        let (_, largest) = simulate(with_regular_rounds(events));
        prop_assert!(largest <= 3);
    }

    #[test]
    fn one_changed_byte_never_leads_to_an_untrusted_certificate(entry in 0_usize..6, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let policy = RotationPolicy::default();
        let mut content = begin(&policy);
        for step in [RotationStep::AddAuthority, RotationStep::Switch, RotationStep::AddAuthority] {
            content = content.after(step, &names(), &policy, start()).unwrap();
        }
        let mut data = content.data();
        let value = &mut data.get_mut(ENTRIES[entry]).unwrap().0;
        let at = at.index(value.len());
        value[at] = byte;
        let damaged = read(&data);
        let step = next_step(&damaged.state(&names()), None, &policy, start());
        let after = damaged.after(step, &names(), &policy, start()).unwrap();
        prop_assert!(trusts(&after.bundle(), &after, start()) );
    }
}

#[test]
fn a_ca_with_a_changed_byte_does_not_sign() {
    let policy = RotationPolicy::default();
    let content = begin(&policy);
    let authority = content.issuer.clone().unwrap().authority.certificate;
    for at in 0..authority.len() {
        for changed in [0x50, authority[at] ^ 1] {
            let mut damaged = authority.to_vec();
            damaged[at] = changed;
            if damaged == *authority {
                continue;
            }
            let mut data = content.data();
            data.get_mut(BUNDLE).unwrap().0 = pem(&damaged.into()).into_bytes();
            let (read, problems) = SecretContent::read(&data);
            assert!(read.issuer.is_none(), "byte {at} is {changed}, and the CA is used");
            assert!(!problems.is_empty());
        }
    }
}

#[test]
fn the_simulation_rotates_the_ca() {
    let day = [Event::Pass(24), Event::Round(0), Event::Round(1), Event::Round(2)];
    let (switches, largest) = simulate(day.iter().cycle().take(4 * 365).cloned().collect());
    assert!(
        (5..=7).contains(&switches),
        "{switches} switches in a year, with CAs that are renewed every 60 days"
    );
    assert_eq!(largest, 2);
}

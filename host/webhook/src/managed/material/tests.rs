use super::super::plan::plan;
use super::*;
use proptest::prelude::*;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn names() -> Vec<String> {
    ["hook.ns.svc", "hook.ns", "127.0.0.1"].map(str::to_owned).to_vec()
}

/// A time that certificates of this century can have.
fn start() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + DAY * 20_000
}

fn begin(policy: &Policy) -> Material {
    Material::default().after(Step::Begin, &names(), policy, start()).unwrap()
}

fn read(data: &Data) -> Material {
    Material::read(data).0
}

/// Whether a client with this bundle would talk to a server with this material.
fn trusts(bundle: &str, served: &Material, now: OffsetDateTime) -> bool {
    let Some(loaded) = served.served() else { return false };
    let chain = &loaded.key.cert;
    let roots = CertificateDer::pem_slice_iter(bundle.as_bytes()).map(Result::unwrap);
    // Go also wants the root to be valid.
    let valid = |root: &CertificateDer<'_>| verify::read(root).unwrap().validity.covers(now);
    roots.into_iter().any(|root| valid(&root) && verify::is_signed_by(chain, &root, now))
        && verify::is_for(&chain[0], &names())
}

#[test]
fn what_is_written_is_read() {
    let policy = Policy::default();
    let now = start();
    let mut material = begin(&policy);
    for step in [
        Step::Wait(now),
        Step::AddAuthority,
        Step::Switch,
        Step::AddAuthority,
        Step::IssueLeaf,
        Step::DropFormer,
    ] {
        material = material.after(step, &names(), &policy, now).unwrap();
        let (again, problems) = Material::read(&material.data());
        assert_eq!(problems, Vec::<String>::new(), "{step:?}");
        assert_eq!(again.data(), material.data(), "{step:?}");
        assert_eq!(again.facts(&names()), material.facts(&names()), "{step:?}");
        assert!(trusts(&again.bundle(), &again, now));
    }
}

#[test]
fn roles_follow_the_phases() {
    let policy = Policy::default();
    let now = start();
    let begun = begin(&policy);
    let facts = begun.facts(&names());
    assert!(facts.issuer.is_some() && facts.next.is_none() && !facts.former);
    assert_eq!(facts.leaf.unwrap().signer, Signer::Issuer);
    assert_eq!(facts.leaf.unwrap().validity.until, now + policy.leaf);

    let added = begun.after(Step::AddAuthority, &names(), &policy, now).unwrap();
    assert!(added.facts(&names()).next.is_some());
    assert!(added.bundle().contains(&begun.bundle()));
    assert_eq!(added.data()[LEAF], begun.data()[LEAF]);

    let switched = added.after(Step::Switch, &names(), &policy, now).unwrap();
    let facts = switched.facts(&names());
    assert!(facts.former && facts.next.is_none());
    assert_eq!(facts.former_leaf_until, Some(now + policy.leaf));
    assert_eq!(switched.bundle(), added.bundle(), "a switch publishes nothing");
    let data = switched.data();
    assert_eq!(data[ISSUER_KEY], added.data()[NEXT_KEY]);
    assert_eq!(data[FORMER_LEAF], begun.data()[LEAF]);

    let dropped = switched.after(Step::DropFormer, &names(), &policy, now).unwrap();
    assert!(!dropped.facts(&names()).former);
    assert!(!dropped.bundle().contains(&begun.bundle()));
    assert!(!trusts(&dropped.bundle(), &begun, now));
}

#[test]
fn names_are_looked_at() {
    let material = begin(&Policy::default());
    let named = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        material.facts(&names).leaf.unwrap().named
    };
    assert!(named(&["hook.ns.svc"]) && named(&["127.0.0.1", "hook.ns"]));
    assert!(!named(&["hook.ns.svc", "other.ns.svc"]));
    assert!(!named(&["127.0.0.2"]));
}

#[test]
fn what_is_broken_counts_as_absent() {
    let policy = Policy::default();
    let now = start();
    let good = begin(&policy).data();
    let other = begin(&policy).data();
    let change = |entry: &str, value: Option<&[u8]>| {
        let mut data = good.clone();
        match value {
            Some(value) => data.insert(entry.to_owned(), ByteString(value.to_vec())),
            None => data.remove(entry),
        };
        let (material, problems) = Material::read(&data);
        (material.facts(&names()), problems.join("; "))
    };
    for garbage in [None, Some(&b"garbage"[..]), Some(&[0xff, 0x00][..]), Some(&good[LEAF].0[..100])] {
        // Without a bundle nothing is trusted, whatever else there is.
        let (facts, _) = change(BUNDLE, garbage);
        assert_eq!((facts.issuer, facts.leaf), (None, None));
        assert_eq!(plan(&facts, None, &policy, now), Step::Begin);
        for entry in [LEAF, LEAF_KEY] {
            let (facts, _) = change(entry, garbage);
            assert_eq!(facts.leaf, None);
            assert_eq!(plan(&facts, None, &policy, now), Step::IssueLeaf);
        }
        let (facts, _) = change(ISSUER_KEY, garbage);
        assert_eq!(plan(&facts, None, &policy, now), Step::AddAuthority);
    }
    // Entries of another Secret.
    for (entry, step, says) in [
        (BUNDLE, Step::Begin, "not the key of a CA"),
        (LEAF, Step::IssueLeaf, "do not belong together"),
        (LEAF_KEY, Step::IssueLeaf, "do not belong together"),
        (ISSUER_KEY, Step::AddAuthority, "not the key of a CA"),
    ] {
        let (facts, problems) = change(entry, Some(&other[entry].0));
        assert_eq!(plan(&facts, None, &policy, now), step, "{entry}");
        assert!(problems.contains(says), "{entry}: {problems}");
    }
    // A complete pair that this CA did not sign, and a certificate in the place of a CA.
    let mut data = good.clone();
    data.extend([LEAF, LEAF_KEY].map(|entry| (entry.to_owned(), other[entry].clone())));
    let (material, problems) = Material::read(&data);
    assert_eq!(material.facts(&names()).leaf, None);
    assert!(problems[0].contains("by a CA of ca.crt"), "{problems:?}");
    let (facts, problems) = change(BUNDLE, Some(&good[LEAF].0));
    assert_eq!(facts.issuer, None);
    assert!(problems.contains("is not a CA"), "{problems}");
}

#[test]
fn a_forged_end_of_the_former_certificate_is_ignored() {
    let policy = Policy::default();
    let mut material = begin(&policy);
    for step in [Step::AddAuthority, Step::Switch] {
        material = material.after(step, &names(), &policy, start()).unwrap();
    }
    let mut data = material.data();
    data.insert(FORMER_LEAF.to_owned(), begin(&policy).data()[LEAF].clone());
    assert_eq!(read(&data).facts(&names()).former_leaf_until, None);
}

#[test]
fn pem_is_as_others_write_it() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    assert_eq!(pem(made.cert.der()), made.cert.pem().replace("\r\n", "\n"));
}

/// What happens in a simulated installation.
#[derive(Clone, Debug)]
enum Event {
    /// Time passes, in hours.
    Pass(u32),
    /// The replica of this number looks: it follows the Secret, publishes, and takes a step.
    Look(usize),
    /// Publishing fails for so many hours.
    Outage(u32),
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (1_u32..100).prop_map(Event::Pass),
        6 => (0_usize..3).prop_map(Event::Look),
        1 => (1_u32..200).prop_map(Event::Outage),
    ]
}

struct Replica {
    material: Material,
    published: Option<(String, OffsetDateTime)>,
}

/// Three replicas that look at any time, an API server that learns of a bundle up to the settling time later, and
/// publishing that fails now and then: whoever serves a certificate that has not expired is trusted.
fn simulate(events: Vec<Event>) -> (u32, usize) {
    let policy = Policy { authority: DAY * 90, leaf: DAY * 20, settle: DAY };
    let (mut now, mut outage_until) = (start(), start());
    let mut secret = begin(&policy).data();
    let replica = || Replica { material: read(&secret), published: None };
    let mut replicas = [replica(), replica(), replica()];
    let first = read(&secret).bundle();
    // What the API server has been told, and when.
    let mut told = vec![(now, first.clone())];
    let (mut switches, mut largest, mut outages) = (0, 0, 0);
    for event in events {
        match event {
            Event::Pass(hours) => now += Duration::from_secs(3600) * hours,
            Event::Outage(hours) => {
                outages += 1;
                outage_until = now + Duration::from_secs(3600) * hours;
            }
            Event::Look(index) => {
                let replica = &mut replicas[index];
                for _ in 0..8 {
                    replica.material = read(&secret);
                    let bundle = replica.material.bundle();
                    if told.last().unwrap().1 != bundle && outage_until <= now {
                        told.push((now, bundle.clone()));
                    }
                    if told.last().unwrap().1 != bundle {
                        replica.published = None;
                    } else if replica.published.as_ref().is_none_or(|(known, _)| *known != bundle) {
                        replica.published = Some((bundle, now));
                    }
                    let since = replica.published.as_ref().map(|(_, since)| *since);
                    let step = plan(&replica.material.facts(&names()), since, &policy, now);
                    if matches!(step, Step::Wait(_)) {
                        break;
                    }
                    if step == Step::Begin {
                        // One outage after the other, until there was no CA left.
                        assert!(outages >= 4, "begun anew after {outages} outages");
                        return (switches, largest);
                    }
                    switches += u32::from(step == Step::Switch);
                    secret = replica.material.after(step, &names(), &policy, now).unwrap().data();
                }
                assert!(matches!(
                    plan(
                        &replica.material.facts(&names()),
                        replica.published.as_ref().map(|(_, since)| *since),
                        &policy,
                        now
                    ),
                    Step::Wait(_)
                ));
            }
        }
        largest = largest.max(read(&secret).bundle().matches("BEGIN").count());
        // API servers know what they were told a settling time ago, or anything since.
        let known = told.iter().rposition(|(at, _)| *at + policy.settle <= now).unwrap_or(0);
        for replica in &replicas {
            let expired = replica.material.served().is_none_or(|loaded| loaded.expires <= now);
            for (_, bundle) in &told[known..] {
                assert!(expired || trusts(bundle, &replica.material, now), "not trusted");
            }
        }
    }
    (switches, largest)
}

/// Events, in which every replica looks at least every few days, so that nothing expires for want of a look.
fn looked_after(events: Vec<Event>) -> Vec<Event> {
    let mut all = Vec::new();
    let mut waited = 0;
    for event in events {
        if let Event::Pass(hours) = event {
            waited += hours;
        }
        all.push(event);
        if waited > 72 {
            all.extend([Event::Look(0), Event::Look(1), Event::Look(2)]);
            waited = 0;
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_certificate_is_served_that_is_not_trusted(events in prop::collection::vec(any_event(), 50..150)) {
        let (_, largest) = simulate(looked_after(events));
        prop_assert!(largest <= 3);
    }

    #[test]
    fn garbage_is_survived(entry in 0_usize..6, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let policy = Policy::default();
        let mut material = begin(&policy);
        for step in [Step::AddAuthority, Step::Switch, Step::AddAuthority] {
            material = material.after(step, &names(), &policy, start()).unwrap();
        }
        let mut data = material.data();
        let value = &mut data.get_mut(ENTRIES[entry]).unwrap().0;
        let at = at.index(value.len());
        value[at] = byte;
        let damaged = read(&data);
        let step = plan(&damaged.facts(&names()), None, &policy, start());
        let after = damaged.after(step, &names(), &policy, start()).unwrap();
        prop_assert!(trusts(&after.bundle(), &after, start()) );
    }
}

#[test]
fn the_simulation_gets_through_rotations() {
    let day = [Event::Pass(24), Event::Look(0), Event::Look(1), Event::Look(2)];
    let (switches, largest) = simulate(day.iter().cycle().take(4 * 365).cloned().collect());
    assert!((5..=7).contains(&switches), "{switches} in a year of CAs that are replaced every 60 days");
    assert_eq!(largest, 2);
}

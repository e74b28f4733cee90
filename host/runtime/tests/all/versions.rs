//! Versions at work: a canary is backed by the version before it, and a file with another component
//! is checked, takes over, or is rolled back.

use crate::guest;
use crate::guest::{component, edited, load, observed};
use futures::FutureExt;
use futures::future::BoxFuture;
use orascache_contract::{Description, GuestError, Observed};
use orascache_runtime::hot_swap::{Change, ChangeKind, HostError, HotSwap, Options, SwapHost};
use orascache_runtime::{ActiveVersion, Canary, CanaryPolicy, CompiledCache, Guest, Limits, Version};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Ends a test that hangs.
const HANG: Duration = Duration::from_secs(60);

/// Panics at `q` where the original panics at `p`.
fn fragile() -> Vec<u8> {
    edited(&component(), "commands:lp", "commands:lq")
}

fn second(guest: &Guest, bytes: &[u8]) -> Arc<Guest> {
    Arc::new(guest.engine().load(bytes, &CompiledCache::none()).expect("it loads"))
}

#[tokio::test]
async fn a_canary_is_backed_by_the_version_before_it_until_it_is_trusted() {
    let old = load(Limits::default());
    let new = second(&old, &fragile());
    let counter = Counter::default();
    let policy = CanaryPolicy { period: Duration::ZERO, calls: 6, failures: 3 };
    let canary = Canary::new(old, policy, counter.clone());
    let version = Version::canary(new, None, canary.clone());
    for failures in 1..3 {
        let plan = version.reconcile(&observed("q")).await.expect("the old version's plan");
        assert_eq!(plan.apply, ["q"]);
        assert_eq!((canary.failures(), counter.get()), (failures, failures));
    }
    // Where both fail, the new version is not to blame.
    assert_eq!(version.reconcile(&observed("e")).await, Err(GuestError::InvalidInput("e".into())));
    for _ in 0..2 {
        version.reconcile(&observed("{}")).await.expect("a plan");
        assert!(!canary.has_passed(), "too few calls");
    }
    assert!(version.review("{}", &guest::context()).await.is_ok());
    assert!(canary.has_passed() && !canary.has_failed());
    assert!(canary.failed().now_or_never().is_none());
    version.review("q", &guest::context()).await.expect("the old version's answer");
    assert!(canary.has_failed() && !canary.has_passed());
    canary.failed().await;
    version.trust();
    let failed = version.reconcile(&observed("q")).await;
    assert!(matches!(failed, Err(GuestError::Stopped(_))), "no version backs it any more: {failed:?}");
    assert_eq!(canary.failures(), 3);
}

#[tokio::test]
async fn a_canary_is_not_blamed_for_calls_that_were_not_made() {
    let mut limits = Limits::default();
    limits.review.running = 0;
    limits.review.waiting = 0;
    let old = load(limits);
    let canary = Canary::new(old.clone(), CanaryPolicy::default(), Counter::default());
    let version = Version::canary(second(&old, &fragile()), None, canary.clone());
    let busy = version.review("{}", &guest::context()).await;
    assert!(matches!(busy, Err(GuestError::Busy(_))), "{busy:?}");
    assert_eq!(canary.failures(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_gets_one_version_or_the_other() {
    // Fresh instances, so that equal inputs have equal plans.
    let old = load(Limits { calls_per_instance: 1, ..Limits::default() });
    let new = second(&old, &edited(&component(), "hello", "howdy"));
    let versions = [old, new].map(|guest| Arc::new(Version::trusted(guest, None)));
    let active = Arc::new(ActiveVersion::new(versions[0].clone()));
    let callers = (0..3).map(|_| {
        let active = active.clone();
        tokio::spawn(async move {
            let mut seen = [0, 0];
            for _ in 0..300 {
                let plan = active.load_full().reconcile(&observed("{}")).await.expect("no call fails");
                match plan.status.as_deref() {
                    Some("hello") => seen[0] += 1,
                    Some("howdy") => seen[1] += 1,
                    other => panic!("neither version says {other:?}"),
                }
                tokio::task::yield_now().await;
            }
            seen
        })
    });
    let callers: Vec<_> = callers.collect();
    let mut next = 0;
    while !callers.iter().all(|caller| caller.is_finished()) {
        next = 1 - next;
        active.store(versions[next].clone());
        tokio::task::yield_now().await;
    }
    for caller in callers {
        assert_eq!(caller.await.expect("no panic").iter().sum::<u32>(), 300);
    }
}

/// A host with one primary, which takes guests of one field manager.
struct Host {
    primary: &'static str,
    activated: UnboundedSender<Arc<Version>>,
    changes: UnboundedSender<Change>,
}

impl SwapHost for Host {
    fn observations(&self, description: &Description, at_most: usize) -> Result<Vec<Observed>, HostError> {
        assert!(at_most > 0);
        if description.field_manager != "tester" {
            return Err(format!("it applies as {}", description.field_manager).into());
        }
        Ok(vec![observed(self.primary)])
    }

    fn activate(&self, version: Arc<Version>) -> Result<usize, HostError> {
        self.activated.send(version).map_err(|error| error.to_string())?;
        Ok(1)
    }

    fn announce(&self, change: Change) -> BoxFuture<'_, ()> {
        let _ = self.changes.send(change);
        Box::pin(std::future::ready(()))
    }
}

/// A component whose file is followed.
struct Followed {
    folder: TempDir,
    active: Arc<ActiveVersion>,
    activated: UnboundedReceiver<Arc<Version>>,
    changes: UnboundedReceiver<Change>,
    registry: Registry,
    swap: HotSwap,
}

impl Followed {
    fn start(primary: &'static str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("guest.wasm");
        std::fs::write(&file, component()).expect("written");
        let (activated, receive_activated) = unbounded_channel();
        let (changes, receive_changes) = unbounded_channel();
        let active = Arc::new(ActiveVersion::from_pointee(Version::trusted(load(Limits::default()), None)));
        let canary = CanaryPolicy { period: Duration::from_secs(86_400), ..CanaryPolicy::default() };
        let options = Options { period: Duration::from_millis(5), canary, ..Options::new(file) };
        let host = Arc::new(Host { primary, activated, changes });
        let mut registry = Registry::default();
        let swap = HotSwap::start(active.clone(), None, host, options, &mut registry);
        Self { folder, active, activated: receive_activated, changes: receive_changes, registry, swap }
    }

    /// Replaces the file by renaming, so that nobody reads half of it.
    fn write(&self, content: impl AsRef<[u8]>) {
        let next = self.folder.path().join("next.wasm");
        std::fs::write(&next, content).expect("written");
        std::fs::rename(next, self.folder.path().join("guest.wasm")).expect("renamed");
    }

    async fn change(&mut self, kind: ChangeKind) -> String {
        let change = tokio::time::timeout(HANG, self.changes.recv()).await.expect("a change in time");
        let change = change.expect("the follower runs");
        assert_eq!(change.kind, kind, "{}", change.note);
        change.note
    }

    fn metric(&self, line: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("metrics");
        let value = text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok());
        value.unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_version_takes_over_and_one_that_fails_is_rolled_back() {
    let mut followed = Followed::start("{}");
    let old = followed.active.load().guest().interface().digest.clone();
    followed.write(fragile());
    let note = followed.change(ChangeKind::Switched).await;
    assert!(note.contains("decides from now on; 1 objects") && note.contains("All of 3 decisions"), "{note}");
    let new = followed.active.load_full();
    assert_ne!(new.guest().interface().digest, old);
    assert!(Arc::ptr_eq(&new, &followed.activated.recv().await.expect("activated")));
    for _ in 0..3 {
        let plan = new.reconcile(&observed("q")).await.expect("the old version's plan");
        assert_eq!(plan.apply, ["q"]);
    }
    let note = followed.change(ChangeKind::RolledBack).await;
    assert!(note.contains("failed 3 times"), "{note}");
    assert_eq!(followed.active.load().guest().interface().digest, old);
    let trusted = followed.activated.recv().await.expect("activated");
    assert!(trusted.reconcile(&observed("p")).await.is_err(), "no version backs the old one");
    assert_eq!(followed.metric("component_faults_total"), 3);
    assert_eq!(followed.metric(&format!("component_info{{digest=\"{old}\"}}")), 1);
    // The component in the file is not tried again; another one is.
    followed.write(edited(&component(), "hello", "howdy"));
    let note = followed.change(ChangeKind::Switched).await;
    assert!(note.contains("Of 3 decisions 2 differ"), "{note}");
    assert_eq!(followed.metric("component_changes_total{result=\"switched\"}"), 2);
    followed.swap.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_may_not_take_over_is_refused_with_a_reason() {
    // The host observes a primary at which the fragile version panics.
    let mut followed = Followed::start("q");
    let old = followed.active.load_full();
    let bytes = component();
    for (reason, bad) in [
        ("not a valid WebAssembly component", b"garbage".to_vec()),
        ("not a valid WebAssembly component", bytes[..bytes.len() / 2].to_vec()),
        ("it applies as taster", edited(&bytes, "tester", "taster")),
        ("it fails at reconcile object (without a name), where the version at work does not", fragile()),
    ] {
        followed.write(bad);
        let note = followed.change(ChangeKind::Refused).await;
        assert!(note.contains(reason), "{note}");
        assert!(Arc::ptr_eq(&old, &followed.active.load_full()));
    }
    assert_eq!(followed.metric("component_changes_total{result=\"refused\"}"), 4);
    assert!(followed.activated.try_recv().is_err());
    followed.swap.shutdown().await;
}

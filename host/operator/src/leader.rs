//! Leader election by a Lease (coordination.k8s.io/v1), with client-go's times: a claim lasts 15
//! seconds and is renewed every 2. This process stops leading after 10 seconds without a renewal,
//! well before another one may take the Lease.

use deploy_manifests::names;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use orascache_controller::MayWrite;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long others respect a claim.
const LEASE: Duration = Duration::from_secs(15);
/// How long this process leads without a renewal.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// How often the Lease is renewed, or asked for.
const RETRY: Duration = Duration::from_secs(2);

/// Takes part in the election until it is released.
pub struct Leadership {
    client: Client,
    namespace: String,
    holder: String,
    claim: watch::Sender<MayWrite>,
    lost: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl Leadership {
    /// Starts to ask for the Lease.
    pub fn start(client: Client, namespace: &str, holder: &str) -> Self {
        let claim = watch::Sender::new(MayWrite::No);
        let (lose, lost) = watch::channel(false);
        let api: Api<Lease> = Api::namespaced(client.clone(), namespace);
        let task = tokio::spawn(contend(api, holder.to_owned(), claim.clone(), lose));
        Self { client, namespace: namespace.to_owned(), holder: holder.to_owned(), claim, lost, task }
    }

    /// Whether this process may write, to be checked before every write. The claim of a process
    /// that was paused has expired.
    pub fn claim(&self) -> watch::Receiver<MayWrite> {
        self.claim.subscribe()
    }

    /// Ends when this process has led and does not any more.
    pub async fn lost(&self) -> String {
        let mut lost = self.lost.clone();
        if lost.wait_for(|lost| *lost).await.is_err() {
            std::future::pending::<()>().await;
        }
        "the Lease was lost: another replica takes over, and this one starts again".to_owned()
    }

    /// Gives the Lease up, so that another process need not wait until it expires.
    pub async fn release(self) {
        self.task.abort();
        let claim = self.claim.send_replace(MayWrite::No);
        if !claim.is_in_force() {
            return;
        }
        let api: Api<Lease> = Api::namespaced(self.client, &self.namespace);
        if let Ok(Some(mut lease)) = api.get_opt(names::LEASE).await
            && held_by(&lease) == Some(self.holder.as_str())
        {
            if let Some(spec) = &mut lease.spec {
                spec.holder_identity = None;
                spec.lease_duration_seconds = Some(1);
            }
            if let Err(error) = api.replace(names::LEASE, &PostParams::default(), &lease).await {
                tracing::debug!(%error, "the Lease was not given up; it expires by itself");
            }
        }
    }
}

async fn contend(api: Api<Lease>, holder: String, claim: watch::Sender<MayWrite>, lose: watch::Sender<bool>) {
    let mut seen = Seen::default();
    let mut leads = false;
    // Of failures in a row the first is logged.
    let mut failed = false;
    loop {
        // The claim begins before the request, since the answer may take long.
        let asked = Instant::now();
        let outcome = tokio::time::timeout(RENEW_DEADLINE, attempt(&api, &holder, &mut seen, asked)).await;
        let is_failure = !matches!(outcome, Ok(Ok(_)));
        let is_first = !std::mem::replace(&mut failed, is_failure) && is_failure;
        match outcome {
            Ok(Ok(true)) => {
                if !leads {
                    tracing::info!(holder, "this process leads");
                }
                leads = true;
                claim.send_replace(MayWrite::Until(asked + RENEW_DEADLINE));
            }
            Ok(Ok(false)) if leads => break,
            Ok(Ok(false)) => {}
            Ok(Err(error)) if is_first => tracing::warn!(%error, "the Lease cannot be renewed just now"),
            Ok(Err(error)) => tracing::debug!(%error, "the Lease cannot be renewed yet"),
            Err(_) if is_first => tracing::warn!("the API server does not answer requests for the Lease"),
            Err(_) => tracing::debug!("the API server still does not answer requests for the Lease"),
        }
        if leads && !claim.borrow().is_in_force() {
            break;
        }
        tokio::time::sleep(RETRY).await;
    }
    claim.send_replace(MayWrite::No);
    lose.send_replace(true);
}

/// When the claim of another process was seen first. Clocks of two machines are not compared.
#[derive(Default)]
struct Seen {
    version: Option<String>,
    since: Option<Instant>,
}

/// Renews or takes the Lease. Whether this process holds it now.
async fn attempt(api: &Api<Lease>, holder: &str, seen: &mut Seen, now: Instant) -> Result<bool, kube::Error> {
    let stamp = MicroTime(Timestamp::now());
    let Some(mut lease) = api.get_opt(names::LEASE).await? else {
        let lease = Lease {
            metadata: ObjectMeta { name: Some(names::LEASE.to_owned()), ..ObjectMeta::default() },
            spec: Some(spec(holder, &stamp, Some(stamp.clone()), 0)),
        };
        return taken(api.create(&PostParams::default(), &lease).await);
    };
    let old = lease.spec.clone().unwrap_or_default();
    let mine = old.holder_identity.as_deref() == Some(holder);
    if !mine && old.holder_identity.is_some() {
        if seen.version != lease.metadata.resource_version {
            *seen = Seen { version: lease.metadata.resource_version.clone(), since: Some(now) };
        }
        let lasts =
            Duration::from_secs(old.lease_duration_seconds.and_then(|s| u64::try_from(s).ok()).unwrap_or(15));
        if seen.since.is_some_and(|since| now.duration_since(since) < lasts) {
            return Ok(false);
        }
    }
    let transitions = old.lease_transitions.unwrap_or(0);
    lease.spec = Some(if mine {
        spec(holder, &stamp, old.acquire_time, transitions)
    } else {
        spec(holder, &stamp, Some(stamp.clone()), transitions + 1)
    });
    // Optimistic concurrency by resourceVersion: of two processes that ask at once, one succeeds.
    taken(api.replace(names::LEASE, &PostParams::default(), &lease).await)
}

fn spec(holder: &str, now: &MicroTime, acquired: Option<MicroTime>, transitions: i32) -> LeaseSpec {
    LeaseSpec {
        acquire_time: acquired,
        holder_identity: Some(holder.to_owned()),
        lease_duration_seconds: i32::try_from(LEASE.as_secs()).ok(),
        lease_transitions: Some(transitions),
        renew_time: Some(now.clone()),
        ..LeaseSpec::default()
    }
}

fn taken(result: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
    match result {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

fn held_by(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref()
}

//! Makes the plan for one cache from what is observed.

mod children;
mod network;
mod wanted;

use crate::desired::{self, Defaults};
use crate::diagnosis::{Claim, Symptoms};
use crate::fields;
use crate::former::Former;
use crate::issue::{Issue, Reason};
use crate::issues::{self, Related};
use crate::json::Json;
use crate::kinds::{NETWORK_POLICY, RESOURCE_QUOTA, STATEFUL_SET, VOLUME_CLAIM};
use crate::observed::{self, Object, Objects};
use crate::own_claim::OwnClaim;
use crate::primary::{Primary, Storage};
use crate::registry_pod::RegistryPod;
use crate::roll_out::{RollOut, Wait};
use crate::rotation::{self, Rotations};
use crate::settings::Settings;
use crate::status::{Facts, Network, foreign_fields};
use crate::status_of_tasks::TaskStatus;
use crate::task_runs::{TaskObjects, TaskRuns};
use crate::validate;
use children::{Present, plan_children};
use orascache_contract::{Error, Observed, Plan};
use wanted::Wanted;

/// How messages call the two lists of the input.
const OWNED: &str = "owned";
const RELATED: &str = "related";

/// Plans what to do about one cache. `T` is the type of JSON text.
///
/// The function is pure and level-triggered: the same input gives the same plan, and a cache whose
/// children and status are as they should be gives an empty plan.
///
/// # Errors
/// When an input is not what the contract says, or the settings cannot be used; the sentence says
/// which and why.
pub fn reconcile<T: AsRef<str>>(observed: &Observed<T>) -> Result<Plan, Error> {
    let tree = fields::parse(observed.primary.as_ref(), "the primary")?;
    let mut primary = Primary::read(&tree)?;
    if primary.metadata.is_being_deleted {
        // The garbage collector deletes the children by their owner references, in the order that
        // the user chose.
        return Ok(Plan::default());
    }
    let settings_tree = Settings::parse(observed.settings.as_ref())?;
    let settings = Settings::read(settings_tree.as_ref())?;
    let children_trees = observed::parse_all(&observed.owned, OWNED)?;
    let owned = Objects::children_of(&primary.metadata, &children_trees, OWNED)?;
    primary.certificate = rotation::certificate_of_pods(&primary, &owned, observed.now);
    let primary = primary;
    let mut plan = Plan::default();
    let mut issues = Vec::new();
    let mut changes_stateful_set = false;
    let mut wanted = None;
    let mut tasks = TaskObjects {
        retention: desired::retention_of(&primary, &owned),
        export: desired::export_of(&primary, &owned),
        seed: None,
    };
    let (mut may_rotate, mut certificate_at) = (false, None);
    let pods_wait = pods_wait(&primary, &owned);
    let former = Former::of(&primary, &owned);

    let problems = validate::problems(&primary);
    if let Some(invalid) = issues::of_problems(&problems) {
        issues.push(invalid);
    } else {
        let registry_name = desired::registry_service_name(&primary);
        let mut names = names_that_matter(&primary, &owned);
        names.push(&registry_name);
        let issued = primary.spec.tls.filter(|tls| tls.issuer.is_some());
        let issued = issued.map(|tls| tls.secret(&primary.metadata));
        names.extend(issued.as_deref());
        let related_trees = observed::parse_mentioning(&observed.related, &names, RELATED)?;
        let related = Objects::of_namespace(primary.metadata.namespace, &related_trees, RELATED)?;
        issues.extend(issues::of_omitted_children(&primary, &observed.omitted));
        issues.extend(issues::of_failures(&primary, &observed.failures, pods_wait));
        issues.extend(former.issue(&primary));
        let known = Related { objects: &related, owned: &owned, omitted: &observed.omitted };
        issues.extend(issues::of_references(&primary, &known));
        issues.extend(issues::of_image(&primary, &settings));
        issues.extend(issues::of_service_monitor(&primary, &observed.absent));
        let (certificate, at) = issues::of_certificate(&primary, &known, &observed.absent, observed.now);
        issues.extend(certificate);
        certificate_at = at;
        let unwanted_registries = issues::of_registries(&primary, &settings);
        let claim = OwnClaim::find(&primary, &owned, &related);
        let storage = issues::of_storage(&primary, claim, settings.maximum_storage);
        let stays = storage.is_some();
        // A claim that is to outlive the cache is patched once it exists, and not applied.
        let is_patched = claim.is_some() && primary.spec.storage.as_ref().is_some_and(Storage::retains);
        let mut all = Wanted::of(&primary, &settings, &owned, &related, stays || is_patched);
        // Kinds that this cluster does not have.
        all.children.retain(|child| !observed.absent.contains(child.kind));
        // Without a pod there is nothing to work on.
        if primary.spec.wants_pods() {
            let may_copy = unwanted_registries.is_none();
            let pods_retain = all.pods_retain(&primary, &owned);
            all.children.extend(desired::task_children(&primary, &settings, may_copy, pods_retain));
        }
        tasks.seed = desired::seed_of(&all.children, &owned);
        issues.extend(unwanted_registries);
        issues.extend(issues::of_runs(tasks.retention, tasks.export, tasks.seed));
        issues.extend(storage);
        if !issues.iter().any(Issue::freezes) && !primary.spec.suspend() && !former.serves() {
            let (owned, related, now) = (&owned, &related, observed.now);
            let present = Present { owned, related, pods_wait, former, now };
            changes_stateful_set = plan_children(&primary, &all, &present, &settings, &mut plan);
            plan.patch.extend(claim.and_then(|claim| claim.patch(&primary, stays)));
            may_rotate = true;
        }
        wanted = Some(all);
    }
    if pods_wait && !plan.apply.is_empty() && observed.failures.is_empty() {
        // The next plan follows at once. It knows whether the policy could be made.
        return Ok(plan);
    }

    let stateful_set = owned.find(&STATEFUL_SET, primary.metadata.name);
    let related_trees = observed_around(observed, &primary, stateful_set)?;
    let around = Objects::of_namespace(primary.metadata.namespace, &related_trees, RELATED)?;
    // What becomes of pods of the former operator is not told as if they were pods of this one.
    let own_set = stateful_set.filter(|_| !former.serves());
    let pods = own_set.map(|set| RegistryPod::of(set, &around)).unwrap_or_default();
    issues.extend(issues::of_renewal(&primary, &owned, &pods, observed.now));
    let left_to_others = issues.iter().any(|issue| issue.reason == Reason::FieldOwnedByOther);
    let roll_out = RollOut {
        primary: &primary,
        stateful_set,
        pods: &pods,
        outdated: changes_stateful_set && !left_to_others,
        replicas: match stateful_set
            .filter(|_| left_to_others || primary.spec.suspend() || former.serves())
            .and_then(|set| set.spec?.get("replicas"))
        {
            Some(Json::Int(replicas)) => *replicas,
            _ => primary.spec.replicas(),
        },
    };
    let runs = TaskRuns::of(observed, primary.metadata.namespace, &tasks)?;
    issues.extend(issues::of_jobs_without_pods(&runs.without_pods.names));
    let job_at = runs.without_pods.look_at;
    let claim = Claim::of(&primary, &owned, &around);
    // What blocks the roll-out is the reason. The deadline begins when it is gone.
    let is_under_way = primary.spec.deploy()
        && !primary.spec.suspend()
        && !roll_out.is_complete()
        && !issues.iter().any(Issue::blocks);
    let wait = is_under_way.then(|| {
        let symptoms = Symptoms {
            set: stateful_set.filter(|_| !roll_out.outdated),
            pods: &pods,
            claim,
            related: &around,
            replicas: roll_out.replicas,
            now: observed.now,
        };
        Wait::of(&roll_out, symptoms.diagnose(), observed.now)
    });
    issues.extend(wait.as_ref().and_then(|wait| wait.issue(&roll_out)));
    // Blocking issues come first. Otherwise the order of discovery stays.
    let (blocking, others): (Vec<_>, Vec<_>) = issues.into_iter().partition(Issue::blocks);
    let issues = [blocking, others].concat();
    let children = wanted.as_ref().map(|wanted| wanted.children.as_slice()).unwrap_or_default();
    let wanted_set = children.iter().find(|child| *child.kind == STATEFUL_SET);
    let facts = Facts {
        primary: &primary,
        roll_out: &roll_out,
        wait: wait.as_ref(),
        claim,
        issues: &issues,
        foreign_fields: wanted_set.zip(own_set).and_then(|(wanted, set)| foreign_fields(wanted, set)),
        defaults_wait: wanted.as_ref().is_some_and(|wanted| wanted.defaults != Defaults::Current),
        network: Network::of(&primary, wanted.as_ref(), &owned, &observed.failures),
        operator_namespace: settings.operator_namespace,
        cluster_domain: settings.cluster_domain,
        tasks: TaskStatus { primary: &primary, objects: tasks, runs, now: observed.now },
        now: observed.now,
    };
    (plan.status, plan.events) = facts.changes();
    let mut rotations = Rotations::default();
    if may_rotate {
        rotations = Rotations::of(&primary, &owned, &pods, settings.cluster_domain, observed.now);
    }
    plan.rotate = rotations.steps;
    plan.events.extend(rotations.events);
    let seconds = |at: u64| u32::try_from(at.saturating_sub(observed.now)).unwrap_or(u32::MAX);
    let times = [
        wait.and_then(|wait| wait.look_after),
        rotations.look_after,
        certificate_at.map(seconds),
        job_at.map(seconds),
    ];
    plan.requeue_after = times.into_iter().flatten().min();
    Ok(plan)
}

/// The related objects that the status depends on: the pods of the StatefulSet, the claim that the
/// spec names, and quotas while pods are missing.
fn observed_around<'o, T: AsRef<str>>(
    observed: &'o Observed<T>,
    primary: &Primary<'_>,
    set: Option<&Object<'_>>,
) -> Result<Vec<Json<'o>>, Error> {
    let mut names: Vec<&str> = set.map(|set| set.uid).filter(|uid| !uid.is_empty()).into_iter().collect();
    names.extend(primary.spec.storage.as_ref().and_then(|storage| storage.existing_claim));
    if set.is_some_and(|set| set.status.replicas < primary.spec.replicas()) {
        names.push(&RESOURCE_QUOTA.kind);
    }
    observed::parse_mentioning(&observed.related, &names, RELATED)
}

/// Whether the registry pods are not made yet, because their NetworkPolicy does not exist: any pod of
/// the cluster could reach them. Pods that exist go on. A cache that was never in a cluster is
/// printed as a whole.
fn pods_wait(primary: &Primary<'_>, owned: &Objects<'_>) -> bool {
    let name = primary.metadata.name;
    primary.metadata.is_in_cluster()
        && primary.spec.deploy()
        && primary.spec.network_policy.is_enabled()
        && owned.find(&STATEFUL_SET, name).is_none()
        && owned.find(&NETWORK_POLICY, name).is_none_or(|policy| policy.is_being_deleted)
}

/// Names of the related objects that decisions depend on: those that the spec names, a volume claim
/// that is no child, and children that lost their owner and that the spec does not want.
fn names_that_matter<'a>(primary: &'a Primary<'a>, owned: &Objects<'_>) -> Vec<&'a str> {
    let spec = &primary.spec;
    let mut names: Vec<&str> = spec.named_secrets().into_iter().map(|named| named.name).collect();
    if let Some(storage) = &spec.storage {
        names.extend(storage.existing_claim);
        let claim = desired::claim_name(primary);
        if claim.is_some_and(|claim| owned.find(&VOLUME_CLAIM, &claim).is_none()) {
            // The name of the claim begins with it.
            names.push(primary.metadata.name);
        }
    }
    if !spec.deploy() || !spec.network_policy.is_enabled() {
        names.push(primary.metadata.name);
    }
    names
}

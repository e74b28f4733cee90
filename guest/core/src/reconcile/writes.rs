//! The writes that the spec of a cache asks for, and what stands in their way.

use super::children::{Present, plan_children};
use super::wanted::Wanted;
use super::{RELATED, Situation};
use crate::desired;
use crate::issue::Issue;
use crate::issues::{self, Related};
use crate::kinds::VOLUME_CLAIM;
use crate::observed::{self, Objects};
use crate::own_claim::OwnClaim;
use crate::primary::{Primary, Storage};
use crate::task_runs::TaskObjects;
use crate::validate;
use orascache_contract::{Error, Plan};

/// What was planned, as far as the status depends on it.
pub(super) struct Writes<'s, 'a> {
    /// What is wrong, in the order of discovery.
    pub(super) issues: Vec<Issue>,
    /// What the cache should have. `None` where its spec is invalid.
    pub(super) wanted: Option<Wanted<'s>>,
    /// The Jobs and CronJobs that exist.
    pub(super) tasks: TaskObjects<'s, 'a>,
    /// Whether the StatefulSet changes in more than its stamps.
    pub(super) changes_stateful_set: bool,
    /// Whether generated Secrets may be replaced.
    pub(super) may_rotate: bool,
    /// When the certificate has to be looked at again, in seconds since the Unix epoch.
    pub(super) certificate_at: Option<u64>,
}

impl<'s, 'a> Writes<'s, 'a> {
    /// Adds the writes to a plan.
    ///
    /// # Errors
    /// When a related object cannot be read.
    pub(super) fn plan(situation: &Situation<'s, 'a>, plan: &mut Plan) -> Result<Self, Error> {
        let Situation { seen, primary, settings, owned, pods_wait, former } = *situation;
        let mut writes = Writes {
            issues: Vec::new(),
            wanted: None,
            tasks: TaskObjects {
                retention: desired::retention_of(primary, owned),
                export: desired::export_of(primary, owned),
                seed: None,
            },
            changes_stateful_set: false,
            may_rotate: false,
            certificate_at: None,
        };
        let issues = &mut writes.issues;
        let problems = validate::problems(primary);
        if let Some(invalid) = issues::of_problems(&problems) {
            issues.push(invalid);
            return Ok(writes);
        }
        let registry_name = desired::registry_service_name(primary);
        let mut names = names_that_matter(primary, owned);
        names.push(&registry_name);
        let issued = primary.spec.tls.filter(|tls| tls.issuer.is_some());
        let issued = issued.map(|tls| tls.secret(&primary.metadata));
        names.extend(issued.as_deref());
        let related_trees = observed::parse_mentioning(&seen.related, &names, RELATED)?;
        let related = Objects::of_namespace(primary.metadata.namespace, &related_trees, RELATED)?;
        issues.extend(issues::of_omitted_children(primary, seen.omitted));
        issues.extend(issues::of_failures(primary, seen.failures, pods_wait));
        issues.extend(former.issue(primary));
        let known = Related { objects: &related, owned, omitted: seen.omitted };
        issues.extend(issues::of_references(primary, &known));
        issues.extend(issues::of_image(primary, settings));
        issues.extend(issues::of_service_monitor(primary, seen.absent));
        let (certificate, at) = issues::of_certificate(primary, &known, seen.absent, seen.now);
        issues.extend(certificate);
        writes.certificate_at = at;
        let unwanted_registries = issues::of_registries(primary, settings);
        let claim = OwnClaim::find(primary, owned, &related);
        let storage = issues::of_storage(primary, claim, settings.maximum_storage);
        let stays = storage.is_some();
        // A claim that is to outlive the cache is patched once it exists, and not applied.
        let is_patched = claim.is_some() && primary.spec.storage.as_ref().is_some_and(Storage::retains);
        let mut all = Wanted::of(primary, settings, owned, &related, stays || is_patched);
        // Kinds that this cluster does not have.
        all.children.retain(|child| !seen.absent.contains(child.kind));
        // Without a pod there is nothing to work on.
        if primary.spec.wants_pods() {
            let may_copy = unwanted_registries.is_none();
            let pods_retain = all.pods_retain(primary, owned);
            all.children.extend(desired::task_children(primary, settings, may_copy, pods_retain));
        }
        let tasks = &mut writes.tasks;
        tasks.seed = desired::seed_of(&all.children, owned);
        issues.extend(unwanted_registries);
        issues.extend(issues::of_runs(tasks.retention, tasks.export, tasks.seed));
        issues.extend(storage);
        if !issues.iter().any(Issue::freezes) && !primary.spec.suspend() && !former.serves() {
            let present = Present { owned, related: &related, pods_wait, former, now: seen.now };
            writes.changes_stateful_set = plan_children(primary, &all, &present, settings, plan);
            plan.patch.extend(claim.and_then(|claim| claim.patch(primary, stays)));
            writes.may_rotate = true;
        }
        writes.wanted = Some(all);
        Ok(writes)
    }
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

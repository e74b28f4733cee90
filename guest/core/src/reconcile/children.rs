//! The writes that make the children of a cache as they should be.

use super::wanted::Wanted;
use crate::desired::{self, Defaults};
use crate::former::Former;
use crate::kinds::{
    CERTIFICATE, CRON_JOB, DISRUPTION_BUDGET, JOB, NETWORK_POLICY, SECRET, SERVICE, SERVICE_MONITOR,
    STATEFUL_SET,
};
use crate::observed::{Object, Objects};
use crate::primary::Primary;
use crate::settings::Settings;
use orascache_api::names::labels;
use orascache_contract::{Kind, Plan};

/// What exists.
pub(super) struct Present<'p, 'a> {
    pub(super) owned: &'p Objects<'a>,
    pub(super) related: &'p Objects<'a>,
    pub(super) pods_wait: bool,
    pub(super) former: Former,
    /// Seconds since the epoch.
    pub(super) now: u64,
}

impl<'p, 'a> Present<'p, 'a> {
    /// The child of that name, also if it lost its owner reference.
    fn find(&self, primary: &Primary<'_>, kind: &Kind, name: &str) -> Option<&'p Object<'a>> {
        // Of kinds that are not related, the host shows nothing but strays. Of Secrets it shows all.
        let is_stray = |object: &&Object<'_>| {
            object.is_uncontrolled()
                && (*kind != SECRET
                    || (object.text_of("labels", labels::MANAGED_BY) == Some(labels::MANAGED_BY_VALUE)
                        && object.text_of("labels", labels::INSTANCE) == Some(primary.metadata.name)))
        };
        self.owned.find(kind, name).or_else(|| self.related.find(kind, name).filter(is_stray))
    }
}

/// Plans the writes that make the children as wanted. Returns whether that changes the StatefulSet
/// in more than its stamps.
pub(super) fn plan_children(
    primary: &Primary<'_>,
    wanted: &Wanted<'_>,
    present: &Present<'_, '_>,
    settings: &Settings<'_>,
    plan: &mut Plan,
) -> bool {
    let owned = present.owned;
    let mut changes_stateful_set = false;
    for (name, generated) in desired::generated(primary, settings.cluster_domain, present.now) {
        if owned.find(&SECRET, &name).is_none() {
            plan.generate.push(generated);
        }
    }
    for child in &wanted.children {
        let is_pods = *child.kind == STATEFUL_SET;
        let observed = owned.find(child.kind, &child.name);
        if (is_pods && (present.pods_wait || wanted.defaults == Defaults::Unknown))
            || present.former.keeps(primary, child.kind, &child.name)
            || observed.is_some_and(|object| child.is_up_to_date(object))
        {
            continue;
        }
        changes_stateful_set |= is_pods && !observed.is_some_and(|object| child.is_in_effect(object));
        plan.apply.push(child.object.to_text());
    }
    let name = primary.metadata.name;
    let literal_secret = desired::literal_http_secret_name(primary);
    let registry_name = desired::registry_service_name(primary);
    // Only objects without artifacts are ever deleted. The StatefulSet goes first: its pods must
    // not outlive the Service that names them and the policy that protects them.
    let [first, second] = desired::cron_job_names(primary);
    let mut removable = vec![
        (&CRON_JOB, &*first),
        (&CRON_JOB, &*second),
        (&STATEFUL_SET, name),
        (&SERVICE, name),
        (&SERVICE, registry_name.as_str()),
        (&DISRUPTION_BUDGET, registry_name.as_str()),
        (&SERVICE_MONITOR, registry_name.as_str()),
        (&CERTIFICATE, registry_name.as_str()),
        (&NETWORK_POLICY, name),
        (&SECRET, literal_secret.as_str()),
    ];
    // A list of seeds that was edited has another Job.
    removable.extend(owned.of_kind(&JOB).map(|job| (&JOB, job.name())));
    let unused = desired::unused_generated(primary);
    let unused = unused.iter().map(|name| (&SECRET, name.as_str()));
    for (kind, name) in removable.into_iter().chain(unused) {
        if wanted.children.iter().any(|child| child.kind == kind && child.name == name)
            || present.former.keeps(primary, kind, name)
        {
            continue;
        }
        if let Some(object) = present.find(primary, kind, name).filter(|object| !object.is_being_deleted) {
            plan.delete.push(object.reference(kind));
        }
    }
    changes_stateful_set
}

//! From what is observed to what is to be done.

use crate::desired::{self, Child};
use crate::fields;
use crate::issue::{Issue, Reason};
use crate::issues::{self, Related};
use crate::json::Json;
use crate::kinds::{SECRET, SERVICE, STATEFUL_SET};
use crate::observed::{self, Objects};
use crate::primary::Primary;
use crate::settings::Settings;
use crate::status::Facts;
use crate::validate;
use orascache_contract::{Error, Observed, Plan};

/// How messages call the two lists of the input.
const OWNED: &str = "owned";
const RELATED: &str = "related";

/// What is to be done about one cache. `T` is the type of JSON text.
///
/// The function is pure and level-triggered: the same input gives the same plan, and a cache whose children and
/// status are as they should be gives an empty plan.
///
/// # Errors
/// When an input is not what the contract says, or the settings cannot be used; the sentence says which and why.
pub fn reconcile<T: AsRef<str>>(observed: &Observed<T>) -> Result<Plan, Error> {
    let tree = fields::parse(observed.primary.as_ref(), "the primary")?;
    let primary = Primary::read(&tree)?;
    if primary.metadata.is_being_deleted {
        // The garbage collector deletes the children by their owner references, in the order that the user chose.
        return Ok(Plan::default());
    }
    let settings_tree = Settings::parse(observed.settings.as_ref())?;
    let settings = Settings::read(settings_tree.as_ref())?;
    let children_trees = observed::parse_all(&observed.owned, OWNED)?;
    let owned = Objects::read(&children_trees, OWNED)?;
    let mut plan = Plan::default();
    let mut issues = Vec::new();
    let mut changes_stateful_set = false;

    let problems = validate::problems(&primary);
    if let Some(invalid) = issues::of_problems(&problems) {
        issues.push(invalid);
    } else {
        issues.extend(issues::of_failures(&observed.failures));
        issues.extend(references(&primary, observed)?);
        let storage = issues::of_storage(&primary, &owned, settings.maximum_storage);
        let wanted = children(&primary, storage.is_some());
        issues.extend(storage);
        if !issues.iter().any(Issue::freezes) {
            changes_stateful_set = plan_children(&primary, &wanted, &owned, &mut plan);
        }
    }
    // Blocking issues come first. Otherwise the order of discovery stays.
    let (blocking, others): (Vec<_>, Vec<_>) = issues.into_iter().partition(Issue::blocks);
    let issues = [blocking, others].concat();

    let stateful_set = owned.find(&STATEFUL_SET, primary.metadata.name);
    let left_to_others = issues.iter().any(|issue| issue.reason == Reason::FieldOwnedByOther);
    let facts = Facts {
        primary: &primary,
        stateful_set,
        issues: &issues,
        outdated: changes_stateful_set && !left_to_others,
        replicas: match stateful_set.filter(|_| left_to_others).and_then(|set| set.spec?.get("replicas")) {
            Some(Json::Int(replicas)) => *replicas,
            _ => primary.spec.replicas(),
        },
        cluster_domain: settings.cluster_domain,
        now: observed.now,
    };
    (plan.status, plan.events) = facts.changes();
    Ok(plan)
}

/// Issues of the objects that the spec names. Related objects are parsed only when the spec names any: a namespace may
/// hold many.
fn references<T: AsRef<str>>(primary: &Primary<'_>, observed: &Observed<T>) -> Result<Vec<Issue>, Error> {
    let spec = &primary.spec;
    let claim = spec.storage.as_ref().and_then(|storage| storage.existing_claim.as_ref());
    if spec.secret.is_none() && spec.oras_env.is_none() && claim.is_none() {
        return Ok(Vec::new());
    }
    let trees = observed::parse_all(&observed.related, RELATED)?;
    let objects = &Objects::read(&trees, RELATED)?;
    Ok(issues::of_references(primary, &Related { objects, omitted: &observed.omitted }))
}

/// The children that should exist, in the order in which they are made: first what the pods need.
fn children<'a>(primary: &'a Primary<'a>, keep_claim_as_it_is: bool) -> Vec<Child<'a>> {
    let mut wanted = Vec::with_capacity(4);
    if !keep_claim_as_it_is {
        // Storage outlives `deploy: false`, and is not made before it is needed.
        wanted.extend(desired::volume_claim(primary).filter(|_| primary.spec.deploy()));
    }
    if primary.spec.deploy() {
        wanted.extend(desired::literal_http_secret(primary));
        wanted.push(desired::service(primary));
        wanted.push(desired::stateful_set(primary));
    }
    wanted
}

/// Plans the writes that make the children as wanted. Returns whether the StatefulSet is written.
fn plan_children(primary: &Primary<'_>, wanted: &[Child<'_>], owned: &Objects<'_>, plan: &mut Plan) -> bool {
    let mut changes_stateful_set = false;
    if primary.spec.deploy()
        && let Some((name, generated)) = desired::generated_http_secret(primary)
        && owned.find(&SECRET, &name).is_none()
    {
        plan.generate.push(generated);
    }
    for child in wanted {
        let observed = owned.find(child.kind, &child.name);
        if !observed.is_some_and(|object| child.is_up_to_date(object)) {
            changes_stateful_set |= *child.kind == STATEFUL_SET;
            plan.apply.push(child.object.to_text());
        }
    }
    let name = primary.metadata.name;
    let literal_secret = desired::literal_http_secret_name(primary);
    // Only what holds no data is ever deleted. The pods go before the Service that names them.
    for (kind, name) in [(&STATEFUL_SET, name), (&SERVICE, name), (&SECRET, literal_secret.as_str())] {
        if wanted.iter().any(|child| child.kind == kind && child.name == name) {
            continue;
        }
        if let Some(object) = owned.find(kind, name).filter(|object| !object.is_being_deleted) {
            plan.delete.push(object.reference(kind));
        }
    }
    changes_stateful_set
}

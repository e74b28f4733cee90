//! From what is observed to what is to be done.

use crate::attention::{self, Attention, FIELD_OWNED_BY_OTHER};
use crate::contract::{
    Description, Error, Kind, Observed, Plan, SECRET, SERVICE, STATEFUL_SET, VOLUME_CLAIM,
};
use crate::desired::{self, Child};
use crate::fields;
use crate::json::Json;
use crate::observed::{self, Objects};
use crate::primary::Primary;
use crate::status::Facts;
use crate::validate;
use orascache_api::names::{API_VERSION, FIELD_MANAGER, KIND, PLURAL};

/// How messages call the two lists of the input.
const OWNED: &str = "owned";
const RELATED: &str = "related";

/// What this module manages.
pub fn describe() -> Description {
    Description {
        primary: Kind { api_version: API_VERSION, kind: KIND, plural: PLURAL, namespaced: true },
        owned: vec![SECRET, VOLUME_CLAIM, SERVICE, STATEFUL_SET],
        related: vec![SECRET, VOLUME_CLAIM],
        field_manager: FIELD_MANAGER,
    }
}

/// What is to be done about one cache. Level-triggered and pure: the same input gives the same plan, and a
/// cache whose children and status are as they should be gives an empty one.
///
/// # Errors
/// When an input is not what the contract says; the sentence says which.
pub fn reconcile(observed: &Observed<'_>) -> Result<Plan, Error> {
    let tree = fields::parse(observed.primary, "the primary")?;
    let primary = Primary::read(&tree)?;
    if primary.metadata.is_being_deleted {
        // Owner references delete the children, in the order that the user chose.
        return Ok(Plan::default());
    }
    let children_trees = observed::parse_all(observed.owned, OWNED)?;
    let owned = Objects::read(&children_trees, OWNED)?;
    let mut plan = Plan::default();
    let mut attention = Vec::new();
    let mut changes_stateful_set = false;

    let problems = validate::problems(&primary);
    if let Some(invalid) = attention::of_problems(&problems) {
        attention.push(invalid);
    } else {
        attention.extend(attention::of_failures(observed.failures));
        attention.extend(references(&primary, observed)?);
        let stuck_claim = attention::of_claim(&primary, &owned);
        let wanted = children(&primary, stuck_claim.is_some());
        attention.extend(stuck_claim);
        if !attention.iter().any(Attention::refuses) {
            changes_stateful_set = plan_children(&primary, &wanted, &owned, &mut plan);
        }
    }
    // What blocks comes first; among equals the order of discovery stays.
    let (blocking, others): (Vec<_>, Vec<_>) = attention.into_iter().partition(|attention| attention.blocks);
    let attention = [blocking, others].concat();

    let stateful_set = owned.find(STATEFUL_SET, primary.metadata.name);
    let left_to_others = attention.iter().any(|attention| attention.reason == FIELD_OWNED_BY_OTHER);
    let facts = Facts {
        primary: &primary,
        stateful_set,
        attention: &attention,
        outdated: changes_stateful_set && !left_to_others,
        replicas: match stateful_set.filter(|_| left_to_others).and_then(|set| set.spec?.get("replicas")) {
            Some(Json::Int(replicas)) => *replicas,
            _ => primary.spec.replicas(),
        },
        now: observed.now,
    };
    (plan.status, plan.events) = facts.changes();
    Ok(plan)
}

/// Related objects are read only when the spec refers to any: a namespace may hold many.
fn references(primary: &Primary<'_>, observed: &Observed<'_>) -> Result<Vec<Attention>, Error> {
    let spec = &primary.spec;
    let claim = spec.storage.as_ref().and_then(|storage| storage.existing_claim.as_ref());
    if spec.secret.is_none() && spec.oras_env.is_none() && claim.is_none() {
        return Ok(Vec::new());
    }
    let trees = observed::parse_all(observed.related, RELATED)?;
    let related = Objects::read(&trees, RELATED)?;
    Ok(attention::of_references(primary, &related))
}

/// The children that should exist, in the order in which they are made: what pods need comes first.
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

/// Plans what makes the children as wanted; returns whether the StatefulSet is among them.
fn plan_children(primary: &Primary<'_>, wanted: &[Child<'_>], owned: &Objects<'_>, plan: &mut Plan) -> bool {
    let mut changes_stateful_set = false;
    if primary.spec.deploy()
        && let Some((name, generated)) = desired::generated_http_secret(primary)
        && owned.find(SECRET, &name).is_none()
    {
        plan.generate.push(generated);
    }
    for child in wanted {
        let held = owned.find(child.kind, &child.name).is_some_and(|object| child.is_held_by(object));
        if !held {
            changes_stateful_set |= child.kind == STATEFUL_SET;
            plan.apply.push(child.object.to_text());
        }
    }
    let name = primary.metadata.name;
    let literal_secret = desired::literal_http_secret_name(primary);
    // Only what holds no data is ever deleted. The pods go before the Service that names them.
    for (kind, name) in [(STATEFUL_SET, name), (SERVICE, name), (SECRET, literal_secret.as_str())] {
        if wanted.iter().any(|child| child.kind == kind && child.name == name) {
            continue;
        }
        if let Some(object) = owned.find(kind, name).filter(|object| !object.is_being_deleted) {
            plan.delete.push(object.reference(kind));
        }
    }
    changes_stateful_set
}

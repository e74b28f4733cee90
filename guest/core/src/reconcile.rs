//! Makes the plan for one cache from what is observed.

use crate::desired::{self, Child, Defaults};
use crate::fields;
use crate::issue::{Issue, Reason};
use crate::issues::{self, Related};
use crate::json::Json;
use crate::kinds::{NETWORK_POLICY, SECRET, SERVICE, STATEFUL_SET};
use crate::observed::{self, Objects};
use crate::primary::Primary;
use crate::settings::Settings;
use crate::status::Facts;
use crate::validate;
use orascache_contract::{Error, Observed, Plan};

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
    let primary = Primary::read(&tree)?;
    if primary.metadata.is_being_deleted {
        // The garbage collector deletes the children by their owner references, in the order that
        // the user chose.
        return Ok(Plan::default());
    }
    let settings_tree = Settings::parse(observed.settings.as_ref())?;
    let settings = Settings::read(settings_tree.as_ref())?;
    let children_trees = observed::parse_all(&observed.owned, OWNED)?;
    let owned = Objects::children_of(&primary.metadata, &children_trees, OWNED)?;
    let mut plan = Plan::default();
    let mut issues = Vec::new();
    let mut changes_stateful_set = false;
    let mut defaults = Defaults::Current;

    let problems = validate::problems(&primary);
    if let Some(invalid) = issues::of_problems(&problems) {
        issues.push(invalid);
    } else {
        issues.extend(issues::of_failures(&observed.failures));
        issues.extend(references(&primary, observed)?);
        issues.extend(issues::of_image(&primary, &settings));
        let storage = issues::of_storage(&primary, &owned, settings.maximum_storage);
        let wanted = Wanted::of(&primary, &settings, &owned, storage.is_some());
        defaults = wanted.defaults;
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
        defaults_wait: defaults != Defaults::Current,
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

/// Issues of the objects that the spec names. Related objects are parsed only when the spec names
/// any: a namespace may hold many.
fn references<T: AsRef<str>>(primary: &Primary<'_>, observed: &Observed<T>) -> Result<Vec<Issue>, Error> {
    let spec = &primary.spec;
    let claim = spec.storage.as_ref().and_then(|storage| storage.existing_claim.as_ref());
    if spec.secret.is_none() && spec.oras_env.is_none() && claim.is_none() {
        return Ok(Vec::new());
    }
    let trees = observed::parse_all(&observed.related, RELATED)?;
    let objects = &Objects::of_namespace(primary.metadata.namespace, &trees, RELATED)?;
    Ok(issues::of_references(primary, &Related { objects, omitted: &observed.omitted }))
}

/// What a cache should have.
struct Wanted<'a> {
    /// The children that should exist, in the order in which they are made: first who may reach the
    /// pods, then what they need, then the pods.
    children: Vec<Child<'a>>,
    /// Which defaults the StatefulSet has.
    defaults: Defaults,
}

impl<'a> Wanted<'a> {
    fn of(
        primary: &'a Primary<'a>,
        settings: &Settings<'a>,
        owned: &Objects<'_>,
        keep_claim_as_it_is: bool,
    ) -> Self {
        let mut wanted = Wanted { children: Vec::with_capacity(5), defaults: Defaults::Current };
        if !primary.spec.deploy() {
            // Storage outlives the registry, and is not made before it is needed.
            return wanted;
        }
        wanted.children.extend(desired::network_policy(primary, settings.operator_namespace));
        if !keep_claim_as_it_is {
            wanted.children.extend(desired::volume_claim(primary));
        }
        wanted.children.extend(desired::literal_http_secret(primary));
        wanted.children.push(desired::service(primary));
        let existing = owned.find(&STATEFUL_SET, primary.metadata.name);
        let (stateful_set, defaults) = desired::stateful_set_beside(primary, existing);
        wanted.children.push(stateful_set);
        wanted.defaults = defaults;
        wanted
    }
}

/// Plans the writes that make the children as wanted. Returns whether that changes the StatefulSet
/// in more than its stamps.
fn plan_children(primary: &Primary<'_>, wanted: &Wanted<'_>, owned: &Objects<'_>, plan: &mut Plan) -> bool {
    let mut changes_stateful_set = false;
    if primary.spec.deploy()
        && let Some((name, generated)) = desired::generated_http_secret(primary)
        && owned.find(&SECRET, &name).is_none()
    {
        plan.generate.push(generated);
    }
    for child in &wanted.children {
        let is_pods = *child.kind == STATEFUL_SET;
        let observed = owned.find(child.kind, &child.name);
        if (is_pods && wanted.defaults == Defaults::Unknown)
            || observed.is_some_and(|object| child.is_up_to_date(object))
        {
            continue;
        }
        changes_stateful_set |= is_pods && !observed.is_some_and(|object| child.is_in_effect(object));
        plan.apply.push(child.object.to_text());
    }
    let name = primary.metadata.name;
    let literal_secret = desired::literal_http_secret_name(primary);
    // Only objects without artifacts are ever deleted. The StatefulSet goes first: its pods must
    // not outlive the Service that names them and the policy that protects them.
    let removable = [
        (&STATEFUL_SET, name),
        (&SERVICE, name),
        (&NETWORK_POLICY, name),
        (&SECRET, literal_secret.as_str()),
    ];
    for (kind, name) in removable {
        if wanted.children.iter().any(|child| child.kind == kind && child.name == name) {
            continue;
        }
        if let Some(object) = owned.find(kind, name).filter(|object| !object.is_being_deleted) {
            plan.delete.push(object.reference(kind));
        }
    }
    changes_stateful_set
}

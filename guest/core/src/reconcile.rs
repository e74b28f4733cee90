//! Makes the plan for one cache from what is observed: first the writes that its spec asks for,
//! then what its status says.

mod children;
mod network;
mod report;
mod wanted;
mod writes;

use crate::fields;
use crate::former::Former;
use crate::kinds::{NETWORK_POLICY, STATEFUL_SET};
use crate::observed::{self, Objects};
use crate::primary::Primary;
use crate::rotation;
use crate::seen::Seen;
use crate::settings::Settings;
use orascache_contract::{Error, Observed, Plan};
use writes::Writes;

/// How messages call the two lists of the input.
const OWNED: &str = "owned";
const RELATED: &str = "related";

/// What everything in a plan depends on.
struct Situation<'s, 'a> {
    seen: &'s Seen<'a>,
    primary: &'s Primary<'a>,
    settings: &'s Settings<'a>,
    /// The children.
    owned: &'s Objects<'a>,
    /// Whether the registry pods are not made yet.
    pods_wait: bool,
    former: Former,
}

/// Plans what to do about one cache. `T` is the type of JSON text.
///
/// The function is pure and level-triggered: the same input gives the same plan, and a cache whose
/// children and status are as they should be gives an empty plan.
///
/// # Errors
/// When an input is not what the contract says, or the settings cannot be used; the sentence says
/// which and why.
pub fn reconcile<T: AsRef<str>>(observed: &Observed<T>) -> Result<Plan, Error> {
    plan(&Seen::from(observed))
}

fn plan(seen: &Seen<'_>) -> Result<Plan, Error> {
    let tree = fields::parse(seen.primary, "the primary")?;
    let mut primary = Primary::read(&tree)?;
    if primary.metadata.is_being_deleted {
        // The garbage collector deletes the children by their owner references, in the order that
        // the user chose.
        return Ok(Plan::default());
    }
    let settings_tree = Settings::parse(seen.settings)?;
    let settings = Settings::read(settings_tree.as_ref())?;
    let children_trees = observed::parse_all(&seen.owned, OWNED)?;
    let owned = Objects::children_of(&primary.metadata, &children_trees, OWNED)?;
    primary.certificate = rotation::certificate_of_pods(&primary, &owned, seen.now);
    let situation = Situation {
        seen,
        primary: &primary,
        settings: &settings,
        owned: &owned,
        pods_wait: pods_wait(&primary, &owned),
        former: Former::of(&primary, &owned),
    };
    let mut plan = Plan::default();
    let writes = Writes::plan(&situation, &mut plan)?;
    if situation.pods_wait && !plan.apply.is_empty() && seen.failures.is_empty() {
        // The next plan follows at once. It knows whether the policy could be made.
        return Ok(plan);
    }
    report::add(&situation, writes, &mut plan)?;
    Ok(plan)
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

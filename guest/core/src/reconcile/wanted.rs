//! The children that a cache should have.

use crate::desired::{self, Child, Defaults};
use crate::kinds::{SERVICE, STATEFUL_SET, VOLUME_CLAIM};
use crate::observed::Objects;
use crate::primary::Primary;
use crate::settings::Settings;
use orascache_api::names::{CONSENT_ANNOTATION, RETAINED_ANNOTATION};

/// What a cache should have.
pub(super) struct Wanted<'a> {
    /// The children that should exist, in the order in which they are made: first who may reach the
    /// pods, then what they need, then the pods.
    pub(super) children: Vec<Child<'a>>,
    /// Which defaults the StatefulSet has.
    pub(super) defaults: Defaults,
}

impl<'a> Wanted<'a> {
    pub(super) fn of(
        primary: &'a Primary<'a>,
        settings: &Settings<'a>,
        owned: &Objects<'_>,
        related: &Objects<'_>,
        keep_claim_as_it_is: bool,
    ) -> Self {
        let mut wanted = Wanted { children: Vec::with_capacity(8), defaults: Defaults::Current };
        if !primary.spec.deploy() {
            // Storage outlives the registry, and is not made before it is needed.
            return wanted;
        }
        wanted.children.extend(desired::network_policy(primary, settings.operator_namespace));
        if !keep_claim_as_it_is {
            let name = desired::claim_name(primary);
            let free = name
                .and_then(|name| related.find(&VOLUME_CLAIM, &name))
                .filter(|claim| claim.is_uncontrolled());
            let says = |key, text| free.and_then(|claim| claim.text_of("annotations", key)) == Some(text);
            let is_offered = says(CONSENT_ANNOTATION, primary.metadata.name)
                || says(RETAINED_ANNOTATION, primary.metadata.uid);
            wanted.children.extend(desired::volume_claim(primary, is_offered));
        }
        wanted.children.extend(desired::literal_http_secret(primary));
        wanted.children.push(desired::service(primary));
        let name = desired::registry_service_name(primary);
        let balances = owned.find(&SERVICE, &name).is_some();
        wanted.children.extend(desired::registry_service(primary, balances));
        wanted.children.extend(desired::disruption_budget(primary));
        wanted.children.extend(desired::service_monitor(primary));
        wanted.children.extend(desired::issued_certificate(primary, settings.cluster_domain));
        let existing = owned.find(&STATEFUL_SET, primary.metadata.name);
        let (stateful_set, defaults) = desired::stateful_set_beside(primary, existing, settings.agent_image);
        wanted.children.push(stateful_set);
        wanted.defaults = defaults;
        wanted
    }

    /// Whether the registry pods do their part of retention, as they are to be or to stay.
    pub(super) fn pods_retain(&self, primary: &Primary<'_>, owned: &Objects<'_>) -> bool {
        let existing = owned.find(&STATEFUL_SET, primary.metadata.name);
        let spec = match self.defaults {
            Defaults::Unknown => existing.and_then(|set| set.spec),
            Defaults::Current | Defaults::Older => {
                let set = self.children.iter().find(|child| *child.kind == STATEFUL_SET);
                set.and_then(|set| set.object.get("spec"))
            }
        };
        desired::pods_retain(primary, spec)
    }
}

//! What the operator may do, right by right, each with its reason. Everything that speaks of permissions is made
//! from these tables: the roles, the comments in their files, and the table in the README of the manifests.
//!
//! There are no wildcards, and nothing is granted that the operator does not use.

use crate::names::{LEASE, OPERATOR, SETTINGS, WEBHOOK_CERTIFICATE};
use k8s_openapi::api::rbac::v1::PolicyRule;
use orascache_api::names::{GROUP, PLURAL};

/// One rule of a role, and why it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Plural resource names, with the subresource behind a slash.
    pub resources: Vec<String>,
    /// Only objects of this name. Requests that name none (create, list) are not granted then.
    pub name: Option<&'static str>,
    /// What may be done.
    pub verbs: &'static [&'static str],
    /// Why, as a sentence.
    pub why: &'static str,
}

impl Right {
    fn new(
        group: &'static str,
        resource: impl Into<String>,
        verbs: &'static [&'static str],
        why: &'static str,
    ) -> Self {
        Self { group, resources: vec![resource.into()], name: None, verbs, why }
    }

    fn named(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// As a rule of a Role or ClusterRole.
    pub fn rule(&self) -> PolicyRule {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        PolicyRule {
            api_groups: Some(owned(&[self.group])),
            resources: Some(self.resources.clone()),
            resource_names: self.name.map(|name| owned(&[name])),
            verbs: owned(self.verbs),
            ..PolicyRule::default()
        }
    }

    /// `statefulsets.apps`, as kubectl writes it; with the name of the object where only one is meant.
    pub fn subject(&self) -> String {
        let one = |resource: &String| match (self.group, resource.split_once('/')) {
            ("", _) => resource.clone(),
            (group, None) => format!("{resource}.{group}"),
            (group, Some((resource, subresource))) => format!("{resource}.{group}/{subresource}"),
        };
        let resources = self.resources.iter().map(one).collect::<Vec<_>>().join(", ");
        match self.name {
            Some(name) => format!("{resources} named {name}"),
            None => resources,
        }
    }
}

/// In all namespaces: what reconciling caches takes.
pub fn caches() -> Vec<Right> {
    /// Watched, created and changed by server-side apply (which asks for create as well), read before something
    /// is applied that the watch does not know, and deleted when the cache does without.
    const CHILDREN: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];
    vec![
        Right::new(
            GROUP,
            PLURAL,
            &["get", "list", "watch"],
            "Caches are watched. A review of a pod reads the one that the pod names when the watch has not told of it yet.",
        ),
        Right::new(
            GROUP,
            format!("{PLURAL}/status"),
            &["patch"],
            "Their status is written by server-side apply.",
        ),
        Right::new(
            GROUP,
            format!("{PLURAL}/finalizers"),
            &["update"],
            "Children name their cache as owner with blockOwnerDeletion; the admission plugin OwnerReferencesPermissionEnforcement asks for this right then. Finalizers are not written.",
        ),
        Right::new(
            "apps",
            "statefulsets",
            CHILDREN,
            "Registry pods. Deleted when a cache sets deploy to false.",
        ),
        Right::new(
            "",
            "services",
            CHILDREN,
            "The name of a registry. Deleted when a cache sets deploy to false.",
        ),
        Right::new(
            "",
            "persistentvolumeclaims",
            &["get", "list", "watch", "create", "patch"],
            "Storage of registries, and claims that caches refer to. Never deleted by the operator.",
        ),
        Right::new(
            "",
            "secrets",
            CHILDREN,
            "HTTP secrets of registries are generated, or moved out of a cache's spec, and deleted when the spec does without. One is read before it is written, so that no foreign Secret of that name is touched. All others are only listed and watched, as metadata (PartialObjectMetadata), to tell whether those that caches refer to exist; RBAC cannot tell that from reading them.",
        ),
        Right::new(
            "",
            "namespaces",
            &["get"],
            "Labels of a namespace may decide which annotations its steps must have (requiredAnnotations). One is read, as metadata, when a step lacks such an annotation.",
        ),
        Right::new(
            "events.k8s.io",
            "events",
            &["create", "patch"],
            "What happened to a cache; repetitions are counted in the same Event.",
        ),
    ]
}

/// In the operator's namespace: leader election.
pub fn leader_election() -> Vec<Right> {
    vec![
        Right::new(
            "coordination.k8s.io",
            "leases",
            &["create"],
            "The Lease is made by the first replica. A request to create cannot be restricted by name.",
        ),
        Right::new("coordination.k8s.io", "leases", &["get", "update"], "Replicas elect a leader by it.")
            .named(LEASE),
    ]
}

/// In the operator's namespace: the administrator's settings.
pub fn settings() -> Vec<Right> {
    vec![
        Right::new(
            "",
            "configmaps",
            &["get", "list", "watch"],
            "Settings for admission are followed, and never written. Lists and watches select the ConfigMap by metadata.name.",
        )
        .named(SETTINGS),
    ]
}

/// In the operator's namespace, with managed certificates: the Secret that holds them.
pub fn certificate() -> Vec<Right> {
    vec![
        Right::new(
            "",
            "secrets",
            &["create"],
            "The Secret is made by the first replica. A request to create cannot be restricted by name.",
        ),
        Right::new(
            "",
            "secrets",
            &["get", "list", "watch", "update", "patch"],
            "Certificates are renewed in it, and every replica follows it. Lists and watches select it by metadata.name.",
        )
        .named(WEBHOOK_CERTIFICATE),
    ]
}

/// In the cluster, with managed certificates: publishing the CA to the API server.
pub fn publication() -> Vec<Right> {
    let mut right = Right::new(
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        &["get", "patch"],
        "The CA that the API server is to trust is written into the operator's own configurations, and into no others.",
    )
    .named(OPERATOR);
    right.resources.push("validatingwebhookconfigurations".to_owned());
    vec![right]
}

/// For people: looking at caches.
pub fn viewing() -> Vec<Right> {
    vec![
        Right::new(
            GROUP,
            PLURAL,
            &["get", "list", "watch"],
            "Who may view a namespace may look at its caches.",
        ),
        Right::new(GROUP, format!("{PLURAL}/status"), &["get"], "Their status alone."),
    ]
}

/// For people: caches of one's own.
pub fn editing() -> Vec<Right> {
    let verbs: &[&str] = &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
    vec![
        Right::new(GROUP, PLURAL, verbs, "Who may edit a namespace may have caches in it."),
        Right::new(
            GROUP,
            format!("{PLURAL}/status"),
            &["get"],
            "Their status alone; it is written by the operator.",
        ),
    ]
}

//! What the operator may do, right by right, each with its reason.
//!
//! Roles, the comments in their files, and the tables for people are made from these lists. Rights
//! on owned and related kinds follow from the guest's description: a kind that a guest adds appears
//! in the role. There are no wildcards, and no right that the operator does not use.

use crate::gates;
use crate::names::{GATES, LEASE, OPERATOR, SETTINGS, WEBHOOK_CERTIFICATE, WEBHOOK_ROLE};
use crate::options::ManifestOptions;
use crate::reasons;
pub use crate::right::{Right, RightScope, RoleRights};
use orascache_contract::{Description, Kind};
use std::fmt::Write;

/// Label of ClusterRoles whose rights become part of `view`, and so of `edit` and `admin`
/// (<https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles>).
const TO_VIEW: &[&str] = &["rbac.authorization.k8s.io/aggregate-to-view"];
/// Labels of ClusterRoles whose rights become part of `edit` and `admin` (same page).
const TO_EDIT: &[&str] =
    &["rbac.authorization.k8s.io/aggregate-to-edit", "rbac.authorization.k8s.io/aggregate-to-admin"];

const RBAC_VERBS_READ: &[&str] = &["get", "list", "watch"];

/// The roles of the operator's ServiceAccount.
pub fn operator_roles(options: &ManifestOptions, description: &Description) -> Vec<RoleRights> {
    let own_namespace = || RightScope::Namespaces(vec![options.namespace.clone()]);
    let mut roles = if options.namespaces.is_empty() {
        let rights = reconciling(description).into_iter().chain([reading_namespaces()]).collect();
        vec![RoleRights {
            name: OPERATOR,
            file: "caches.yaml",
            purpose: "In all namespaces".to_owned(),
            scope: RightScope::Cluster,
            rights,
        }]
    } else {
        vec![
            RoleRights {
                name: OPERATOR,
                file: "caches.yaml",
                purpose: format!("In each of the namespaces {}", options.namespaces.join(", ")),
                scope: RightScope::Namespaces(options.namespaces.clone()),
                rights: reconciling(description),
            },
            RoleRights {
                name: OPERATOR,
                file: "namespaces.yaml",
                purpose: "In the cluster, since Namespaces are in no namespace".to_owned(),
                scope: RightScope::Cluster,
                rights: vec![reading_namespaces().named(&options.namespaces)],
            },
        ]
    };
    roles.push(RoleRights {
        name: OPERATOR,
        file: "leader-election.yaml",
        purpose: "In the operator's namespace, for leader election".to_owned(),
        scope: own_namespace(),
        rights: leader_election(),
    });
    roles.push(RoleRights {
        name: SETTINGS,
        file: "settings.yaml",
        purpose: "In the operator's namespace, for the administrator's settings".to_owned(),
        scope: own_namespace(),
        rights: settings(),
    });
    if options.gates {
        roles.push(gates::role(options));
    }
    if options.manages_certificate() {
        roles.extend(managed_certificate_roles(options));
    }
    roles
}

/// The roles that an operator needs only if it manages its certificate.
pub fn managed_certificate_roles(options: &ManifestOptions) -> Vec<RoleRights> {
    vec![
        RoleRights {
            name: WEBHOOK_ROLE,
            file: "webhook-certificate.yaml",
            purpose: "In the operator's namespace, with managed certificates only".to_owned(),
            scope: RightScope::Namespaces(vec![options.namespace.clone()]),
            rights: certificate(),
        },
        RoleRights {
            name: WEBHOOK_ROLE,
            file: "webhook-ca-bundle.yaml",
            purpose: "In the cluster, with managed certificates only".to_owned(),
            scope: RightScope::Cluster,
            rights: ca_bundle(),
        },
    ]
}

/// What people may do with primaries, as part of the cluster's own roles.
pub fn user_roles(description: &Description) -> Vec<RoleRights> {
    let Kind { plural, .. } = &description.primary;
    let group = description.primary.group();
    let status = |reason| Right::new(group, format!("{plural}/status"), &["get"], reason);
    let scale = |verbs, reason| Right::new(group, format!("{plural}/scale"), verbs, reason);
    let editing: &[&str] =
        &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
    vec![
        RoleRights {
            name: "orascache-view",
            file: "users-view.yaml",
            purpose: "For people, as part of the ClusterRoles `view`, `edit` and `admin`".to_owned(),
            scope: RightScope::Aggregated(TO_VIEW),
            rights: vec![
                Right::new(group, plural.as_ref(), RBAC_VERBS_READ, reasons::VIEW_PRIMARY),
                status(reasons::VIEW_STATUS),
                scale(&["get"], reasons::VIEW_SCALE),
            ],
        },
        RoleRights {
            name: "orascache-edit",
            file: "users-edit.yaml",
            purpose: "For people, as part of the ClusterRoles `edit` and `admin`".to_owned(),
            scope: RightScope::Aggregated(TO_EDIT),
            rights: vec![
                Right::new(group, plural.as_ref(), editing, reasons::EDIT_PRIMARY),
                status(reasons::EDIT_STATUS),
                scale(&["get", "update", "patch"], reasons::EDIT_SCALE),
            ],
        },
    ]
}

/// All roles, those of the operator first.
pub fn all_roles(options: &ManifestOptions, description: &Description) -> Vec<RoleRights> {
    let mut roles = operator_roles(options, description);
    roles.extend(user_roles(description));
    roles
}

/// All rights with their reasons, as tables in Markdown.
pub fn markdown(roles: &[RoleRights]) -> String {
    let mut text = String::new();
    for role in roles {
        let separator = if text.is_empty() { "" } else { "\n\n" };
        let folder = if role.name == GATES { "gates" } else { "rbac" };
        let title = format!("{} (`{folder}/{}`):", role.purpose, role.file);
        // Writing to a String cannot fail.
        let _ = write!(text, "{separator}{title}\n\n| resources | verbs | reason |\n|---|---|---|");
        for right in &role.rights {
            let verbs = right.verbs.join(", ");
            let _ = write!(text, "\n| {} | {verbs} | {} |", right.resource_text(), right.reason);
        }
    }
    text
}

/// Rights on the primary, on the kinds that the guest owns or reads, and on events.
fn reconciling(description: &Description) -> Vec<Right> {
    let primary = &description.primary;
    let (group, plural) = (primary.group(), &primary.plural);
    let mut rights = vec![
        Right::new(group, plural.as_ref(), RBAC_VERBS_READ, reasons::READ_PRIMARY),
        Right::new(group, format!("{plural}/status"), &["patch"], reasons::WRITE_STATUS),
        Right::new(group, format!("{plural}/finalizers"), &["update"], reasons::OWNER_REFERENCES),
    ];
    for owned in &description.owned {
        let kind = &owned.kind;
        let known = reasons::owned_kind(kind.group(), &kind.plural);
        rights.push(Right::new(kind.group(), kind.plural.as_ref(), known.verbs, known.reason));
    }
    let is_owned = |kind: &Kind| description.owned.iter().any(|owned| owned.kind == *kind);
    for related in description.related.iter().filter(|related| !is_owned(&related.kind)) {
        let kind = &related.kind;
        let (verbs, reason): (&[&str], _) = if related.patchable {
            (&["get", "list", "watch", "patch"], reasons::PATCHABLE_KIND)
        } else {
            (&["list", "watch"], reasons::related_kind(kind.group(), &kind.plural))
        };
        rights.push(Right::new(kind.group(), kind.plural.as_ref(), verbs, reason));
    }
    rights.push(Right::new("events.k8s.io", "events", &["create", "patch"], reasons::EVENTS));
    rights
}

fn reading_namespaces() -> Right {
    Right::new("", "namespaces", &["get"], reasons::NAMESPACE_LABELS)
}

fn leader_election() -> Vec<Right> {
    let leases = |verbs, reason| Right::new("coordination.k8s.io", "leases", verbs, reason);
    vec![
        leases(&["create"], reasons::CREATE_LEASE),
        leases(&["get", "update"], reasons::USE_LEASE).named([LEASE]),
    ]
}

fn settings() -> Vec<Right> {
    vec![Right::new("", "configmaps", RBAC_VERBS_READ, reasons::SETTINGS).named([SETTINGS])]
}

fn certificate() -> Vec<Right> {
    let using = &["get", "list", "watch", "update", "patch"];
    vec![
        Right::new("", "secrets", &["create"], reasons::CREATE_CERTIFICATE),
        Right::new("", "secrets", using, reasons::ROTATE_CERTIFICATE).named([WEBHOOK_CERTIFICATE]),
    ]
}

fn ca_bundle() -> Vec<Right> {
    let group = "admissionregistration.k8s.io";
    let mut right = Right::new(group, "mutatingwebhookconfigurations", &["get", "patch"], reasons::CA_BUNDLE)
        .named([OPERATOR]);
    right.resources.push("validatingwebhookconfigurations".to_owned());
    vec![right]
}

#[cfg(test)]
mod tests {
    use super::*;
    use orascache_contract::WatchedKind;
    use orascache_core::describe;

    const WIDGET: Kind = Kind::namespaced("example.com/v1", "Widget", "widgets");

    fn right_on_widgets(change: impl FnOnce(&mut Description)) -> Option<Right> {
        let mut description = describe();
        change(&mut description);
        let roles = operator_roles(&ManifestOptions::default(), &description);
        let mut rights = roles.into_iter().flat_map(|role| role.rights);
        rights.find(|right| right.group == "example.com")
    }

    #[test]
    fn a_kind_of_the_guests_description_gets_rights() {
        assert_eq!(right_on_widgets(|_| {}), None);
        let owned = right_on_widgets(|guest| guest.owned.push(WatchedKind::whole(WIDGET))).unwrap();
        assert_eq!(owned.verbs, ["get", "list", "watch", "create", "patch", "delete"]);
        assert_eq!(owned.resources, ["widgets"]);
        let related = right_on_widgets(|guest| guest.related.push(WatchedKind::whole(WIDGET))).unwrap();
        assert_eq!(related.verbs, ["list", "watch"]);
        let patchable = WatchedKind { patchable: true, ..WatchedKind::whole(WIDGET) };
        let patchable = right_on_widgets(|guest| guest.related.push(patchable)).unwrap();
        assert_eq!(patchable.verbs, ["get", "list", "watch", "patch"]);
    }

    #[test]
    fn every_right_has_a_reason() {
        let listed = ManifestOptions { namespaces: vec!["team".to_owned()], ..ManifestOptions::default() };
        for options in [ManifestOptions::default(), listed] {
            for role in all_roles(&options, &describe()) {
                for right in role.rights {
                    let reason = &right.reason;
                    assert!(reason.ends_with('.') && reason.split(' ').count() >= 4, "{right:?}");
                    assert!(
                        !reason.contains('\n') && !reason.contains('|'),
                        "a table needs one line: {reason}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_kind_of_orascache_has_a_reason_of_its_own() {
        let roles = operator_roles(&ManifestOptions::default(), &describe());
        let rights: Vec<&Right> = roles.iter().flat_map(|role| &role.rights).collect();
        for general in [reasons::OWNED_KIND, reasons::RELATED_KIND, reasons::PATCHABLE_KIND] {
            assert!(rights.iter().all(|right| right.reason != general), "{general}");
        }
    }
}

//! Roles and their bindings: for all namespaces, or for listed ones.

use super::piece::{COLUMN, line, text};
use super::{GATES, LISTED, MANAGED, Template};
use crate::error::ManifestError;
use crate::gates;
use crate::options::ManifestOptions;
use crate::rbac::role_objects;
use crate::rights::{RightScope, RoleRights, managed_certificate_roles, operator_roles, user_roles};
use orascache_contract::Description;
use serde_json::Value;

pub(super) fn template(
    options: &ManifestOptions,
    description: &Description,
) -> Result<Template, ManifestError> {
    // Roles for gates and for certificates depend on values of their own.
    let without_gates = ManifestOptions { gates: false, ..options.clone() };
    let item = ManifestOptions { namespaces: vec![text("$item")], ..without_gates.clone() };
    let names = format!("{{{{- toYaml {LISTED} | nindent {COLUMN} }}}}");
    let listed = ManifestOptions { namespaces: vec![line(&names)], ..without_gates.clone() };

    let certificate: Vec<&str> = managed_certificate_roles(options).iter().map(|role| role.file).collect();
    let plain = |options: &ManifestOptions| -> Vec<RoleRights> {
        let mut roles = operator_roles(options, description);
        roles.retain(|role| !certificate.contains(&role.file));
        roles
    };
    // Whether a role is the same with and without listed namespaces.
    let is_own = |role: &RoleRights| role.scope == RightScope::Namespaces(vec![options.namespace.clone()]);
    let objects = |roles: Vec<RoleRights>, options: &ManifestOptions| -> Result<Vec<Value>, ManifestError> {
        let mut all = Vec::new();
        for role in &roles {
            all.extend(role_objects(role, options)?);
        }
        Ok(all)
    };
    let (own, everywhere): (Vec<_>, Vec<_>) = plain(&without_gates).into_iter().partition(is_own);
    let in_each =
        plain(&item).into_iter().filter(|role| role.scope == RightScope::Namespaces(item.namespaces.clone()));
    let in_cluster = plain(&listed).into_iter().filter(|role| role.scope == RightScope::Cluster);
    let gate = |options: &ManifestOptions| objects(vec![gates::role(options)], options);
    Ok(Template::of("roles.yaml")
        .when(&format!("not {LISTED}"), objects(everywhere, options)?)
        .each(LISTED, objects(in_each.collect(), &item)?)
        .when(LISTED, objects(in_cluster.collect(), &listed)?)
        .always(objects(own, options)?)
        .when(MANAGED, objects(managed_certificate_roles(options), options)?)
        .when(&format!("and {GATES} (not {LISTED})"), gate(&without_gates)?)
        .each(&format!("{GATES} | ternary {LISTED} list"), gate(&item)?)
        .always(objects(user_roles(description), options)?))
}

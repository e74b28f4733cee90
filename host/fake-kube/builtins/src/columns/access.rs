//! Role bindings and webhook configurations.

use super::{AGE, NAME, Row, Table, integer, text};
use crate::json::Fields;

pub(super) const ROLE_BINDINGS: Table = Table {
    columns: &[
        NAME,
        text("Role", "RoleRef can reference a role in the current namespace or a cluster role."),
        AGE,
        text("Users", "Users in the roleBinding").wide(),
        text("Groups", "Groups in the roleBinding").wide(),
        text("ServiceAccounts", "ServiceAccounts in the roleBinding").wide(),
    ],
    cells: |row| {
        let role = row.object.at("roleRef");
        vec![
            row.name(),
            format!("{}/{}", role.text("kind"), role.text("name")).into(),
            row.age(),
            subjects(row, "User").into(),
            subjects(row, "Group").into(),
            subjects(row, "ServiceAccount").into(),
        ]
    },
};

fn subjects(row: &Row<'_>, kind: &str) -> String {
    let named =
        row.object.list("subjects").iter().filter(|subject| subject.text("kind") == kind).map(|subject| {
            match subject.text("namespace") {
                "" => subject.text("name").to_owned(),
                namespace => format!("{namespace}/{}", subject.text("name")),
            }
        });
    named.collect::<Vec<_>>().join(", ")
}

pub(super) const WEBHOOKS: Table = Table {
    columns: &[
        NAME,
        integer("Webhooks", "Webhooks indicates the number of webhooks defined in this configuration"),
        AGE,
    ],
    cells: |row| vec![row.name(), row.object.list("webhooks").len().into(), row.age()],
};

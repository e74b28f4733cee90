//! The served kinds: the built-in ones, and those of CustomResourceDefinitions.

mod custom;
mod definition;
mod kind;

use std::collections::BTreeMap;
use std::sync::Arc;

use fake_kube_apimachinery::builtin_schema;
use fake_kube_apimachinery::schema::Schema;

pub use custom::PrinterColumn;
pub use definition::kinds_of;
pub use kind::{Kind, Origin, Subresource};

use crate::store::TableName;

/// All served kinds.
#[derive(Clone, Default)]
pub struct Catalogue {
    builtin: Vec<Arc<Kind>>,
    /// Custom kinds by the name of their definition.
    custom: BTreeMap<String, Vec<Arc<Kind>>>,
}

/// The versions of one API group, the preferred one first.
pub struct Group<'a> {
    /// The group's name.
    pub name: &'a str,
    /// Its versions with their kinds, in order of preference.
    pub versions: Vec<(&'a str, Vec<&'a Kind>)>,
}

impl Catalogue {
    /// The built-in kinds.
    pub fn builtin() -> Self {
        Self {
            builtin: fake_kube_builtins::catalogue().iter().map(builtin_kind).collect(),
            custom: BTreeMap::new(),
        }
    }

    /// Finds a kind by the parts of a path.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Kind>> {
        self.kinds()
            .find(|kind| kind.plural == plural && kind.version == version && kind.group == group)
            .cloned()
    }

    /// All kinds.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.builtin.iter().chain(self.custom.values().flatten())
    }

    /// Adds or replaces the kinds of a definition.
    pub fn set_custom(&mut self, definition: &str, kinds: Vec<Arc<Kind>>) {
        self.custom.insert(definition.to_owned(), kinds);
    }

    /// Removes the kinds of a definition.
    pub fn remove_custom(&mut self, definition: &str) {
        self.custom.remove(definition);
    }

    /// The kinds of a definition.
    pub fn custom(&self, definition: &str) -> &[Arc<Kind>] {
        self.custom.get(definition).map_or(&[], Vec::as_slice)
    }

    /// The groups, built-in ones first; the core group has an empty name.
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for kind in self.kinds() {
            let index = groups.iter().position(|group| group.name == kind.group).unwrap_or_else(|| {
                groups.push(Group { name: &kind.group, versions: Vec::new() });
                groups.len() - 1
            });
            let Some(group) = groups.get_mut(index) else { continue };
            match group.versions.iter_mut().find(|(version, _)| *version == kind.version) {
                Some((_, kinds)) => kinds.push(kind),
                None => group.versions.push((&kind.version, vec![kind])),
            }
        }
        for group in &mut groups {
            group.versions.sort_by_key(|(version, _)| std::cmp::Reverse(version_priority(version)));
            for (_, kinds) in &mut group.versions {
                kinds.sort_by(|a, b| a.plural.cmp(&b.plural));
            }
        }
        groups
    }
}

/// Sorts GA before beta before alpha before anything else, then by number.
fn version_priority(version: &str) -> (u8, u32, u32) {
    let parse = |version: &str| -> Option<(u8, u32, u32)> {
        let rest = version.strip_prefix('v')?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (major, rest) = rest.split_at(digits);
        let major = major.parse().ok()?;
        if rest.is_empty() {
            return Some((3, major, 0));
        }
        let (stage, minor) = match rest.strip_prefix("beta") {
            Some(minor) => (2, minor),
            None => (1, rest.strip_prefix("alpha")?),
        };
        Some((stage, major, minor.parse().ok()?))
    };
    parse(version).unwrap_or((0, 0, 0))
}

fn builtin_kind(resource: &'static fake_kube_builtins::Resource) -> Arc<Kind> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let schema = builtin_schema::schema(resource.group, resource.version, resource.kind);
    // Events of `events.k8s.io` are the events of the core group.
    let table_group = if resource.plural == "events" { "" } else { resource.group };
    Arc::new(Kind {
        group: resource.group.to_owned(),
        version: resource.version.to_owned(),
        kind: resource.kind.to_owned(),
        list_kind: format!("{}List", resource.kind),
        plural: resource.plural.to_owned(),
        singular: resource.singular.to_owned(),
        short_names: owned(resource.short_names),
        categories: owned(resource.categories),
        namespaced: resource.namespaced,
        verbs: owned(resource.verbs),
        subresources: resource
            .subresources
            .iter()
            .map(|subresource| Subresource {
                name: subresource.name.to_owned(),
                body: (
                    subresource.group.to_owned(),
                    subresource.version.to_owned(),
                    subresource.kind.to_owned(),
                ),
                verbs: owned(subresource.verbs),
            })
            .collect(),
        schema: schema.unwrap_or_else(|| Arc::new(Schema::any())),
        table: TableName::new(table_group, resource.plural),
        storage_version_hash: resource.storage_version_hash.to_owned(),
        origin: Origin::Builtin(resource),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn stable_versions_come_first() {
        let mut versions = ["v1alpha1", "v2", "foo", "v1beta2", "v10", "v1beta1", "v1"];
        versions.sort_by_key(|version| std::cmp::Reverse(super::version_priority(version)));
        assert_eq!(versions, ["v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha1", "foo"]);
    }
}

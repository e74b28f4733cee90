//! The built-in kinds as discovery shows them.

mod tables;

use tables::RESOURCES;

/// A built-in resource in one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// The resource name in paths.
    pub plural: &'static str,
    /// The resource name for one object.
    pub singular: &'static str,
    /// Names that kubectl accepts in place of the plural, for example `po`.
    pub short_names: &'static [&'static str],
    /// The groups of kinds that it belongs to, for example `all` of `kubectl get all`.
    pub categories: &'static [&'static str],
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// The verbs that it supports, sorted.
    pub verbs: &'static [&'static str],
    /// Its subresources, sorted by name.
    pub subresources: &'static [Subresource],
    /// Whether `metadata.generation` counts changes of its spec.
    pub has_generation: bool,
    /// `storageVersionHash` of discovery, a hint for storage migration. Empty for resources that
    /// are not stored.
    pub storage_version_hash: &'static str,
}

/// A subresource of a [`Resource`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subresource {
    /// For example `scale`.
    pub name: &'static str,
    /// API group of the objects that are read and written through it.
    pub group: &'static str,
    /// API version of these objects.
    pub version: &'static str,
    /// Kind of these objects.
    pub kind: &'static str,
    /// The verbs that it supports, sorted.
    pub verbs: &'static [&'static str],
}

/// All built-in resources, by group and then by plural name.
pub fn catalogue() -> &'static [Resource] {
    RESOURCES
}

/// Finds a built-in resource.
pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
    RESOURCES
        .iter()
        .find(|resource| resource.plural == plural && resource.group == group && resource.version == version)
}

impl Resource {
    /// `apps/v1`, or `v1` in the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Whether this is a HorizontalPodAutoscaler of autoscaling/v1, whose objects are stored in v2.
    pub(crate) fn is_autoscaler_v1(&self) -> bool {
        (self.group, self.version, self.kind) == ("autoscaling", "v1", "HorizontalPodAutoscaler")
    }

    /// Group and kind, by which all behaviour is chosen. Only autoscalers behave differently by
    /// version.
    pub(crate) fn group_kind(&self) -> (&'static str, &'static str) {
        (self.group, self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_sorted_and_unique() {
        let names: Vec<_> =
            RESOURCES.iter().map(|resource| (resource.group, resource.plural, resource.version)).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
    }

    #[test]
    fn verbs_and_subresources_are_sorted() {
        for resource in RESOURCES {
            assert!(resource.verbs.is_sorted(), "{}", resource.plural);
            assert!(resource.subresources.is_sorted_by_key(|sub| sub.name), "{}", resource.plural);
        }
    }

    #[test]
    fn hashes_are_the_recorded_ones() {
        let hash = |plural| find("apps", "v1", plural).map(|resource| resource.storage_version_hash);
        assert_eq!(hash("controllerrevisions"), Some("85nkx63pcBU="));
        assert_eq!(hash("statefulsets"), Some("H+vl74LkKdo="));
    }
}

//! Values: one right of the operator, and the rights of one role.

use k8s_openapi::api::rbac::v1::PolicyRule;

/// One rule of a role, and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// API group; empty for the core group.
    pub group: String,
    /// Plural resource names, with the subresource behind a slash.
    pub resources: Vec<String>,
    /// Names of the only objects that it is for. Empty for all objects.
    pub names: Vec<String>,
    /// The permitted verbs.
    pub verbs: Vec<&'static str>,
    /// Why the operator needs it, one or more sentences.
    pub reason: String,
}

impl Right {
    pub(crate) fn new(
        group: &str,
        resource: impl Into<String>,
        verbs: &[&'static str],
        reason: &str,
    ) -> Self {
        Self {
            group: group.to_owned(),
            resources: vec![resource.into()],
            names: Vec::new(),
            verbs: verbs.to_vec(),
            reason: reason.to_owned(),
        }
    }

    pub(crate) fn named(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The rule of a Role or ClusterRole.
    pub fn rule(&self) -> PolicyRule {
        PolicyRule {
            api_groups: Some(vec![self.group.clone()]),
            resources: Some(self.resources.clone()),
            resource_names: Some(self.names.clone()).filter(|names| !names.is_empty()),
            verbs: self.verbs.iter().map(|verb| (*verb).to_owned()).collect(),
            ..PolicyRule::default()
        }
    }

    /// The resources as kubectl writes them, such as `statefulsets.apps`, with the names of
    /// objects.
    pub fn resource_text(&self) -> String {
        let one = |resource: &String| match (self.group.as_str(), resource.split_once('/')) {
            ("", _) => resource.clone(),
            (group, None) => format!("{resource}.{group}"),
            (group, Some((resource, subresource))) => format!("{resource}.{group}/{subresource}"),
        };
        let resources = self.resources.iter().map(one).collect::<Vec<_>>().join(", ");
        if self.names.is_empty() { resources } else { format!("{resources} named {}", self.names.join(", ")) }
    }
}

/// Where a role grants its rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RightScope {
    /// In the whole cluster: a ClusterRole with a ClusterRoleBinding.
    Cluster,
    /// In these namespaces: a Role with a RoleBinding in each.
    Namespaces(Vec<String>),
    /// As part of the ClusterRoles `view`, `edit` or `admin`, in the namespaces that an
    /// administrator grants those in: a ClusterRole with these labels.
    Aggregated(&'static [&'static str]),
}

/// The rights of one role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRights {
    /// Name of the role and of its binding.
    pub name: &'static str,
    /// File in the folder `rbac`, or in `gates` for the role of that name.
    pub file: &'static str,
    /// What the role is for: a phrase that begins a list of its rights.
    pub purpose: String,
    /// Where it grants the rights.
    pub scope: RightScope,
    /// The rights.
    pub rights: Vec<Right>,
}

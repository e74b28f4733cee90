//! Reduces objects of the API server to the form that the cache stores.

use crate::compressed::Compressor;
use crate::decoded::{Decoded, Identity};
use crate::digest;
use crate::managed_fields::{self, ManagedEntry};
use crate::object::{Key, Stored};
use crate::owner::controlling;
use crate::retention::{Fields, Retention};
use crate::text::quoted;
use crate::watches::{Watch, is_metadata_only};
use orascache_contract::Kind;
use std::ops::Range;
use std::sync::Arc;

/// How to recognise our fields and our children.
#[derive(Clone, Debug)]
pub(crate) struct Ownership {
    /// Field manager of our applies.
    pub(crate) field_manager: String,
    /// The kind that controls our children.
    pub(crate) primary: Kind,
}

/// Compresses what is stored of the objects of one watch.
#[derive(Default)]
pub(crate) struct Compressors {
    pub(crate) texts: Compressor,
    pub(crate) managers: Compressor,
}

impl Decoded {
    /// Reduces the object to the form that is stored. `None` when it has no name, UID or
    /// resourceVersion. `share` makes the texts that many objects have in common.
    pub(crate) fn store(
        self,
        watch: &Watch,
        ownership: &Ownership,
        compressors: &Compressors,
        share: impl Fn(&str) -> Arc<str>,
    ) -> Option<Stored> {
        let Identity { namespace, name, uid, resource_version } = self.identity()?;
        let ours = &*ownership.field_manager;
        let owner = controlling(self.object().metadata("ownerReferences"));
        // Whatever the version of its kind: a child that was made before an upgrade names the
        // version of then.
        let controller = owner.as_ref().filter(|owner| {
            owner.group() == ownership.primary.group() && owner.kind == ownership.primary.kind
        });
        let controller = controller.map(|owner| share(&owner.uid));
        let managed = managed_fields::entries(self.object().metadata("managedFields").unwrap_or_default());
        let is_of_other = |entry: &&ManagedEntry<'_>| entry.manager != ours;
        let is_stray = owner.is_none() && managed.iter().any(|entry| entry.manager == ours);
        let retention = if controller.is_some() { &watch.kept.children } else { &watch.kept.others };
        // Objects that are stored in part are never applied.
        let is_whole = *retention == Retention::Whole;
        let has_others = is_whole && managed.iter().any(|entry| is_of_other(&entry));
        let managers = if has_others { managed_fields::list(managed.iter()) } else { None };
        // A guest sees by them what others added to its children.
        let shown = if has_others && controller.is_some() {
            managed_fields::list(managed.iter().filter(is_of_other))
        } else {
            None
        };
        let has_created_fields = is_whole && managed_fields::has_updated(&managed, ours);
        let mut reduced = self.reduce(&watch.kind, retention.fields_kept(), shown.as_deref());
        let content = digest::outside(&reduced.text, &[&reduced.status, &reduced.revision]);
        let revision_at = reduced.cut_revision(resource_version);
        Some(Stored {
            key: Key { namespace: share(namespace), name: name.into() },
            uid: uid.into(),
            resource_version: resource_version.into(),
            controller,
            content,
            revision_at,
            compressed: compressors.texts.compress(&reduced.text),
            managers: managers.map(|text| Box::new(compressors.managers.compress(&text))),
            is_stray,
            has_created_fields,
        })
    }

    /// The text of what is kept, with these managedFields.
    fn reduce(&self, kind: &Kind, kept: &Fields, managed: Option<&str>) -> Reduced {
        let mut text = String::with_capacity(self.object().text().len() + 96);
        // Items of lists have neither, and metadata-only objects those of another kind.
        text.push_str("{\"apiVersion\":");
        text.push_str(&quoted(&kind.api_version));
        text.push_str(",\"kind\":");
        text.push_str(&quoted(&kind.kind));
        let (mut status, mut revision) = (0..0, 0..0);
        let metadata_only = is_metadata_only(kind);
        for (name, value) in self.object().members() {
            let name_text = name.text();
            if matches!(&*name_text, "apiVersion" | "kind") || (metadata_only && name_text != "metadata") {
                continue;
            }
            let Some(kept) = kept.member(&name_text) else { continue };
            let start = text.len();
            text.push(',');
            text.push_str(name.0);
            text.push(':');
            if name_text == "metadata" {
                text.push('{');
                for (name, value) in self.object().metadata_members() {
                    let name_text = name.text();
                    let Some(kept) = kept.member(&name_text).filter(|_| name_text != "managedFields") else {
                        continue;
                    };
                    let written = kept.write_member(name, value, &mut text);
                    if name_text == "resourceVersion" {
                        revision = written;
                    }
                }
                if let Some(managed) = managed {
                    text.push_str(if text.ends_with('{') {
                        "\"managedFields\":"
                    } else {
                        ",\"managedFields\":"
                    });
                    text.push_str(managed);
                }
                text.push('}');
            } else if !kept.write(value, &mut text) {
                text.truncate(start);
            }
            if name_text == "status" {
                status = start..text.len();
            }
        }
        text.push('}');
        Reduced { text, status, revision }
    }
}

/// The text of what is kept of an object.
struct Reduced {
    text: String,
    /// Where its status is.
    status: Range<usize>,
    /// Where its resourceVersion is.
    revision: Range<usize>,
}

impl Reduced {
    /// Takes the resourceVersion out of the text, so that states which differ in nothing else are
    /// equal. Returns where it was. It stays where the API server wrote it with escapes, which it
    /// never does.
    fn cut_revision(&mut self, resource_version: &str) -> Option<usize> {
        let inner = self.revision.start.checked_add(1)?..self.revision.end.checked_sub(1)?;
        if self.text.get(inner.clone())? != resource_version {
            return None;
        }
        self.text.replace_range(inner.clone(), "");
        Some(inner.start)
    }
}

#[cfg(test)]
mod tests {
    use super::{Compressors, Ownership};
    use crate::decoded::Decoded;
    use crate::object::Stored;
    use crate::retention::Retention;
    use crate::testing::kind;
    use crate::watches::{Kept, Watch};
    use orascache_contract::Kind;
    use serde_json::{Value, json};

    fn store_as(kind: Kind, kept: Kept, value: Value) -> Option<Stored> {
        let ownership = Ownership {
            field_manager: "us".to_owned(),
            primary: Kind::namespaced("example.org/v1", "P", "ps"),
        };
        let watch = Watch { kind, optional: false, label_selector: String::new(), kept };
        serde_json::from_value::<Decoded>(value).expect("any JSON").store(
            &watch,
            &ownership,
            &Compressors::default(),
            |text| text.into(),
        )
    }

    fn store(value: Value) -> Option<Stored> {
        store_as(kind("Service"), Kept::of_all(Retention::Whole), value)
    }

    fn named(members: Value) -> Value {
        let mut object =
            json!({"metadata": {"name": "n", "namespace": "s", "uid": "u", "resourceVersion": "7"}});
        for (name, value) in members.as_object().expect("an object") {
            object["metadata"][name] = value.clone();
        }
        object
    }

    #[test]
    fn of_managed_fields_a_guest_sees_what_other_managers_set_on_children() {
        let owner = json!([{"apiVersion": "example.org/v1", "kind": "P", "uid": "u", "controller": true}]);
        let managed = json!({"ownerReferences": owner, "managedFields": [
            {"manager": "us", "operation": "Apply", "fieldsV1": {}},
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {}}},
            {"manager": "kubelet", "operation": "Update", "subresource": "status", "fieldsV1": {}},
        ]});
        let stored = store(named(managed.clone())).expect("stored");
        assert!(stored.text().contains("\"kind\":\"Service\""));
        assert!(stored.text().contains("managedFields") && stored.text().contains("kubectl-edit"));
        assert!(!stored.text().contains("\"us\"") && !stored.text().contains("kubelet"));
        let managers = stored.managers.expect("two entries");
        let managers = managers.open();
        assert!(
            managers.contains("kubectl-edit") && managers.contains("us") && !managers.contains("kubelet")
        );
        assert_eq!(stored.key.to_string(), "s/n");
        let mut free = managed.clone();
        free["ownerReferences"] = json!([]);
        assert!(!store(named(free)).expect("stored").text().contains("managedFields"));
        for (operation, has_created_fields) in [("Apply", false), ("Update", true)] {
            let ours = json!({"ownerReferences": owner, "managedFields": [
                {"manager": "us", "operation": operation, "fieldsV1": {}},
            ]});
            let stored = store(named(ours)).expect("stored");
            assert_eq!((stored.managers.is_none(), stored.has_created_fields), (true, has_created_fields));
            assert!(!stored.text().contains("managedFields"));
        }
    }

    #[test]
    fn a_stray_has_no_controller_and_fields_of_ours() {
        let is_stray = |owners: Value, manager: &str, subresource: &str| {
            let entry = json!({"manager": manager, "operation": "Apply", "subresource": subresource});
            let metadata = json!({"ownerReferences": owners, "managedFields": [entry]});
            store(named(metadata)).expect("stored").is_stray
        };
        let owner = |kind: &str, controller: bool| json!([{"apiVersion": "example.org/v1", "kind": kind, "uid": "u", "controller": controller}]);
        assert!(is_stray(json!(null), "us", "") && is_stray(owner("P", false), "us", ""));
        assert!(!is_stray(owner("P", true), "us", "") && !is_stray(owner("Q", true), "us", ""));
        assert!(!is_stray(json!([]), "kubectl", "") && !is_stray(json!([]), "us", "status"));
    }

    #[test]
    fn a_controller_counts_only_with_the_primarys_group_and_kind() {
        let reference = |api_version: &str, kind: &str, controller: bool| {
            let references = json!([
                {"apiVersion": "v1", "kind": "P", "uid": "other"},
                {"apiVersion": api_version, "kind": kind, "uid": "ours", "controller": controller},
            ]);
            store(named(json!({"ownerReferences": references}))).expect("stored").controller
        };
        assert_eq!(reference("example.org/v1", "P", true).as_deref(), Some("ours"));
        assert_eq!(reference("example.org/v1alpha1", "P", true).as_deref(), Some("ours"), "an older version");
        assert_eq!(reference("example.org/v1", "Q", true), None);
        assert_eq!(reference("example.com/v1", "P", true), None);
        assert_eq!(reference("v1", "P", true), None);
        assert_eq!(reference("example.org/v1", "P", false), None);
    }

    #[test]
    fn an_object_without_identity_is_not_stored() {
        assert!(store(json!({"metadata": {}})).is_none());
        assert!(store(json!([1])).is_none());
    }

    #[test]
    fn secrets_are_stored_without_their_data_and_reduced_like_others() {
        let mut secret = named(json!({"annotations": {"a": "b"}, "labels": {"c": "d"}}));
        secret["data"] = json!({"password": "cGFzc3dvcmQ="});
        let kind = || Kind::namespaced("v1", "Secret", "secrets");
        let whole = store_as(kind(), Kept::of_all(Retention::Whole), secret.clone()).expect("stored");
        assert!(!whole.text().contains("cGFzc3dvcmQ") && whole.text().contains("annotations"));
        let identity = Retention::fields(&[]).expect("no pointers");
        let reduced = store_as(kind(), Kept::of_all(identity), secret).expect("stored");
        assert!(!reduced.text().contains("annotations") && reduced.text().contains("labels"));
    }

    #[test]
    fn security_only_children_are_stored_whole_where_others_are_reduced() {
        let kept = Kept { children: Retention::Whole, others: Retention::fields(&[]).expect("no pointers") };
        let managed = json!([{"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {}}]);
        let stored = |owner: &str| {
            let owner =
                json!([{"apiVersion": "example.org/v1", "kind": owner, "uid": "u", "controller": true}]);
            let object = named(json!({
                "annotations": {"a": "b"}, "ownerReferences": owner, "managedFields": managed,
            }));
            store_as(kind("Service"), kept.clone(), object).expect("stored")
        };
        let (child, other) = (stored("P"), stored("Q"));
        assert!(child.text().contains("annotations") && child.managers.is_some());
        assert!(!other.text().contains("annotations") && other.managers.is_none());
    }
}

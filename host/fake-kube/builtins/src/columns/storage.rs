//! Claims, volumes and storage classes.

use serde_json::Value;

use super::format::scalar;
use super::{AGE, NAME, Row, Table, boolean, text};
use crate::json::Fields;

const UNSET: &str = "<unset>";

/// `RWO,RWX`, each once and in this order.
fn access_modes(owner: &Value) -> String {
    let given = owner.list("accessModes");
    let modes = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let short =
        modes.iter().filter(|(mode, _)| given.iter().any(|given| given == mode)).map(|(_, short)| *short);
    short.collect::<Vec<_>>().join(",")
}

fn or_unset(text: &str) -> Value {
    if text.is_empty() { UNSET.into() } else { text.into() }
}

fn phase(row: &Row<'_>) -> Value {
    if row.object.at("metadata").has("deletionTimestamp") {
        "Terminating".into()
    } else {
        row.status.text("phase").into()
    }
}

/// The storage class: the annotation that older clients set, or else the field.
fn class(row: &Row<'_>) -> Value {
    let annotation = row.object.path(&["metadata", "annotations", "volume.beta.kubernetes.io/storage-class"]);
    annotation.as_str().unwrap_or(row.spec.text("storageClassName")).into()
}

pub(super) const CLAIMS: Table = Table {
    columns: &[
        NAME,
        text("Status", "phase represents the current phase of PersistentVolumeClaim."),
        text("Volume", "volumeName is the binding reference to the PersistentVolume backing this claim."),
        text("Capacity", "capacity represents the actual resources of the underlying volume."),
        text("Access Modes", "accessModes contains the actual access modes the volume backing the PVC has."),
        text("StorageClass", "StorageClass of the pvc"),
        text("VolumeAttributesClass", "VolumeAttributesClass of the pvc"),
        AGE,
        text("VolumeMode", "volumeMode defines what type of volume is required by the claim.").wide(),
    ],
    cells: |row| {
        let volume = row.spec.text("volumeName");
        let (capacity, modes) = if volume.is_empty() {
            (String::new(), String::new())
        } else {
            (scalar(row.status.path(&["capacity", "storage"])), access_modes(row.status))
        };
        vec![
            row.name(),
            phase(row),
            volume.into(),
            capacity.into(),
            modes.into(),
            class(row),
            or_unset(row.spec.text("volumeAttributesClassName")),
            row.age(),
            or_unset(row.spec.text("volumeMode")),
        ]
    },
};

pub(super) const VOLUMES: Table = Table {
    columns: &[
        NAME,
        text("Capacity", "capacity is the description of the persistent volume's resources and capacity."),
        text("Access Modes", "accessModes contains all ways the volume can be mounted."),
        text("Reclaim Policy", "What happens to a persistent volume when released from its claim."),
        text("Status", "phase indicates if a volume is available, bound to a claim, or released by a claim."),
        text("Claim", "claimRef is part of a bi-directional binding between PersistentVolume and claim."),
        text("StorageClass", "StorageClass of the pv"),
        text("VolumeAttributesClass", "VolumeAttributesClass of the pv"),
        text("Reason", "reason is a brief CamelCase string that describes any failure."),
        AGE,
        text(
            "VolumeMode",
            "volumeMode defines if a volume is intended to be used with a formatted filesystem.",
        )
        .wide(),
    ],
    cells: |row| {
        let claim = row.spec.at("claimRef");
        let claim = if claim.is_null() {
            String::new()
        } else {
            format!("{}/{}", claim.text("namespace"), claim.text("name"))
        };
        vec![
            row.name(),
            scalar(row.spec.path(&["capacity", "storage"])).into(),
            access_modes(row.spec).into(),
            row.spec.text("persistentVolumeReclaimPolicy").into(),
            phase(row),
            claim.into(),
            class(row),
            or_unset(row.spec.text("volumeAttributesClassName")),
            row.status.text("reason").into(),
            row.age(),
            or_unset(row.spec.text("volumeMode")),
        ]
    },
};

pub(super) const CLASSES: Table = Table {
    columns: &[
        NAME,
        text("Provisioner", "provisioner indicates the type of the provisioner."),
        text(
            "ReclaimPolicy",
            "reclaimPolicy controls the reclaimPolicy for dynamically provisioned volumes.",
        ),
        text(
            "VolumeBindingMode",
            "volumeBindingMode indicates how PersistentVolumeClaims should be provisioned and bound.",
        ),
        boolean(
            "AllowVolumeExpansion",
            "allowVolumeExpansion shows whether the storage class allow volume expand.",
        ),
        AGE,
    ],
    cells: |row| {
        let metadata = row.object.at("metadata");
        let default =
            metadata.at("annotations").text("storageclass.kubernetes.io/is-default-class") == "true";
        let name = if default { format!("{} (default)", metadata.text("name")).into() } else { row.name() };
        vec![
            name,
            row.object.text("provisioner").into(),
            row.object.text("reclaimPolicy").into(),
            row.object.text("volumeBindingMode").into(),
            row.object.flag("allowVolumeExpansion").into(),
            row.age(),
        ]
    },
};

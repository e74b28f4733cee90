//! Samples. They are written by hand, and copied into the tree.

macro_rules! samples {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../manifests/samples/", $name)))),*]
    };
}

/// Names and contents. List further samples here.
pub(super) const ALL: &[(&str, &str)] = samples![
    "01-orascache.yaml",
    "02-orascache-shared.yaml",
    "03-remote-only.yaml",
    "11-workflow.yaml",
    "12-jobs.yaml",
    "13-launcher.yaml",
    "21-retention.yaml",
    "14-fan-out.yaml",
    "15-failure-policy.yaml",
    "16-kueue.yaml",
];

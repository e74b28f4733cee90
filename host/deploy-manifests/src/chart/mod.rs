//! The Helm chart: the same objects as the kustomize folders, with templates where the values of the
//! chart count.
//!
//! Values, schema, notes, helpers and the test are written by hand in `manifests/chart`. All other
//! templates are written from the typed objects.

mod deployment;
mod network;
mod piece;
mod roles;
mod webhooks;

use crate::error::ManifestError;
use crate::manifests::yaml::document;
use crate::names::{SETTINGS, SETTINGS_KEY};
use crate::objects::{DEFAULT_IMAGE_POINTER, definition};
use crate::options::ManifestOptions;
use crate::values::to_value;
use crate::{namespace, rbac};
use orascache_contract::Description;
use piece::{COLUMN, DEEPER, line, text};
use serde_json::{Value, json};

/// Folder of the chart below that of the manifests.
pub const FOLDER: &str = "chart";

/// The oldest Kubernetes that the objects need.
const KUBERNETES: &str = ">=1.30.0-0";

/// Conditions in templates.
const WEBHOOKS: &str = "$.Values.webhooks.enabled";
const MANAGED: &str = "and $.Values.webhooks.enabled (eq $.Values.webhooks.certificate \"managed\")";
const CERT_MANAGER: &str =
    "and $.Values.webhooks.enabled (eq $.Values.webhooks.certificate \"cert-manager\")";
const GATES: &str = "$.Values.gates.enabled";
const NETWORK_POLICY: &str = "$.Values.networkPolicy.enabled";
const LISTED: &str = "$.Values.namespaces";

macro_rules! written_by_hand {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../manifests/chart/", $name)))),*]
    };
}

/// Files that are written by hand, and copied into the tree.
const WRITTEN_BY_HAND: &[(&str, &str)] = written_by_hand![
    "README.md",
    "values.yaml",
    "values.schema.json",
    "templates/NOTES.txt",
    "templates/_helpers.tpl",
    "templates/check.yaml",
    "templates/tests/workflow.yaml",
];

/// Paths and contents of the chart's files. Paths are relative to the folder of the manifests.
///
/// # Errors
/// When an object cannot be written.
pub fn files(description: &Description) -> Result<Vec<(String, String)>, ManifestError> {
    let options = &options();
    let mut files: Vec<(String, String)> =
        WRITTEN_BY_HAND.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    files.push(("Chart.yaml".to_owned(), document("", &chart())?));
    let templates = [
        Template::of("crd.yaml").when("$.Values.crds.install", vec![crd()?]),
        Template::of("service-account.yaml").always(vec![to_value(&rbac::service_account(options))?]),
        roles::template(options, description)?,
        Template::of("settings.yaml").when("$.Values.settings", vec![settings(options)?]),
        network::template(options)?,
        Template::of("disruption-budget.yaml")
            .when("$.Values.highAvailability", vec![disruption_budget(options, true)?])
            .when("not $.Values.highAvailability", vec![disruption_budget(options, false)?]),
        network::gates(options)?,
        deployment::template(options)?,
        webhooks::cert_manager(options),
        webhooks::template(options, description)?,
    ];
    for template in templates {
        files.push((format!("templates/{}", template.name), template.text()?));
    }
    Ok(files.into_iter().map(|(path, text)| (format!("{FOLDER}/{path}"), text)).collect())
}

/// Options whose texts are templates.
fn options() -> ManifestOptions {
    ManifestOptions {
        image: text("include \"orascache.image\" $"),
        namespace: text("$.Release.Namespace"),
        gates: true,
        ..ManifestOptions::default()
    }
}

fn chart() -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let repository = env!("CARGO_PKG_REPOSITORY");
    json!({
        "apiVersion": "v2",
        "name": "orascache",
        "description": "A registry for each namespace as a cache of workflow artifacts, with steps that pull and push by annotation",
        "type": "application",
        "version": version,
        "appVersion": version,
        "kubeVersion": KUBERNETES,
        "home": repository,
        "sources": [repository],
        "keywords": ["oras", "oci artifacts", "workflows", "cache", "registry"],
        "maintainers": [{"name": "The authors of OrasCache", "url": repository}],
        "annotations": {"artifacthub.io/license": "Apache-2.0", "artifacthub.io/operator": "true"},
    })
}

fn crd() -> Result<Value, ManifestError> {
    let mut definition = to_value(&definition())?;
    for version in
        definition.pointer_mut("/spec/versions").and_then(Value::as_array_mut).into_iter().flatten()
    {
        set(version, DEFAULT_IMAGE_POINTER, text("include \"orascache.registryImage\" $"))?;
    }
    let keep = "{{- if $.Values.crds.keep }}\nannotations:\n  helm.sh/resource-policy: keep\n{{- end }}";
    set(&mut definition, "/metadata/annotations", line(keep))?;
    Ok(definition)
}

/// The administrator's settings. The operator follows the ConfigMap, and no pod restarts.
fn settings(options: &ManifestOptions) -> Result<Value, ManifestError> {
    let data = format!("{SETTINGS_KEY}: |\n{{{{- toYaml $.Values.settings | nindent {DEEPER} }}}}");
    let metadata = to_value(&crate::names::metadata(SETTINGS, Some(&options.namespace)))?;
    Ok(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {SETTINGS_KEY: line(&data)},
    }))
}

fn disruption_budget(options: &ManifestOptions, high_availability: bool) -> Result<Value, ManifestError> {
    to_value(&namespace::disruption_budget(&ManifestOptions { high_availability, ..options.clone() }))
}

/// Sets a field of an object. The object that has the field must be there.
fn set(object: &mut Value, pointer: &str, value: impl Into<Value>) -> Result<(), ManifestError> {
    let (parent, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    match object.pointer_mut(parent) {
        Some(Value::Object(members)) => {
            members.insert(name.replace("~1", "/"), value.into());
            Ok(())
        }
        _ => Err(ManifestError::Render {
            what: "the chart".to_owned(),
            why: format!("no object is at {parent}"),
        }),
    }
}

/// Puts a condition around those items of a list for which there is one.
fn conditional<'a>(list: &[Value], condition: impl Fn(&Value) -> Option<&'a str>) -> Vec<Value> {
    let mut items = Vec::new();
    for item in list {
        match condition(item) {
            Some(condition) => {
                items.push(line(&format!("{{{{- if {condition} }}}}")).into());
                items.push(item.clone());
                items.push(line("{{- end }}").into());
            }
            None => items.push(item.clone()),
        }
    }
    items
}

/// A file of templates: objects, some of them under a condition.
struct Template {
    name: &'static str,
    sections: Vec<(Section, Vec<Value>)>,
}

enum Section {
    Always,
    When(String),
    Each(String),
}

impl Template {
    fn of(name: &'static str) -> Self {
        Self { name, sections: Vec::new() }
    }

    fn always(mut self, objects: Vec<Value>) -> Self {
        self.sections.push((Section::Always, objects));
        self
    }

    /// Objects that there are where the condition holds.
    fn when(mut self, condition: &str, objects: Vec<Value>) -> Self {
        self.sections.push((Section::When(condition.to_owned()), objects));
        self
    }

    /// Objects for each item of a list, as `$item`.
    fn each(mut self, list: &str, objects: Vec<Value>) -> Self {
        self.sections.push((Section::Each(list.to_owned()), objects));
        self
    }

    fn text(self) -> Result<String, ManifestError> {
        let mut out = "{{- /* Written by host/deploy-manifests. Change it there. */ -}}\n".to_owned();
        for (section, objects) in self.sections {
            let ends = match section {
                Section::Always => false,
                Section::When(condition) => {
                    out.push_str(&format!("{{{{- if {condition} }}}}\n"));
                    true
                }
                Section::Each(list) => {
                    out.push_str(&format!("{{{{- range $item := {list} }}}}\n"));
                    true
                }
            };
            for mut object in objects {
                let labels = format!("{{{{- include \"orascache.labels\" $ | nindent {COLUMN} }}}}");
                if object.pointer("/metadata/labels").is_none() {
                    set(&mut object, "/metadata/labels", json!({}))?;
                }
                set(&mut object, "/metadata/labels/helm.sh~1chart", line(&labels))?;
                out.push_str("---\n");
                out.push_str(&piece::template(&object)?);
            }
            if ends {
                out.push_str("{{- end }}\n");
            }
        }
        Ok(out)
    }
}

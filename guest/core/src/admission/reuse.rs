//! Reuse: what the agent is told about a step, beyond what it sees itself, so that it can compute
//! the key of the step.

use super::command_place::CommandPlace;
use super::pod::{Container, Pod};
use super::step::Step;
use super::step_container::is_agent_variable;
use crate::findings::Findings;
use crate::json::{Json, count_steps};
use crate::kubernetes::references;
use crate::settings::{ReuseSetting, Settings};
use orascache_api::reference::Image;
use orascache_api::steps::{ANNOTATION_PREFIX as PREFIX, annotation};
use std::collections::BTreeMap;

/// How a variable of the container counts.
#[derive(Debug, PartialEq)]
enum Variable {
    /// By the value that the process sees.
    Value,
    /// By where it comes from, as a text.
    Source(String),
    /// Its source is not one that is known here.
    Unknown,
}

/// Prefix of the variables that Argo gives each container for its own program: names of the
/// workflow and of the node, and a deadline. They differ in each run.
const ARGO_VARIABLES: &str = "ARGO_";

/// The variables that a container declares, by their names. Of several with one name, the last one
/// counts, as for the process.
fn variables<'a>(container: &Container<'a>) -> BTreeMap<&'a str, Variable> {
    let takes_secrets = secrets(container).next().is_some();
    let is_of_argo = CommandPlace::of(container).is_of_argo();
    let is_of_engine = |name: &str| is_of_argo && name.starts_with(ARGO_VARIABLES);
    let mut found = BTreeMap::new();
    for tree in container.tree.items("env") {
        let Some(name) = tree.name() else { continue };
        if is_agent_variable(name) || is_of_engine(name) {
            continue;
        }
        let variable = match tree.member("valueFrom") {
            Some(source) => of_source(source),
            None => {
                let text = tree.member("value").and_then(Json::as_str).unwrap_or_default();
                if has_hidden(text, &found, takes_secrets) {
                    Variable::Source(format!("value/{text}"))
                } else {
                    Variable::Value
                }
            }
        };
        found.insert(name, variable);
    }
    found
}

/// Whether Kubernetes puts the value of a variable into a text that counts by its source only.
/// `takes_secrets` says whether variables that are not declared may come from a Secret.
fn has_hidden(text: &str, found: &BTreeMap<&str, Variable>, takes_secrets: bool) -> bool {
    references(text).any(|name| {
        count_steps(1);
        found.get(name).map_or(takes_secrets, |variable| *variable != Variable::Value)
    })
}

fn of_source(source: &Json<'_>) -> Variable {
    let text = |member: &str, name: &str| source.member_of(member, name).and_then(Json::as_str);
    if let (Some(name), Some(key)) = (text("secretKeyRef", "name"), text("secretKeyRef", "key")) {
        return Variable::Source(format!("secret/{name}/{key}"));
    }
    if let Some(path) = text("fieldRef", "fieldPath") {
        return Variable::Source(format!("field/{path}"));
    }
    if let Some(resource) = text("resourceFieldRef", "resource") {
        return Variable::Source(format!("resource/{resource}"));
    }
    let is_value = source.member("configMapKeyRef").is_some() || source.member("fileKeyRef").is_some();
    if is_value { Variable::Value } else { Variable::Unknown }
}

/// Prefixes and names of the Secrets that the container takes all variables of.
fn secrets<'a>(container: &Container<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
    container.tree.items("envFrom").iter().filter_map(|source| {
        let prefix = source.member("prefix").and_then(Json::as_str).unwrap_or_default();
        Some((prefix, source.member_of("secretRef", "name")?.as_str()?))
    })
}

/// The flag with the image of a container. Steps that are not reused get it too, for the provenance
/// of their outputs. It keeps its name, so that agents of older versions take it.
pub(crate) const IMAGE_FLAG: &str = "reuse-image";

/// Names of the flags that describe a container: see [`flags`].
pub(crate) const CONTAINER_FLAGS: [&str; 3] = [IMAGE_FLAG, "reuse-variable", "reuse-named-variable"];

/// The flags that describe a container, without `--` in front of their names.
pub(crate) fn flags(container: &Container<'_>) -> Vec<(&'static str, String)> {
    let [image, by_value, by_source] = CONTAINER_FLAGS;
    let mut flags = vec![(image, container.image().to_owned())];
    for (name, variable) in variables(container) {
        match variable {
            Variable::Value => flags.push((by_value, name.to_owned())),
            Variable::Source(source) => flags.push((by_source, format!("{name}={source}"))),
            Variable::Unknown => {}
        }
    }
    for (prefix, secret) in secrets(container) {
        flags.push((by_source, format!("{prefix}*=secret/{secret}")));
    }
    flags
}

/// Refuses a step whose reuse is not allowed or not possible, and warns of what reuse does not see.
pub(crate) fn check(
    pod: &Pod<'_>,
    container: &Container<'_>,
    step: &Step<'_>,
    settings: &Settings<'_>,
    findings: &mut Findings,
) {
    if step.reuse.is_none() {
        return;
    }
    let path = pod.source.spec_path();
    let (name, key) = (container.name, annotation::REUSE);
    let image = container.image();
    let is_pinned = Image::parse(image).is_some_and(|image| image.reference.digest.is_some());
    match settings.reuse {
        ReuseSetting::Forbidden => {
            findings.refuse(format!(
                "{PREFIX}{key} is \"true\", which the administrator does not allow: remove it"
            ));
            return;
        }
        ReuseSetting::Digests if !is_pinned => findings.refuse(format!(
            "{PREFIX}{key} is \"true\", which the administrator allows for images with a digest only, but the image of {name} is {image}: write it as {image}@sha256:..."
        )),
        ReuseSetting::Allowed if !is_pinned => findings.warn(format!(
            "the image of {name} is {image}, whose tag may mean another image later, and {PREFIX}{key} does not see that: write it with its digest, as {image}@sha256:..."
        )),
        _ => {}
    }
    if container.tree.items("envFrom").iter().any(|source| source.member("configMapRef").is_some()) {
        findings.refuse(format!(
            "{path}.containers: {name} takes all variables of a ConfigMap (envFrom), and {PREFIX}{key} cannot tell which these are: declare them in env with configMapKeyRef, or remove {PREFIX}{key}"
        ));
    }
    let variables = variables(container);
    if let Some((variable, _)) = variables.iter().find(|(_, found)| **found == Variable::Unknown) {
        findings.refuse(format!(
            "{path}.containers: {name} sets {variable} from a source that {PREFIX}{key} does not know: give it a value, or remove {PREFIX}{key}"
        ));
    }
    let takes_secrets = secrets(container).next().is_some();
    let words = container.command().iter().chain(container.tree.items("args")).filter_map(Json::as_str);
    if words.into_iter().any(|word| has_hidden(word, &variables, takes_secrets)) {
        findings.warn(format!(
            "the command of {name} holds a variable whose value comes from a Secret or from the pod, so that {PREFIX}{key} takes a step with another value for another step: read the variable in the program instead"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::pod::PodSource;

    fn flags_of(container: &str) -> Vec<String> {
        let text = format!(r#"{{"spec":{{"containers":[{container}]}}}}"#);
        let tree = Json::parse(&text).unwrap();
        let pod = Pod::read(&tree, PodSource::Pod, &mut Findings::default()).unwrap();
        flags(&pod.containers[0]).into_iter().map(|(name, value)| format!("--{name}={value}")).collect()
    }

    #[test]
    fn variables_count_by_value_or_by_source() {
        let container = r#"{"name":"main","image":"busybox:1","env":[
            {"name":"Z","value":"1"},
            {"name":"EMPTY"},
            {"name":"CONFIG","valueFrom":{"configMapKeyRef":{"name":"c","key":"k"}}},
            {"name":"TOKEN","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}},
            {"name":"POD","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}},
            {"name":"CPUS","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu"}}},
            {"name":"URL","value":"http://me:$(TOKEN)@$(Z)"},
            {"name":"TWICE_REMOVED","value":"$(URL)"},
            {"name":"PLAIN","value":"$(Z) $$(TOKEN)"},
            {"name":"LATER","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}},
            {"name":"OF_SECRET","value":"$(DB_HOST)"},
            {"name":"ORASCACHE_POD","value":"ours"}
        ],"envFrom":[{"prefix":"DB_","secretRef":{"name":"db"}}]}"#;
        assert_eq!(
            flags_of(container),
            [
                "--reuse-image=busybox:1",
                "--reuse-variable=CONFIG",
                "--reuse-named-variable=CPUS=resource/limits.cpu",
                "--reuse-variable=EMPTY",
                "--reuse-named-variable=LATER=secret/s/k",
                "--reuse-named-variable=OF_SECRET=value/$(DB_HOST)",
                "--reuse-variable=PLAIN",
                "--reuse-named-variable=POD=field/metadata.name",
                "--reuse-named-variable=TOKEN=secret/s/k",
                "--reuse-named-variable=TWICE_REMOVED=value/$(URL)",
                "--reuse-named-variable=URL=value/http://me:$(TOKEN)@$(Z)",
                "--reuse-variable=Z",
                "--reuse-named-variable=DB_*=secret/db",
            ]
        );
    }

    #[test]
    fn the_last_one_of_two_variables_counts_and_later_ones_are_not_expanded() {
        let container = r#"{"name":"main","image":"i","env":[
            {"name":"A","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}},{"name":"A","value":"x"},
            {"name":"B","value":"$(A) $(LATER)"},
            {"name":"LATER","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}
        ]}"#;
        let flags = flags_of(container);
        assert_eq!(
            flags[1..],
            ["--reuse-variable=A", "--reuse-variable=B", "--reuse-named-variable=LATER=secret/s/k"]
                .map(str::to_owned)
        );
    }
}

//! `orascache render`: what the component would apply for caches without any objects yet.

use super::definition::Definition;
use super::failed::Failed;
use super::load;
use crate::cli::RenderArgs;
use crate::input::{self, Document, Found, Place};
use crate::output;
use anyhow::{Context, anyhow};
use orascache_contract::{Description, Observed};
use orascache_runtime::Guest;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[allow(clippy::print_stderr, reason = "for the person at the terminal")]
pub(super) fn execute(args: &RenderArgs) -> Result<ExitCode, Failed> {
    let names = input::names(&args.input).map_err(Failed::Unusable)?;
    let found = input::read(&names).map_err(Failed::Unusable)?;
    let guest = load::load_guest(&args.component)?;
    let description = guest.describe();
    let definition = Definition::of(&description.primary).map_err(Failed::Unusable)?;
    let (mut rendered, mut caches, mut skipped) = (Vec::new(), 0, 0);
    for found in found {
        match found {
            Found::Document(document) if is_primary(&document.value, description) => {
                caches += 1;
                rendered.extend(render(&guest, definition.as_ref(), document, &args.namespace)?);
            }
            Found::Document(_) | Found::Skipped(..) => skipped += 1,
            Found::Broken(place, why) => return Err(Failed::Unusable(anyhow!("{place}: {why}"))),
        }
    }
    if caches == 0 {
        let names: Vec<String> = names.iter().map(|name| name.display().to_string()).collect();
        let (kind, version) = (&description.primary.kind, &description.primary.api_version);
        return Err(Failed::Unusable(anyhow!(
            "{} holds no {kind} of {version}: write one, or name another file",
            names.join(", ")
        )));
    }
    if skipped > 0 {
        eprintln!("left out, since they are no {}: {skipped}", description.primary.kind);
    }
    match &args.output_dir {
        None => output::print(&args.output.render_all(&rendered)?)?,
        Some(folder) => write(folder, &rendered, args.output).map_err(Failed::Unusable)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn is_primary(document: &Value, description: &Description) -> bool {
    document.get("kind").is_some_and(|kind| *kind == *description.primary.kind)
        && document.get("apiVersion").is_some_and(|version| *version == *description.primary.api_version)
}

/// The objects of one cache.
fn render(
    guest: &Guest,
    definition: Option<&Definition>,
    document: Document,
    namespace: &str,
) -> Result<Vec<Value>, Failed> {
    let Document { place, value: mut primary, .. } = document;
    if let Some(metadata) = primary.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.entry("namespace").or_insert_with(|| json!(namespace));
    }
    if let Some(refusal) = definition.and_then(|definition| definition.refuse(&primary)) {
        return Err(Failed::Refused(anyhow!("{place}: {}", refusal.message)));
    }
    let name =
        primary.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("(without a name)").to_owned();
    let observed = Observed { primary: primary.to_string().into(), ..Observed::default() };
    let plan = guest
        .blocking()
        .reconcile(&observed)
        .with_context(|| titled(&place, &name))
        .map_err(Failed::Unusable)?;
    let texts = plan.generate.iter().map(|generated| &generated.secret).chain(&plan.apply);
    let objects: Vec<Value> = texts
        .map(|text| serde_json::from_str(text).context("the component planned an object that is not JSON"))
        .collect::<anyhow::Result<_>>()?;
    match refusal(plan.status.as_deref()) {
        Some(why) if objects.is_empty() => Err(Failed::Refused(anyhow!("{}: {why}", titled(&place, &name)))),
        _ => Ok(objects),
    }
}

fn titled(place: &Place, name: &str) -> String {
    match place.file {
        Some(_) => format!("{place}: {name}"),
        None => name.to_owned(),
    }
}

/// The message of a `Ready` condition that is not true (KEP-1623).
fn refusal(status: Option<&str>) -> Option<String> {
    let document: Value = serde_json::from_str(status?).ok()?;
    let conditions = document.pointer("/status/conditions")?.as_array()?;
    let ready =
        conditions.iter().find(|condition| condition.get("type").is_some_and(|kind| kind == "Ready"))?;
    (ready.get("status")? != "True").then(|| ready.get("message")?.as_str().map(str::to_owned))?
}

/// Writes each object to a file of its own.
fn write(folder: &Path, objects: &[Value], format: output::Format) -> anyhow::Result<()> {
    for object in objects {
        let path = folder.join(path_of(object, format)?);
        let parent = path.parent().unwrap_or(folder);
        let text = format.render(object)?;
        std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, text)).with_context(|| {
            format!("{} cannot be written: choose another folder with --output-dir", path.display())
        })?;
    }
    Ok(())
}

/// The file of an object. Its name and namespace come from a document, and a part of a path must
/// not lead elsewhere.
fn path_of(object: &Value, format: output::Format) -> anyhow::Result<PathBuf> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (namespace, kind, name) = (text("/metadata/namespace"), text("/kind"), text("/metadata/name"));
    for part in [namespace, kind, name] {
        let inside = |character: char| character.is_ascii_alphanumeric() || "-.".contains(character);
        if part.is_empty() || part.starts_with('.') || !part.chars().all(inside) {
            return Err(anyhow!(
                "\"{part}\" cannot be a part of a file's name: use names as Kubernetes has them"
            ));
        }
    }
    Ok(Path::new(namespace).join(format!("{}-{name}.{}", kind.to_lowercase(), format.extension())))
}

#[cfg(test)]
mod tests {
    use super::path_of;
    use crate::output::Format;
    use serde_json::json;

    #[test]
    fn files_stay_in_the_folder() {
        let object =
            |namespace, name| json!({"kind": "Service", "metadata": {"namespace": namespace, "name": name}});
        let path = path_of(&object("lab", "demo"), Format::Yaml).expect("a path");
        assert_eq!(path.display().to_string(), "lab/service-demo.yaml");
        for (namespace, name) in [("..", "a"), ("a/b", "c"), ("a", "../b"), ("", "a"), ("a", ""), (".a", "b")]
        {
            assert!(path_of(&object(namespace, name), Format::Json).is_err(), "{namespace} {name}");
        }
    }
}

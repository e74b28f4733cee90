//! `orascache render`: what the component would apply for a cache without any objects yet.

use super::failed::Failed;
use super::load;
use crate::cli::RenderArgs;
use crate::output;
use anyhow::{Context, anyhow};
use orascache_contract::{Description, Observed};
use orascache_runtime::Guest;
use serde_json::{Value, json};
use std::process::ExitCode;

pub(super) fn execute(args: &RenderArgs) -> Result<ExitCode, Failed> {
    let documents = output::read_documents(&args.file).map_err(Failed::Unusable)?;
    let guest = load::load_guest(&args.component)?;
    let description = guest.describe();
    let mut rendered = Vec::new();
    let mut primaries = 0;
    for document in documents {
        if is_primary(&document, description) {
            primaries += 1;
            rendered.extend(render(&guest, document, &args.namespace)?);
        }
    }
    if primaries == 0 {
        let file = args.file.display();
        let (kind, version) = (&description.primary.kind, &description.primary.api_version);
        return Err(Failed::Unusable(anyhow!(
            "{file} holds no {kind} of {version}: write one, or name another file"
        )));
    }
    output::print(&args.output.render_all(&rendered)?)?;
    Ok(ExitCode::SUCCESS)
}

fn is_primary(document: &Value, description: &Description) -> bool {
    document.get("kind").is_some_and(|kind| *kind == *description.primary.kind)
        && document.get("apiVersion").is_some_and(|version| *version == *description.primary.api_version)
}

fn render(guest: &Guest, mut primary: Value, namespace: &str) -> Result<Vec<Value>, Failed> {
    if let Some(metadata) = primary.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.entry("namespace").or_insert_with(|| json!(namespace));
    }
    let name =
        primary.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("(without a name)").to_owned();
    let observed = Observed { primary: primary.to_string().into(), ..Observed::default() };
    let plan =
        guest.blocking().reconcile(&observed).with_context(|| name.clone()).map_err(Failed::Unusable)?;
    let texts = plan.generate.iter().map(|generated| &generated.secret).chain(&plan.apply);
    let objects: Vec<Value> = texts
        .map(|text| serde_json::from_str(text).context("the component planned an object that is not JSON"))
        .collect::<anyhow::Result<_>>()?;
    match refusal(plan.status.as_deref()) {
        Some(why) if objects.is_empty() => Err(Failed::Refused(anyhow!("{name}: {why}"))),
        _ => Ok(objects),
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

//! `orascache review`: what admission answers about objects, and how it patches them.

use super::failed::Failed;
use super::load;
use crate::cli::{ReviewArgs, ReviewFormat};
use crate::output::{self, Format};
use crate::settings::SettingsReader;
use anyhow::{Context as _, anyhow, bail};
use orascache_contract::{Context, Needs, Outcome, Response, Verdict};
use orascache_runtime::Guest;
use serde_json::{Value, json};
use similar::TextDiff;
use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;

/// One request with its answer.
struct Reviewed {
    /// For example `Pod/step`.
    name: String,
    object: Value,
    patched: Value,
    response: Response,
}

pub(super) fn execute(args: &ReviewArgs) -> Result<ExitCode, Failed> {
    let documents = output::read_documents(&args.file).map_err(Failed::Unusable)?;
    if documents.is_empty() {
        let file = args.file.display();
        return Err(Failed::Unusable(anyhow!(
            "{file} holds nothing: write an AdmissionReview, or a Pod, a Job or an OrasCache"
        )));
    }
    let guest = load::load_guest(&args.component)?;
    let context = context(args, &documents, &guest)?;
    let mut reviewed = Vec::new();
    for document in documents {
        reviewed.push(review(&guest, document, &context, args).map_err(Failed::Unusable)?);
    }
    print(&reviewed, args.output)?;
    let all_allowed = reviewed.iter().all(|reviewed| reviewed.response.is_allowed());
    Ok(if all_allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Caches of `--context`, and those of the file itself, since they are applied together.
fn context(args: &ReviewArgs, documents: &[Value], guest: &Guest) -> Result<Context, Failed> {
    let given = match &args.context {
        Some(path) => Some(output::read_documents(path).map_err(Failed::Unusable)?),
        None => None,
    };
    let primary = &guest.describe().primary;
    let is_primary = |document: &Value| {
        document["kind"] == *primary.kind && document["apiVersion"] == *primary.api_version
    };
    let is_namespace = |document: &Value| document["kind"] == "Namespace" && document["apiVersion"] == "v1";
    let objects: Vec<Arc<str>> = given
        .iter()
        .flatten()
        .chain(documents)
        .filter_map(|document| {
            if is_primary(document) {
                Some(in_namespace(document.clone(), &args.namespace).to_string().into())
            } else {
                is_namespace(document).then(|| document.to_string().into())
            }
        })
        .collect();
    Ok(Context {
        objects,
        // Without any context, a cache that is not known may exist nevertheless.
        complete: given.is_some(),
        settings: settings(args, guest).map_err(Failed::Unusable)?,
        ..Context::default()
    })
}

/// The settings of `--settings`, checked.
fn settings(args: &ReviewArgs, guest: &Guest) -> anyhow::Result<Arc<str>> {
    let (written, name) = match &args.settings {
        Some(path) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).with_context(|| format!("{name} cannot be read"))?;
            (Some(text), name)
        }
        None => (None, "--agent-image".to_owned()),
    };
    let settings = SettingsReader::new(args.agent_image.as_deref()).read_text(guest, written.as_deref());
    settings.map(Arc::from).map_err(anyhow::Error::msg).context(name)
}

fn review(guest: &Guest, document: Value, context: &Context, args: &ReviewArgs) -> anyhow::Result<Reviewed> {
    let (object, review) = if document["kind"] == "AdmissionReview" {
        (document["request"]["object"].clone(), document)
    } else {
        // The object is printed without the namespace that `wrap` adds.
        (document.clone(), wrap(document, &args.namespace)?)
    };
    let (kind, name) = (&review["request"]["kind"]["kind"], &review["request"]["name"]);
    let name =
        format!("{}/{}", kind.as_str().unwrap_or("object"), name.as_str().unwrap_or("(without a name)"));
    let response =
        match guest.blocking().review(&review.to_string(), context).with_context(|| name.clone())? {
            Outcome::Decided(response) => response,
            Outcome::Need(needs) => bail!("{name}: {}", missing(&needs)),
        };
    let patched = patched(&object, &response).with_context(|| format!("{name}: the component's patch"))?;
    Ok(Reviewed { name, object, patched, response })
}

/// Names the objects that a review needs and that cannot be read without a cluster.
fn missing(needs: &Needs) -> String {
    let objects = needs.objects.iter().map(|wanted| match &wanted.namespace {
        Some(namespace) => format!("{} {} of namespace {namespace}", wanted.kind.kind, wanted.name),
        None => format!("{} {}", wanted.kind.kind, wanted.name),
    });
    let objects: Vec<String> = objects.collect();
    if objects.is_empty() {
        return "this depends on artifacts in registries, which this command does not look into: give --context FILE to review without them".to_owned();
    }
    format!(
        "this depends on {}, which is not known here: give it with --context FILE, and an empty FILE if there is none",
        objects.join(", ")
    )
}

/// Wraps an object as the API server does when somebody creates it.
fn wrap(document: Value, namespace: &str) -> anyhow::Result<Value> {
    let (Some(api_version), Some(kind)) = (document["apiVersion"].as_str(), document["kind"].as_str()) else {
        bail!(
            "a document has no apiVersion or no kind: write an AdmissionReview, or a Pod, a Job or an OrasCache with both"
        );
    };
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let kind = json!({"group": group, "version": version, "kind": kind});
    let document = in_namespace(document, namespace);
    let name = &document["metadata"]["name"];
    let name = if name.is_null() { &document["metadata"]["generateName"] } else { name };
    Ok(json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "00000000-0000-0000-0000-000000000000",
            "kind": kind,
            "name": name,
            "namespace": document["metadata"]["namespace"],
            "operation": "CREATE",
            "userInfo": {},
            "dryRun": true,
            "object": document,
        },
    }))
}

fn in_namespace(mut document: Value, namespace: &str) -> Value {
    if let Some(metadata) = document.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.entry("namespace").or_insert_with(|| json!(namespace));
    }
    document
}

fn patched(object: &Value, response: &Response) -> anyhow::Result<Value> {
    let mut object = object.clone();
    if let Some(patch) = response.patch() {
        let patch: json_patch::Patch = serde_json::from_str(patch)?;
        json_patch::patch(&mut object, &patch)?;
    }
    Ok(object)
}

/// Objects go to standard output; what was decided goes there too when nothing else does.
#[allow(clippy::print_stderr, reason = "for the person at the terminal")]
fn print(reviewed: &[Reviewed], format: ReviewFormat) -> anyhow::Result<()> {
    let decisions: String = reviewed.iter().map(describe).collect();
    let objects = || -> Vec<Value> {
        // Deletions have no object.
        let allowed =
            reviewed.iter().filter(|reviewed| reviewed.response.is_allowed() && !reviewed.patched.is_null());
        allowed.map(|reviewed| reviewed.patched.clone()).collect()
    };
    let text = match format {
        ReviewFormat::Text => return output::print(&decisions),
        ReviewFormat::Yaml => Format::Yaml.render_all(&objects())?,
        ReviewFormat::Json => Format::Json.render_all(&objects())?,
        ReviewFormat::Diff => reviewed.iter().map(diff).collect::<anyhow::Result<String>>()?,
    };
    eprint!("{decisions}");
    output::print(&text)
}

fn describe(reviewed: &Reviewed) -> String {
    let response = &reviewed.response;
    let mut text = reviewed.name.clone();
    // Writing to a String cannot fail.
    let _ = match &response.verdict {
        Verdict::Allowed(None) => writeln!(text, ": allowed, unchanged"),
        Verdict::Allowed(Some(_)) => writeln!(text, ": allowed, patched"),
        Verdict::Refused(refusal) => {
            writeln!(text, ": refused ({}): {}", refusal.code, refusal.message)
        }
    };
    for warning in &response.warnings {
        let _ = writeln!(text, "  warning: {warning}");
    }
    text
}

fn diff(reviewed: &Reviewed) -> anyhow::Result<String> {
    if reviewed.object == reviewed.patched {
        return Ok(String::new());
    }
    let (before, after) = (Format::Yaml.render(&reviewed.object)?, Format::Yaml.render(&reviewed.patched)?);
    let name = &reviewed.name;
    Ok(TextDiff::from_lines(&before, &after)
        .unified_diff()
        .header(&format!("{name} as it was"), &format!("{name} as it is stored"))
        .to_string())
}

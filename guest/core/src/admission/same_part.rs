//! Whether an injected part is what the rewriting makes. All its fields count, but those that the
//! API server and other webhooks fill in without a say about credentials (docs/security.md).

use super::agent_containers::DEFAULT_TERMINATION_MESSAGE;
use crate::json::Json;
use crate::quantity;

/// Variables that are added to all containers, and that the agent does not read: time zone,
/// identities of clouds, and tracing. All others are refused, since variables decide which program
/// and which libraries run, which authorities are trusted, and where requests go.
const HARMLESS_VARIABLES: [&str; 6] = ["TZ", "AWS_", "AZURE_", "GOOGLE_", "DD_", "OTEL_"];

/// Directories whose mounts hide no file that the agent reads: tokens of the ServiceAccount and of
/// clouds, Vault, and the socket of Datadog.
const HARMLESS_MOUNTS: [&str; 4] = ["/var/run/secrets", "/run/secrets", "/vault/secrets", "/var/run/datadog"];

/// Lists of a container that others add items to.
const LISTS: [&str; 2] = ["env", "volumeMounts"];
/// What such a list is compared with where none is made.
static NONE: Json<'static> = Json::Array(Vec::new());

/// Path of the first difference between a part as it is made and as it was found; `None` where they
/// are the same.
///
/// The image and the user of a container are not compared. Settings and policies of the cluster
/// decide about them.
pub(crate) fn difference(wanted: &Json<'_>, found: &Json<'_>) -> Option<String> {
    in_field("", wanted, found)
}

/// The same for the variables of a container (`env`) or its mounts (`volumeMounts`). Items that
/// `may_be_added` accepts may be there too.
pub(crate) fn difference_of_list(
    field: &str,
    (wanted, found): (&[Json<'_>], &[Json<'_>]),
    may_be_added: &dyn Fn(&Json<'_>) -> bool,
) -> Option<String> {
    let key = if field == "env" { "name" } else { "mountPath" };
    let place = |item: &Json<'_>| format!("[{}]", item.get(key).and_then(Json::as_str).unwrap_or_default());
    let is_same = |one: &Json<'_>, other: &Json<'_>| one.get(key) == other.get(key);
    let changed = found.iter().find_map(|item| match wanted.iter().find(|other| is_same(other, item)) {
        Some(wanted) => in_field(field, wanted, item).map(|rest| format!("{}{}", place(item), below(rest))),
        None => (!may_be_added(item)).then(|| place(item)),
    });
    let missing = || wanted.iter().find(|item| !found.iter().any(|other| is_same(item, other)));
    changed.or_else(|| missing().map(place))
}

/// `field` is the name of the field that holds the two values; empty for the part itself.
fn in_field(field: &str, wanted: &Json<'_>, found: &Json<'_>) -> Option<String> {
    match (wanted, found) {
        (Json::Object(members), Json::Object(_)) => in_object(field, members, wanted, found),
        (Json::Array(wanted), Json::Array(found)) => match field {
            "env" => difference_of_list(field, (wanted, found), &is_harmless_variable),
            "volumeMounts" => difference_of_list(field, (wanted, found), &is_harmless_mount),
            _ if wanted.len() != found.len() => Some(String::new()),
            _ => wanted.iter().zip(found).enumerate().find_map(|(index, (wanted, found))| {
                in_field("[]", wanted, found).map(|rest| format!("[{index}]{}", below(rest)))
            }),
        },
        (Json::Str(one), Json::Str(other)) if field == "sizeLimit" => {
            (!quantity::same(one, other)).then(String::new)
        }
        _ => (wanted != found).then(String::new),
    }
}

fn in_object(
    field: &str,
    members: &[(std::borrow::Cow<'_, str>, Json<'_>)],
    wanted: &Json<'_>,
    found: &Json<'_>,
) -> Option<String> {
    let is_compared =
        |key: &str| !matches!((field, key), ("", "image" | "resources") | ("securityContext", "runAsUser"));
    let is_missing = |key: &str| is_compared(key) && found.member(key).is_none();
    if let Some((key, _)) = members.iter().find(|(key, _)| is_missing(key)) {
        return Some(key.clone().into_owned());
    }
    let Json::Object(present) = found else { return None };
    present.iter().find_map(|(key, value)| {
        if !is_compared(key) {
            // Quantities are filled in by limit ranges, and changed by autoscalers. A claim adds a
            // device, which may bring files and variables.
            return value.member("claims").map(|_| format!("{key}.claims"));
        }
        match wanted.get(key).or(LISTS.contains(&key.as_ref()).then_some(&NONE)) {
            Some(wanted) => in_field(key, wanted, value).map(|rest| format!("{key}{}", below(rest))),
            None => (!is_absent(value) && !may_be_added(field, key, value)).then(|| key.clone().into_owned()),
        }
    })
}

/// The rest of a path, with a dot where one is needed.
fn below(rest: String) -> String {
    if rest.is_empty() || rest.starts_with('[') { rest } else { format!(".{rest}") }
}

/// Whether a value says the same as no value.
fn is_absent(value: &Json<'_>) -> bool {
    match value {
        Json::Null | Json::Bool(false) => true,
        Json::Str(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// Whether the API server or another webhook may add such a member.
fn may_be_added(field: &str, key: &str, value: &Json<'_>) -> bool {
    let only =
        |name: &str| matches!(value, Json::Object(members) if members.iter().all(|(key, _)| key == name));
    match (field, key) {
        ("", "imagePullPolicy" | "terminationMessagePolicy" | "resizePolicy")
        | ("securityContext", "runAsGroup") => true,
        ("", "terminationMessagePath") => value.as_str() == Some(DEFAULT_TERMINATION_MESSAGE),
        ("securityContext", "procMount") => value.as_str() == Some("Default"),
        // The level keeps pods apart. The type could lift what the container may not do.
        ("securityContext", "seLinuxOptions") => only("level"),
        ("securityContext", "appArmorProfile") => {
            value.member("type").and_then(Json::as_str) == Some("RuntimeDefault")
        }
        ("fieldRef", "apiVersion") => value.as_str() == Some("v1"),
        _ => false,
    }
}

/// Whether a variable may be added. It has a plain value or a field of the pod: a Secret has no
/// business in an added container.
fn is_harmless_variable(variable: &Json<'_>) -> bool {
    let name = variable.name().unwrap_or_default();
    let source = variable.member("valueFrom");
    let is_field = |source: &Json<'_>| matches!(source, Json::Object(members) if members.iter().all(|(key, _)| key == "fieldRef"));
    source.is_none_or(is_field)
        && HARMLESS_VARIABLES.iter().any(|harmless| match harmless.ends_with('_') {
            true => name.starts_with(harmless),
            false => name == *harmless,
        })
}

/// Whether a mount may be added. The runtime resolves `..` in its path.
fn is_harmless_mount(mount: &Json<'_>) -> bool {
    let path = mount.member("mountPath").and_then(Json::as_str).unwrap_or_default();
    path.split('/').all(|part| part != "..")
        && HARMLESS_MOUNTS.iter().any(|directory| {
            path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

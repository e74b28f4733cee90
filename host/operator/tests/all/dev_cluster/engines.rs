//! Stand-ins for the programs of workflow engines: shell scripts that do what the containers of a
//! pod depend on, and nothing else. Images of the engines are not there, so that each of their own
//! containers runs the script. Containers of users stay as they are: they find it in a volume.

use serde_json::{Value, json};
use std::path::Path;

/// Variable with the text of the script, by which an init container copies it.
const TEXT: &str = "STAND_IN";

/// Argo's program (argoproj/argo-workflows, cmd/argoexec/commands and workflow/executor/emissary):
/// `wait` ends when `emissary` has left the exit code of the command.
const ARGOEXEC: &str = r#"#!/bin/sh
set -eu
folder=/var/run/argo/ctr/main
case $1 in
init)
    printf %s "$STAND_IN" > /var/run/argo/argoexec
    chmod 755 /var/run/argo/argoexec ;;
wait)
    until [ -e "$folder/exitcode" ]; do sleep 0.05; done
    echo "main ended with $(cat "$folder/exitcode")" ;;
emissary)
    while [ "$1" != -- ]; do shift; done
    shift
    mkdir -p "$folder"
    code=0
    "$@" || code=$?
    printf %s "$code" > "$folder/new" && mv "$folder/new" "$folder/exitcode"
    exit "$code" ;;
esac
"#;

/// Tekton's program (tektoncd/pipeline, pkg/entrypoint/entrypointer.go and pkg/termination): a step
/// waits for the one before it, and tells the next one that it has ended or failed.
const ENTRYPOINT: &str = r#"#!/bin/sh
set -eu
case $1 in
init)
    printf %s "$STAND_IN" > "$3"
    chmod 755 "$3"
    exit ;;
decode-script)
    base64 -d "$2" > "$2.decoded"
    cat "$2.decoded" > "$2"
    exit ;;
esac
wait=
while [ "$1" != -- ]; do
    case $1 in
    -wait_file) wait=$2 ;;
    -post_file) post=$2 ;;
    -termination_path) termination=$2 ;;
    -entrypoint) program=$2 ;;
    esac
    shift 2
done
shift
if [ -n "$wait" ]; then
    until [ -e "$wait" ] || [ -e "$wait.err" ]; do sleep 0.05; done
    if [ -e "$wait.err" ]; then
        echo "the step before failed"
        : > "$post.err"
        exit 1
    fi
fi
code=0
"$program" "$@" || code=$?
if [ "$code" = 0 ]; then : > "$post"; else : > "$post.err"; fi
# What stands there already has to be Tekton's own.
if [ -s "$termination" ] && ! grep -q '^\[' "$termination"; then
    echo "the termination message is not JSON"
    exit 2
fi
printf '[{"key":"StartedAt","type":3}]' > "$termination"
exit "$code"
"#;

/// The documents of a file of this repository.
pub fn documents(path: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_multiple(&text).expect("documents")
}

/// Pods as an engine makes them: those that `guest/core/tests/all/reviews.rs` reviews.
pub fn fixture(name: &str) -> Vec<Value> {
    let mut pods = documents(&format!("guest/core/tests/reviews/engines/{name}.yaml"));
    for pod in &mut pods {
        for list in ["initContainers", "containers"] {
            pod["spec"][list].as_array_mut().into_iter().flatten().for_each(stand_in);
        }
    }
    pods
}

/// Gives a container of an engine the script in place of the program of its image.
fn stand_in(container: &mut Value) {
    let script = match container["command"][0].as_str() {
        Some("argoexec") => ARGOEXEC,
        Some("/ko-app/entrypoint") => ENTRYPOINT,
        _ => return,
    };
    container["args"] = json!(container["command"].as_array().map(|words| &words[1..]));
    container["command"] = json!(["sh", "-c", script, "stand-in"]);
    let mut variables = container["env"].as_array().cloned().unwrap_or_default();
    variables.push(json!({"name": TEXT, "value": script}));
    container["env"] = json!(variables);
}

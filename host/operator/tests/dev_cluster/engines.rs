//! Stand-ins for the programs of workflow engines: shell scripts that do what the containers of a
//! pod depend on, and nothing else.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

/// Argo's program (argoproj/argo-workflows, cmd/argoexec/commands and workflow/executor/emissary):
/// `wait` ends when `emissary` has left the exit code of the command.
const ARGOEXEC: &str = r#"#!/bin/sh
set -eu
folder=/var/run/argo/ctr/main
case $1 in
init)
    cp "$0" /var/run/argo/argoexec ;;
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
    cp "$0" "$3"
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

/// A folder with these programs.
pub fn programs() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    // Containers run as another user.
    let mode = |mode: u32| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(folder.path(), mode(0o755)).expect("a mode");
    for (name, script) in [("argoexec", ARGOEXEC), ("tekton-entrypoint", ENTRYPOINT)] {
        let path = folder.path().join(name);
        std::fs::write(&path, script).expect("a program");
        std::fs::set_permissions(&path, mode(0o755)).expect("a mode");
    }
    folder
}

/// The documents of a file of this repository.
pub fn documents(path: &str) -> Vec<serde_json::Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_multiple(&text).expect("documents")
}

/// Pods as an engine makes them: those that `guest/core/tests/reviews.rs` reviews.
pub fn fixture(name: &str) -> Vec<serde_json::Value> {
    documents(&format!("guest/core/tests/reviews/engines/{name}.yaml"))
}

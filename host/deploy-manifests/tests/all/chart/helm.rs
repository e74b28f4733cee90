//! Helm's engine, which a script installs below the target directory.

use crate::python;
use orascache_core::describe;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// The Python with the engine. None where it cannot be installed.
static PYTHON: LazyLock<Option<PathBuf>> = LazyLock::new(|| python::install("helm"));

/// The folder of the chart, as the code writes it now. Another test compares it with `manifests/chart`.
pub fn chart() -> PathBuf {
    static CHART: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helm");
        if folder.exists() {
            std::fs::remove_dir_all(&folder).expect("removable");
        }
        for (path, text) in deploy_manifests::chart::files(&describe()).expect("a chart") {
            let file = folder.join(path);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            std::fs::write(file, text).expect("written");
        }
        folder.join(deploy_manifests::chart::FOLDER)
    });
    CHART.clone()
}

/// What a command of helm.py answers. None where Helm's engine cannot be installed.
pub fn helm(command: &str, arguments: &Value) -> Option<Value> {
    let python = PYTHON.as_ref()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/helm/helm.py");
    let mut child = Command::new(python)
        .arg(script)
        .arg(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(arguments.to_string().as_bytes()).expect("python reads");
    drop(input);
    let output = child.wait_with_output().expect("python ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

/// What the chart renders for each case of values, in the namespace `orascache-system`: objects, or
/// why there are none.
pub fn rendered(cases: &[Value]) -> Option<Vec<Result<Vec<Value>, String>>> {
    let cases: Vec<Value> =
        cases.iter().map(|values| json!({"values": values, "namespace": "orascache-system"})).collect();
    let answers = helm("render", &json!({"chart": chart(), "cases": cases}))?;
    let objects = |answer: &Value| match answer["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => {
            let files = answer["files"].as_object().expect("files");
            let manifests = files.iter().filter(|(name, _)| name.ends_with(".yaml"));
            let texts = manifests.map(|(_, text)| text.as_str().expect("text"));
            Ok(texts.flat_map(documents).collect())
        }
    };
    Some(answers.as_array().expect("answers").iter().map(objects).collect())
}

/// All documents of a YAML file. Empty ones are left out.
fn documents(text: &str) -> Vec<Value> {
    let all: Vec<Value> =
        serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    all.into_iter().filter(|document| !document.is_null()).collect()
}

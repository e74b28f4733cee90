//! The command line as users type it: output, messages, exit codes.

mod crd;
mod lineage;
mod makers;
mod migrate;
mod render;
mod review;
mod review_input;
mod review_output;
mod security_review;
mod shell;

use serde_json::Value;
use std::io::Write;
use std::process::{Command, Output, Stdio};

fn orascache() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orascache"));
    // All tests share one compiled cache. It must not be in the user's home folder.
    command.env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    command
}

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = orascache()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    // Writing fails when the command has ended without reading its input. That is no error here.
    let _ = child.stdin.take().expect("standard input").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Files of one test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    /// Writes a file, with the folders above it, and returns its path.
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    }

    fn path(&self) -> String {
        self.0.path().display().to_string()
    }
}

const CACHE: &str = "apiVersion: cache.converged-computing.github.io/v1alpha1\nkind: OrasCache\nmetadata: {name: demo}\nspec: {}\n";

const STEP: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: step\n  annotations:\n    oras.converged-computing.github.io/oras-cache: demo\n    oras.converged-computing.github.io/input-uri: flow/words:1\n    oras.converged-computing.github.io/input-path: /data\nspec:\n  restartPolicy: Never\n  containers: [{name: app, image: busybox, command: [cat, list.txt]}]\n";

#[test]
fn inspect_shows_the_embedded_component() {
    let output = run(&["inspect", "-o", "json"], "");
    let interface: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(interface["imports"], serde_json::json!([]));
    assert_eq!(interface["wit"], "orascache:operator@0.3.2");
    assert!(
        interface["digest"]
            .as_str()
            .is_some_and(|digest| digest.starts_with("sha256:") && digest.len() == 71)
    );
    assert!(interface["size"].as_u64().is_some_and(|size| size < 610 << 10));
    assert!(
        interface["exports"]
            .as_array()
            .is_some_and(|exports| exports.contains(&"orascache:operator/reconciler@0.3.2".into()))
    );
}

#[test]
fn a_core_module_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("module.wasm");
    std::fs::write(&file, b"\0asm\x01\0\0\0").expect("written");
    let file = file.display().to_string();
    let output = run(&["render", "-f", "-", "--component", &file], CACHE);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("core WebAssembly module, not a component"), "{}", err(&output));
}

#[test]
fn crd_prints_yaml_and_json() {
    let json: Value = serde_json::from_slice(&run(&["crd", "-o", "json"], "").stdout).expect("JSON");
    assert_eq!(json["metadata"]["name"], "orascaches.cache.converged-computing.github.io");
    assert!(out(&run(&["crd"], "")).starts_with("apiVersion: apiextensions.k8s.io/v1\n"));
}

#[test]
fn dev_runs_a_command_and_exits_with_its_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("kubeconfig");
    let path = kubeconfig.display().to_string();
    let script = r#"test "$KUBECONFIG" = "$WANTED" && grep -q 'https://127.0.0.1:' "$KUBECONFIG" && exit 7"#;
    let output = orascache()
        .args(["dev", "--kubeconfig", &path, "--exec", script])
        .env("WANTED", &kubeconfig)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(7), "{}", err(&output));
    let output = orascache().args(["dev", "--exec", "kill -TERM $$"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(143), "128 and the signal's number");
}

#[test]
fn run_without_a_cluster_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = orascache()
        .arg("run")
        .env("HOME", folder.path())
        .env_remove("KUBECONFIG")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("orascache dev"), "{}", err(&output));
}

#[test]
fn manifests_prints_an_installation_or_writes_folders() {
    let list: Value = serde_json::from_slice(&run(&["manifests", "-o", "json"], "").stdout).expect("JSON");
    let kinds: Vec<&str> =
        list["items"].as_array().expect("a list").iter().filter_map(|item| item["kind"].as_str()).collect();
    for kind in [
        "CustomResourceDefinition",
        "ClusterRole",
        "Deployment",
        "MutatingWebhookConfiguration",
        "NetworkPolicy",
    ] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("manifests").display().to_string();
    let output = run(&["manifests", "--directory", &path, "--image", "mirror.lab/orascache:1"], "");
    assert!(output.status.success(), "{}", err(&output));
    let deployment =
        std::fs::read_to_string(folder.path().join("manifests/manager/deployment.yaml")).expect("a file");
    assert!(deployment.contains("image: mirror.lab/orascache:1\n"), "{deployment}");
    let ports = ["manifests", "-o", "json", "--api-port", "8443", "--egress-port", "5000"];
    let list: Value = serde_json::from_slice(&run(&ports, "").stdout).expect("JSON");
    let mut items = list["items"].as_array().into_iter().flatten();
    let policy = items.find(|item| item["kind"] == "NetworkPolicy").expect("a NetworkPolicy").to_string();
    assert!(policy.contains("8443") && policy.contains("5000") && !policy.contains("6443"), "{policy}");
    let output = run(&["manifests", "--namespace", "default"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("use a namespace of its own"), "{}", err(&output));
}

#[test]
fn manifests_lists_its_images_and_takes_them_from_another_registry() {
    let output = run(&["manifests", "--images"], "");
    let images = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success() && images.lines().count() >= 2, "{images}");
    assert!(images.lines().all(|image| image.starts_with("ghcr.io/")), "{images}");
    let mirrored = run(&["manifests", "--registry", "mirror.lab/k8s", "-o", "json"], "").stdout;
    let mirrored = String::from_utf8(mirrored).expect("text");
    for image in images.lines() {
        assert!(mirrored.contains(&image.replace("ghcr.io/", "mirror.lab/k8s/")), "{image}");
    }
    let refused = run(&["manifests", "--registry", "https://mirror.lab"], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(err(&refused).contains("write a host"), "{}", err(&refused));
}

#[test]
fn manifests_without_webhooks_have_none() {
    let flags = ["manifests", "-o", "json", "--no-webhooks", "--high-availability", "--replicas", "3"];
    let list: Value = serde_json::from_slice(&run(&flags, "").stdout).expect("JSON");
    let items = list["items"].as_array().expect("a list");
    let kinds: Vec<&str> = items.iter().filter_map(|item| item["kind"].as_str()).collect();
    assert!(
        kinds.iter().all(|kind| !kind.ends_with("WebhookConfiguration") && *kind != "Service"),
        "{kinds:?}"
    );
    let deployment =
        items.iter().find(|item| item["kind"] == "Deployment").expect("a Deployment").to_string();
    assert!(!deployment.contains("webhook") && deployment.contains("DoNotSchedule"), "{deployment}");
}

#[test]
fn arguments_and_variables_of_the_deployment_exist() {
    use clap::Parser;
    let client_ca = ["--webhook-client-ca-secret", "callers"];
    for flags in [&[][..], &["--cert-manager"], &client_ca] {
        let arguments = [&["manifests", "-o", "json"], flags].concat();
        let list: Value = serde_json::from_slice(&run(&arguments, "").stdout).expect("JSON");
        let items = list["items"].as_array().expect("a list");
        let deployment = items.iter().find(|item| item["kind"] == "Deployment").expect("a Deployment");
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let words = container["args"].as_array().expect("arguments").iter().filter_map(Value::as_str);
        // The kubelet replaces `$(VARIABLE)` in arguments.
        let words = words.map(|word| {
            word.replace("$(AGENT_IMAGE)", "mirror.lab/agent:1")
                .replace("$(ORASCACHE_LEASE_NAMESPACE)", "system")
        });
        let cli = orascache_operator::cli::Cli::try_parse_from(
            std::iter::once("orascache".to_owned()).chain(words),
        );
        let orascache_operator::cli::Command::Run(run) = cli.expect("known arguments").command else {
            panic!("the command is not `run`")
        };
        assert_eq!(run.webhook_listen.map(|address| address.port()), Some(9443));
        assert_eq!(run.webhook_cert_dir.is_some(), flags == ["--cert-manager"]);
        assert_eq!(run.webhook_client_ca.is_some(), flags == client_ca);
        let default = run.default_setting.first().expect("a default setting");
        assert_eq!((default.name.as_str(), default.value.as_str()), ("operatorNamespace", "system"));
        assert_eq!(run.agent_image.as_deref(), Some("mirror.lab/agent:1"));
        let settings = run.settings_from.expect("settings");
        assert_eq!(settings.to_string(), format!("system/{}", deploy_manifests::names::SETTINGS));
        // The help lists the environment variables that the binary reads.
        let help = out(&self::run(&["run", "--help"], ""));
        for variable in container["env"].as_array().expect("variables") {
            let name = variable["name"].as_str().expect("a name");
            assert!(matches!(name, "AGENT_IMAGE" | "XDG_CACHE_HOME") || help.contains(name), "{name}");
        }
    }
}

#[test]
fn components_are_pushed_to_a_registry_and_used_from_there() {
    let registry = test_registries::Embedded::start();
    let host = registry.host();
    let folder = tempfile::tempdir().expect("a folder");
    let pushed = run(&["module", "push", &format!("{host}/lab/module:1")], "");
    assert_eq!(pushed.status.code(), Some(0), "{}", err(&pushed));
    let reference = out(&pushed).trim().to_owned();
    assert!(reference.starts_with(&format!("{host}/lab/module@sha256:")), "{reference}");

    // The embedded component was pushed, so both must decide alike.
    let oci = format!("oci://{reference}");
    assert_eq!(out(&run(&["inspect", &oci], "")), out(&run(&["inspect"], "")));
    let cache = "{apiVersion: cache.converged-computing.github.io/v1alpha1, kind: OrasCache, metadata: {name: a}, spec: {}}";
    let rendered = run(&["render", "-f", "-", "--component", &oci], cache);
    assert_eq!(rendered.status.code(), Some(0), "{}", err(&rendered));
    assert_eq!(out(&rendered), out(&run(&["render", "-f", "-"], cache)));

    // A tag is refused without `--allow-unpinned`. The message has the reference to write instead.
    let tag = format!("{host}/lab/module:1");
    let file = folder.path().join("module.wasm");
    let file = file.to_str().expect("a path");
    let refused = run(&["module", "pull", &tag, "-o", file], "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains(&format!("write {reference}")), "{}", err(&refused));
    let pulled = run(&["module", "pull", &tag, "-o", file, "--allow-unpinned"], "");
    assert_eq!(pulled.status.code(), Some(0), "{}", err(&pulled));
    assert_eq!(out(&run(&["inspect", file], "")), out(&run(&["inspect"], "")));

    // A component without the required signature is refused.
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/../component-registry/tests/keys/signer.pub");
    let unsigned = run(&["inspect", &oci, "--component-key", key], "");
    assert_eq!(unsigned.status.code(), Some(1));
    assert!(err(&unsigned).contains("is not signed with the given key"), "{}", err(&unsigned));

    for (reference, code, why) in [
        (format!("oci://{host}/lab/none@sha256:{}", "0".repeat(64)), 1, "is not in the registry"),
        ("oci://module".to_owned(), 2, "names no repository"),
    ] {
        let refused = run(&["inspect", &reference], "");
        assert_eq!(refused.status.code(), Some(code), "{}", err(&refused));
        assert!(err(&refused).contains(why), "{}", err(&refused));
    }
}

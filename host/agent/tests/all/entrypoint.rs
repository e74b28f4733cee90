//! The command `entrypoint`, and the version.

use crate::support;
use crate::support::Agent;
use crate::support::http::{Layer, ask, put_artifact, put_blob, put_manifest};
use serde_json::json;
use test_registries::Embedded;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Puts an image for two platforms into a registry.
fn put_image(host: &str, tag: &str, amd64: &serde_json::Value) {
    let arm64 = json!({"Entrypoint": ["/arm"]});
    let manifests: Vec<_> = [("amd64", amd64), ("arm64", &arm64)]
        .into_iter()
        .map(|(architecture, process)| {
            let config = json!({"os": "linux", "architecture": architecture, "config": process}).to_string();
            let digest = put_blob(host, "tool", config.as_bytes());
            let descriptor = json!({"mediaType": CONFIG, "digest": digest, "size": config.len()});
            let manifest =
                json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor, "layers": []});
            put_manifest(host, "tool", architecture, &manifest);
            let answer =
                ask(host, "GET", &format!("/v2/tool/manifests/{architecture}"), &[("Accept", MANIFEST)], b"");
            json!({
                "mediaType": MANIFEST,
                "digest": oci_registry_client::Digest::of(&answer.body).to_string(),
                "size": answer.body.len(),
                "platform": {"os": "linux", "architecture": architecture},
            })
        })
        .collect();
    put_manifest(host, "tool", tag, &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}));
}

fn entrypoint(image: &str, flags: &[&str]) -> support::Finished {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::new(["entrypoint", image]).env("HOME", folder.path()).env_remove("DOCKER_CONFIG");
    flags.iter().fold(agent, |agent, flag| agent.flag(flag)).run()
}

#[test]
fn the_command_of_an_image_is_printed_as_yaml() {
    let registry = Embedded::start();
    let host = registry.host();
    put_image(&host, "1", &json!({"Entrypoint": ["/bin/tool", "$(x)"], "Cmd": ["--help"]}));
    let image = format!("{host}/tool:1");
    let outcome = entrypoint(&image, &["--platform=linux/amd64"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let text = outcome.stdout();
    assert!(text.starts_with(&format!("# {image} (sha256:")), "{text}");
    assert!(text.contains(") for linux/amd64\n"), "{text}");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, [r#"command: ["/bin/tool","$$(x)"]"#, r#"args: ["--help"]"#]);
    let arm = entrypoint(&image, &["--platform=linux/arm64"]).stdout();
    assert!(arm.ends_with("command: [\"/arm\"]\n"), "{arm}");
    assert_eq!(entrypoint(&image, &[]).code, Some(0), "the platform of this machine");
}

#[test]
fn what_has_no_command_is_an_error() {
    let registry = Embedded::start();
    let host = registry.host();
    put_image(&host, "1", &json!({"Entrypoint": null, "Cmd": []}));
    put_artifact(&host, "artifact", "1", &[Layer::file("file", "x")]);
    for (image, flags, code, part) in [
        (format!("{host}/tool:1"), &["--platform=linux/amd64"][..], 1, "names no program"),
        (
            format!("{host}/tool:1"),
            &["--platform=linux/s390x"],
            1,
            "it is not for linux/s390x, but for linux/amd64",
        ),
        (format!("{host}/tool:2"), &[], 1, "is not in the registry"),
        (format!("{host}/artifact:1"), &[], 1, "it is an artifact and no image"),
        ("Upper".to_owned(), &[], 2, "\"Upper\" is no image"),
        (format!("{host}/tool:1"), &["--platform=linux"], 2, "write it like linux/arm64"),
    ] {
        let outcome = entrypoint(&image, flags);
        assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(code), ""), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
}

#[test]
fn the_version_is_printed_in_each_usual_way() {
    let wanted = format!("orascache-agent {}\n", env!("CARGO_PKG_VERSION"));
    for word in ["-V", "--version", "version"] {
        let outcome = Agent::new([word]).run();
        assert_eq!((outcome.code, outcome.stdout()), (Some(0), wanted.clone()), "{word}");
    }
}

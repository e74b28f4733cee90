//! The command `entrypoint`: which program an image starts, as the `command` and `args` of a
//! container.

use super::{ConnectionArgs, client, finish};
use crate::cancel::Cancel;
use crate::transfer::{TransferFailure, run};
use clap::Args;
use oci_registry_client::{ImageConfig, Platform, RemoteArtifact};
use orascache_api::reference::{Image, split_scheme};

/// The arguments of `entrypoint`.
#[derive(Args, Debug)]
pub struct EntrypointArgs {
    /// Image, as in a pod. Without a host, it is one of docker.io.
    image: String,
    /// Operating system and architecture, such as linux/arm64. By default, Linux on a machine like
    /// this one.
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Prints what a container has to have as its command. Returns the exit code.
pub fn entrypoint(arguments: &EntrypointArgs) -> u8 {
    finish(find(arguments))
}

fn find(arguments: &EntrypointArgs) -> Result<String, TransferFailure> {
    let name = full_name(&arguments.image).map_err(TransferFailure::BadRequest)?;
    let remote = RemoteArtifact::parse(&name, arguments.connection.plain_http);
    let remote = remote.map_err(TransferFailure::BadRequest)?;
    let client = client(&arguments.connection, &remote)?;
    let platform = arguments.platform.clone().unwrap_or_else(Platform::of_this_machine);
    let config = run(&Cancel::default(), async {
        let config = client.image_config(&remote.reference, &platform).await;
        config.map_err(|error| TransferFailure::Failed(format!("the image {name} cannot be read: {error}")))
    })??;
    let words = yaml(&config).ok_or_else(|| {
        let sentence =
            format!("the image {name} names no program: write the command of the container yourself");
        TransferFailure::Failed(sentence)
    })?;
    Ok(format!("# {name} ({}) for {platform}\n{words}", config.digest))
}

/// The name of an image with its host.
fn full_name(image: &str) -> Result<String, String> {
    if split_scheme(image).is_some() {
        return Ok(image.to_owned());
    }
    let Some(Image { host, reference }) = Image::parse(image) else {
        return Err(format!("\"{image}\" is no image: write it like busybox:1.36 or ghcr.io/org/tool:1"));
    };
    let path = host.map_or(image, |host| image.get(host.len() + 1..).unwrap_or_default());
    let host = host.unwrap_or("docker.io");
    // Images without an owner are in this namespace (distribution's reference package,
    // "ParseNormalizedNamed").
    let library = if host == "docker.io" && !reference.repository.contains('/') { "library/" } else { "" };
    Ok(format!("{host}/{library}{path}"))
}

/// The members of a container. None where the image starts nothing.
fn yaml(config: &ImageConfig) -> Option<String> {
    let (entrypoint, command) = (list(&config.entrypoint), list(&config.command));
    match (config.entrypoint.is_empty(), config.command.is_empty()) {
        (true, true) => None,
        (true, false) => Some(format!(
            "# The image has no entrypoint, so that the args of a pod would be the whole command.\ncommand: {command}\n"
        )),
        (false, true) => Some(format!("command: {entrypoint}\n")),
        (false, false) => Some(format!(
            "command: {entrypoint}\n# The args of a pod take the place of these.\nargs: {command}\n"
        )),
    }
}

/// A list of texts, as JSON, which is YAML too.
fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| escaped(word)).collect();
    serde_json::Value::from(words).to_string()
}

/// A word that Kubernetes leaves as it is. It expands what is in the command of a pod, and not what
/// is in an image (core/v1 Container, `command`).
fn escaped(word: &str) -> String {
    let mut escaped = String::with_capacity(word.len());
    let mut characters = word.chars().peekable();
    while let Some(character) = characters.next() {
        escaped.push(character);
        if character == '$' && matches!(characters.peek(), Some('(' | '$')) {
            escaped.push('$');
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_registry_client::Digest;

    #[test]
    fn images_are_named_as_in_a_pod() {
        for (image, name) in [
            ("busybox", "docker.io/library/busybox"),
            ("busybox:1", "docker.io/library/busybox:1"),
            ("docker.io/busybox", "docker.io/library/busybox"),
            ("org/tool:1", "docker.io/org/tool:1"),
            ("ghcr.io/tool:1", "ghcr.io/tool:1"),
            ("localhost:5000/a/b", "localhost:5000/a/b"),
            ("http://127.0.0.1:5000/a", "http://127.0.0.1:5000/a"),
        ] {
            assert_eq!(full_name(image).as_deref(), Ok(name));
        }
        assert!(full_name("Upper").unwrap_err().contains("\"Upper\" is no image"));
    }

    fn of(entrypoint: &[&str], command: &[&str]) -> Option<String> {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        yaml(&ImageConfig { digest: Digest::of(b""), entrypoint: owned(entrypoint), command: owned(command) })
    }

    #[test]
    fn the_command_is_what_the_image_starts() {
        assert_eq!(of(&["a", "b"], &[]).unwrap(), "command: [\"a\",\"b\"]\n");
        let both = of(&["a"], &["b \"c\"\n"]).unwrap();
        assert!(
            both.starts_with("command: [\"a\"]\n# ") && both.ends_with("\nargs: [\"b \\\"c\\\"\\n\"]\n"),
            "{both}"
        );
        let none = of(&[], &["sh"]).unwrap();
        assert!(none.starts_with("# The image has no entrypoint") && none.ends_with("\ncommand: [\"sh\"]\n"));
        assert_eq!(of(&[], &[]), None);
    }

    #[test]
    fn kubernetes_must_not_expand_the_words_of_an_image() {
        for (word, written) in
            [("$HOME", "$HOME"), ("$(date)", "$$(date)"), ("$$", "$$$"), ("$$(x)$", "$$$$(x)$")]
        {
            assert_eq!(escaped(word), written);
        }
    }
}

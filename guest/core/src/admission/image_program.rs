//! The program of a container whose pod names no command: that of its image. The agent has to stand
//! in front of it, so that its words must be known when the pod is rewritten.
//!
//! They are asked for only where the administrator allows it, and only by the digest of the image: a
//! node may have another image under the same tag.

use super::command_place::CommandPlace;
use super::known::Known;
use super::pod::{Container, Pod};
use crate::findings::Findings;
use crate::json::Json;
use crate::kubernetes::escaped;
use crate::settings::is_same_host;
use crate::settings::{PLAIN_HTTP, Settings};
use orascache_api::reference::Image;
use orascache_contract::{ArtifactAspect, ArtifactFinding, ArtifactQuestion};

/// The registry of images without a host, and the namespace of those without an owner there
/// (distribution's reference package, "ParseNormalizedNamed").
const DOCKER_HUB: &str = "docker.io";
const LIBRARY: &str = "library";

/// Where the words of a container's command come from.
#[derive(Debug)]
pub(crate) enum Program<'a> {
    /// The pod names them.
    OfPod,
    /// The image names them.
    OfImage(OfImage<'a>),
    /// The host must ask a registry first.
    Ask(ArtifactQuestion),
}

/// What an image starts.
#[derive(Debug)]
pub(crate) struct OfImage<'a> {
    /// The words in front of the arguments that the pod has, written so that Kubernetes expands
    /// nothing in them.
    pub(crate) words: Vec<Json<'a>>,
    /// The digest by which the pod names the image.
    pub(crate) digest: &'a str,
}

impl Program<'_> {
    /// What the host must ask first.
    pub(crate) fn question(&self) -> Option<&ArtifactQuestion> {
        match self {
            Program::Ask(question) => Some(question),
            _ => None,
        }
    }
}

/// Finds out what a container starts. Refuses a container of which that cannot be known.
pub(crate) fn find<'a>(
    pod: &Pod<'a>,
    container: &Container<'a>,
    known: &Known<'_>,
    settings: &Settings<'_>,
    findings: &mut Findings,
) -> Option<Program<'a>> {
    if !CommandPlace::of(container).is_empty() {
        return Some(Program::OfPod);
    }
    let (path, name, image) = (pod.source.spec_path(), container.name, container.image());
    // The program of an engine gets the command as an argument: it does not start what the image does.
    let has_engine = !container.command().is_empty();
    let asked = if has_engine { Err(Obstacle::NotAsked) } else { question(image, settings) };
    let program = asked.and_then(|(question, digest)| match known.answer(&question) {
        None => Ok(Program::Ask(question)),
        Some(finding) => {
            let words = words(finding, container, &question.registry)?;
            Ok(Program::OfImage(OfImage { words, digest }))
        }
    });
    let (why, remedy) = match program {
        Ok(program) => return Some(program),
        Err(Obstacle::StartsNothing) => {
            findings.refuse(format!(
                "{path}.containers: {name} has no command, and its image starts no program of its own: write command: [program, argument]"
            ));
            return None;
        }
        Err(Obstacle::NotAsked) => (String::new(), String::new()),
        Err(Obstacle::NoDigest) => (
            " (it is read for images that are named by their digest alone)".to_owned(),
            format!("write the image as {image}@sha256:..., or "),
        ),
        Err(Obstacle::Other(why)) => (format!(" ({why})"), String::new()),
    };
    let image = if image.is_empty() { "IMAGE" } else { image };
    findings.refuse(format!(
        "{path}.containers: {name} has no command, and the entrypoint of its image is not known here{why}: {remedy}run orascache-agent entrypoint {image}, and write what it prints as command: [program, argument]"
    ));
    None
}

/// Why the words of an image are not known.
enum Obstacle {
    /// The administrator lets nobody ask, or the answer would not help.
    NotAsked,
    /// The image is named by a tag.
    NoDigest,
    /// The image has neither an entrypoint nor arguments, and the pod has no arguments.
    StartsNothing,
    /// A reason, as the rest of a sentence.
    Other(String),
}

/// The question for the words of an image, and its digest.
fn question<'a>(image: &'a str, settings: &Settings<'_>) -> Result<(ArtifactQuestion, &'a str), Obstacle> {
    let registries = &settings.image_config_registries;
    let parsed = Image::parse(image).filter(|_| !registries.is_empty()).ok_or(Obstacle::NotAsked)?;
    let host = parsed.host.unwrap_or(DOCKER_HUB);
    let found = registries.iter().find_map(|registry| {
        let name = registry.strip_prefix(PLAIN_HTTP);
        is_same_host(host, name.unwrap_or(registry)).then_some((name.is_some(), name.unwrap_or(registry)))
    });
    let (plain_http, registry) =
        found.ok_or_else(|| Obstacle::Other(format!("the administrator lets no image of {host} be read")))?;
    let digest = parsed.reference.digest.ok_or(Obstacle::NoDigest)?;
    let repository = parsed.reference.repository;
    let has_no_owner = host == DOCKER_HUB && !repository.contains('/');
    let question = ArtifactQuestion {
        registry: registry.to_owned(),
        plain_http,
        repository: if has_no_owner { format!("{LIBRARY}/{repository}") } else { repository.to_owned() },
        reference: digest.to_owned(),
        credentials: None,
        aspect: ArtifactAspect::ImageConfig,
    };
    Ok((question, digest))
}

/// The words that the image puts in front of the arguments of the pod: its entrypoint, and its own
/// arguments where the pod has none (core/v1 Container, `command` and `args`).
fn words<'a>(
    finding: &ArtifactFinding,
    container: &Container<'_>,
    registry: &str,
) -> Result<Vec<Json<'a>>, Obstacle> {
    let unreadable = || Obstacle::Other("its configuration cannot be read".to_owned());
    let text = match finding {
        ArtifactFinding::ImageConfig(text) => text,
        ArtifactFinding::Missing => return Err(Obstacle::Other(format!("{registry} has no such image"))),
        ArtifactFinding::Unknown(why) => return Err(Obstacle::Other(why.clone())),
        ArtifactFinding::Digest(_) => return Err(unreadable()),
    };
    let tree = Json::parse(text).map_err(|_| unreadable())?;
    let mut words = Vec::new();
    let mut add = |name: &str| match tree.member_of("config", name) {
        None => Some(()),
        Some(Json::Array(items)) => items.iter().try_for_each(|item| {
            words.push(escaped(item.as_str()?).into());
            Some(())
        }),
        Some(_) => None,
    };
    add("Entrypoint").ok_or_else(unreadable)?;
    let has_arguments = !container.tree.items("args").is_empty();
    if !has_arguments {
        add("Cmd").ok_or_else(unreadable)?;
    }
    if words.is_empty() && !has_arguments { Err(Obstacle::StartsNothing) } else { Ok(words) }
}

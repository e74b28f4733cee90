//! What is to be copied where, as the arguments say it.

use super::args::CopyArgs;
use crate::place::Place;
use oci_registry_client::{ArtifactReference, Endpoint, RemoteArtifact};

/// A source and a destination.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The registry of the source.
    pub from: Endpoint,
    /// The registry of the destination.
    pub to: Endpoint,
    /// What of them.
    pub what: What,
}

/// What of two registries is meant.
#[derive(Clone, Debug)]
pub enum What {
    /// One artifact.
    Artifact {
        /// As the source has it.
        from: ArtifactReference,
        /// As the destination shall have it.
        to: ArtifactReference,
    },
    /// Tags of a repository, or of all repositories that a pattern matches.
    Tags {
        /// The source.
        from: Place,
        /// The repository of the destination, or the path above the repositories of a pattern.
        to: String,
    },
}

/// The variable with the number of a pod of an indexed Job (batch/v1 JobSpec, completionMode).
const JOB_INDEX: &str = "JOB_COMPLETION_INDEX";

/// The pairs that the arguments name.
///
/// # Errors
/// A sentence.
pub fn read(arguments: &CopyArgs, variable: impl Fn(&str) -> Option<String>) -> Result<Vec<Pair>, String> {
    let (pairs, rest) = arguments.artifacts.as_chunks::<2>();
    if let [single] = rest {
        return Err(format!(
            "\"{single}\" has no destination: write each source with its destination behind it"
        ));
    }
    let of_tags = arguments.all_tags || !arguments.tags.is_empty();
    let read = |[from, to]: &[String; 2]| if of_tags { tags(from, to) } else { artifact(from, to) };
    if !arguments.by_index {
        return pairs.iter().map(read).collect();
    }
    let index = variable(JOB_INDEX).unwrap_or_default();
    let chosen = index.parse().ok().and_then(|index: usize| pairs.get(index)).ok_or_else(|| {
        format!(
            "{JOB_INDEX} is \"{index}\", but the pairs are numbered from 0 to {}",
            pairs.len().saturating_sub(1)
        )
    })?;
    read(chosen).map(|pair| vec![pair])
}

fn artifact(from: &str, to: &str) -> Result<Pair, String> {
    let (source, destination) = (RemoteArtifact::parse(from, false)?, RemoteArtifact::parse(to, false)?);
    if destination.reference.digest.is_some() {
        return Err(format!(
            "the destination \"{to}\" names a digest, which it has from its source: name a tag"
        ));
    }
    let tag = destination.reference.tag.or_else(|| match &source.reference.digest {
        // A digest without a tag is copied without one.
        Some(_) => source.reference.tag.clone(),
        None => Some(source.reference.tag().to_owned()),
    });
    let to = ArtifactReference { tag, ..destination.reference };
    Ok(Pair {
        from: source.endpoint,
        to: destination.endpoint,
        what: What::Artifact { from: source.reference, to },
    })
}

fn tags(from: &str, to: &str) -> Result<Pair, String> {
    let (source, destination) = (Place::parse(from)?, Place::parse(to)?);
    if destination.path.contains(['*', '?']) {
        return Err(format!(
            "the destination \"{to}\" is a pattern: name the path below which the repositories go"
        ));
    }
    if !source.is_pattern() && destination.path.is_empty() {
        return Err(format!("the destination \"{to}\" names no repository: write it behind the host"));
    }
    let (from, to) = (source.endpoint.clone(), destination.endpoint);
    Ok(Pair { from, to, what: What::Tags { from: source, to: destination.path } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        copy: CopyArgs,
    }

    fn pairs(words: &[&str]) -> Result<Vec<Pair>, String> {
        let line = Line::try_parse_from([&["x"], words].concat()).map_err(|error| error.to_string())?;
        read(&line.copy, |_| Some("1".to_owned()))
    }

    fn destination(words: &[&str]) -> String {
        match &pairs(words).unwrap().last().unwrap().what {
            What::Artifact { to, .. } => to.tag.as_ref().map_or(to.repository.clone(), |_| to.to_string()),
            What::Tags { to, .. } => to.clone(),
        }
    }

    #[test]
    fn a_destination_without_a_tag_gets_that_of_the_source() {
        let digest = format!("a.io/x@sha256:{}", "0".repeat(64));
        assert_eq!(destination(&["a.io/x:1", "b.io/y"]), "y:1");
        assert_eq!(destination(&["a.io/x:1", "b.io/y:2"]), "y:2");
        assert_eq!(destination(&["a.io/x", "b.io/y"]), "y:latest");
        assert_eq!(destination(&[&digest, "b.io/y"]), "y");
        assert_eq!(destination(&["--all-tags", "a.io/x/*", "b.io"]), "");
    }

    #[test]
    fn a_pod_of_an_indexed_job_copies_one_pair() {
        let three = ["a.io/x:1", "b.io/1", "a.io/x:2", "b.io/2", "a.io/x:3", "b.io/3"];
        assert_eq!(pairs(&three).unwrap().len(), 3);
        assert_eq!(destination(&[&["--by-index"], three.as_slice()].concat()), "2:2");
        let one = pairs(&["--by-index", "a.io/x:1", "b.io/1"]).unwrap_err();
        assert!(one.contains("numbered from 0 to 0"), "{one}");
    }

    #[test]
    fn wrong_arguments_are_sentences() {
        for (words, why) in [
            (&["a.io/x:1", "b.io/x", "c.io/x"][..], "has no destination"),
            (&["a.io/x:1", &format!("b.io/x@sha256:{}", "0".repeat(64))], "names a digest"),
            (&["--all-tags", "a.io/x:1", "b.io/x"], "without tag and digest"),
            (&["--all-tags", "a.io/x", "b.io"], "names no repository"),
            (&["--tags=run-*", "a.io/*", "b.io/*"], "is a pattern"),
            (&["--tags=run *", "a.io/*", "b.io/y"], "must be a pattern of tags"),
        ] {
            let sentence = pairs(words).unwrap_err();
            assert!(sentence.contains(why), "{sentence}");
        }
    }
}

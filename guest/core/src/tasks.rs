//! The work on a registry that a spec asks for, as the core reads it: retention, seeds and export.

use crate::fields::Fields;
use crate::json::Json;
use orascache_api::endpoint::Endpoint;
use orascache_api::reference::Reference;
use orascache_contract::Error;

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Tasks<'a> {
    pub(crate) retention: Option<Retention<'a>>,
    pub(crate) seed: Option<Seed<'a>>,
    pub(crate) export: Option<Export<'a>>,
}

/// `spec.retention`.
#[derive(Debug)]
pub(crate) struct Retention<'a> {
    schedule: Option<&'a str>,
    pub(crate) keep_tags: Option<i64>,
    pub(crate) max_age: Option<&'a str>,
    pub(crate) patterns: Vec<&'a str>,
    pub(crate) unused_since: Option<&'a str>,
    pub(crate) garbage_collection: Option<bool>,
}

/// `spec.seed`.
#[derive(Debug)]
pub(crate) struct Seed<'a> {
    pub(crate) artifacts: Vec<SeedArtifact<'a>>,
    pub(crate) secret: Option<&'a str>,
}

/// An item of `spec.seed.artifacts`.
#[derive(Debug)]
pub(crate) struct SeedArtifact<'a> {
    pub(crate) source: &'a str,
    target: Option<&'a str>,
}

/// `spec.export`.
#[derive(Debug)]
pub(crate) struct Export<'a> {
    pub(crate) destination: &'a str,
    pub(crate) repositories: Vec<&'a str>,
    pub(crate) tags: Vec<&'a str>,
    schedule: Option<&'a str>,
    pub(crate) secret: Option<&'a str>,
}

impl<'a> Tasks<'a> {
    /// Reads the members of a spec.
    pub(crate) fn read(spec: Fields<'a>) -> Result<Self, Error> {
        let texts = |fields: Fields<'a>, name| fields.texts(name).map(Option::unwrap_or_default);
        let mut tasks = Tasks::default();
        if let Some(fields) = spec.object("retention", "spec.retention")? {
            tasks.retention = Some(Retention {
                schedule: fields.text("schedule")?,
                keep_tags: fields.integer("keepTags")?,
                max_age: fields.text("maxAge")?,
                patterns: texts(fields, "patterns")?,
                unused_since: fields.text("unusedSince")?,
                garbage_collection: fields.flag("garbageCollection")?,
            });
        }
        if let Some(fields) = spec.object("seed", "spec.seed")? {
            let items = fields.member("artifacts").and_then(Json::as_array).unwrap_or_default();
            let artifact = |item: &'a Json<'a>| {
                let item = Fields::root(item);
                Ok(SeedArtifact { source: item.required_text("source")?, target: item.text("target")? })
            };
            tasks.seed = Some(Seed {
                artifacts: items.iter().map(artifact).collect::<Result<_, Error>>()?,
                secret: fields.text("secret")?,
            });
        }
        if let Some(fields) = spec.object("export", "spec.export")? {
            tasks.export = Some(Export {
                destination: fields.required_text("destination")?,
                repositories: texts(fields, "repositories")?,
                tags: texts(fields, "tags")?,
                schedule: fields.text("schedule")?,
                secret: fields.text("secret")?,
            });
        }
        Ok(tasks)
    }

    /// The Secrets that are named, with their fields.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let seed = self.seed.as_ref().and_then(|seed| seed.secret);
        let export = self.export.as_ref().and_then(|export| export.secret);
        let named = [("spec.seed.secret", seed), ("spec.export.secret", export)];
        named.into_iter().filter_map(|(field, name)| Some((field, name?)))
    }
}

impl<'a> Retention<'a> {
    pub(crate) fn schedule(&self) -> &'a str {
        self.schedule.unwrap_or("0 3 * * *")
    }

    /// Whether the spec gives a schedule.
    pub(crate) fn has_schedule(&self) -> bool {
        self.schedule.is_some()
    }
}

impl<'a> SeedArtifact<'a> {
    /// What the artifact is called in the registry of the cache. The digest of a source stays with it.
    pub(crate) fn target(&self) -> &'a str {
        let of_source = || split(self.source).1.split('@').next().unwrap_or_default();
        self.target.unwrap_or_else(of_source)
    }
}

impl<'a> Export<'a> {
    pub(crate) fn schedule(&self) -> &'a str {
        self.schedule.unwrap_or("0 * * * *")
    }
}

/// The host of an artifact, with its scheme where it has one, and what is behind it.
pub(crate) fn split(text: &str) -> (&str, &str) {
    let host = text.find("://").map_or(0, |at| at + 3);
    let slash = text.get(host..).and_then(|rest| rest.find('/'));
    match slash.and_then(|at| text.split_at_checked(host + at)) {
        Some((host, path)) => (host, path.trim_start_matches('/')),
        None => (text, ""),
    }
}

/// Whether a text is an artifact with its host in front.
pub(crate) fn is_artifact(text: &str) -> bool {
    let (host, artifact) = split(text);
    is_registry(host) && Reference::parse(artifact).is_ok()
}

/// Whether a text is a host that nobody takes for a part of a repository.
pub(crate) fn is_registry(text: &str) -> bool {
    Endpoint::parse(text).is_ok_and(|endpoint| {
        endpoint.host() == "localhost" || text.contains("://") || endpoint.host().contains(['.', ':'])
    })
}

//! What an administrator decides for everybody.

use super::bounds::Bounds;
use super::findings::Findings;
use super::members::{self, At};
use super::names;
use super::selector::Selector;
use super::step;
use crate::fields;
use crate::json::Json;
use crate::quantity;
use crate::reference;
use orascache_api::steps::{ANNOTATION_PREFIX, DEFAULT_AGENT_IMAGE};
use orascache_contract::Error;

/// Settings as the host hands them on, JSON text: `{"agentImage": "..."}`. What is absent limits nothing.
#[derive(Debug)]
pub(crate) struct Settings<'a> {
    /// Image that carries the agent, where a pod names none.
    pub(crate) agent_image: &'a str,
    /// Hosts that the annotation `registry` may name; `*.` in front stands for any subdomain.
    pub(crate) allowed_registries: Option<Vec<&'a str>>,
    /// Images that the annotation `oras-container` may name; prefixes where they end with `/`, `:` or `@`.
    pub(crate) allowed_agent_images: Option<Vec<&'a str>>,
    /// Annotations that a step must have.
    pub(crate) required_annotations: Vec<Required<'a>>,
    /// Largest `spec.storage.size` of a cache.
    pub(crate) maximum_storage: Option<&'a str>,
    /// Bounds of the sidecar.
    pub(crate) proxy: Bounds<'a>,
}

/// An annotation that a step must have, in some namespaces or in all of them.
#[derive(Debug)]
pub(crate) struct Required<'a> {
    /// The whole key.
    pub(crate) annotation: &'a str,
    /// Labels of the namespaces.
    pub(crate) namespaces: Selector<'a>,
    /// Whether the labels must be known.
    pub(crate) is_selective: bool,
}

const KNOWN: &str = "agentImage, allowedRegistries, allowedAgentImages, requiredAnnotations, maximumStorage or proxyResources";

impl<'a> Settings<'a> {
    /// Empty text stands for the defaults.
    pub(crate) fn parse(text: &'a str) -> Result<Option<Json<'a>>, Error> {
        if text.is_empty() { Ok(None) } else { fields::parse(text, "settings").map(Some) }
    }

    /// Everything that is wrong is told at once.
    pub(crate) fn read(tree: Option<&'a Json<'a>>) -> Result<Self, Error> {
        let mut settings = Settings {
            agent_image: DEFAULT_AGENT_IMAGE,
            allowed_registries: None,
            allowed_agent_images: None,
            required_annotations: Vec::new(),
            maximum_storage: None,
            proxy: Bounds::default(),
        };
        let Some(tree) = tree else { return Ok(settings) };
        let mut findings = Findings::default();
        settings.fill(tree, &mut findings);
        if findings.problems.is_empty() { Ok(settings) } else { Err(Error::InvalidInput(findings.message())) }
    }

    fn fill(&mut self, tree: &'a Json<'a>, findings: &mut Findings) {
        let root = At::root("settings");
        for (name, value, at) in members::object(tree, &root, findings) {
            match name {
                "agentImage" => {
                    let Some(image) = members::text(value, &at, findings) else { continue };
                    if !reference::is_image(image) {
                        findings.refuse(
                            "settings.agentImage is \"%\", which is not an image reference: write one like registry.example.org/name:tag",
                            &[image],
                        );
                    }
                    self.agent_image = image;
                }
                "allowedRegistries" => {
                    let wanted = "a host with an optional port: write one like ghcr.io or *.example.org";
                    self.allowed_registries =
                        Some(members::texts(value, &at, is_host_pattern, wanted, findings));
                }
                "allowedAgentImages" => {
                    let wanted = "an image or the beginning of one that ends with '/', ':' or '@': write one like registry.example.org/team/";
                    self.allowed_agent_images =
                        Some(members::texts(value, &at, is_image_pattern, wanted, findings));
                }
                "requiredAnnotations" => {
                    for (item, at) in members::list(value, &at, findings) {
                        self.required_annotations.extend(Required::read(item, &at, findings));
                    }
                }
                "maximumStorage" => {
                    self.maximum_storage = members::text(value, &at, findings);
                    if self.maximum_storage.is_some_and(|size| !is_amount(size)) {
                        at.refuse("% is not a size: write one like %", "100Gi", findings);
                    }
                }
                "proxyResources" => self.proxy = Bounds::read(value, &at, findings),
                _ => at.unknown(KNOWN, findings),
            }
        }
    }
}

impl<'a> Required<'a> {
    fn read(tree: &'a Json<'a>, at: &At<'_>, findings: &mut Findings) -> Option<Self> {
        let mut required = Required { annotation: "", namespaces: Selector::default(), is_selective: false };
        let before = findings.problems.len();
        for (name, value, at) in members::object(tree, at, findings) {
            match name {
                "annotation" => {
                    let Some(key) = members::text(value, &at, findings) else { continue };
                    // A step with an annotation that nobody knows is refused, so that none could ever have it.
                    let is_ours_and_unknown =
                        key.strip_prefix(ANNOTATION_PREFIX).is_some_and(|name| !step::is_known(name));
                    if !names::is_key(key) || is_ours_and_unknown {
                        at.refuse("% is not an annotation that a step can have: write the whole key, like %output-uri", ANNOTATION_PREFIX, findings);
                    }
                    required.annotation = key;
                }
                "namespaceSelector" => {
                    required.namespaces = Selector::read(value, &at, findings);
                    required.is_selective = true;
                }
                _ => at.unknown("annotation or namespaceSelector", findings),
            }
        }
        if required.annotation.is_empty() && findings.problems.len() == before {
            at.refuse(
                "%.annotation is missing: write the whole key, like %output-uri",
                ANNOTATION_PREFIX,
                findings,
            );
        }
        (findings.problems.len() == before).then_some(required)
    }
}

fn is_host_pattern(text: &str) -> bool {
    reference::is_host(text.strip_prefix("*.").unwrap_or(text))
}

fn is_image_pattern(text: &str) -> bool {
    match text.strip_suffix(['/', ':', '@']) {
        Some(start) => reference::is_image(start) || (text.ends_with('/') && reference::is_host(start)),
        None => reference::is_image(text),
    }
}

/// Whether this is a quantity of something.
pub(crate) fn is_amount(text: &str) -> bool {
    quantity::parse(text) > quantity::parse("0")
}

//! Settings of an administrator, which count for all caches and steps.

mod certificates;
mod document;
mod forward_proxy;
mod host_pattern;
mod image_pattern;
mod proxy_resources;
mod selector;

use crate::fields;
use crate::findings::Findings;
use crate::json::Json;
use crate::misspelt;
use crate::names;
use crate::quantity;
use crate::step_annotations;
use document::Place;
pub(crate) use forward_proxy::ForwardProxy;
pub(crate) use host_pattern::{host_matches, is_same_host};
pub(crate) use image_pattern::ImagePattern;
use orascache_api::names::OPERATOR_NAMESPACE;
use orascache_api::reference;
use orascache_api::steps::{
    ANNOTATION_PREFIX, DEFAULT_AGENT_IMAGE, DEFAULT_MAXIMUM_INPUTS, LARGEST_MAXIMUM_INPUTS,
};
use orascache_contract::Error;
pub(crate) use proxy_resources::{Amounts, ProxyResources, Resources};
use selector::Selector;

/// Settings as the host hands them on, JSON text: `{"agentImage": "..."}`. Settings that are absent
/// limit nothing.
#[derive(Debug)]
pub(crate) struct Settings<'a> {
    /// Image that carries the agent, where a pod names none.
    pub(crate) agent_image: &'a str,
    /// Hosts that the annotation `registry` may name. `*.` in front stands for any subdomain, and
    /// `http://` in front of that allows credentials to travel without TLS.
    pub(crate) allowed_registries: Option<Vec<&'a str>>,
    /// Caches of other namespaces that the annotation `registry` may name, as `namespace/name` or
    /// `namespace/*`.
    pub(crate) allowed_caches: Vec<&'a str>,
    /// Images that the annotation `oras-container` may name.
    pub(crate) allowed_agent_images: Option<Vec<ImagePattern<'a>>>,
    /// Annotations that a step must have.
    pub(crate) required_annotations: Vec<RequiredAnnotation<'a>>,
    /// Largest `spec.storage.size` of a cache.
    pub(crate) maximum_storage: Option<&'a str>,
    /// CPU and memory of the credential proxy.
    pub(crate) proxy_resources: ProxyResources<'a>,
    /// How steps reach registries outside of the cluster.
    pub(crate) forward_proxy: ForwardProxy<'a>,
    /// Certificates of authorities that steps trust, PEM text.
    pub(crate) registry_ca: Option<&'a str>,
    /// Most artifacts that the inputs of a step may be.
    pub(crate) maximum_inputs: u64,
    /// Which steps may be reused.
    pub(crate) reuse: ReuseSetting,
    /// Whether steps leave provenance statements beside their outputs.
    pub(crate) provenance: bool,
    /// Registries whose images the host may read the configurations of. `http://` in front stands
    /// for one without TLS.
    pub(crate) image_config_registries: Vec<&'a str>,
    /// DNS domain of the cluster, as in `cluster.local`.
    pub(crate) cluster_domain: Option<&'a str>,
    /// Images that the registries of caches may run.
    allowed_images: Option<Vec<ImagePattern<'a>>>,
    /// Whether pods that wait for their inputs get a scheduling gate.
    pub(crate) gates: bool,
    /// Namespace of the operator, whose pods reach every cache.
    pub(crate) operator_namespace: &'a str,
}

/// The setting `reuse`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReuseSetting {
    /// All steps may be reused.
    #[default]
    Allowed,
    /// Steps whose image is named by its digest may be.
    Digests,
    /// No step may be.
    Forbidden,
}

/// An annotation that a step must have, in some namespaces or in all of them.
#[derive(Debug)]
pub(crate) struct RequiredAnnotation<'a> {
    /// The whole key.
    pub(crate) key: &'a str,
    /// Which namespaces, by their labels; all without a selector.
    pub(crate) namespaces: Option<Selector<'a>>,
}

/// Prefix of a host in `allowedRegistries` and `imageConfigRegistries` that may be used without TLS.
pub(crate) const PLAIN_HTTP: &str = "http://";

/// What an image pattern is, for messages.
const IMAGE_PATTERN: &str = "an image or the beginning of one that ends with '/', ':' or '@': write one like registry.example.org/team/";

/// The known settings, for messages.
const KNOWN: &str = "agentImage, allowedRegistries, allowedCaches, allowedAgentImages, requiredAnnotations, maximumStorage, proxyResources, clusterDomain, allowedImages, gates, operatorNamespace, forwardProxy, registryCA, maximumInputs, reuse, provenance or imageConfigRegistries";

impl<'a> Settings<'a> {
    /// Empty text stands for the defaults.
    pub(crate) fn parse(text: &'a str) -> Result<Option<Json<'a>>, Error> {
        if text.is_empty() { Ok(None) } else { fields::parse(text, "settings").map(Some) }
    }

    /// Everything that is wrong is reported at once.
    pub(crate) fn read(tree: Option<&'a Json<'a>>) -> Result<Self, Error> {
        let mut settings = Settings {
            agent_image: DEFAULT_AGENT_IMAGE,
            allowed_registries: None,
            allowed_caches: Vec::new(),
            allowed_agent_images: None,
            required_annotations: Vec::new(),
            maximum_storage: None,
            proxy_resources: ProxyResources::default(),
            forward_proxy: ForwardProxy::default(),
            registry_ca: None,
            maximum_inputs: DEFAULT_MAXIMUM_INPUTS,
            reuse: ReuseSetting::default(),
            provenance: true,
            image_config_registries: Vec::new(),
            cluster_domain: None,
            allowed_images: None,
            gates: false,
            operator_namespace: OPERATOR_NAMESPACE,
        };
        let Some(tree) = tree else { return Ok(settings) };
        let mut findings = Findings::default();
        settings.read_members(tree, &mut findings);
        if findings.problems.is_empty() { Ok(settings) } else { Err(Error::InvalidInput(findings.message())) }
    }

    /// Why a registry may not run an image, as the rest of a sentence about it, without its final
    /// stop. `None` when it may.
    pub(crate) fn refuse_image(&self, image: &str) -> Option<String> {
        let allowed = self.allowed_images.as_ref()?;
        if allowed.iter().any(|pattern| pattern.matches(image)) {
            return None;
        }
        let patterns: Vec<&str> = allowed.iter().map(ImagePattern::as_str).collect();
        let remedy = if patterns.is_empty() {
            "set spec.deploy to false, or ask for a setting allowedImages that is not empty".to_owned()
        } else {
            format!("write one of {}", patterns.join(", "))
        };
        Some(format!("is {image}, which the administrator does not allow: {remedy}"))
    }

    fn read_members(&mut self, tree: &'a Json<'a>, findings: &mut Findings) {
        let root = Place::root("settings");
        for (name, value, place) in document::members(tree, &root, findings) {
            match name {
                "agentImage" => {
                    let Some(image) = document::text(value, &place, findings) else { continue };
                    if !reference::is_image(image) {
                        findings.refuse(format!(
                            "{place} is \"{image}\", which is not an image reference: write one like registry.example.org/name:tag"
                        ));
                    }
                    self.agent_image = image;
                }
                "allowedRegistries" => {
                    let wanted = "a host with an optional port: write one like ghcr.io or *.example.org, with http:// in front where credentials may travel without TLS";
                    self.allowed_registries =
                        Some(document::texts(value, &place, is_host_pattern, wanted, findings));
                }
                "allowedCaches" => {
                    let wanted = "a cache of a namespace: write it like team-a/shared, or team-a/* for all of its caches";
                    self.allowed_caches = document::texts(value, &place, is_cache_pattern, wanted, findings);
                }
                "allowedAgentImages" => {
                    self.allowed_agent_images = Some(image_patterns(value, &place, findings));
                }
                "allowedImages" => {
                    self.allowed_images = Some(image_patterns(value, &place, findings));
                }
                "requiredAnnotations" => {
                    for (item, place) in document::items(value, &place, findings) {
                        self.required_annotations.extend(RequiredAnnotation::read(item, &place, findings));
                    }
                }
                "maximumStorage" => {
                    self.maximum_storage = document::text(value, &place, findings);
                    if self.maximum_storage.is_some_and(|size| !quantity::is_positive(size)) {
                        findings.refuse(format!("{place} is not a size: write one like 100Gi"));
                    }
                }
                "proxyResources" => {
                    self.proxy_resources = ProxyResources::read(value, &place, findings);
                }
                "forwardProxy" => self.forward_proxy = ForwardProxy::read(value, &place, findings),
                "registryCA" => {
                    self.registry_ca = document::text(value, &place, findings);
                    if let Some(why) = self.registry_ca.and_then(certificates::complaint) {
                        findings.refuse(format!("{place} {why}"));
                    }
                }
                "maximumInputs" => {
                    let numbers = 1..=LARGEST_MAXIMUM_INPUTS;
                    if let Some(number) = document::number(value, &place, numbers, findings) {
                        self.maximum_inputs = number;
                    }
                }
                "reuse" => match document::text(value, &place, findings) {
                    Some("allowed") => self.reuse = ReuseSetting::Allowed,
                    Some("digests") => self.reuse = ReuseSetting::Digests,
                    Some("forbidden") => self.reuse = ReuseSetting::Forbidden,
                    Some(_) => {
                        findings.refuse(format!("{place} is unknown: write allowed, digests or forbidden"))
                    }
                    None => {}
                },
                "clusterDomain" => {
                    self.cluster_domain = document::text(value, &place, findings);
                    if self.cluster_domain.is_some_and(|domain| !names::is_subdomain(domain)) {
                        findings.refuse(format!("{place} is not a DNS domain: write one like cluster.local"));
                    }
                }
                "gates" => self.gates = document::flag(value, &place, findings).unwrap_or_default(),
                "provenance" => self.provenance = document::flag(value, &place, findings).unwrap_or(true),
                "imageConfigRegistries" => {
                    let wanted = "the host of a registry with an optional port: write one like ghcr.io, with http:// in front where it has no TLS";
                    self.image_config_registries =
                        document::texts(value, &place, is_registry, wanted, findings);
                }
                "operatorNamespace" => {
                    let Some(namespace) = document::text(value, &place, findings) else { continue };
                    if !names::is_label(namespace) {
                        findings.refuse(format!(
                            "{place} is not the name of a namespace: write one like {OPERATOR_NAMESPACE}"
                        ));
                    }
                    self.operator_namespace = namespace;
                }
                _ => place.refuse_unknown(KNOWN, findings),
            }
        }
    }
}

impl<'a> RequiredAnnotation<'a> {
    fn read(tree: &'a Json<'a>, place: &Place<'_>, findings: &mut Findings) -> Option<Self> {
        let mut required = RequiredAnnotation { key: "", namespaces: None };
        let before = findings.problems.len();
        for (name, value, place) in document::members(tree, place, findings) {
            match name {
                "annotation" => {
                    let Some(key) = document::text(value, &place, findings) else { continue };
                    // Steps with unknown annotations are refused: none could ever have this one. A
                    // name of ours without its prefix, or with one that is nearly right, is no
                    // annotation of a step either.
                    let is_unknown = key
                        .strip_prefix(ANNOTATION_PREFIX)
                        .is_some_and(|name| !step_annotations::is_known(name));
                    if !names::is_key(key) || is_unknown || misspelt::is_meant_for_us(key) {
                        findings.refuse(format!(
                            "{place} is not an annotation that a step can have: write the whole key, like {ANNOTATION_PREFIX}output-uri"
                        ));
                    }
                    required.key = key;
                }
                "namespaceSelector" => {
                    required.namespaces = Some(Selector::read(value, &place, findings));
                }
                _ => place.refuse_unknown("annotation or namespaceSelector", findings),
            }
        }
        if required.key.is_empty() && findings.problems.len() == before {
            findings.refuse(format!(
                "{place}.annotation is missing: write the whole key, like {ANNOTATION_PREFIX}output-uri"
            ));
        }
        (findings.problems.len() == before).then_some(required)
    }
}

fn is_registry(text: &str) -> bool {
    reference::is_host(text.strip_prefix(PLAIN_HTTP).unwrap_or(text))
}

fn is_host_pattern(text: &str) -> bool {
    let host = text.strip_prefix(PLAIN_HTTP).unwrap_or(text);
    reference::is_host(host.strip_prefix("*.").unwrap_or(host))
}

/// `namespace/name` or `namespace/*`. Namespaces and caches are named like DNS labels.
fn is_cache_pattern(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(namespace, name)| names::is_label(namespace) && (name == "*" || names::is_label(name)))
}

fn image_patterns<'a>(
    value: &'a Json<'a>,
    place: &Place<'_>,
    findings: &mut Findings,
) -> Vec<ImagePattern<'a>> {
    let texts = document::texts(value, place, is_image_pattern, IMAGE_PATTERN, findings);
    texts.into_iter().filter_map(ImagePattern::parse).collect()
}

fn is_image_pattern(text: &str) -> bool {
    ImagePattern::parse(text).is_some()
}

//! What users choose about the manifests.

use crate::error::ManifestError;
use crate::images::{is_registry, mirrored};
use crate::names::{KUBE_SYSTEM, NAMESPACE, is_dns_label, is_dns_subdomain};
use crate::peers::check_peer;
use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use orascache_api::names::DEFAULT_IMAGE;
use orascache_api::steps::DEFAULT_AGENT_IMAGE;
use std::collections::BTreeSet;

/// Where the webhook's certificate comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateSource {
    /// The operator issues and rotates it, and writes its CA into the webhook configurations.
    #[default]
    Managed,
    /// cert-manager (cert-manager.io) issues it into a Secret that is mounted, rotates it, and
    /// writes its CA into the webhook configurations.
    CertManager,
}

/// Where the CA comes from that signs the certificates of the webhook's clients. It has the key
/// [`CLIENT_CA_KEY`](crate::names::CLIENT_CA_KEY) there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCaSource {
    /// The Secret of this name in the operator's namespace.
    Secret(String),
    /// The ConfigMap of this name in the operator's namespace.
    ConfigMap(String),
}

/// What users choose about the manifests.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestOptions {
    /// Image of the operator. Init containers that are injected into pods run it too.
    pub image: String,
    /// Namespace that the operator runs in.
    pub namespace: String,
    /// Number of the operator's pods. All of them answer reviews; the leader writes.
    pub replicas: u16,
    /// Whether no two of the operator's pods run on one node, and all but one of them stay while
    /// nodes are drained. Otherwise they share a node where there is no other one.
    pub high_availability: bool,
    /// Registry that has copies of all images, with an optional path, such as
    /// `mirror.example.org/k8s`. It takes the place of the registry in each image.
    pub registry: Option<String>,
    /// Whether the API server asks the operator for reviews. Without webhooks something else makes
    /// the same decisions, such as the Kubewarden policy.
    pub webhooks: bool,
    /// Where the webhook's certificate comes from.
    pub certificates: CertificateSource,
    /// Whether the operator removes scheduling gates of pods that wait for their inputs.
    pub gates: bool,
    /// Namespaces that the operator works in. Its rights are then Roles in these namespaces, and a
    /// small ClusterRole. Empty for all namespaces, with cluster-wide rights.
    pub namespaces: Vec<String>,
    /// Who may connect to the webhook port, by the NetworkPolicy. Empty for everybody: the address
    /// of the API server is not known beforehand. [`peers::parse_peer`](crate::peers::parse_peer)
    /// reads peers from text.
    pub webhook_from: Vec<NetworkPolicyPeer>,
    /// Whose clients may ask for reviews, by their certificates. None for everybody who reaches the
    /// port.
    pub client_ca: Option<ClientCaSource>,
    /// Ports of API servers that the operator may connect to, by the NetworkPolicy. A policy sees
    /// the port behind the Service `kubernetes`, which is the API server's own. Empty for
    /// [`DEFAULT_API_PORTS`].
    pub api_ports: Vec<u16>,
    /// Further ports that the operator may connect to, such as that of the registry that its
    /// component comes from.
    pub egress_ports: Vec<u16>,
}

/// Ports on which most API servers listen: those of clouds, of kubeadm and most distributions, of
/// minikube, and of MicroK8s.
pub const DEFAULT_API_PORTS: [u16; 4] = [443, 6443, 8443, 16443];

impl Default for ManifestOptions {
    fn default() -> Self {
        Self {
            image: DEFAULT_AGENT_IMAGE.to_owned(),
            namespace: NAMESPACE.to_owned(),
            replicas: 2,
            high_availability: false,
            registry: None,
            webhooks: true,
            certificates: CertificateSource::default(),
            gates: false,
            namespaces: Vec::new(),
            webhook_from: Vec::new(),
            client_ca: None,
            api_ports: Vec::new(),
            egress_ports: Vec::new(),
        }
    }
}

impl ManifestOptions {
    /// The images that an installation runs: the operator, whose image carries the agent too, and
    /// the registry of caches that name no image. Caches and steps may name further ones.
    ///
    /// ```
    /// use deploy_manifests::ManifestOptions;
    ///
    /// let options = ManifestOptions { registry: Some("mirror.example.org".to_owned()), ..Default::default() };
    /// assert!(options.images().iter().all(|image| image.starts_with("mirror.example.org/")));
    /// ```
    pub fn images(&self) -> Vec<String> {
        vec![self.operator_image(), self.mirrored(DEFAULT_IMAGE)]
    }

    /// The image of the operator, in the registry that has the copies.
    pub fn operator_image(&self) -> String {
        self.mirrored(&self.image)
    }

    /// The name of an image in the registry that has the copies, where there is one.
    pub(crate) fn mirrored(&self, image: &str) -> String {
        self.registry.as_deref().map_or_else(|| image.to_owned(), |registry| mirrored(image, registry))
    }

    /// Whether the operator makes and renews a certificate itself.
    pub(crate) fn manages_certificate(&self) -> bool {
        self.webhooks && self.certificates == CertificateSource::Managed
    }

    /// Whether a certificate of cert-manager is mounted.
    pub(crate) fn mounts_certificate(&self) -> bool {
        self.webhooks && self.certificates == CertificateSource::CertManager
    }

    /// Checks what the API server would otherwise refuse after it has accepted some of the objects.
    ///
    /// # Errors
    /// The first option that cannot be used.
    pub fn check(&self) -> Result<(), ManifestError> {
        check_namespace(&self.namespace)?;
        if self.namespace == "default" {
            return Err(ManifestError::SharedNamespace(self.namespace.clone()));
        }
        let mut seen = BTreeSet::new();
        for namespace in &self.namespaces {
            check_namespace(namespace)?;
            if namespace == KUBE_SYSTEM || *namespace == self.namespace {
                return Err(ManifestError::UnreviewedNamespace(namespace.clone()));
            }
            if !seen.insert(namespace) {
                return Err(ManifestError::DuplicateNamespace(namespace.clone()));
            }
        }
        self.webhook_from.iter().try_for_each(check_peer)?;
        if let Some(ClientCaSource::Secret(name) | ClientCaSource::ConfigMap(name)) = &self.client_ca
            && !is_dns_subdomain(name)
        {
            return Err(ManifestError::ClientCa(name.clone()));
        }
        if self.api_ports.iter().chain(&self.egress_ports).any(|port| *port == 0) {
            return Err(ManifestError::Port);
        }
        if self.image.is_empty() || self.image.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(ManifestError::Image(self.image.clone()));
        }
        if let Some(registry) = self.registry.as_deref().filter(|registry| !is_registry(registry)) {
            return Err(ManifestError::Registry(registry.to_owned()));
        }
        if self.replicas == 0 {
            return Err(ManifestError::Replicas);
        }
        if self.high_availability && self.replicas < 2 {
            return Err(ManifestError::FewReplicas);
        }
        if self.client_ca.is_some() && !self.webhooks {
            return Err(ManifestError::ClientCaWithoutWebhooks);
        }
        Ok(())
    }
}

fn check_namespace(name: &str) -> Result<(), ManifestError> {
    if is_dns_label(name) { Ok(()) } else { Err(ManifestError::Namespace(name.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::{ClientCaSource, ManifestOptions};
    use crate::error::ManifestError;
    use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicyPeer};

    fn checked(change: impl FnOnce(&mut ManifestOptions)) -> Result<(), ManifestError> {
        let mut options = ManifestOptions::default();
        change(&mut options);
        options.check()
    }

    #[test]
    fn options_that_the_api_server_would_refuse_are_refused() {
        assert!(checked(|_| {}).is_ok());
        assert!(checked(|options| options.namespace = "team-1".to_owned()).is_ok());
        for name in ["", "-a", "a-", "A", "a.b", "a b", &"a".repeat(64)] {
            let refused = checked(|options| options.namespace = name.to_owned());
            assert!(matches!(refused, Err(ManifestError::Namespace(_))), "{name}");
            let refused = checked(|options| options.namespaces = vec![name.to_owned()]);
            assert!(matches!(refused, Err(ManifestError::Namespace(_))), "{name}");
        }
        assert!(matches!(
            checked(|options| options.namespace = "default".to_owned()),
            Err(ManifestError::SharedNamespace(_))
        ));
        for image in ["", "a b", "a\n"] {
            let refused = checked(|options| options.image = image.to_owned());
            assert!(matches!(refused, Err(ManifestError::Image(_))), "{image:?}");
        }
        assert!(matches!(checked(|options| options.replicas = 0), Err(ManifestError::Replicas)));
        let lonely = checked(|options| {
            options.replicas = 1;
            options.high_availability = true;
        });
        assert_eq!(lonely, Err(ManifestError::FewReplicas));
        let unused = checked(|options| {
            options.webhooks = false;
            options.client_ca = Some(ClientCaSource::Secret("clients".to_owned()));
        });
        assert_eq!(unused, Err(ManifestError::ClientCaWithoutWebhooks));
        for registry in ["mirror.example.org", "mirror.example.org:5000/k8s/images", "localhost:5000"] {
            assert_eq!(checked(|options| options.registry = Some(registry.to_owned())), Ok(()));
        }
        for registry in ["", "https://mirror", "mirror/", "mirror/A", "a b", "mirror/a:1", "mirror/a@b"] {
            let refused = checked(|options| options.registry = Some(registry.to_owned()));
            assert_eq!(refused, Err(ManifestError::Registry(registry.to_owned())), "{registry}");
        }
        let source = |name: &str| Some(ClientCaSource::Secret(name.to_owned()));
        assert!(checked(|options| options.client_ca = source("api.clients-1")).is_ok());
        for name in ["", "a..b", "A", "a/b", &"a.".repeat(127)] {
            let refused = checked(|options| options.client_ca = source(name));
            assert_eq!(refused, Err(ManifestError::ClientCa(name.to_owned())));
        }
        assert_eq!(checked(|options| options.api_ports = vec![6443, 0]), Err(ManifestError::Port));
        assert_eq!(checked(|options| options.egress_ports = vec![0]), Err(ManifestError::Port));
        let block = IPBlock { cidr: "10.0.0.0/33".to_owned(), except: None };
        let peer = NetworkPolicyPeer { ip_block: Some(block), ..NetworkPolicyPeer::default() };
        assert!(matches!(checked(|options| options.webhook_from = vec![peer]), Err(ManifestError::Peer(_))));
    }

    #[test]
    fn listed_namespaces_are_reviewed_namespaces_and_listed_once() {
        let listed = |names: &[&str]| {
            checked(|options| options.namespaces = names.iter().map(|name| (*name).to_owned()).collect())
        };
        assert!(listed(&["a", "default", "b"]).is_ok());
        for name in ["kube-system", "orascache-system"] {
            let refused = ManifestError::UnreviewedNamespace(name.to_owned());
            assert_eq!(listed(&["a", name]), Err(refused));
        }
        assert_eq!(listed(&["a", "b", "a"]), Err(ManifestError::DuplicateNamespace("a".to_owned())));
    }
}

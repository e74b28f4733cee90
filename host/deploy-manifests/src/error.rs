//! Why manifests cannot be made.

/// Why manifests cannot be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not a name that a Namespace can have (RFC 1123 label).
    #[error(
        "\"{0}\" cannot name a namespace: use at most 63 lower case letters, digits and '-', with a letter or digit at both ends"
    )]
    Namespace(String),
    /// Pods in the operator's namespace are not reviewed, so that users must not work there.
    #[error(
        "the operator cannot run in the namespace {0}, since pods in its namespace are not reviewed; use a namespace of its own, such as orascache-system"
    )]
    SharedNamespace(String),
    /// Pods in these namespaces are never reviewed.
    #[error(
        "the operator cannot work in the namespace {0}, since pods in it are never reviewed; list namespaces of users"
    )]
    UnreviewedNamespace(String),
    /// A namespace is listed twice.
    #[error("the namespace {0} is listed twice; list it once")]
    DuplicateNamespace(String),
    /// Not a peer that a NetworkPolicy can have.
    #[error(
        "\"{0}\" is not a network peer: write a CIDR such as 10.0.0.0/24, a namespace such as kube-system, or a namespace with labels of pods such as kube-system/component=konnectivity-agent"
    )]
    Peer(String),
    /// Not a name that a Secret or a ConfigMap can have (RFC 1123 subdomain).
    #[error(
        "\"{0}\" cannot name a Secret or a ConfigMap: use lower case letters, digits, '-' and '.', with a letter or digit at both ends"
    )]
    ClientCa(String),
    /// Not a port.
    #[error("0 is not a port: write a number from 1 to 65535")]
    Port,
    /// No image, or a text with spaces.
    #[error("\"{0}\" is not an image: write a reference such as ghcr.io/converged-computing/orascache:1.0.0")]
    Image(String),
    /// Without replicas, nobody answers reviews.
    #[error(
        "replicas is 0, so that nobody would answer reviews and annotated pods would be refused; use at least 1, or 2 to survive the loss of a node"
    )]
    Replicas,
    /// One pod cannot be spread over nodes.
    #[error("replicas is 1, which cannot be spread over nodes for high availability; use at least 2, or 3")]
    FewReplicas,
    /// Without webhooks there are no clients.
    #[error(
        "a client CA is given, but there are no webhooks whose clients it could be for; leave one of both out"
    )]
    ClientCaWithoutWebhooks,
    /// No registry that images can be copied to.
    #[error(
        "\"{0}\" is not a registry: write a host with an optional port and path, such as mirror.example.org or mirror.example.org:5000/k8s"
    )]
    Registry(String),
    /// An object could not be serialized.
    #[error("{what} cannot be written: {why}")]
    Render {
        /// The file or object.
        what: String,
        /// The serializer's message.
        why: String,
    },
}

//! Issues of a cache. Each becomes the reason and the message of a condition.

/// One issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Issue {
    pub(crate) reason: Reason,
    /// A sentence.
    pub(crate) message: String,
    pub(crate) impact: Impact,
}

/// Reasons of conditions (KEP-1623). They are stable: scripts wait for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The spec contradicts itself.
    InvalidSpec,
    /// Several pods were asked for, over a claim that one pod can write.
    ClaimNotShared,
    /// An object that the cache needs exists and belongs to somebody else.
    NameTaken,
    /// Objects of the former operator were not taken over.
    FormerOperator,
    /// A field of a child is left to another field manager.
    FieldOwnedByOther,
    /// A child could not be created or changed.
    ApplyFailed,
    /// The registry pods are not made, since their NetworkPolicy does not exist.
    NetworkPolicyMissing,
    /// More objects name the cache as their owner than the host hands over.
    TooManyChildren,
    /// A child could not be deleted.
    DeleteFailed,
    /// A Secret that the spec names does not exist.
    SecretNotFound,
    /// The host did not hand over the Secrets of the namespace.
    SecretUnknown,
    /// A claim that the spec names does not exist.
    ClaimNotFound,
    /// The host did not hand over the claims of the namespace.
    ClaimUnknown,
    /// The claim exists, and Kubernetes cannot change it as the spec asks.
    StorageUnchangeable,
    /// The spec asks for more storage than the administrator allows.
    StorageNotAllowed,
    /// The spec names an image of the registry that the administrator does not allow.
    ImageNotAllowed,
    /// The spec asks for a ServiceMonitor, and the cluster does not have that kind.
    ServiceMonitorUnavailable,
    /// The spec asks for a certificate of cert-manager, and the cluster does not have that kind.
    CertificateUnavailable,
    /// cert-manager does not issue the certificate.
    CertificateNotIssued,
    /// The registry has to be restarted to serve with another certificate.
    CertificateRenewed,
    /// The image of a registry pod cannot be had.
    ImagePullFailed,
    /// A registry pod gets no node.
    Unschedulable,
    /// The volume claim has no volume.
    ClaimPending,
    /// The volume claim has lost its volume.
    ClaimLost,
    /// A quota of the namespace leaves no room.
    QuotaExceeded,
    /// Pods are not made, for a reason that is not observed.
    PodsNotCreated,
    /// A registry pod that is being deleted does not end.
    PodTerminating,
    /// The node cannot start a container of a registry pod.
    ContainerNotStarted,
    /// A container of a registry pod ends again and again.
    CrashLooping,
    /// A registry pod runs and does not answer its probes.
    ProbeFailing,
    /// The registry pods have not come further for too long, for a reason that is not observed.
    ProgressDeadlineExceeded,
    /// The spec names a registry that the administrator does not allow.
    RegistryNotAllowed,
    /// The last run of retention did not succeed.
    RetentionFailed,
    /// The last run of the export did not succeed.
    ExportFailed,
    /// Not all seeds could be copied.
    SeedFailed,
}

impl Reason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Reason::InvalidSpec => "InvalidSpec",
            Reason::ClaimNotShared => "ClaimNotShared",
            Reason::NameTaken => "NameTaken",
            Reason::FormerOperator => "FormerOperator",
            Reason::FieldOwnedByOther => "FieldOwnedByOther",
            Reason::ApplyFailed => "ApplyFailed",
            Reason::NetworkPolicyMissing => "NetworkPolicyMissing",
            Reason::TooManyChildren => "TooManyChildren",
            Reason::DeleteFailed => "DeleteFailed",
            Reason::SecretNotFound => "SecretNotFound",
            Reason::SecretUnknown => "SecretUnknown",
            Reason::ClaimNotFound => "ClaimNotFound",
            Reason::ClaimUnknown => "ClaimUnknown",
            Reason::StorageUnchangeable => "StorageUnchangeable",
            Reason::StorageNotAllowed => "StorageNotAllowed",
            Reason::ImageNotAllowed => "ImageNotAllowed",
            Reason::ServiceMonitorUnavailable => "ServiceMonitorUnavailable",
            Reason::CertificateUnavailable => "CertificateUnavailable",
            Reason::CertificateNotIssued => "CertificateNotIssued",
            Reason::CertificateRenewed => "CertificateRenewed",
            Reason::ImagePullFailed => "ImagePullFailed",
            Reason::Unschedulable => "Unschedulable",
            Reason::ClaimPending => "ClaimPending",
            Reason::ClaimLost => "ClaimLost",
            Reason::QuotaExceeded => "QuotaExceeded",
            Reason::PodsNotCreated => "PodsNotCreated",
            Reason::PodTerminating => "PodTerminating",
            Reason::ContainerNotStarted => "ContainerNotStarted",
            Reason::CrashLooping => "CrashLooping",
            Reason::ProbeFailing => "ProbeFailing",
            Reason::ProgressDeadlineExceeded => "ProgressDeadlineExceeded",
            Reason::RegistryNotAllowed => "RegistryNotAllowed",
            Reason::RetentionFailed => "RetentionFailed",
            Reason::ExportFailed => "ExportFailed",
            Reason::SeedFailed => "SeedFailed",
        }
    }
}

/// What an issue means for the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Impact {
    /// The registry works all the same.
    Warning,
    /// The registry cannot work while the issue lasts.
    Blocking,
    /// The registry cannot work as desired while the issue lasts. The children stay exactly as they
    /// are until it is resolved, so that running pods go on.
    Freezing,
}

impl Issue {
    pub(crate) fn new(reason: Reason, impact: Impact, message: String) -> Self {
        Issue { reason, message, impact }
    }

    pub(crate) fn blocks(&self) -> bool {
        self.impact != Impact::Warning
    }

    pub(crate) fn freezes(&self) -> bool {
        self.impact == Impact::Freezing
    }
}

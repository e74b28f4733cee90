//! The table of built-in resources.

use super::{Resource, Subresource};

const ALL: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const WITHOUT_DELETECOLLECTION: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];
const CREATE: &[&str] = &["create"];
const READ_WRITE: &[&str] = &["get", "patch", "update"];

// The hash is the base64 text of the first eight bytes of the SHA-256 of group/version/kind as
// stored (apiserver `discovery.StorageVersionHash`).
const fn resource(
    (group, version, kind): (&'static str, &'static str, &'static str),
    (plural, singular): (&'static str, &'static str),
    storage_version_hash: &'static str,
) -> Resource {
    Resource {
        group,
        version,
        kind,
        plural,
        singular,
        short_names: &[],
        categories: &[],
        namespaced: true,
        verbs: ALL,
        subresources: &[],
        has_generation: false,
        storage_version_hash,
    }
}

impl Resource {
    const fn short(mut self, short_names: &'static [&'static str]) -> Self {
        self.short_names = short_names;
        self
    }

    const fn categories(mut self, categories: &'static [&'static str]) -> Self {
        self.categories = categories;
        self
    }

    const fn cluster_scoped(mut self) -> Self {
        self.namespaced = false;
        self
    }

    const fn verbs(mut self, verbs: &'static [&'static str]) -> Self {
        self.verbs = verbs;
        self
    }

    const fn subresources(mut self, subresources: &'static [Subresource]) -> Self {
        self.subresources = subresources;
        self
    }

    const fn with_generation(mut self) -> Self {
        self.has_generation = true;
        self
    }
}

const fn subresource(
    name: &'static str,
    (group, version, kind): (&'static str, &'static str, &'static str),
    verbs: &'static [&'static str],
) -> Subresource {
    Subresource { name, group, version, kind, verbs }
}

const SCALE: Subresource = subresource("scale", ("autoscaling", "v1", "Scale"), READ_WRITE);

pub(super) const RESOURCES: &[Resource] = &[
    resource(("", "v1", "ConfigMap"), ("configmaps", "configmap"), "qFsyl6wFWjQ=").short(&["cm"]),
    resource(("", "v1", "Endpoints"), ("endpoints", "endpoints"), "fWeeMqaN/OA=").short(&["ep"]),
    resource(("", "v1", "Event"), ("events", "event"), "r2yiGXH7wu8=").short(&["ev"]),
    resource(("", "v1", "LimitRange"), ("limitranges", "limitrange"), "EBKMFVe6cwo=").short(&["limits"]),
    resource(("", "v1", "Namespace"), ("namespaces", "namespace"), "Q3oi5N2YM8M=")
        .short(&["ns"])
        .cluster_scoped()
        .verbs(WITHOUT_DELETECOLLECTION)
        .subresources(&[
            subresource("finalize", ("", "v1", "Namespace"), &["update"]),
            subresource("status", ("", "v1", "Namespace"), READ_WRITE),
        ]),
    resource(("", "v1", "Node"), ("nodes", "node"), "XwShjMxG9Fs=")
        .short(&["no"])
        .cluster_scoped()
        .subresources(&[subresource("status", ("", "v1", "Node"), READ_WRITE)]),
    resource(
        ("", "v1", "PersistentVolumeClaim"),
        ("persistentvolumeclaims", "persistentvolumeclaim"),
        "QWTyNDq0dC4=",
    )
    .short(&["pvc"])
    .subresources(&[subresource("status", ("", "v1", "PersistentVolumeClaim"), READ_WRITE)]),
    resource(("", "v1", "PersistentVolume"), ("persistentvolumes", "persistentvolume"), "HN/zwEC+JgM=")
        .short(&["pv"])
        .cluster_scoped()
        .subresources(&[subresource("status", ("", "v1", "PersistentVolume"), READ_WRITE)]),
    resource(("", "v1", "Pod"), ("pods", "pod"), "xPOwRZ+Yhw8=")
        .short(&["po"])
        .categories(&["all"])
        .subresources(&[
            subresource("binding", ("", "v1", "Binding"), CREATE),
            subresource("ephemeralcontainers", ("", "v1", "Pod"), READ_WRITE),
            subresource("eviction", ("policy", "v1", "Eviction"), CREATE),
            subresource("log", ("", "v1", "Pod"), &["get"]),
            subresource("status", ("", "v1", "Pod"), READ_WRITE),
        ])
        .with_generation(),
    resource(("", "v1", "PodTemplate"), ("podtemplates", "podtemplate"), "LIXB2x4IFpk=").with_generation(),
    resource(
        ("", "v1", "ReplicationController"),
        ("replicationcontrollers", "replicationcontroller"),
        "Jond2If31h0=",
    )
    .short(&["rc"])
    .categories(&["all"])
    .subresources(&[SCALE, subresource("status", ("", "v1", "ReplicationController"), READ_WRITE)])
    .with_generation(),
    resource(("", "v1", "ResourceQuota"), ("resourcequotas", "resourcequota"), "8uhSgffRX6w=")
        .short(&["quota"])
        .subresources(&[subresource("status", ("", "v1", "ResourceQuota"), READ_WRITE)]),
    resource(("", "v1", "Secret"), ("secrets", "secret"), "S6u1pOWzb84="),
    resource(("", "v1", "ServiceAccount"), ("serviceaccounts", "serviceaccount"), "pbx9ZvyFpBE=")
        .short(&["sa"]),
    resource(("", "v1", "Service"), ("services", "service"), "0/CO1lhkEBI=")
        .short(&["svc"])
        .categories(&["all"])
        .subresources(&[subresource("status", ("", "v1", "Service"), READ_WRITE)]),
    resource(
        ("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration"),
        ("mutatingwebhookconfigurations", "mutatingwebhookconfiguration"),
        "Sqi0GUgDaX0=",
    )
    .categories(&["api-extensions"])
    .cluster_scoped()
    .with_generation(),
    resource(
        ("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration"),
        ("validatingwebhookconfigurations", "validatingwebhookconfiguration"),
        "B0wHjQmsGNk=",
    )
    .categories(&["api-extensions"])
    .cluster_scoped()
    .with_generation(),
    resource(
        ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
        ("customresourcedefinitions", "customresourcedefinition"),
        "M5uH+AlWATY=",
    )
    .short(&["crd", "crds"])
    .categories(&["api-extensions"])
    .cluster_scoped()
    .subresources(&[subresource(
        "status",
        ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
        READ_WRITE,
    )])
    .with_generation(),
    resource(
        ("apps", "v1", "ControllerRevision"),
        ("controllerrevisions", "controllerrevision"),
        "85nkx63pcBU=",
    ),
    resource(("apps", "v1", "DaemonSet"), ("daemonsets", "daemonset"), "dd7pWHUlMKQ=")
        .short(&["ds"])
        .categories(&["all"])
        .subresources(&[subresource("status", ("apps", "v1", "DaemonSet"), READ_WRITE)])
        .with_generation(),
    resource(("apps", "v1", "Deployment"), ("deployments", "deployment"), "8aSe+NMegvE=")
        .short(&["deploy"])
        .categories(&["all"])
        .subresources(&[SCALE, subresource("status", ("apps", "v1", "Deployment"), READ_WRITE)])
        .with_generation(),
    resource(("apps", "v1", "ReplicaSet"), ("replicasets", "replicaset"), "P1RzHs8/mWQ=")
        .short(&["rs"])
        .categories(&["all"])
        .subresources(&[SCALE, subresource("status", ("apps", "v1", "ReplicaSet"), READ_WRITE)])
        .with_generation(),
    resource(("apps", "v1", "StatefulSet"), ("statefulsets", "statefulset"), "H+vl74LkKdo=")
        .short(&["sts"])
        .categories(&["all"])
        .subresources(&[SCALE, subresource("status", ("apps", "v1", "StatefulSet"), READ_WRITE)])
        .with_generation(),
    resource(
        ("authentication.k8s.io", "v1", "SelfSubjectReview"),
        ("selfsubjectreviews", "selfsubjectreview"),
        "",
    )
    .cluster_scoped()
    .verbs(CREATE),
    resource(
        ("authorization.k8s.io", "v1", "SelfSubjectAccessReview"),
        ("selfsubjectaccessreviews", "selfsubjectaccessreview"),
        "",
    )
    .cluster_scoped()
    .verbs(CREATE),
    resource(
        ("autoscaling", "v1", "HorizontalPodAutoscaler"),
        ("horizontalpodautoscalers", "horizontalpodautoscaler"),
        "qwQve8ut294=",
    )
    .short(&["hpa"])
    .categories(&["all"])
    .subresources(&[subresource("status", ("autoscaling", "v1", "HorizontalPodAutoscaler"), READ_WRITE)]),
    resource(
        ("autoscaling", "v2", "HorizontalPodAutoscaler"),
        ("horizontalpodautoscalers", "horizontalpodautoscaler"),
        "qwQve8ut294=",
    )
    .short(&["hpa"])
    .categories(&["all"])
    .subresources(&[subresource("status", ("autoscaling", "v2", "HorizontalPodAutoscaler"), READ_WRITE)]),
    resource(("batch", "v1", "CronJob"), ("cronjobs", "cronjob"), "sd5LIXh4Fjs=")
        .short(&["cj"])
        .categories(&["all"])
        .subresources(&[subresource("status", ("batch", "v1", "CronJob"), READ_WRITE)])
        .with_generation(),
    resource(("batch", "v1", "Job"), ("jobs", "job"), "mudhfqk/qZY=")
        .categories(&["all"])
        .subresources(&[subresource("status", ("batch", "v1", "Job"), READ_WRITE)])
        .with_generation(),
    resource(("coordination.k8s.io", "v1", "Lease"), ("leases", "lease"), "gqkMMb/YqFM="),
    resource(
        ("discovery.k8s.io", "v1", "EndpointSlice"),
        ("endpointslices", "endpointslice"),
        "qgS0xkrxYAI=",
    )
    .with_generation(),
    resource(("events.k8s.io", "v1", "Event"), ("events", "event"), "r2yiGXH7wu8=").short(&["ev"]),
    resource(("networking.k8s.io", "v1", "IngressClass"), ("ingressclasses", "ingressclass"), "l/iqIbDgFyQ=")
        .cluster_scoped()
        .with_generation(),
    resource(("networking.k8s.io", "v1", "Ingress"), ("ingresses", "ingress"), "39NQlfNR+bo=")
        .short(&["ing"])
        .subresources(&[subresource("status", ("networking.k8s.io", "v1", "Ingress"), READ_WRITE)])
        .with_generation(),
    resource(
        ("networking.k8s.io", "v1", "NetworkPolicy"),
        ("networkpolicies", "networkpolicy"),
        "YpfwF18m1G8=",
    )
    .short(&["netpol"])
    .with_generation(),
    resource(
        ("policy", "v1", "PodDisruptionBudget"),
        ("poddisruptionbudgets", "poddisruptionbudget"),
        "EVWiDmWqyJw=",
    )
    .short(&["pdb"])
    .subresources(&[subresource("status", ("policy", "v1", "PodDisruptionBudget"), READ_WRITE)])
    .with_generation(),
    resource(
        ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding"),
        ("clusterrolebindings", "clusterrolebinding"),
        "48tpQ8gZHFc=",
    )
    .cluster_scoped(),
    resource(
        ("rbac.authorization.k8s.io", "v1", "ClusterRole"),
        ("clusterroles", "clusterrole"),
        "bYE5ZWDrJ44=",
    )
    .cluster_scoped(),
    resource(
        ("rbac.authorization.k8s.io", "v1", "RoleBinding"),
        ("rolebindings", "rolebinding"),
        "eGsCzGH6b1g=",
    ),
    resource(("rbac.authorization.k8s.io", "v1", "Role"), ("roles", "role"), "7FuwZcIIItM="),
    resource(
        ("scheduling.k8s.io", "v1", "PriorityClass"),
        ("priorityclasses", "priorityclass"),
        "1QwjyaZjj3Y=",
    )
    .short(&["pc"])
    .cluster_scoped()
    .with_generation(),
    resource(("storage.k8s.io", "v1", "StorageClass"), ("storageclasses", "storageclass"), "K+m6uJwbjGY=")
        .short(&["sc"])
        .cluster_scoped(),
];

//! The operator's pods.

use crate::names::{
    CERTIFICATE_DIRECTORY, CONTAINER, HTTP_PORT, HTTP_PORT_NAME, OPERATOR, SETTINGS, WEBHOOK_CERTIFICATE,
    WEBHOOK_PORT, WEBHOOK_PORT_NAME, metadata, pod_labels, pod_selector,
};
use crate::settings::{Certificates, Settings};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource, HTTPGetAction,
    KeyToPath, Lifecycle, LifecycleHandler, ObjectFieldSelector, PodSecurityContext, PodSpec,
    PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile, SecretVolumeSource, SecurityContext,
    SleepAction, TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Variable with the image of injected init containers. kustomize can set it to what the container's image becomes,
/// which it cannot do within an argument.
pub(crate) const AGENT_IMAGE_VARIABLE: &str = "AGENT_IMAGE";
/// Variable that `orascache run` takes for `--webhook-namespace`; with it certificates are managed.
pub(crate) const WEBHOOK_NAMESPACE_VARIABLE: &str = "POD_NAMESPACE";
/// Variable that `orascache run` takes for `--lease-namespace`.
const LEASE_NAMESPACE_VARIABLE: &str = "ORASCACHE_LEASE_NAMESPACE";

/// Volume of compiled code. The operator makes a folder of its own in it.
const CACHE_VOLUME: &str = "cache";
const CACHE_DIRECTORY: &str = "/var/cache";
/// Volume of the certificate.
const CERTIFICATE_VOLUME: &str = "webhook-certificate";

/// The unprivileged user of "distroless" images; any other would do.
const USER: i64 = 65_532;
/// Seconds for which a pod that is to end still answers: endpoints and API servers hear of it with a delay.
const DRAIN_SECONDS: i64 = 5;
/// Seconds until a pod that is to end is killed: draining, and 5 seconds for running work, twice over.
const GRACE_SECONDS: i64 = 30;

/// The Deployment.
pub fn deployment(settings: &Settings) -> Deployment {
    Deployment {
        metadata: metadata(OPERATOR, Some(&settings.namespace)),
        spec: Some(DeploymentSpec {
            replicas: Some(settings.replicas.into()),
            selector: pod_selector(),
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_unavailable: Some(IntOrString::Int(0)),
                    max_surge: Some(IntOrString::Int(1)),
                }),
            }),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(pod_labels()), ..ObjectMeta::default() }),
                spec: Some(pod(settings)),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn pod(settings: &Settings) -> PodSpec {
    let mut volumes = vec![Volume {
        name: CACHE_VOLUME.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            size_limit: Some(Quantity("64Mi".to_owned())),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    }];
    if settings.certificates == Certificates::CertManager {
        volumes.push(certificate_volume());
    }
    PodSpec {
        service_account_name: Some(OPERATOR.to_owned()),
        automount_service_account_token: Some(true),
        enable_service_links: Some(false),
        // Annotated pods are not admitted without it.
        priority_class_name: Some("system-cluster-critical".to_owned()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        topology_spread_constraints: Some(
            ["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map(spread_over).to_vec(),
        ),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        containers: vec![container(settings)],
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

fn spread_over(topology: &str) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: topology.to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(pod_selector()),
        // Only pods of the same revision count: during an update the old ones are about to go.
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        ..TopologySpreadConstraint::default()
    }
}

fn container(settings: &Settings) -> Container {
    let mut mounts = vec![mount(CACHE_VOLUME, CACHE_DIRECTORY, false)];
    if settings.certificates == Certificates::CertManager {
        mounts.push(certificate_mount());
    }
    let quantities = |pairs: &[(&str, &str)]| {
        Some(pairs.iter().map(|(name, size)| ((*name).to_owned(), Quantity((*size).to_owned()))).collect())
    };
    Container {
        name: CONTAINER.to_owned(),
        image: Some(settings.image.clone()),
        args: Some(arguments(settings.certificates)),
        env: Some(environment(settings)),
        ports: Some([(HTTP_PORT_NAME, HTTP_PORT), (WEBHOOK_PORT_NAME, WEBHOOK_PORT)].map(port).to_vec()),
        // There is no limit for CPU: throttling would turn into refused pods.
        resources: Some(ResourceRequirements {
            requests: quantities(&[("cpu", "100m"), ("memory", "64Mi")]),
            limits: quantities(&[("memory", "512Mi")]),
            ..ResourceRequirements::default()
        }),
        // Where nothing was compiled before, the component is compiled first.
        startup_probe: Some(probe("/healthz", 1, 60)),
        liveness_probe: Some(probe("/healthz", 10, 3)),
        readiness_probe: Some(probe("/readyz", 5, 2)),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                sleep: Some(SleepAction { seconds: DRAIN_SECONDS }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                ..Capabilities::default()
            }),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}

/// Arguments of `orascache`. What differs between pods comes from the environment.
pub(crate) fn arguments(certificates: Certificates) -> Vec<String> {
    let mut arguments = vec![
        "run".to_owned(),
        format!("--listen=0.0.0.0:{HTTP_PORT}"),
        format!("--webhook-listen=0.0.0.0:{WEBHOOK_PORT}"),
        format!("--agent-image=$({AGENT_IMAGE_VARIABLE})"),
        format!("--settings-from=$({LEASE_NAMESPACE_VARIABLE})/{SETTINGS}"),
    ];
    if certificates == Certificates::CertManager {
        arguments.push(format!("--webhook-cert-dir={CERTIFICATE_DIRECTORY}"));
    }
    arguments
}

fn environment(settings: &Settings) -> Vec<EnvVar> {
    let namespace = EnvVarSource {
        field_ref: Some(ObjectFieldSelector {
            field_path: "metadata.namespace".to_owned(),
            ..ObjectFieldSelector::default()
        }),
        ..EnvVarSource::default()
    };
    let value = |name: &str, value: &str| EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        ..EnvVar::default()
    };
    let from_pod = |name: &str| EnvVar {
        name: name.to_owned(),
        value_from: Some(namespace.clone()),
        ..EnvVar::default()
    };
    let mut environment = vec![
        value(AGENT_IMAGE_VARIABLE, &settings.image),
        value("XDG_CACHE_HOME", CACHE_DIRECTORY),
        from_pod(LEASE_NAMESPACE_VARIABLE),
    ];
    if settings.certificates == Certificates::Managed {
        environment.push(from_pod(WEBHOOK_NAMESPACE_VARIABLE));
    }
    environment
}

fn port((name, number): (&str, i32)) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

fn probe(path: &str, period_seconds: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(HTTP_PORT_NAME.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(2),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

fn mount(volume: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

/// The certificate's Secret; pods wait for it.
pub(crate) fn certificate_volume() -> Volume {
    let file = |name: &str| KeyToPath { key: name.to_owned(), path: name.to_owned(), mode: None };
    Volume {
        name: CERTIFICATE_VOLUME.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(WEBHOOK_CERTIFICATE.to_owned()),
            // The private key is for the group of the pod only.
            default_mode: Some(0o440),
            items: Some(["tls.crt", "tls.key"].map(file).to_vec()),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// Where the certificate's files are. A `subPath` would never be updated.
pub(crate) fn certificate_mount() -> VolumeMount {
    mount(CERTIFICATE_VOLUME, CERTIFICATE_DIRECTORY, true)
}

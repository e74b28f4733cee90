//! The Deployment of the operator.

use crate::names::{
    CERTIFICATE_DIRECTORY, CLIENT_CA_DIRECTORY, CLIENT_CA_KEY, CONTAINER, HTTP_PORT, HTTP_PORT_NAME,
    OPERATOR, SETTINGS, WEBHOOK_CERTIFICATE, WEBHOOK_PORT, WEBHOOK_PORT_NAME, WEBHOOK_SERVICE, metadata,
    pod_labels, pod_selector,
};
use crate::options::{ClientCaSource, ManifestOptions};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EmptyDirVolumeSource, EnvVar,
    EnvVarSource, HTTPGetAction, KeyToPath, Lifecycle, LifecycleHandler, ObjectFieldSelector,
    PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile,
    SecretVolumeSource, SecurityContext, SleepAction, TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Variable with the image of injected init containers. kustomize can copy the container's image
/// into a variable, but not into an argument.
pub(crate) const AGENT_IMAGE_VARIABLE: &str = "AGENT_IMAGE";
/// Variable that `orascache run` reads in place of `--webhook-namespace`. If it is set, the
/// operator manages its certificate.
pub(crate) const WEBHOOK_NAMESPACE_VARIABLE: &str = "POD_NAMESPACE";
/// Variables that `orascache run` reads in place of `--webhook-service` and
/// `--webhook-configuration`. kustomize can change names in variables, but not in arguments.
pub(crate) const WEBHOOK_SERVICE_VARIABLE: &str = "ORASCACHE_WEBHOOK_SERVICE";
pub(crate) const WEBHOOK_CONFIGURATION_VARIABLE: &str = "ORASCACHE_WEBHOOK_CONFIGURATION";
/// Variable that `orascache run` reads in place of `--lease-namespace`.
const LEASE_NAMESPACE_VARIABLE: &str = "ORASCACHE_LEASE_NAMESPACE";

/// Variable that `orascache run` reads in place of `--gates`.
pub(crate) const GATES_VARIABLE: &str = "ORASCACHE_GATES";

/// Volume of the compiled cache. The operator creates a folder in it.
const CACHE_VOLUME: &str = "cache";
const CACHE_DIRECTORY: &str = "/var/cache";
/// Volume of the certificate.
const CERTIFICATE_VOLUME: &str = "webhook-certificate";
/// Volume of the client CA.
const CLIENT_CA_VOLUME: &str = "webhook-client-ca";

/// Setting of the component with the operator's namespace, whose pods each cache admits. The operator
/// knows its namespace from its environment, so that nobody has to write it into the settings.
const NAMESPACE_SETTING: &str = "operatorNamespace";

/// UID and GID of the pods: that of the user `nonroot` in "distroless" images. Any unprivileged one
/// works.
const USER: i64 = 65_532;
/// Seconds for which a pod that ends goes on answering: API servers learn with a delay that it left
/// the Service.
const DRAIN_SECONDS: i64 = 5;
/// Seconds until a pod that ends is killed: twice the time for draining and for running work.
const GRACE_SECONDS: i64 = 30;

/// The Deployment.
pub fn deployment(options: &ManifestOptions) -> Deployment {
    Deployment {
        metadata: metadata(OPERATOR, Some(&options.namespace)),
        spec: Some(DeploymentSpec {
            replicas: Some(options.replicas.into()),
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
                spec: Some(pod(options)),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn pod(options: &ManifestOptions) -> PodSpec {
    let mut volumes = vec![Volume {
        name: CACHE_VOLUME.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            size_limit: Some(Quantity("64Mi".to_owned())),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    }];
    if options.mounts_certificate() {
        volumes.push(certificate_volume());
    }
    volumes.extend(options.client_ca.as_ref().map(client_ca_volume));
    PodSpec {
        service_account_name: Some(OPERATOR.to_owned()),
        automount_service_account_token: Some(true),
        enable_service_links: Some(false),
        // Annotated pods are refused while the operator does not run.
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
        topology_spread_constraints: Some(vec![
            spread_over("kubernetes.io/hostname", options.high_availability),
            spread_over("topology.kubernetes.io/zone", false),
        ]),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        containers: vec![container(options)],
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

fn spread_over(topology: &str, required: bool) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: topology.to_owned(),
        when_unsatisfiable: if required { "DoNotSchedule" } else { "ScheduleAnyway" }.to_owned(),
        label_selector: Some(pod_selector()),
        // During an update, only pods of the same revision count, since the old ones end soon.
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        ..TopologySpreadConstraint::default()
    }
}

fn container(options: &ManifestOptions) -> Container {
    let mut mounts = vec![mount(CACHE_VOLUME, CACHE_DIRECTORY, false)];
    if options.mounts_certificate() {
        mounts.push(certificate_mount());
    }
    mounts.extend(options.client_ca.as_ref().map(|_| client_ca_mount()));
    let quantities = |pairs: &[(&str, &str)]| {
        Some(pairs.iter().map(|(name, size)| ((*name).to_owned(), Quantity((*size).to_owned()))).collect())
    };
    Container {
        name: CONTAINER.to_owned(),
        image: Some(options.operator_image()),
        args: Some(arguments(options)),
        env: Some(environment(options)),
        ports: Some(ports(options)),
        // There is no CPU limit: throttled reviews would time out, and pods would be refused.
        resources: Some(ResourceRequirements {
            requests: quantities(&[("cpu", "100m"), ("memory", "64Mi")]),
            limits: quantities(&[("memory", "512Mi")]),
            ..ResourceRequirements::default()
        }),
        // A component that is not the image's own is compiled before the server answers.
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

/// Arguments of `orascache`. Values that differ between pods come from the environment.
pub(crate) fn arguments(options: &ManifestOptions) -> Vec<String> {
    let mut arguments = vec!["run".to_owned(), format!("--listen=0.0.0.0:{HTTP_PORT}")];
    if options.webhooks {
        arguments.push(format!("--webhook-listen=0.0.0.0:{WEBHOOK_PORT}"));
    }
    arguments.extend([
        format!("--agent-image=$({AGENT_IMAGE_VARIABLE})"),
        format!("--settings-from=$({LEASE_NAMESPACE_VARIABLE})/{SETTINGS}"),
        format!("--default-setting={NAMESPACE_SETTING}=$({LEASE_NAMESPACE_VARIABLE})"),
    ]);
    if !options.namespaces.is_empty() {
        arguments.push(format!("--namespaces={}", options.namespaces.join(",")));
    }
    if options.mounts_certificate() {
        arguments.push(format!("--webhook-cert-dir={CERTIFICATE_DIRECTORY}"));
    }
    arguments.extend(options.client_ca.as_ref().map(|_| client_ca_argument()));
    arguments
}

fn environment(options: &ManifestOptions) -> Vec<EnvVar> {
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
        value(AGENT_IMAGE_VARIABLE, &options.operator_image()),
        value("XDG_CACHE_HOME", CACHE_DIRECTORY),
        from_pod(LEASE_NAMESPACE_VARIABLE),
    ];
    if options.manages_certificate() {
        environment.push(from_pod(WEBHOOK_NAMESPACE_VARIABLE));
        environment.push(value(WEBHOOK_SERVICE_VARIABLE, WEBHOOK_SERVICE));
        environment.push(value(WEBHOOK_CONFIGURATION_VARIABLE, OPERATOR));
    }
    if options.gates {
        // Where kustomize puts variables that a patch adds.
        environment.insert(0, gates_variable());
    }
    environment
}

/// Has `orascache run` remove gates.
pub(crate) fn gates_variable() -> EnvVar {
    EnvVar { name: GATES_VARIABLE.to_owned(), value: Some("true".to_owned()), ..EnvVar::default() }
}

fn ports(options: &ManifestOptions) -> Vec<ContainerPort> {
    let webhook = options.webhooks.then_some((WEBHOOK_PORT_NAME, WEBHOOK_PORT));
    std::iter::once((HTTP_PORT_NAME, HTTP_PORT)).chain(webhook).map(port).collect()
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

/// The Secret with the certificate. Pods do not start before it exists.
pub(crate) fn certificate_volume() -> Volume {
    let file = |name: &str| KeyToPath { key: name.to_owned(), path: name.to_owned(), mode: None };
    Volume {
        name: CERTIFICATE_VOLUME.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(WEBHOOK_CERTIFICATE.to_owned()),
            // Only the pod's group may read the private key.
            default_mode: Some(0o440),
            items: Some(["tls.crt", "tls.key"].map(file).to_vec()),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// The mount of the certificate's files. It has no `subPath`, since the kubelet never updates
/// those.
pub(crate) fn certificate_mount() -> VolumeMount {
    mount(CERTIFICATE_VOLUME, CERTIFICATE_DIRECTORY, true)
}

/// The argument that closes the webhook port to clients without a certificate.
pub(crate) fn client_ca_argument() -> String {
    format!("--webhook-client-ca={CLIENT_CA_DIRECTORY}/{CLIENT_CA_KEY}")
}

/// The client CA. Pods do not start before it exists: without it the port would be open to everybody.
pub(crate) fn client_ca_volume(source: &ClientCaSource) -> Volume {
    let items =
        Some(vec![KeyToPath { key: CLIENT_CA_KEY.to_owned(), path: CLIENT_CA_KEY.to_owned(), mode: None }]);
    let mut volume = Volume { name: CLIENT_CA_VOLUME.to_owned(), ..Volume::default() };
    match source {
        ClientCaSource::Secret(name) => {
            volume.secret = Some(SecretVolumeSource {
                secret_name: Some(name.clone()),
                items,
                ..SecretVolumeSource::default()
            });
        }
        ClientCaSource::ConfigMap(name) => {
            volume.config_map =
                Some(ConfigMapVolumeSource { name: name.clone(), items, ..ConfigMapVolumeSource::default() });
        }
    }
    volume
}

/// The mount of the client CA. It has no `subPath`, as that of the certificate.
pub(crate) fn client_ca_mount() -> VolumeMount {
    mount(CLIENT_CA_VOLUME, CLIENT_CA_DIRECTORY, true)
}

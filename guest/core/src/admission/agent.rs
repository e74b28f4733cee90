//! How the agent is called: its containers, and what stands in front of the command.

use super::inject::Plan;
use super::pod::{Container, Pod, member, member_of};
use crate::json::Json;
use orascache_api::names::REGISTRY_PORT;
use orascache_api::steps::{
    AGENT_DIRECTORY, AGENT_PATH, AGENT_PROGRAM, AGENT_VOLUME, INSTALL_CONTAINER, PROXY_CONTAINER,
    PROXY_SOCKET, env,
};
use std::borrow::Cow;

/// User of our containers where the pod's own would be root. Any that is not root will do.
const USER: i64 = 65532;

/// Where the registry answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint<'a> {
    /// The registry of a cache of the pod's namespace.
    Cache { name: &'a str, namespace: &'a str },
    /// A registry that an annotation names.
    Registry { host: &'a str, plain_http: bool },
}

impl Endpoint<'_> {
    /// As the agent takes it. The short name is completed by the pod's search domains, whatever the cluster's domain is.
    fn url(self) -> String {
        match self {
            Endpoint::Cache { name, namespace } => {
                ["http://", name, "-0.", name, ".", namespace, ".svc:", &REGISTRY_PORT.to_string()].concat()
            }
            Endpoint::Registry { host, plain_http: true } => ["http://", host].concat(),
            Endpoint::Registry { host, plain_http: false } => ["https://", host].concat(),
        }
    }
}

/// The words that go in front of the command, `--` included.
pub(crate) fn exec_command<'a>(container: &Container<'_>, plan: &Plan<'_>) -> Vec<Json<'a>> {
    let step = plan.step;
    let mut words: Vec<Json<'a>> = vec![AGENT_PATH.into(), "exec".into()];
    let mut flag = |name: &str, value: &str| words.push(literal(&[name, "=", value]).into());
    flag("--registry", &plan.endpoint.url());
    if plan.credentials.is_some() {
        flag("--proxy", PROXY_SOCKET);
    }
    for input in &step.inputs {
        flag("--input", input.uri);
    }
    let optional = [
        ("--input-path", step.input_path.filter(|_| !step.inputs.is_empty())),
        ("--output", step.output.map(|output| output.uri)),
        ("--output-path", step.output_path.filter(|_| step.output.is_some())),
        ("--output-pipe", step.output_pipe),
        ("--unpack", (!step.unpack).then_some("false")),
        ("--debug", step.debug.then_some("true")),
        (
            "--termination-message",
            member(container.tree, "terminationMessagePath")
                .and_then(Json::as_str)
                .filter(|path| *path != DEFAULT_TERMINATION_MESSAGE),
        ),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            flag(name, value);
        }
    }
    words.push("--".into());
    words
}

/// Where containers leave their last words, unless they say otherwise (core/v1 Container).
const DEFAULT_TERMINATION_MESSAGE: &str = "/dev/termination-log";

/// A word that Kubernetes does not expand: `$$` stands for `$` (core/v1 Container, command).
fn literal(parts: &[&str]) -> String {
    parts.concat().replace('$', "$$")
}

/// Copies the agent into its volume, before everything else.
pub(crate) fn install_container<'a>(pod: &Pod<'a>, container: &Container<'a>, plan: &Plan<'a>) -> Json<'a> {
    let words = [AGENT_PROGRAM, "install", AGENT_DIRECTORY].into_iter().map(Json::from).collect();
    build(pod, container, plan, INSTALL_CONTAINER, words, &[])
}

/// Adds credentials to requests for the declared repositories, as long as the pod runs.
pub(crate) fn proxy_container<'a>(
    pod: &Pod<'a>,
    container: &Container<'a>,
    plan: &Plan<'a>,
    secret: &'a str,
    mut variables: Vec<Json<'a>>,
) -> Json<'a> {
    let mut words: Vec<Json<'a>> = vec![AGENT_PROGRAM.into(), "proxy".into()];
    let mut flag = |name: &str, value: &str| words.push(literal(&[name, "=", value]).into());
    flag("--registry", &plan.endpoint.url());
    flag("--socket", PROXY_SOCKET);
    for input in &plan.step.inputs {
        flag("--pull", input.uri);
    }
    if let Some(output) = plan.step.output {
        flag("--push", output.uri);
    }
    // A missing key stops the pod before the command runs, where the step cannot do without it.
    let keys = [
        (env::USER, true, false),
        (env::PULL_PASSWORD, !plan.step.inputs.is_empty(), true),
        (env::PUSH_PASSWORD, plan.step.output.is_some(), false),
    ];
    for (key, wanted, optional) in keys {
        if wanted {
            let reference = Json::object([
                ("name", Some(secret.into())),
                ("key", Some(key.into())),
                ("optional", optional.then_some(Json::Bool(true))),
            ]);
            variables.push(Json::object([
                ("name", Some(key.into())),
                ("valueFrom", Some(Json::object([("secretKeyRef", Some(reference))]))),
            ]));
        }
    }
    // A native sidecar (KEP-753): started before the containers, ended after them.
    let extra = [("restartPolicy", Json::from("Always")), ("env", Json::Array(variables))];
    build(pod, container, plan, PROXY_CONTAINER, words, &extra)
}

fn build<'a>(
    pod: &Pod<'a>,
    container: &Container<'a>,
    plan: &Plan<'a>,
    name: &'static str,
    words: Vec<Json<'a>>,
    extra: &[(&'static str, Json<'a>)],
) -> Json<'a> {
    let mount =
        Json::object([("name", Some(AGENT_VOLUME.into())), ("mountPath", Some(AGENT_DIRECTORY.into()))]);
    let mut members: Vec<(Cow<'a, str>, Json<'a>)> = vec![
        ("name".into(), name.into()),
        ("image".into(), plan.image.into()),
        ("command".into(), Json::Array(words)),
    ];
    members.extend(extra.iter().map(|(key, value)| (Cow::Borrowed(*key), value.clone())));
    if let Some(resources) = resources(pod, name == PROXY_CONTAINER) {
        members.push(("resources".into(), resources));
    }
    members.push(("securityContext".into(), security_context(pod, container)));
    members.push(("volumeMounts".into(), Json::Array(vec![mount])));
    Json::Object(members)
}

/// What Pod Security `restricted` asks of every container (kubernetes.io/docs/concepts/security/pod-security-standards).
///
/// The pod's own user is kept where it is not root; the image brings one where the pod names none.
fn security_context<'a>(pod: &Pod<'a>, container: &Container<'a>) -> Json<'a> {
    let of_pod = member_of(pod.spec, "securityContext", "runAsUser");
    let user = match (of_pod, container.security("runAsUser")) {
        (Some(Json::Int(user)), _) if *user != 0 => None,
        (_, Some(Json::Int(user))) if *user != 0 => Some(*user),
        (None, None) => None,
        _ => Some(USER),
    };
    let drop = Json::object([("drop", Some(Json::Array(vec!["ALL".into()])))]);
    Json::object([
        ("allowPrivilegeEscalation", Some(false.into())),
        ("capabilities", Some(drop)),
        ("readOnlyRootFilesystem", Some(true.into())),
        ("runAsNonRoot", Some(true.into())),
        ("runAsUser", user.map(Json::from)),
        ("seccompProfile", Some(Json::object([("type", Some("RuntimeDefault".into()))]))),
    ])
}

/// Requests and limits, so that quotas admit the pod. `None` where the pod as a whole has them: they bound its containers.
///
/// Local storage is bounded only where every container bounds it: the kubelet takes the sum for the limit of the whole pod,
/// and ours alone would evict it.
fn resources<'a>(pod: &Pod<'_>, is_proxy: bool) -> Option<Json<'a>> {
    if member(pod.spec, "resources").is_some() {
        return None;
    }
    // Guaranteed pods get what is between: a limit is a request there, and must not keep the pod from its node.
    let (requests, limits) = match (is_proxy, is_guaranteed(pod)) {
        (true, false) => (("50m", "64Mi"), ("1", "128Mi")),
        (true, true) => (("250m", "64Mi"), ("250m", "64Mi")),
        (false, false) => (("10m", "32Mi"), ("500m", "64Mi")),
        (false, true) => (("50m", "32Mi"), ("50m", "32Mi")),
    };
    let all = || pod.containers.iter().chain(&pod.init_containers);
    let bounds_storage =
        |bound: &str| all().all(|container| container.resource(bound, "ephemeral-storage").is_some());
    let bounds = |(cpu, memory): (&'static str, &'static str), storage: bool| {
        Json::object([
            ("cpu", Some(cpu.into())),
            ("memory", Some(memory.into())),
            ("ephemeral-storage", storage.then(|| "64Mi".into())),
        ])
    };
    let limits_storage = bounds_storage("limits");
    let requests_storage = limits_storage || bounds_storage("requests");
    Some(Json::object([
        ("requests", Some(bounds(requests, requests_storage))),
        ("limits", Some(bounds(limits, limits_storage))),
    ]))
}

/// Whether the pod has the quality of service Guaranteed, which it must not lose.
fn is_guaranteed(pod: &Pod<'_>) -> bool {
    pod.containers.iter().chain(&pod.init_containers).all(|container| {
        ["cpu", "memory"].into_iter().all(|name| {
            let limit = container.resource("limits", name);
            let request = container.resource("requests", name);
            limit.is_some() && (request.is_none() || request == limit)
        })
    })
}

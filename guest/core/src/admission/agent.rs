//! How the agent is called: its containers, and what stands in front of the command. All of it is JSON text.

use super::inject::Plan;
use super::pod::{Container, Pod, member, member_of};
use super::template::{fill, joined, quoted};
use crate::json::Json;
use orascache_api::names::REGISTRY_PORT;
use orascache_api::steps::{
    AGENT_DIRECTORY, AGENT_PATH, AGENT_PROGRAM, AGENT_VOLUME, INSTALL_CONTAINER, PROXY_CONTAINER,
    PROXY_SOCKET, env,
};

/// User of our containers where the pod's own would be root. Any that is not root will do.
const USER: i64 = 65532;

/// Where containers leave their last words, unless they say otherwise (core/v1 Container).
const DEFAULT_TERMINATION_MESSAGE: &str = "/dev/termination-log";

/// A container of ours: name, image, command, further members, user. What Pod Security `restricted` asks of every
/// container is in it (kubernetes.io/docs/concepts/security/pod-security-standards).
const CONTAINER: &str = r#"{"name":"%","image":%,"command":[%],%"securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"readOnlyRootFilesystem":true,"runAsNonRoot":true,%"seccompProfile":{"type":"RuntimeDefault"}},"volumeMounts":[{"name":"%","mountPath":"%"}]}"#;

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
                fill("http://%-0.%.%.svc:%", &[name, name, namespace, &REGISTRY_PORT.to_string()])
            }
            Endpoint::Registry { host, plain_http: true } => fill("http://%", &[host]),
            Endpoint::Registry { host, plain_http: false } => fill("https://%", &[host]),
        }
    }
}

/// Words of a command that Kubernetes does not expand: `$$` stands for `$` (core/v1 Container, command).
struct Words(Vec<String>);

impl Words {
    fn flag(&mut self, name: &str, value: &str) {
        self.0.push(quoted(&fill("--%=%", &[name, value]).replace('$', "$$")));
    }

    fn flag_if(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.flag(name, value);
        }
    }
}

/// The wrapped command: the agent, its flags, and the original words behind `--`.
pub(crate) fn exec_command(container: &Container<'_>, plan: &Plan<'_>) -> String {
    let step = plan.step;
    let mut words = Words(vec![quoted(AGENT_PATH), quoted("exec")]);
    words.flag("registry", &plan.endpoint.url());
    words.flag_if("proxy", plan.credentials.map(|_| PROXY_SOCKET));
    for input in &step.inputs {
        words.flag("input", input.uri);
    }
    words.flag_if("input-path", step.input_path.filter(|_| !step.inputs.is_empty()));
    words.flag_if("output", step.output.map(|output| output.uri));
    words.flag_if("output-path", step.output_path.filter(|_| step.output.is_some()));
    words.flag_if("output-pipe", step.output_pipe);
    words.flag_if("unpack", (!step.unpack).then_some("false"));
    words.flag_if("debug", step.debug.then_some("true"));
    let message = member(container.tree, "terminationMessagePath").and_then(Json::as_str);
    words.flag_if("termination-message", message.filter(|path| *path != DEFAULT_TERMINATION_MESSAGE));
    words.0.push(quoted("--"));
    words.0.extend(container.command().iter().map(Json::to_text));
    fill("[%]", &[&joined(&words.0)])
}

/// Copies the agent into its volume, before everything else.
pub(crate) fn install_container(pod: &Pod<'_>, container: &Container<'_>, plan: &Plan<'_>) -> String {
    let words = Words(vec![quoted(AGENT_PROGRAM), quoted("install"), quoted(AGENT_DIRECTORY)]);
    build(pod, container, plan, INSTALL_CONTAINER, &words, &install_resources(pod, container))
}

/// Adds credentials to requests for the declared repositories, as long as the pod runs. A native sidecar (KEP-753):
/// started before the containers, ended after them.
pub(crate) fn proxy_container(
    pod: &Pod<'_>,
    container: &Container<'_>,
    plan: &Plan<'_>,
    secret: &str,
    variables: &[String],
) -> String {
    let mut words = Words(vec![quoted(AGENT_PROGRAM), quoted("proxy")]);
    words.flag("registry", &plan.endpoint.url());
    words.flag("socket", PROXY_SOCKET);
    for input in &plan.step.inputs {
        words.flag("pull", input.uri);
    }
    words.flag_if("push", plan.step.output.map(|output| output.uri));
    let mut variables = variables.to_vec();
    // A missing key stops the pod before the command runs, where the step cannot do without it.
    let keys = [
        (env::USER, true, ""),
        (env::PULL_PASSWORD, !plan.step.inputs.is_empty(), r#","optional":true"#),
        (env::PUSH_PASSWORD, plan.step.output.is_some(), ""),
    ];
    for (key, wanted, optional) in keys {
        if wanted {
            variables.push(fill(
                r#"{"name":"%","valueFrom":{"secretKeyRef":{"name":%,"key":"%"%}}}"#,
                &[key, &quoted(secret), key, optional],
            ));
        }
    }
    let further = fill(
        r#""restartPolicy":"Always","env":[%],%"#,
        &[&joined(&variables), &proxy_resources(pod, container, plan)],
    );
    build(pod, container, plan, PROXY_CONTAINER, &words, &further)
}

fn build(
    pod: &Pod<'_>,
    container: &Container<'_>,
    plan: &Plan<'_>,
    name: &str,
    words: &Words,
    further: &str,
) -> String {
    let is_foreign = plan.step.image.is_some();
    let user = match user(pod, container).or(is_foreign.then_some(USER)) {
        Some(user) => fill(r#""runAsUser":%,"#, &[&user.to_string()]),
        None => String::new(),
    };
    let image = quoted(plan.image);
    fill(CONTAINER, &[name, &image, &joined(&words.0), further, &user, AGENT_VOLUME, AGENT_DIRECTORY])
}

/// The pod's own user is kept where it is not root; our image brings one where the pod names none.
fn user(pod: &Pod<'_>, container: &Container<'_>) -> Option<i64> {
    let of_pod = member_of(pod.spec, "securityContext", "runAsUser");
    match (of_pod, container.security("runAsUser")) {
        (Some(Json::Int(user)), _) if *user != 0 => Some(*user),
        (_, Some(Json::Int(user))) if *user != 0 => Some(*user),
        (None, None) => None,
        _ => Some(USER),
    }
}

/// Bounds of CPU, memory and local storage, for requests and limits. Empty ones are left out.
type Amounts = [[Option<String>; 3]; 2];

/// What is bounded, and where.
const BOUNDED: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
const BOUNDS: [&str; 2] = ["requests", "limits"];

/// The bounds of the init container are those of the container that it prepares. It runs before that one and alone, so
/// that they cost nothing, and quotas and limit ranges allow to it what they allow to the other. Where there are none, small
/// ones of ours.
fn install_resources(pod: &Pod<'_>, container: &Container<'_>) -> String {
    let same = BOUNDS.map(|bound| BOUNDED.map(|name| container.resource(bound, name).map(Json::to_text)));
    resources(pod, same, [["10m", "32Mi"], ["500m", "64Mi"]])
}

/// The sidecar has bounds of those things that the wrapped container bounds, so that quotas admit the pod. They add to the
/// pod's, so that they are small.
///
/// Local storage is bounded only where every container bounds it: the kubelet takes the sum for the limit of the whole pod,
/// and ours alone would evict it.
fn proxy_resources(pod: &Pod<'_>, container: &Container<'_>, plan: &Plan<'_>) -> String {
    let amounts = plan.proxy.amounts(is_guaranteed(pod));
    let mut small: Amounts = Default::default();
    for ((bound, [cpu, memory]), small) in BOUNDS.into_iter().zip(amounts).zip(&mut small) {
        let storage = pod.all_containers().all(|other| other.resource(bound, "ephemeral-storage").is_some());
        let values = [Some(cpu), Some(memory), storage.then_some("64Mi")];
        for ((name, value), small) in BOUNDED.into_iter().zip(values).zip(small) {
            *small = value.filter(|_| container.resource(bound, name).is_some()).map(quoted);
        }
    }
    resources(pod, small, amounts)
}

/// The member `resources` with its comma. Nothing where the pod as a whole has them: they bound its containers.
fn resources(pod: &Pod<'_>, amounts: Amounts, otherwise: [[&str; 2]; 2]) -> String {
    if member(pod.spec, "resources").is_some() {
        return String::new();
    }
    let is_unbounded = amounts.iter().flatten().all(Option::is_none);
    let amounts = if is_unbounded {
        otherwise.map(|[cpu, memory]| [Some(quoted(cpu)), Some(quoted(memory)), None])
    } else {
        amounts
    };
    let mut bounds = Vec::new();
    for (bound, amounts) in BOUNDS.into_iter().zip(amounts) {
        let named = |(name, amount): (&str, Option<String>)| Some(fill(r#""%":%"#, &[name, &amount?]));
        let amounts: Vec<String> = BOUNDED.into_iter().zip(amounts).filter_map(named).collect();
        if !amounts.is_empty() {
            bounds.push(fill(r#""%":{%}"#, &[bound, &joined(&amounts)]));
        }
    }
    fill(r#""resources":{%},"#, &[&joined(&bounds)])
}

/// Whether the pod has the quality of service Guaranteed, which it must not lose.
fn is_guaranteed(pod: &Pod<'_>) -> bool {
    pod.all_containers().all(|container| {
        ["cpu", "memory"].into_iter().all(|name| {
            let limit = container.resource("limits", name);
            let request = container.resource("requests", name);
            limit.is_some() && (request.is_none() || request == limit)
        })
    })
}

//! How the agent is called: the containers that are added, and the words in front of the command.

use super::agent_resources;
use super::injection::Injection;
use super::pod::{Container, Pod};
use crate::json::Json;
use orascache_api::steps::{
    AGENT_DIRECTORY, AGENT_PATH, AGENT_PROGRAM, AGENT_VOLUME, INSTALL_CONTAINER, PROXY_CONTAINER,
    PROXY_SOCKET, env,
};

/// User of the added containers where the pod's own user would be root: any that is not root.
const USER: i64 = 65532;

/// The default of `terminationMessagePath` (core/v1 Container).
const DEFAULT_TERMINATION_MESSAGE: &str = "/dev/termination-log";

/// Words of a command, with `$` written so that Kubernetes does not expand it: `$$` stands for `$` (core/v1 Container,
/// command).
struct Words<'a>(Vec<Json<'a>>);

impl<'a> Words<'a> {
    fn new(words: &[&'static str]) -> Self {
        Words(words.iter().map(|word| Json::from(*word)).collect())
    }

    fn flag(&mut self, name: &str, value: &str) {
        self.0.push(format!("--{name}={value}").replace('$', "$$").into());
    }

    fn flag_if(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.flag(name, value);
        }
    }
}

/// The wrapped command: the agent, its flags, and the original words behind `--`.
pub(crate) fn exec_command<'a>(container: &Container<'a>, injection: &Injection<'_>) -> Json<'a> {
    let step = injection.step;
    let mut words = Words::new(&[AGENT_PATH, "exec"]);
    words.flag("registry", &injection.endpoint.to_string());
    words.flag_if("proxy", injection.credentials.map(|_| PROXY_SOCKET));
    for input in &step.inputs {
        words.flag("input", input.text());
    }
    words.flag_if("input-path", step.input_path.filter(|_| !step.inputs.is_empty()));
    words.flag_if("output", step.output.map(|output| output.text()));
    words.flag_if("output-path", step.output_path.filter(|_| step.output.is_some()));
    words.flag_if("output-pipe", step.output_pipe);
    words.flag_if("unpack", (!step.unpack).then_some("false"));
    words.flag_if("debug", step.debug.then_some("true"));
    let message = container.tree.member("terminationMessagePath").and_then(Json::as_str);
    words.flag_if("termination-message", message.filter(|path| *path != DEFAULT_TERMINATION_MESSAGE));
    words.0.push("--".into());
    words.0.extend(container.command().iter().cloned());
    Json::Array(words.0)
}

/// The init container that copies the agent into its volume, before all other containers.
pub(crate) fn install_container<'a>(
    pod: &Pod<'a>,
    container: &Container<'a>,
    injection: &Injection<'a>,
) -> Json<'a> {
    let words = Words::new(&[AGENT_PROGRAM, "install", AGENT_DIRECTORY]);
    let resources = agent_resources::of_install(pod, container);
    Added { name: INSTALL_CONTAINER, words, restart_policy: None, env: None, resources }
        .into_json(pod, container, injection)
}

/// The credential proxy: it adds credentials to requests for the declared repositories, as long as the pod runs. A
/// native sidecar (KEP-753): started before the containers, ended after them.
pub(crate) fn proxy_container<'a>(
    pod: &Pod<'a>,
    container: &Container<'a>,
    injection: &Injection<'a>,
    secret: &'a str,
    variables: &[Json<'a>],
) -> Json<'a> {
    let step = injection.step;
    let mut words = Words::new(&[AGENT_PROGRAM, "proxy"]);
    words.flag("registry", &injection.endpoint.to_string());
    words.flag("socket", PROXY_SOCKET);
    for input in &step.inputs {
        words.flag("pull", input.text());
    }
    words.flag_if("push", step.output.map(|output| output.text()));
    let mut variables = variables.to_vec();
    // A missing key stops the pod before the command runs. Artifacts can often be pulled without a password.
    let keys = [
        (env::USER, true, false),
        (env::PULL_PASSWORD, !step.inputs.is_empty(), true),
        (env::PUSH_PASSWORD, step.output.is_some(), false),
    ];
    for (key, _, is_optional) in keys.into_iter().filter(|(_, is_wanted, _)| *is_wanted) {
        let reference = Json::object([
            ("name", Some(secret.into())),
            ("key", Some(key.into())),
            ("optional", is_optional.then_some(true.into())),
        ]);
        variables.push(Json::object([
            ("name", Some(key.into())),
            ("valueFrom", Some(Json::object([("secretKeyRef", Some(reference))]))),
        ]));
    }
    Added {
        name: PROXY_CONTAINER,
        words,
        restart_policy: Some("Always"),
        env: Some(variables),
        resources: agent_resources::of_proxy(pod, container, &injection.proxy),
    }
    .into_json(pod, container, injection)
}

/// An added container.
struct Added<'a> {
    name: &'static str,
    words: Words<'a>,
    restart_policy: Option<&'static str>,
    env: Option<Vec<Json<'a>>>,
    resources: Option<Json<'a>>,
}

impl<'a> Added<'a> {
    /// The container with everything that Pod Security `restricted` asks of every container
    /// (kubernetes.io/docs/concepts/security/pod-security-standards).
    fn into_json(self, pod: &Pod<'_>, container: &Container<'_>, injection: &Injection<'a>) -> Json<'a> {
        let is_foreign_image = injection.step.image.is_some();
        let user = user(pod, container).or(is_foreign_image.then_some(USER));
        let security = Json::object([
            ("allowPrivilegeEscalation", Some(false.into())),
            ("capabilities", Some(Json::object([("drop", Some(Json::Array(vec!["ALL".into()])))]))),
            ("readOnlyRootFilesystem", Some(true.into())),
            ("runAsNonRoot", Some(true.into())),
            ("runAsUser", user.map(Json::from)),
            ("seccompProfile", Some(Json::object([("type", Some("RuntimeDefault".into()))]))),
        ]);
        let mount =
            Json::object([("name", Some(AGENT_VOLUME.into())), ("mountPath", Some(AGENT_DIRECTORY.into()))]);
        Json::object([
            ("name", Some(self.name.into())),
            ("image", Some(injection.image.into())),
            ("command", Some(Json::Array(self.words.0))),
            ("restartPolicy", self.restart_policy.map(Json::from)),
            ("env", self.env.map(Json::Array)),
            ("resources", self.resources),
            ("securityContext", Some(security)),
            ("volumeMounts", Some(Json::Array(vec![mount]))),
        ])
    }
}

/// The pod's own user unless it is root; `None` where the pod names none, so that the image's user counts.
fn user(pod: &Pod<'_>, container: &Container<'_>) -> Option<i64> {
    let of_pod = pod.spec.member_of("securityContext", "runAsUser");
    match (of_pod, container.security("runAsUser")) {
        (Some(Json::Int(user)), _) if *user != 0 => Some(*user),
        (_, Some(Json::Int(user))) if *user != 0 => Some(*user),
        (None, None) => None,
        _ => Some(USER),
    }
}

//! How the agent is called: the containers that are added, and the words in front of the command.

use super::agent_resources;
use super::command_place::CommandPlace;
use super::injection::Injection;
use super::pod::{Container, Pod};
use super::reuse;
use crate::authority::Authority;
use crate::json::Json;
use crate::kubernetes::{escaped, variable};
use orascache_api::steps::{
    AGENT_DIRECTORY, AGENT_PATH, AGENT_PROGRAM, AGENT_VOLUME, CREDENTIALS_DIRECTORY, CREDENTIALS_VOLUME,
    INSTALL_CONTAINER, PROXY_CONTAINER, PROXY_SOCKET,
};

/// User of the added containers where the pod's own user would be root: any that is not root.
const USER: i64 = 65532;

/// User of the credential proxy where the pod does not prescribe one: a user of its own, so that
/// the kernel keeps processes of the step away from it.
const PROXY_USER: i64 = 65531;

/// The default of `terminationMessagePath` (core/v1 Container).
pub(crate) const DEFAULT_TERMINATION_MESSAGE: &str = "/dev/termination-log";

/// Words of a command, with `$` written so that Kubernetes does not expand it.
struct Words<'a>(Vec<Json<'a>>);

impl<'a> Words<'a> {
    fn new(words: &[&'static str]) -> Self {
        Words(words.iter().map(|word| Json::from(*word)).collect())
    }

    fn flag(&mut self, name: &str, value: &str) {
        self.0.push(escaped(&["--", name, "=", value].concat()).into());
    }

    fn flag_if(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.flag(name, value);
        }
    }
}

/// The agent and its flags, as far as they do not depend on the container.
pub(crate) fn exec_words<'a>(injection: &Injection<'_>) -> Vec<Json<'a>> {
    let step = injection.step;
    let mut words = Words::new(&[AGENT_PATH, "exec"]);
    words.flag("registry", &injection.endpoint.to_string());
    match &injection.credentials {
        Some(_) => words.flag("proxy", PROXY_SOCKET),
        None => {
            for (name, value) in injection.network.proxies() {
                words.flag(&format!("{name}-proxy"), &value);
            }
        }
    }
    for input in &step.inputs {
        words.flag("input", &input.to_string());
    }
    words.flag_if("input-path", step.input_path.map(|path| path.text()));
    words.flag_if("input-wait", step.input_wait.map(|wait| wait.seconds().to_string()).as_deref());
    words.flag_if("input-conflicts", step.last_input_wins.then_some("last-wins"));
    for output in &step.outputs {
        words.flag("output", &output.to_string());
    }
    words.flag_if("output-path", step.output_path.map(|path| path.text()));
    words.flag_if("output-pipe", step.output_pipe.map(|path| path.text()));
    if let Some(reuse) = &step.reuse {
        words.flag("reuse", "true");
        words.flag_if("reuse-salt", reuse.salt);
        for file in &reuse.files {
            words.flag("reuse-file", file.text());
        }
    }
    words.flag_if("unpack", (!step.unpack).then_some("false"));
    words.flag_if("compression", step.zstd.then_some("zstd"));
    let may_leave_statements = step.provenance && injection.provenance;
    let pushes_without = !may_leave_statements && !step.outputs.is_empty();
    words.flag_if("provenance", pushes_without.then_some("false"));
    words.flag_if("debug", step.debug.then_some("true"));
    words.0
}

/// The flags of the agent that depend on the container. They follow [`exec_words`].
pub(crate) fn container_words<'a>(container: &Container<'_>) -> Vec<Json<'a>> {
    let mut words = Words::new(&[]);
    let message = container.tree.member("terminationMessagePath").and_then(Json::as_str);
    let is_ours = |path: &&str| {
        *path != DEFAULT_TERMINATION_MESSAGE && !CommandPlace::of(container).writes_termination_message()
    };
    words.flag_if("termination-message", message.filter(is_ours));
    words.0
}

/// The flags that describe the container to a step that pushes something: its image, for the
/// provenance, and what else counts for reuse. They follow [`container_words`].
pub(crate) fn description_words<'a>(container: &Container<'_>, injection: &Injection<'_>) -> Vec<Json<'a>> {
    let mut words = Words::new(&[]);
    if injection.step.reuse.is_some() {
        for (name, value) in reuse::flags(container) {
            words.flag(name, &value);
        }
    } else if !injection.step.outputs.is_empty() {
        words.flag_if(reuse::IMAGE_FLAG, Some(container.image()).filter(|image| !image.is_empty()));
    }
    words.0
}

/// The wrapped command: the agent, its flags, and the original words behind `--`. With the name of
/// the list of the container that it is.
pub(crate) fn exec_command<'a>(
    container: &Container<'a>,
    injection: &Injection<'_>,
) -> (&'static str, Json<'a>) {
    let place = CommandPlace::of(container);
    (place.list, place.wrapped(agent_words(container, injection)))
}

/// The same for a container without a command, whose image starts these words.
pub(crate) fn exec_image_command<'a>(
    container: &Container<'a>,
    injection: &Injection<'_>,
    words: Vec<Json<'a>>,
) -> Json<'a> {
    let mut all = agent_words(container, injection);
    all.push("--".into());
    all.extend(words);
    Json::Array(all)
}

fn agent_words<'a>(container: &Container<'_>, injection: &Injection<'_>) -> Vec<Json<'a>> {
    let mut words = exec_words(injection);
    words.extend(container_words(container));
    words.extend(description_words(container, injection));
    words
}

/// The init container that copies the agent into its volume, before all other containers.
pub(crate) fn install_container<'a>(
    pod: &Pod<'a>,
    container: &Container<'a>,
    injection: &Injection<'a>,
) -> Json<'a> {
    let words = Words::new(&[AGENT_PROGRAM, "install", AGENT_DIRECTORY]);
    let resources = agent_resources::of_install(pod, container);
    let is_foreign_image = injection.step.image.is_some();
    Added {
        name: INSTALL_CONTAINER,
        words: words.0,
        restart_policy: None,
        env: None,
        resources,
        user: user(pod, container).or(is_foreign_image.then_some(USER)),
        mounts: vec![agent_mount(false)],
    }
    .into_json(injection)
}

/// The credential proxy with its flags.
pub(crate) fn proxy_words<'a>(injection: &Injection<'_>) -> Vec<Json<'a>> {
    let step = injection.step;
    let mut words = Words::new(&[AGENT_PROGRAM, "proxy"]);
    words.flag("registry", &injection.endpoint.to_string());
    words.flag("socket", PROXY_SOCKET);
    words.flag("credentials", CREDENTIALS_DIRECTORY);
    for input in &step.inputs {
        words.flag("pull", input.input.text());
    }
    for output in &step.outputs {
        words.flag("push", output.output.text());
    }
    words.flag_if("reuse", step.reuse.is_some().then_some("true"));
    words.0
}

/// The credential proxy: it adds credentials to requests for the declared repositories, as long as
/// the pod runs. A native sidecar (KEP-753): started before the containers, ended after them.
pub(crate) fn proxy_container<'a>(
    pod: &Pod<'a>,
    container: &Container<'a>,
    injection: &Injection<'a>,
    placeholders: Vec<Json<'a>>,
) -> Json<'a> {
    let credentials = Json::object([
        ("name", Some(CREDENTIALS_VOLUME.into())),
        ("mountPath", Some(CREDENTIALS_DIRECTORY.into())),
        ("readOnly", Some(true.into())),
    ]);
    let network = &injection.network;
    let mut variables = placeholders;
    for (name, value) in network.proxies() {
        let name = match name {
            "https" => "HTTPS_PROXY",
            "http" => "HTTP_PROXY",
            _ => "NO_PROXY",
        };
        variables.push(variable(name, escaped(&value).into()));
    }
    variables.extend(network.variables());
    let mut mounts = vec![agent_mount(false), credentials];
    mounts.extend(network.authority.as_ref().map(|_| Authority::mount()));
    Added {
        name: PROXY_CONTAINER,
        words: proxy_words(injection),
        restart_policy: Some("Always"),
        env: (!variables.is_empty()).then_some(variables),
        resources: agent_resources::of_proxy(pod, container, &injection.proxy_resources),
        user: Some(proxy_user(pod)),
        mounts,
    }
    .into_json(injection)
}

/// The volume with the agent and the socket of the proxy.
pub(crate) fn agent_mount<'a>(is_read_only: bool) -> Json<'a> {
    Json::object([
        ("name", Some(AGENT_VOLUME.into())),
        ("mountPath", Some(AGENT_DIRECTORY.into())),
        ("readOnly", is_read_only.then_some(true.into())),
    ])
}

/// An added container.
struct Added<'a> {
    name: &'static str,
    words: Vec<Json<'a>>,
    restart_policy: Option<&'static str>,
    env: Option<Vec<Json<'a>>>,
    resources: Option<Json<'a>>,
    user: Option<i64>,
    mounts: Vec<Json<'a>>,
}

impl<'a> Added<'a> {
    /// The container with everything that Pod Security `restricted` asks of every container
    /// (kubernetes.io/docs/concepts/security/pod-security-standards).
    fn into_json(self, injection: &Injection<'a>) -> Json<'a> {
        let security = Json::object([
            ("allowPrivilegeEscalation", Some(false.into())),
            ("capabilities", Some(Json::object([("drop", Some(Json::Array(vec!["ALL".into()])))]))),
            ("readOnlyRootFilesystem", Some(true.into())),
            ("runAsNonRoot", Some(true.into())),
            ("runAsUser", self.user.map(Json::from)),
            ("seccompProfile", Some(Json::object([("type", Some("RuntimeDefault".into()))]))),
        ]);
        Json::object([
            ("name", Some(self.name.into())),
            ("image", Some(injection.image.into())),
            ("command", Some(Json::Array(self.words))),
            ("restartPolicy", self.restart_policy.map(Json::from)),
            ("env", self.env.map(Json::Array)),
            ("resources", self.resources),
            ("securityContext", Some(security)),
            ("volumeMounts", Some(Json::Array(self.mounts))),
        ])
    }
}

/// The pod's own user unless it is root; `None` where the pod names none, so that the image's user
/// counts.
fn user(pod: &Pod<'_>, container: &Container<'_>) -> Option<i64> {
    match (pod_user(pod), container.security("runAsUser")) {
        (Some(Json::Int(user)), _) if *user != 0 => Some(*user),
        (_, Some(Json::Int(user))) if *user != 0 => Some(*user),
        (None, None) => None,
        _ => Some(USER),
    }
}

/// The user that the pod prescribes for all its containers, unless it is root: policies of a
/// cluster may allow no other. Else a user of the proxy's own.
fn proxy_user(pod: &Pod<'_>) -> i64 {
    match pod_user(pod) {
        Some(Json::Int(user)) if *user != 0 => *user,
        _ => PROXY_USER,
    }
}

/// Whether an added container of a rewritten pod may run as this user. Policies of the cluster give
/// a user to the install container after it was added, and it has no credentials: any user but root
/// will do. The proxy keeps the user that it was given.
pub(crate) fn may_be_user(pod: &Pod<'_>, added: &str, user: Option<&Json<'_>>) -> bool {
    match user {
        Some(Json::Int(user)) if added == PROXY_CONTAINER => *user == PROXY_USER || *user == proxy_user(pod),
        Some(Json::Int(user)) => *user != 0,
        None => added != PROXY_CONTAINER,
        Some(_) => false,
    }
}

fn pod_user<'a>(pod: &Pod<'a>) -> Option<&'a Json<'a>> {
    pod.spec.member_of("securityContext", "runAsUser")
}

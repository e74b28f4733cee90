//! Where the command of a container begins. Workflow engines put a program of their own in front of
//! it: Argo Workflows its emissary (`argoexec emissary -- command`), Tekton its entrypoint
//! (`entrypoint ... -entrypoint command -- arguments`). Such a program waits for earlier steps, and
//! tells other containers of the pod how the command ended. So the agent goes behind it: the engine
//! then waits for the pushes too, and learns of a step that failed or was reused.

use super::pod::Container;
use crate::json::Json;
use orascache_api::steps::AGENT_PATH;

/// Last part of the path of Argo's program, which differs between its versions.
const ARGO_PROGRAM: &str = "argoexec";
/// Tekton's program (`entrypointBinary` in tektoncd/pipeline, pkg/pod/entrypoint.go).
const TEKTON_PROGRAM: &str = "/tekton/bin/entrypoint";
/// What separates flags of a program from what it runs.
const SEPARATOR: &str = "--";

/// The list with the first word of a command, and what stands before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommandPlace<'a> {
    /// Name of the list in the container: `command` or `args`.
    pub(crate) list: &'static str,
    words: &'a [Json<'a>],
    /// How many words belong to the engine.
    at: usize,
    engine: Option<Engine>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Argo,
    Tekton,
}

impl<'a> CommandPlace<'a> {
    /// Finds the command of a container, whether or not the agent runs it already.
    pub(crate) fn of(container: &Container<'a>) -> Self {
        let command = container.command();
        let word = |index: usize| command.get(index).and_then(Json::as_str).unwrap_or_default();
        if word(0).rsplit('/').next() == Some(ARGO_PROGRAM)
            && word(1) == "emissary"
            && let Some(separator) = position(command, SEPARATOR)
        {
            return Self { list: "command", words: command, at: separator + 1, engine: Some(Engine::Argo) };
        }
        if word(0) == TEKTON_PROGRAM {
            let words = container.tree.items("args");
            let flags = position(words, SEPARATOR).and_then(|end| words.get(..end)).unwrap_or_default();
            // Without the flag Tekton leaves it to the node what the image starts.
            let at = position(flags, "-entrypoint").map_or(words.len(), |flag| flag + 1);
            return Self { list: "args", words, at, engine: Some(Engine::Tekton) };
        }
        Self { list: "command", words: command, at: 0, engine: None }
    }

    /// Whether no command is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.get(self.at).is_none()
    }

    /// Whether the agent already runs the command.
    pub(crate) fn is_wrapped(&self) -> bool {
        self.words.get(self.at).and_then(Json::as_str) == Some(AGENT_PATH)
    }

    /// Whether the engine is Argo, whose containers have variables that differ in each run.
    pub(crate) fn is_of_argo(&self) -> bool {
        self.engine == Some(Engine::Argo)
    }

    /// Whether the engine writes the termination message itself, in a format of its own.
    pub(crate) fn writes_termination_message(&self) -> bool {
        self.engine == Some(Engine::Tekton)
    }

    /// The list with the agent's words and `--` in front of the command.
    pub(crate) fn wrapped(&self, agent: Vec<Json<'a>>) -> Json<'a> {
        let (before, command) = self.words.split_at_checked(self.at).unwrap_or_default();
        let mut words = before.to_vec();
        let mut agent = agent.into_iter();
        words.extend(agent.next());
        // Tekton's separator stays behind the program that it runs.
        let separators = self.separators();
        words.extend((0..separators).map(|_| Json::from(SEPARATOR)));
        words.extend(agent);
        words.push(SEPARATOR.into());
        words.extend(command.iter().take(1).cloned());
        words.extend(command.iter().skip(1 + separators).cloned());
        Json::Array(words)
    }

    /// The list as it was before the agent came into it; `None` where the agent is not there.
    pub(crate) fn unwrapped(&self) -> Option<Vec<Json<'a>>> {
        let (before, _) = self.words.split_at_checked(self.at)?;
        let (program, rest) = self.behind_agent()?.split_first()?;
        let mut words = before.to_vec();
        words.push(program.clone());
        words.extend((0..self.separators()).map(|_| Json::from(SEPARATOR)));
        words.extend(rest.iter().cloned());
        Some(words)
    }

    /// The flags of the agent, behind its path and in front of `--`; `None` where the agent is not
    /// there.
    pub(crate) fn agent_flags(&self) -> Option<&'a [Json<'a>]> {
        let flags = self.flags_and_command()?;
        flags.get(..position(flags, SEPARATOR)?)
    }

    fn behind_agent(&self) -> Option<&'a [Json<'a>]> {
        let flags = self.flags_and_command()?;
        flags.get(position(flags, SEPARATOR)? + 1..)
    }

    fn flags_and_command(&self) -> Option<&'a [Json<'a>]> {
        self.is_wrapped().then(|| self.words.get(self.at + 1 + self.separators()..))?
    }

    /// How many separators stand between the program and its arguments.
    fn separators(&self) -> usize {
        usize::from(self.engine == Some(Engine::Tekton))
    }
}

fn position(words: &[Json<'_>], wanted: &str) -> Option<usize> {
    words.iter().position(|word| word.as_str() == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::pod::{Pod, PodSource};
    use crate::findings::Findings;
    use serde_json::json;

    /// The list with an agent whose only flag is `--f=1`, and whether it can be taken out again.
    fn wrapped(command: serde_json::Value, args: serde_json::Value) -> (String, String, bool) {
        let list = |command, args| {
            json!({"spec": {"containers": [{"name": "c", "command": command, "args": args}]}}).to_string()
        };
        let read = |text: &str, check: &dyn Fn(&CommandPlace<'_>) -> String| {
            let tree = Json::parse(text).expect("JSON");
            let pod = Pod::read(&tree, PodSource::Pod, &mut Findings::default()).expect("a pod");
            check(&CommandPlace::of(&pod.containers[0]))
        };
        let before = list(command.clone(), args.clone());
        let name = read(&before, &|place| place.list.to_owned());
        let agent = || vec![AGENT_PATH.into(), "exec".into(), "--f=1".into()];
        let after = read(&before, &|place| {
            assert!(!place.is_wrapped() && place.agent_flags().is_none() && place.unwrapped().is_none());
            place.wrapped(agent()).to_text()
        });
        let list_after = serde_json::from_str(&after).expect("JSON");
        let again = if name == "args" { list(command, list_after) } else { list(list_after, args) };
        let original = read(&before, &|place| Json::Array(place.words.to_vec()).to_text());
        let found = read(&again, &|place| {
            assert!(place.is_wrapped() && place.list == name);
            let flags = Json::Array(place.agent_flags().expect("flags").to_vec()).to_text();
            assert_eq!(flags, r#"["exec","--f=1"]"#);
            Json::Array(place.unwrapped().expect("the command")).to_text()
        });
        (name, after, found == original)
    }

    #[test]
    fn the_agent_goes_in_front_of_the_command_and_behind_the_program_of_an_engine() {
        let agent = "/orascache/orascache-agent";
        for (command, args, list, wanted) in [
            (
                json!(["sh", "-c", "a -- b"]),
                json!(["--"]),
                "command",
                json!([agent, "exec", "--f=1", "--", "sh", "-c", "a -- b"]),
            ),
            (
                json!(["run", "--", "x"]),
                json!([]),
                "command",
                json!([agent, "exec", "--f=1", "--", "run", "--", "x"]),
            ),
            (
                json!(["/var/run/argo/argoexec", "emissary", "--loglevel", "info", "--", "run", "--", "x"]),
                json!(["y"]),
                "command",
                json!([
                    "/var/run/argo/argoexec",
                    "emissary",
                    "--loglevel",
                    "info",
                    "--",
                    agent,
                    "exec",
                    "--f=1",
                    "--",
                    "run",
                    "--",
                    "x"
                ]),
            ),
            (
                json!(["/tekton/bin/entrypoint"]),
                json!(["-post_file", "/tekton/run/0/out", "-entrypoint", "run", "--", "-entrypoint", "--"]),
                "args",
                json!([
                    "-post_file",
                    "/tekton/run/0/out",
                    "-entrypoint",
                    agent,
                    "--",
                    "exec",
                    "--f=1",
                    "--",
                    "run",
                    "-entrypoint",
                    "--"
                ]),
            ),
            // Programs that only look alike.
            (
                json!(["argoexec", "wait"]),
                json!([]),
                "command",
                json!([agent, "exec", "--f=1", "--", "argoexec", "wait"]),
            ),
            (
                json!(["/my/entrypoint"]),
                json!(["-entrypoint", "x", "--"]),
                "command",
                json!([agent, "exec", "--f=1", "--", "/my/entrypoint"]),
            ),
        ] {
            let found = wrapped(command, args);
            assert_eq!(found, (list.to_owned(), wanted.to_string(), true));
        }
    }
}

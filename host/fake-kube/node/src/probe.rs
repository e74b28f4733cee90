//! Probes and hooks of containers.

use crate::messages::{CommandLine, Ending, StartFailure, Visit};
use crate::supervised::{Inside, Supervised};
use k8s_openapi::api::core::v1::{
    Container, ExecAction, HTTPGetAction, LifecycleHandler, Probe, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// What becomes of a container that runs.
pub(crate) enum Verdict {
    /// The pod has to stop.
    Stop,
    /// A probe says that it does not work: a sentence.
    Unhealthy(String),
}

/// Probes a container. Returns when it does not work.
pub(crate) async fn watch(
    supervised: &Supervised,
    inside: &Inside,
    started: &watch::Sender<bool>,
) -> Verdict {
    let container = &supervised.container;
    let target = Target { supervised, inside };
    if let Some(hook) = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.post_start.as_ref())
        && let Err(message) = target.handle(hook).await
    {
        supervised.context.board.warn(supervised.place, "FailedPostStartHook", message.clone()).await;
        return Verdict::Unhealthy(format!(
            "the postStart hook of container {} failed: {message}",
            container.name
        ));
    }
    if let Some(probe) = &container.startup_probe
        && let Err(message) = target.until_started(probe).await
    {
        return Verdict::Unhealthy(message);
    }
    let is_ready_at_once = container.readiness_probe.is_none();
    supervised.context.board.change(supervised.place, |record| {
        (record.started, record.ready) = (true, is_ready_at_once);
    });
    started.send_replace(true);
    let (ready, alive) = (container.readiness_probe.as_ref(), container.liveness_probe.as_ref());
    tokio::select! {
        never = target.follow_readiness(ready) => match never {},
        message = target.until_dead(alive) => Verdict::Unhealthy(message),
    }
}

/// Runs a hook of a container.
pub(crate) async fn hook(
    supervised: &Supervised,
    inside: &Inside,
    hook: &LifecycleHandler,
) -> Result<(), String> {
    Target { supervised, inside }.handle(hook).await
}

struct Target<'t> {
    supervised: &'t Supervised,
    inside: &'t Inside,
}

impl Target<'_> {
    fn container(&self) -> &Container {
        &self.supervised.container
    }

    /// Waits until the startup probe succeeds.
    async fn until_started(&self, probe: &Probe) -> Result<(), String> {
        let timing = Timing::of(probe);
        tokio::time::sleep(timing.delay).await;
        let mut failures = 0;
        loop {
            let Err(message) = self.attempt(probe, timing.limit).await else { return Ok(()) };
            self.unhealthy("Startup", &message).await;
            failures += 1;
            if failures >= timing.failures {
                let name = &self.container().name;
                return Err(format!("Container {name} failed startup probe, will be restarted"));
            }
            tokio::time::sleep(timing.period).await;
        }
    }

    /// Follows the readiness probe, if there is one.
    async fn follow_readiness(&self, probe: Option<&Probe>) -> std::convert::Infallible {
        let Some(probe) = probe else { return std::future::pending().await };
        let timing = Timing::of(probe);
        tokio::time::sleep(timing.delay).await;
        let (mut failures, mut successes, mut is_ready) = (0, 0, false);
        loop {
            match self.attempt(probe, timing.limit).await {
                Ok(()) => (failures, successes) = (0, successes + 1),
                Err(message) => {
                    (failures, successes) = (failures + 1, 0);
                    self.unhealthy("Readiness", &message).await;
                }
            }
            let now = if is_ready { failures < timing.failures } else { successes >= timing.successes };
            if now != is_ready {
                is_ready = now;
                self.supervised.context.board.change(self.supervised.place, |record| record.ready = now);
            }
            tokio::time::sleep(timing.period).await;
        }
    }

    /// Waits until the liveness probe fails, if there is one.
    async fn until_dead(&self, probe: Option<&Probe>) -> String {
        let Some(probe) = probe else { return std::future::pending().await };
        let timing = Timing::of(probe);
        tokio::time::sleep(timing.delay).await;
        let mut failures = 0;
        loop {
            match self.attempt(probe, timing.limit).await {
                Ok(()) => failures = 0,
                Err(message) => {
                    failures += 1;
                    self.unhealthy("Liveness", &message).await;
                }
            }
            if failures >= timing.failures {
                return format!(
                    "Container {} failed liveness probe, will be restarted",
                    self.container().name
                );
            }
            tokio::time::sleep(timing.period).await;
        }
    }

    async fn unhealthy(&self, kind: &str, message: &str) {
        let Supervised { context, place, .. } = self.supervised;
        context.board.warn(*place, "Unhealthy", format!("{kind} probe failed: {message}")).await;
    }

    async fn attempt(&self, probe: &Probe, limit: Duration) -> Result<(), String> {
        let attempt = async {
            if let Some(exec) = &probe.exec {
                self.execute(exec).await
            } else if let Some(get) = &probe.http_get {
                self.get(get).await
            } else if let Some(socket) = &probe.tcp_socket {
                self.connect(socket).await
            } else {
                Err("probes of this kind are not made here: use exec, httpGet or tcpSocket".to_owned())
            }
        };
        match tokio::time::timeout(limit, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no answer within {} s", limit.as_secs())),
        }
    }

    async fn handle(&self, hook: &LifecycleHandler) -> Result<(), String> {
        if let Some(exec) = &hook.exec {
            self.execute(exec).await
        } else if let Some(get) = &hook.http_get {
            self.get(get).await
        } else if let Some(pause) = &hook.sleep {
            tokio::time::sleep(Duration::from_secs(u64::try_from(pause.seconds).unwrap_or(0))).await;
            Ok(())
        } else {
            Err("hooks of this kind are not run here: use exec, httpGet or sleep".to_owned())
        }
    }

    /// Runs a command in the container. Dropping the future kills it.
    async fn execute(&self, action: &ExecAction) -> Result<(), String> {
        let words = action.command.clone().unwrap_or_default();
        let command = CommandLine { words, ..self.inside.command.clone() };
        let visit = Visit { process: self.inside.process, command };
        let process = self.supervised.context.helper.visit(&visit).await;
        let mut process = process.map_err(|failure| match failure {
            StartFailure::NoNamespaces(message)
            | StartFailure::Container(message)
            | StartFailure::NotFound(message) => message,
        })?;
        match process.ended().await {
            Ending::Code(0) => Ok(()),
            ending => Err(format!("command terminated with exit code {}", ending.exit_code())),
        }
    }

    async fn connect(&self, action: &TCPSocketAction) -> Result<(), String> {
        self.open(action.host.as_deref(), &action.port).await.map(drop)
    }

    async fn open(&self, host: Option<&str>, port: &IntOrString) -> Result<TcpStream, String> {
        let host = host.filter(|host| !host.is_empty()).unwrap_or("127.0.0.1");
        let port = self.port(port)?;
        let connected = TcpStream::connect((host, port)).await;
        connected.map_err(|error| format!("connect to {host}:{port}: {error}"))
    }

    /// A port by its number, or by its name in the container.
    fn port(&self, port: &IntOrString) -> Result<u16, String> {
        let number = match port {
            IntOrString::Int(number) => Some(*number),
            IntOrString::String(name) => {
                let mut ports = self.container().ports.iter().flatten();
                let found =
                    ports.find(|port| port.name.as_deref() == Some(name)).map(|port| port.container_port);
                found.or_else(|| name.parse().ok())
            }
        };
        number
            .and_then(|number| u16::try_from(number).ok())
            .ok_or_else(|| format!("there is no port {port:?}"))
    }

    async fn get(&self, action: &HTTPGetAction) -> Result<(), String> {
        if action.scheme.as_deref() == Some("HTTPS") {
            return Err("probes over https are not made here: use exec or tcpSocket".to_owned());
        }
        let mut stream = self.open(action.host.as_deref(), &action.port).await?;
        let path = action.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
        let mut request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\nUser-Agent: kube-probe\r\n");
        let headers = action.http_headers.as_deref().unwrap_or_default();
        if headers.iter().all(|header| !header.name.eq_ignore_ascii_case("host")) {
            request += "Host: localhost\r\n";
        }
        for header in headers {
            request += &format!("{}: {}\r\n", header.name, header.value);
        }
        request += "\r\n";
        let failed = |error: std::io::Error| format!("GET {path}: {error}");
        stream.write_all(request.as_bytes()).await.map_err(failed)?;
        let mut answer = Vec::new();
        // The status is in the first bytes.
        stream.take(64).read_to_end(&mut answer).await.map_err(failed)?;
        match status(&answer) {
            Some(200..400) => Ok(()),
            Some(status) => Err(format!("HTTP probe failed with statuscode: {status}")),
            None => Err(format!("GET {path}: the answer is not HTTP")),
        }
    }
}

/// The status of an answer (RFC 9112, section 4).
fn status(answer: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(answer);
    text.strip_prefix("HTTP/")?.split_whitespace().nth(1)?.parse().ok()
}

/// The times and numbers of a probe.
struct Timing {
    delay: Duration,
    period: Duration,
    limit: Duration,
    failures: i32,
    successes: i32,
}

impl Timing {
    /// The API server has filled in the defaults (core/v1 `Probe`).
    fn of(probe: &Probe) -> Self {
        let seconds = |number: Option<i32>, default: u64| {
            Duration::from_secs(number.and_then(|number| u64::try_from(number).ok()).unwrap_or(default))
        };
        Self {
            delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10).max(Duration::from_secs(1)),
            limit: seconds(probe.timeout_seconds, 1).max(Duration::from_secs(1)),
            failures: probe.failure_threshold.unwrap_or(3),
            successes: probe.success_threshold.unwrap_or(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn the_status_of_an_answer_is_read() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n"), Some(204));
        assert_eq!(status(b"SSH-2.0-x\r\n"), None);
        assert_eq!(status(b""), None);
    }
}

//! What a step did, in numbers: a log line, and a file for Prometheus.

use crate::log::Log;
use std::fmt::{self, Write as _};
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// Whether the outputs of an earlier step were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reuse {
    /// The step does not reuse outputs.
    #[default]
    Off,
    /// They were.
    Hit,
    /// There were none.
    Miss,
}

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Whether it reused outputs.
    pub reuse: Reuse,
    /// How long it waited for inputs.
    pub waited: Duration,
    /// Bytes of the layers that it pulled.
    pub pulled: u64,
    /// Bytes that it sent to the registry.
    pub pushed: u64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reuse = match self.reuse {
            Reuse::Off => "off",
            Reuse::Hit => "hit",
            Reuse::Miss => "miss",
        };
        let (waited, pulled, pushed) = (self.waited.as_secs_f64(), self.pulled, self.pushed);
        write!(f, "reuse={reuse} waited_seconds={waited:.3} pulled_bytes={pulled} pushed_bytes={pushed}")
    }
}

impl Summary {
    /// The text of the metrics file (prometheus.io/docs/instrumenting/exposition_formats). `code`
    /// is the exit code of the step.
    fn metrics(&self, namespace: &str, pod: &str, code: u8) -> String {
        let labels = format!("{{namespace=\"{}\",pod=\"{}\"}}", escaped(namespace), escaped(pod));
        let (hit, miss) = (u8::from(self.reuse == Reuse::Hit), u8::from(self.reuse == Reuse::Miss));
        let mut text = String::new();
        for (name, help, value) in [
            ("reuse_hits", "Whether the step reused the outputs of an earlier one.", hit.to_string()),
            ("reuse_misses", "Whether the step found no outputs to reuse.", miss.to_string()),
            ("waited_seconds", "How long the step waited for inputs.", self.waited.as_secs_f64().to_string()),
            ("pulled_bytes", "Bytes of the layers that the step pulled.", self.pulled.to_string()),
            ("pushed_bytes", "Bytes that the step sent to the registry.", self.pushed.to_string()),
            ("exit_code", "Exit code of the step.", code.to_string()),
        ] {
            // Writing into a text cannot fail.
            let _ = writeln!(text, "# HELP orascache_step_{name} {help}");
            let _ = writeln!(text, "# TYPE orascache_step_{name} gauge");
            let _ = writeln!(text, "orascache_step_{name}{labels} {value}");
        }
        text
    }

    /// Replaces the metrics file. It appears complete or not at all, since a collector may read it
    /// at any time. An error is logged.
    pub fn write(&self, path: &Path, namespace: &str, pod: &str, code: u8, log: &Log) {
        let text = self.metrics(namespace, pod, code);
        let written = || {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let mut file = tempfile::Builder::new()
                .prefix(".orascache-metrics.")
                .tempfile_in(folder.unwrap_or(Path::new(".")))?;
            file.write_all(text.as_bytes())?;
            file.as_file().set_permissions(Permissions::from_mode(0o644))?;
            file.persist(path).map_err(|error| error.error).map(drop)
        };
        if let Err(error) = written() {
            log.info(format_args!("the metrics cannot be written to {}: {error}", path.display()));
        }
    }
}

/// The value of a label.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_the_text_format_of_prometheus() {
        let waited = Duration::from_millis(1500);
        let summary = Summary { reuse: Reuse::Hit, waited, pulled: 7, pushed: 8 };
        let text = summary.metrics("lab", "a\"b", 0);
        let values: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let labels = r#"{namespace="lab",pod="a\"b"}"#;
        let wanted = [
            "reuse_hits 1",
            "reuse_misses 0",
            "waited_seconds 1.5",
            "pulled_bytes 7",
            "pushed_bytes 8",
            "exit_code 0",
        ]
        .map(|line| {
            let (name, value) = line.split_once(' ').unwrap();
            format!("orascache_step_{name}{labels} {value}")
        });
        assert_eq!(values, wanted);
        assert_eq!(text.lines().filter(|line| line.starts_with("# TYPE")).count(), 6);
        assert_eq!(summary.to_string(), "reuse=hit waited_seconds=1.500 pulled_bytes=7 pushed_bytes=8");
    }

    #[test]
    fn the_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("step.prom");
        for code in [3, 0] {
            Summary::default().write(&path, "", "", code, &Log::default());
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(&format!("exit_code{{namespace=\"\",pod=\"\"}} {code}\n")), "{text}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

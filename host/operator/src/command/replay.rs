//! `orascache replay`: makes recorded decisions again, offline.

use super::failed::Failed;
use super::load;
use crate::cli::{ReplayArgs, ReplayFormat};
use crate::output::{self, Format};
use anyhow::{Context, anyhow};
use orascache_runtime::Guest;
use orascache_runtime::record::{self, Damage, Location, Record};
use orascache_runtime::replay::{Difference, replay};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;

/// What the records have in them.
#[derive(Default)]
struct Tally {
    replayed: usize,
    different: usize,
    redacted: usize,
    altered: usize,
    corrupt: usize,
    cut: usize,
    /// How many records each component has, by digest.
    components: BTreeMap<String, usize>,
}

pub(super) fn execute(args: &ReplayArgs) -> Result<ExitCode, Failed> {
    let directory = args.directory.display();
    let records = record::records(&args.directory)
        .with_context(|| format!("the records in {directory} cannot be read"))
        .map_err(Failed::Unusable)?;
    let guest = load::load_guest(&args.component)?;
    let mut tally = Tally::default();
    let mut report = Vec::new();
    let mut damaged = Vec::new();
    for entry in records {
        match entry.content {
            Ok(record) => {
                tally.count(&record);
                let Some(difference) = replay(&record, &guest) else { continue };
                tally.different += 1;
                match args.output {
                    ReplayFormat::Text => output::print(&shown(&entry.location, &record, &difference))?,
                    ReplayFormat::Json => report.push(reported(&entry.location, &record, &difference)),
                }
            }
            Err(damage) => {
                let reason = tally.damaged(&entry.location, &damage);
                damaged.push(json!({"place": entry.location.to_string(), "reason": reason}));
            }
        }
    }
    if tally.replayed == 0 {
        return Err(Failed::Unusable(anyhow!(
            "{directory} holds no record that can be read: name a folder that was given with --record"
        )));
    }
    match args.output {
        ReplayFormat::Text => output::print(&tally.summary(&guest))?,
        ReplayFormat::Json => {
            let document = tally.document(&guest, report, damaged);
            output::print(&Format::Json.render(&document)?)?;
        }
    }
    Ok(if tally.different == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Tally {
    fn count(&mut self, record: &Record) {
        self.replayed += 1;
        self.redacted += usize::from(record.redacted);
        self.altered += usize::from(record.altered);
        *self.components.entry(record.component.clone()).or_default() += 1;
    }

    /// Reports a line that is no record. The others are replayed nevertheless.
    #[allow(clippy::print_stderr, reason = "for the person at the terminal")]
    fn damaged(&mut self, location: &Location, damage: &Damage) -> String {
        let reason = match damage {
            Damage::Cut => {
                self.cut += 1;
                "the line is cut, as when its writer was stopped".to_owned()
            }
            Damage::Corrupt(reason) => {
                self.corrupt += 1;
                reason.clone()
            }
        };
        eprintln!("{location}: left out: {reason}");
        reason
    }

    fn summary(&self, guest: &Guest) -> String {
        let Tally { replayed, different, redacted, altered, corrupt, cut, components } = self;
        let digest = &guest.interface().digest;
        let same = replayed - different;
        let mut text =
            format!("{replayed} decisions replayed with {digest}: {same} the same, {different} different.\n");
        for (component, count) in components.iter().filter(|(component, _)| *component != digest) {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{count} of them were recorded with {component}.");
        }
        if *redacted > 0 {
            let _ = writeln!(
                text,
                "{redacted} were recorded without their secrets, which altered {altered} of these decisions."
            );
        }
        if corrupt + cut > 0 {
            let _ = writeln!(text, "{corrupt} lines are corrupt and {cut} cut; they were left out.");
        }
        text
    }

    fn document(&self, guest: &Guest, different: Vec<Value>, damaged: Vec<Value>) -> Value {
        json!({
            "component": guest.interface().digest,
            "replayed": self.replayed,
            "same": self.replayed - self.different,
            "different": different,
            "redacted": self.redacted,
            "altered": self.altered,
            "damaged": damaged,
            "recordedWith": self.components,
        })
    }
}

fn shown(location: &Location, record: &Record, difference: &Difference) -> String {
    let left_out = if record.redacted { ", recorded without secrets" } else { "" };
    format!(
        "{}\n  {location}, decided at {} by {}{left_out}\n{}\n",
        difference.subject, record.at, record.component, difference.diff
    )
}

fn reported(location: &Location, record: &Record, difference: &Difference) -> Value {
    json!({
        "subject": difference.subject,
        "place": location.to_string(),
        "at": record.at,
        "component": record.component,
        "redacted": record.redacted,
        "recorded": difference.recorded,
        "replayed": difference.replayed,
        "diff": difference.diff,
    })
}

//! `orascache replay`: recorded decisions once more, offline.

use super::Failed;
use crate::cli::{ReplayArgs, ReplayFormat};
use crate::engine::Guest;
use crate::output::{self, Format};
use crate::record::{self, Damage, Place, Record};
use crate::replay::{Difference, replay};
use anyhow::{Context, anyhow};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;

/// What was found.
#[derive(Default)]
struct Tally {
    replayed: usize,
    different: usize,
    redacted: usize,
    altered: usize,
    corrupt: usize,
    cut: usize,
    /// How many records are of which component.
    components: BTreeMap<String, usize>,
}

pub(super) fn execute(args: &ReplayArgs) -> Result<ExitCode, Failed> {
    let directory = args.directory.display();
    let records = record::records(&args.directory)
        .with_context(|| format!("the records in {directory} cannot be read"))
        .map_err(Failed::Unusable)?;
    let guest = super::load_guest(&args.component)?;
    let mut tally = Tally::default();
    let mut report = Vec::new();
    let mut damaged = Vec::new();
    for found in records {
        match found.content {
            Ok(record) => {
                tally.count(&record);
                let Some(difference) = replay(&record, &guest) else { continue };
                tally.different += 1;
                match args.output {
                    ReplayFormat::Text => output::print(&shown(&found.place, &record, &difference))?,
                    ReplayFormat::Json => report.push(reported(&found.place, &record, &difference)),
                }
            }
            Err(damage) => {
                let reason = tally.damaged(&found.place, &damage);
                damaged.push(json!({"place": found.place.to_string(), "reason": reason}));
            }
        }
    }
    if tally.replayed == 0 {
        return Err(Failed::Unusable(anyhow!(
            "{directory} holds no record that can be read: name a folder that `--record` was given"
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

    /// Names a place without a record; the others go on.
    #[allow(clippy::print_stderr, reason = "for the person at the terminal")]
    fn damaged(&mut self, place: &Place, damage: &Damage) -> String {
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
        eprintln!("{place}: left out: {reason}");
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
                "From {redacted} something was left out when they were recorded, which altered the decision of {altered}."
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

fn shown(place: &Place, record: &Record, difference: &Difference) -> String {
    let left_out = if record.redacted { ", with something left out" } else { "" };
    format!(
        "{}\n  {place}, decided at {} by {}{left_out}\n{}\n",
        difference.subject, record.at, record.component, difference.diff
    )
}

fn reported(place: &Place, record: &Record, difference: &Difference) -> Value {
    json!({
        "subject": difference.subject,
        "place": place.to_string(),
        "at": record.at,
        "component": record.component,
        "redacted": record.redacted,
        "recorded": difference.recorded,
        "replayed": difference.replayed,
        "diff": difference.diff,
    })
}

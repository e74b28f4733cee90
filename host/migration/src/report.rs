//! What a migration found and would do, for people and for programs.

use crate::action::Action;
use crate::back::next_back;
use crate::copy::Copy;
use crate::forward::next;
use crate::observed::{Observed, Whose};
use crate::obstacles;
use crate::step::{Step, Wishes};
use serde::Serialize;
use std::fmt::{self, Display};

/// What was found about one cache, as sentences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Namespace of the cache.
    pub namespace: String,
    /// Name of the cache.
    pub name: String,
    /// Whether nothing is left to do.
    pub done: bool,
    /// What there is.
    pub found: Vec<String>,
    /// What is in the way.
    pub in_the_way: Vec<String>,
    /// What would be done, in order.
    pub would_do: Vec<String>,
    /// What users should know.
    pub notes: Vec<String>,
}

impl Report {
    /// About the way from the former operator to this one.
    pub fn forward(observed: &Observed, wishes: Wishes) -> Self {
        let step = next(observed, wishes);
        Self {
            would_do: sentences(&forward_actions(observed, &step), observed),
            notes: notes(observed, &step),
            ..Self::of(observed, step)
        }
    }

    /// About the way back.
    pub fn back(observed: &Observed) -> Self {
        let step = next_back(observed);
        let mut actions = Vec::new();
        if let Step::Do(action) = step {
            actions.push(action);
            match action {
                Action::OpenService if observed.own_holding().is_some() => {
                    actions.push(Action::RemoveHolding)
                }
                Action::ReleaseStatefulSet => actions.push(Action::ReleaseService),
                _ => {}
            }
        }
        Self { would_do: sentences(&actions, observed), ..Self::of(observed, step) }
    }

    fn of(observed: &Observed, step: Step) -> Self {
        let in_the_way = match &step {
            Step::Refuse(sentences) => sentences.clone(),
            _ => Vec::new(),
        };
        let mut found = found(observed);
        if let Step::Wait(what) = &step {
            found.push(format!("It would wait now: {what}."));
        }
        Self {
            namespace: observed.namespace().to_owned(),
            name: observed.name().to_owned(),
            done: step == Step::Done,
            found,
            in_the_way,
            would_do: Vec::new(),
            notes: Vec::new(),
        }
    }
}

fn sentences(actions: &[Action], observed: &Observed) -> Vec<String> {
    actions.iter().map(|action| action.sentence(observed)).collect()
}

/// The changes that are left, in order.
fn forward_actions(observed: &Observed, step: &Step) -> Vec<Action> {
    // Of objects of others nothing is known that could be done.
    if *step == Step::Done || !obstacles::foreign(observed).is_empty() {
        return Vec::new();
    }
    let is_former = observed.whose_stateful_set() == Whose::Former;
    let gives = observed.whose_service() == Whose::Former;
    let mut actions = Vec::new();
    if is_former {
        if observed.literal_secret().is_some() && observed.applier_of_secret().is_none() {
            actions.push(Action::MoveSecret);
        }
        if observed.own_holding().is_none() {
            actions.push(Action::CreateHolding);
        }
        if !observed.is_closed() {
            actions.extend([Action::StartCopy(Copy::First), Action::CloseService]);
        }
        actions.extend([Action::StartCopy(Copy::Rest), Action::DeleteStatefulSet]);
    }
    if is_former || (observed.own_holding().is_some() && gives) {
        actions.push(Action::StartCopy(Copy::Back));
    }
    if gives {
        actions.push(Action::GiveService);
    }
    if is_former || observed.own_holding().is_some() {
        actions.push(Action::RemoveHolding);
    }
    actions
}

fn found(observed: &Observed) -> Vec<String> {
    let name = observed.name();
    let mut found = Vec::new();
    for (kind, whose) in
        [("StatefulSet", observed.whose_stateful_set()), ("Service", observed.whose_service())]
    {
        found.push(match whose {
            Whose::Nobody => format!("There is no {kind} {name}."),
            Whose::Former => format!("{kind} {name} was made by the former operator."),
            Whose::Ours => format!("{kind} {name} belongs to this operator."),
            Whose::Foreign => format!("{kind} {name} belongs to somebody else."),
        });
    }
    if observed.is_closed() && observed.service.is_some() {
        found.push(format!("Service {name} leads nowhere: a migration was interrupted."));
    }
    if observed.own_holding().is_some() {
        found.push(format!("OrasCache {} holds artifacts meanwhile.", crate::names::holding(name)));
    }
    if observed.literal_secret().is_some() {
        found.push("The spec has the HTTP secret as text (spec.secrets.registryHttp).".to_owned());
    }
    found
}

fn notes(observed: &Observed, step: &Step) -> Vec<String> {
    if *step == Step::Done {
        return Vec::new();
    }
    let name = observed.name();
    let mut notes = observed.operators.unknown.clone();
    if !notes.is_empty() {
        notes.push("Make sure that the former operator and its webhook are stopped.".to_owned());
    }
    if let (Some(_), Some(manager)) = (observed.literal_secret(), observed.applier_of_secret()) {
        notes.push(format!(
            "{manager} applies spec.secrets.registryHttp, so that it stays in the spec. The operator puts it into a Secret for the registry. Name a Secret in spec.secret there, before the migration."
        ));
    }
    let named = observed.named_by_service();
    if !named.is_empty() {
        notes.push(format!(
            "These pods have DNS names by Service {name}, and lose them, because it will select the registry pods alone: {}. Give them a headless Service of their own.",
            named.join(", ")
        ));
    }
    if observed.whose_stateful_set() == Whose::Former && observed.spec("storage").is_none() {
        notes.push(
            "spec.storage is not set: artifacts live in pods, meanwhile and after the migration. With spec.storage.size, set before, they are on volumes.".to_owned(),
        );
    }
    notes
}

impl Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "OrasCache {}/{}", self.namespace, self.name)?;
        let sections = [
            ("Found", &self.found),
            ("In the way", &self.in_the_way),
            ("Would be done", &self.would_do),
            ("Note", &self.notes),
        ];
        for (title, sentences) in sections.iter().filter(|(_, sentences)| !sentences.is_empty()) {
            writeln!(out, "  {title}:")?;
            for sentence in *sentences {
                writeln!(out, "  - {sentence}")?;
            }
        }
        if self.done {
            writeln!(out, "  Nothing is to be done.")?;
        }
        Ok(())
    }
}

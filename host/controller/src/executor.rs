//! Carries out a plan, in order: generate, rotate, apply, patch, delete, status, events. Status and
//! events may come later.

mod adopt;
mod apply;
mod events;
mod rotate;
mod secrets;
mod status;

use crate::activity::Activity;
use crate::cache::{Cache, Source, View};
use crate::may_write::MayWrite;
use crate::object::Key;
use crate::permit::{Permit, Planned, PlannedPatch};
use crate::requests::{Writer, api, failure, has_code, is_final, json_patch, target};
use crate::roles::Roles;
use crate::watches::PRIMARY;
use apply::Applier;
use events::Events;
use kube::api::{DeleteParams, Preconditions};
use orascache_contract::{Event, Failure, FailureReason, Kind, ObjectPatch, ObjectRef, Plan, Verb};
use tokio::sync::watch;

pub(crate) struct Executor {
    client: Writer,
    applier: Applier,
    events: Events,
    may_write: watch::Receiver<MayWrite>,
    /// Whether the primaries are objects of others, and whether plans may patch them.
    attends: Option<Attends>,
}

/// What plans may do with primaries that are objects of others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attends {
    pub(crate) patches: bool,
}

/// The primary that a plan is for, with everything that the plan was made from.
pub(crate) struct Context<'a> {
    pub(crate) cache: &'a Cache,
    /// The roles of the reconciler that made the plan.
    pub(crate) roles: &'a Roles,
    pub(crate) key: &'a Key,
    pub(crate) view: &'a View,
}

/// What carrying out a plan led to.
#[derive(Debug, Default)]
pub(crate) struct Execution {
    /// Writes that did not succeed.
    pub(crate) failures: Vec<Failure>,
    /// Why the rest of the plan was not carried out, or the status not written.
    pub(crate) incomplete: Option<String>,
    /// Whether anything was written: the API server's answers may lead to another plan.
    pub(crate) changed: bool,
    /// Whether the status and the events of the plan are still to be written.
    pub(crate) is_postponed: bool,
}

impl Execution {
    fn add(&mut self, result: Result<bool, Vec<Failure>>) -> Result<(), Stop> {
        match result {
            Ok(changed) => self.changed |= changed,
            Err(failures) => self.failures.extend(failures),
        }
        if self.failures.last().is_some_and(is_final) { Err(Stop::NamespaceTerminating) } else { Ok(()) }
    }

    /// Whether the rest of the plan is not carried out.
    fn stopped(&mut self, written: Result<(), Stop>) -> bool {
        if let Err(Stop::NotLeader) = written {
            self.incomplete = Some("this process may not write any more".to_owned());
        }
        written.is_err()
    }
}

/// Why the rest of a plan is not carried out.
enum Stop {
    /// Another process may write now.
    NotLeader,
    /// The namespace is being deleted. Its end needs nothing from us.
    NamespaceTerminating,
}

impl Executor {
    pub(crate) fn new(
        client: Writer,
        primary: Kind,
        field_manager: &str,
        instance: String,
        may_write: watch::Receiver<MayWrite>,
        attends: Option<Attends>,
        activity: Activity,
    ) -> Self {
        Self {
            applier: Applier::new(client.clone(), may_write.clone()),
            events: Events::new(&client, primary, field_manager, instance, may_write.clone(), activity),
            client,
            may_write,
            attends,
        }
    }

    /// Carries out a plan. The status and the events are postponed where the plan changed children,
    /// so that another plan follows, and `others_wait`.
    pub(crate) async fn execute(
        &self,
        context: &Context<'_>,
        plan: &Plan,
        others_wait: impl FnOnce() -> bool + Send,
    ) -> Execution {
        let mut outcome = Execution::default();
        let written = self.write_objects(context, plan, &mut outcome).await;
        if !outcome.stopped(written) {
            let has_end = plan.status.is_some() || !plan.events.is_empty();
            outcome.is_postponed = has_end && outcome.changed && outcome.failures.is_empty() && others_wait();
            if !outcome.is_postponed {
                self.finish(context, plan.status.as_deref(), &plan.events, &mut outcome).await;
            }
        }
        outcome
    }

    /// Writes the status of a plan and records its events.
    pub(crate) async fn finish(
        &self,
        context: &Context<'_>,
        status: Option<&str>,
        events: &[Event],
        outcome: &mut Execution,
    ) {
        let written = self.write_end(context, status, outcome).await;
        if !outcome.stopped(written) {
            for event in events {
                self.record(context, event).await;
            }
        }
    }

    /// Waits until the events so far are recorded.
    pub(crate) async fn events_recorded(&self) {
        self.events.recorded().await;
    }

    /// Has an event about the primary recorded. An event that cannot be recorded is logged. An
    /// event that this process may not write is left to the leader.
    pub(crate) async fn record(&self, context: &Context<'_>, event: &Event) {
        if self.check_leadership().is_ok() {
            self.events.record(context, event).await;
        }
    }

    /// Writes everything of a plan but its status and its events.
    async fn write_objects(
        &self,
        context: &Context<'_>,
        plan: &Plan,
        outcome: &mut Execution,
    ) -> Result<(), Stop> {
        let permit = Permit {
            cache: context.cache,
            roles: context.roles,
            primary: context.key,
            view: context.view,
            patches_primary: self.attends.is_some_and(|attends| attends.patches),
        };
        for generated in &plan.generate {
            self.check_leadership()?;
            outcome.add(match permit.object(&generated.secret, Verb::Create) {
                Ok(planned) => self.generate(context, planned, generated).await,
                Err(refused) => Err(vec![*refused]),
            })?;
        }
        for rotation in &plan.rotate {
            self.check_leadership()?;
            outcome.add(match permit.object(&rotation.secret, Verb::Patch) {
                Ok(planned) => self.rotate(context, planned, rotation).await,
                Err(refused) => Err(vec![*refused]),
            })?;
        }
        for text in &plan.apply {
            self.check_leadership()?;
            outcome.add(match permit.object(text, Verb::Apply) {
                Ok(planned) => self.applier.apply(context, &planned).await,
                Err(refused) => Err(vec![*refused]),
            })?;
        }
        for patch in &plan.patch {
            self.check_leadership()?;
            outcome.add(match permit.patch(patch) {
                Ok(planned) => self.patch(context.cache, patch, planned).await,
                Err(refused) => Err(vec![*refused]),
            })?;
        }
        for target in &plan.delete {
            self.check_leadership()?;
            outcome.add(match permit.deletion(target) {
                Ok(Some(_)) => self.delete(context.cache, target).await,
                Ok(None) => Ok(false),
                Err(refused) => Err(vec![*refused]),
            })?;
        }
        Ok(())
    }

    async fn write_end(
        &self,
        context: &Context<'_>,
        status: Option<&str>,
        outcome: &mut Execution,
    ) -> Result<(), Stop> {
        if self.attends.is_some() && status.is_some() {
            let target = target(context.cache.primary_kind(), context.key);
            let message = format!("{target} is no object of the guest: its plan may not write the status.");
            let (verb, reason) = (Verb::Apply, FailureReason::NotPermitted);
            outcome.failures.push(Failure { target, verb, code: 0, reason, message });
        } else if let Some(status) = status {
            self.check_leadership()?;
            let own = context.cache.begin_write(PRIMARY, context.key, context.key);
            match self.write_status(context, status).await {
                Ok(is_outdated) => outcome.changed |= is_outdated,
                Err(problem) => {
                    outcome.incomplete = Some(format!("the status could not be written: {problem}"))
                }
            }
            outcome.changed |= own.end();
        }
        Ok(())
    }

    fn check_leadership(&self) -> Result<(), Stop> {
        if self.may_write.borrow().is_in_force() { Ok(()) } else { Err(Stop::NotLeader) }
    }

    /// Returns whether the object changed.
    async fn patch(
        &self,
        cache: &Cache,
        patch: &ObjectPatch,
        planned: PlannedPatch,
    ) -> Result<bool, Vec<Failure>> {
        let (kind, manager) = (&patch.target.kind, cache.field_manager());
        let answer = json_patch(&self.client, kind, &planned.key, manager, planned.patch).await;
        let answer = answer.map_err(|error| vec![failure(patch.target.clone(), Verb::Patch, &error)])?;
        let Some(stored) = cache.decode(planned.kind, answer) else { return Ok(true) };
        let before = cache.get(planned.kind, &planned.key);
        let changed = before.is_none_or(|before| before.resource_version != stored.resource_version);
        cache.store(planned.kind, stored, Source::Write);
        Ok(changed)
    }

    /// Deletes the object with the UID of the target and no other. Returns whether it was there.
    async fn delete(&self, cache: &Cache, target: &ObjectRef) -> Result<bool, Vec<Failure>> {
        let uid = target.uid.as_deref().unwrap_or_default();
        let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
        let namespace = target.namespace.as_deref().unwrap_or_default();
        let api = api(self.client.client(), &target.kind, namespace);
        match self.client.write(api.delete(&target.name, &parameters)).await {
            // A finalizer keeps it.
            Ok(either::Either::Left(object)) if object.is_being_deleted() => {
                if let Some(kind) = cache.index_of(&target.kind)
                    && let Some(stored) = cache.decode(kind, object)
                {
                    cache.store(kind, stored, Source::Write);
                }
                Ok(true)
            }
            Ok(_) => {
                cache.mark_deleted(uid);
                Ok(true)
            }
            // It was deleted, or the name belongs to another object now.
            Err(error) if has_code(&error, &[404, 409]) => {
                cache.mark_deleted(uid);
                Ok(true)
            }
            Err(error) => Err(vec![failure(target.clone(), Verb::Delete, &error)]),
        }
    }
}

/// Names a planned object.
fn target_of(cache: &Cache, planned: &Planned<'_>) -> Option<ObjectRef> {
    cache.kind(planned.kind).map(|kind| target(kind, &planned.key))
}

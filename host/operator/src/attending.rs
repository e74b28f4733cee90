//! Looks after objects of others, such as pods that wait for artifacts: one controller for each kind
//! that the component attends.

use crate::registries::OciRegistries;
use anyhow::Context;
use futures::future::BoxFuture;
use kube::Client;
use orascache_contract::{AttendedKind, Description, GuestError, Observed, Plan};
use orascache_controller::{
    Attending, Controller, MayWrite, Options, Pace, Reconciler, ReconcilerHandle, Waker,
};
use orascache_runtime::Version;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use tokio::sync::watch;

/// Prefix of the metrics of these controllers, which have the names of the main one's.
const METRICS_PREFIX: &str = "attended";

/// A version of the component as the reconciler of one kind of attended objects.
struct VersionAttendant {
    version: Arc<Version>,
    attended: AttendedKind,
}

impl Reconciler for VersionAttendant {
    fn describe(&self) -> Description {
        let description = self.version.describe();
        let related = self.attended.related.clone();
        Description {
            related,
            ..Description::new(self.attended.watched.kind.clone(), &description.field_manager)
        }
    }

    fn reconcile(&self, observed: Observed) -> BoxFuture<'_, Result<Plan, GuestError>> {
        Box::pin(async move { self.version.attend(&observed).await })
    }
}

/// What all controllers of the process share.
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) namespaces: Vec<String>,
    pub(crate) instance: String,
    pub(crate) settings: watch::Receiver<Arc<str>>,
    pub(crate) may_write: Option<watch::Receiver<MayWrite>>,
}

/// The running controllers.
pub(crate) struct Attendants {
    controllers: Vec<Controller>,
    kinds: Vec<AttendedKind>,
}

impl Attendants {
    /// Starts a controller for each kind that the version attends.
    ///
    /// # Errors
    /// When the API server does not answer, or the component describes the kinds wrongly.
    pub(crate) async fn start(
        version: &Arc<Version>,
        shared: Shared,
        registry: &mut Registry,
    ) -> anyhow::Result<Self> {
        let registries = Arc::new(OciRegistries::new(shared.client.clone()));
        let registry = registry.sub_registry_with_prefix(METRICS_PREFIX);
        let mut attendants = Self { controllers: Vec::new(), kinds: version.attended().to_vec() };
        for attended in version.attended() {
            let watched = &attended.watched;
            let attending = Attending {
                label_selector: watched.label_selector.clone(),
                fields: watched.fields.clone(),
                patchable: watched.patchable,
                registries: registries.clone(),
                pace: Pace::default(),
            };
            let mut options = Options {
                namespaces: shared.namespaces.clone(),
                instance: shared.instance.clone(),
                settings: shared.settings.clone(),
                attending: Some(attending),
                ..Options::default()
            };
            if let Some(may_write) = &shared.may_write {
                options.may_write = may_write.clone();
            }
            let reconciler =
                Arc::new(VersionAttendant { version: version.clone(), attended: attended.clone() });
            let controller = Controller::start(shared.client.clone(), reconciler, options, registry)
                .await
                .with_context(|| format!("objects of kind {} cannot be attended", watched.kind.kind))?;
            attendants.controllers.push(controller);
        }
        Ok(attendants)
    }

    /// Has artifacts that objects wait for looked for early.
    pub(crate) fn wakers(&self) -> Vec<Waker> {
        self.controllers.iter().filter_map(Controller::waker).collect()
    }

    /// Lets another version take over.
    pub(crate) fn handles(&self) -> AttendantHandles {
        let handles = self.controllers.iter().map(Controller::reconciler_handle).collect();
        AttendantHandles { handles, kinds: self.kinds.clone() }
    }

    pub(crate) async fn shutdown(self) {
        for controller in self.controllers {
            controller.shutdown().await;
        }
    }
}

/// Replaces the version that decides about attended objects. Without controllers, every version may
/// take over.
#[derive(Clone, Default)]
pub(crate) struct AttendantHandles {
    handles: Vec<ReconcilerHandle>,
    kinds: Vec<AttendedKind>,
}

impl AttendantHandles {
    /// Whether a version attends what is watched.
    ///
    /// # Errors
    /// Says what to do.
    pub(crate) fn check(&self, version: &Version) -> Result<(), String> {
        if self.handles.is_empty() || version.attended() == self.kinds {
            return Ok(());
        }
        Err("it attends other objects than this process watches: restart this process with it".to_owned())
    }

    /// Makes a version the active one, after [`AttendantHandles::check`].
    ///
    /// # Errors
    /// When its description does not fit.
    pub(crate) fn replace(&self, version: &Arc<Version>) -> Result<(), orascache_controller::Incompatible> {
        for (handle, attended) in self.handles.iter().zip(&self.kinds) {
            let attended = attended.clone();
            handle.replace(Arc::new(VersionAttendant { version: version.clone(), attended }))?;
        }
        Ok(())
    }
}

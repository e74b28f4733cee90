//! Watches: every change once and in order, with bookmarks, until the timeout.
//!
//! A watch reads the table's history and has no queue of its own. When it is so slow that the
//! history does not reach back to its position any more, it ends with 410, as on a real server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fake_kube_apimachinery::status::{ApiError, Cause, ResourceName};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::include::IncludeObject;
use super::list;
use super::select::Selection;
use super::shape;
use super::table;
use crate::catalogue::Kind;
use crate::cluster::{Cluster, stopped};
use crate::faults::WatchState;
use crate::http::accept::Shape;
use crate::http::query::Query;
use crate::store::{Change, ChangeKind, Object};

/// The parameters of a watch request.
struct Wanted {
    kind: Arc<Kind>,
    selection: Selection,
    shape: Shape,
    include: IncludeObject,
    bookmarks: bool,
}

struct Watch {
    cluster: Arc<Cluster>,
    wanted: Wanted,
    /// The revision up to which all changes have been sent.
    cursor: u64,
    /// Set until the initial objects have been sent, when the watch starts with them.
    initial: Option<Initial>,
    changes: watch::Receiver<u64>,
    control: watch::Receiver<WatchState>,
    stop: watch::Receiver<bool>,
    end: Instant,
    bookmark_at: Instant,
    /// Whether column definitions have been sent, which only the first table has.
    columns_sent: bool,
    finished: bool,
}

struct Initial {
    /// Whether a bookmark marks the end of the initial objects.
    announce_end: bool,
}

/// The next step of a watch.
enum WatchStep {
    Send(Vec<u8>),
    End,
    Cut,
}

/// The longest watch; also the default when the client sets no timeout.
const LONGEST: Duration = Duration::from_secs(3600);
/// Bytes of changed objects after which a watch sends what it has, so that others get their turn.
const STEP_BYTES: usize = 256 << 10;
/// How long before its end a watch sends a last bookmark, so that the client can resume from there.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// Opens a watch. An error in the stream cuts the connection.
///
/// # Errors
/// 422 for parameters that do not go together, 504 for a revision that this server has not reached.
pub fn watch(
    cluster: &Arc<Cluster>,
    kind: Arc<Kind>,
    selection: Selection,
    query: &Query,
    shape: Shape,
    control: watch::Receiver<WatchState>,
) -> Result<BoxStream<'static, std::io::Result<Bytes>>, ApiError> {
    let bookmarks = query.flag("allowWatchBookmarks");
    let initial = initial_events(query, bookmarks)?;
    let from = query.number("resourceVersion")?.unwrap_or(0);
    if initial.as_ref().is_some_and(|initial| initial.announce_end) {
        list::require_reached(cluster, from)?;
    }
    let timeout =
        query.number("timeoutSeconds")?.filter(|seconds| *seconds > 0).map_or(LONGEST, Duration::from_secs);
    let Some(changes) = cluster.state.store.subscribe(&kind.table) else {
        return Err(ApiError::not_found(kind.resource_name(), ""));
    };
    let start = Instant::now();
    let interval = cluster.bookmark_interval;
    let last_bookmark = timeout.checked_sub(LAST_BOOKMARK).filter(|wait| !wait.is_zero());
    let wait = last_bookmark.map_or(interval, |last| last.min(interval));
    let state = Watch {
        cluster: cluster.clone(),
        cursor: from,
        initial,
        changes,
        control,
        stop: cluster.stop.clone(),
        end: start + timeout.min(LONGEST),
        bookmark_at: start + wait,
        columns_sent: false,
        finished: false,
        wanted: Wanted {
            kind,
            selection,
            shape,
            include: IncludeObject::read(query.get("includeObject")),
            bookmarks,
        },
    };
    Ok(stream::unfold(state, |mut watch| async move {
        match watch.step().await {
            WatchStep::Send(bytes) => Some((Ok(bytes.into()), watch)),
            WatchStep::End => None,
            WatchStep::Cut => {
                watch.finished = true;
                Some((Err(std::io::Error::other("the watch was cut by an injected fault")), watch))
            }
        }
    })
    .boxed())
}

/// Whether the watch starts with the objects that exist.
fn initial_events(query: &Query, bookmarks: bool) -> Result<Option<Initial>, ApiError> {
    let version = query.get("resourceVersion").unwrap_or_default();
    let refuse = |cause: Cause| {
        Err(ApiError::invalid(ResourceName { group: "meta.k8s.io", resource: "ListOptions" }, "", &[cause]))
    };
    match (query.flag_if_given("sendInitialEvents"), query.get("resourceVersionMatch")) {
        (Some(true), Some("NotOlderThan")) => Ok(Some(Initial { announce_end: bookmarks })),
        (Some(_), Some("NotOlderThan")) => Ok(None),
        (Some(_), _) => refuse(Cause::forbidden(
            "resourceVersionMatch",
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        )),
        (None, Some(_)) => refuse(Cause::forbidden(
            "resourceVersionMatch",
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        )),
        (None, None) => Ok(matches!(version, "" | "0").then_some(Initial { announce_end: false })),
    }
}

impl Watch {
    async fn step(&mut self) -> WatchStep {
        if self.finished {
            return WatchStep::End;
        }
        loop {
            let state = *self.control.borrow_and_update();
            match state {
                WatchState::Dropped => return WatchStep::Cut,
                WatchState::Ended => return WatchStep::End,
                WatchState::Frozen => {
                    tokio::select! {
                        _ = self.control.changed() => {}
                        () = stopped(&mut self.stop) => return WatchStep::End,
                    }
                    continue;
                }
                WatchState::Running => {}
            }
            if let Some(initial) = self.initial.take() {
                let bytes = self.initial_state(&initial);
                if !bytes.is_empty() {
                    return WatchStep::Send(bytes);
                }
            }
            self.changes.mark_unchanged();
            match self.cluster.state.store.changes_since(&self.wanted.kind.table, self.cursor) {
                None => return WatchStep::End,
                Some(Err(oldest)) => {
                    self.finished = true;
                    return WatchStep::Send(error_line(&list::too_old(self.cursor, oldest.0)));
                }
                Some(Ok((changes, revision))) => {
                    let (mut out, mut read) = (Vec::new(), 0);
                    for change in &changes {
                        self.send_change(change, &mut out);
                        read += change.object.body().len();
                        if read >= STEP_BYTES && !out.is_empty() {
                            self.cursor = change.object.revision;
                            return WatchStep::Send(out);
                        }
                    }
                    // A watch may start at a later revision than the current one: it waits for it.
                    self.cursor = self.cursor.max(revision);
                    if !out.is_empty() {
                        return WatchStep::Send(out);
                    }
                }
            }
            let bookmark_due = tokio::select! {
                changed = self.changes.changed() => match changed {
                    Ok(()) => false,
                    Err(_) => return WatchStep::End,
                },
                _ = self.control.changed() => false,
                () = stopped(&mut self.stop) => return WatchStep::End,
                () = sleep_until(self.end) => return WatchStep::End,
                () = sleep_until(self.bookmark_at) => true,
            };
            if bookmark_due {
                self.schedule_bookmark();
                if self.wanted.bookmarks {
                    return WatchStep::Send(self.bookmark(None));
                }
            }
        }
    }

    fn schedule_bookmark(&mut self) {
        let now = Instant::now();
        let next = now + self.cluster.bookmark_interval;
        let last = self.end.checked_sub(LAST_BOOKMARK).filter(|last| *last > now);
        self.bookmark_at = last.map_or(self.end + LONGEST, |last| last.min(next));
    }

    fn initial_state(&mut self, initial: &Initial) -> Vec<u8> {
        let snapshot = self
            .cluster
            .state
            .store
            .list(&self.wanted.kind.table, self.wanted.selection.namespace.as_deref());
        self.cursor = snapshot.revision;
        let mut out = Vec::new();
        for object in &snapshot.objects {
            if self.wanted.selection.matches(&self.wanted.kind, object) {
                self.event("ADDED", object, &mut out);
            }
        }
        if initial.announce_end {
            let line = self.bookmark(Some(json!({"k8s.io/initial-events-end": "true"})));
            out.extend_from_slice(&line);
        }
        out
    }

    /// Writes the event of a change. A changed object may enter or leave the selection of the
    /// watch.
    fn send_change(&mut self, change: &Change, out: &mut Vec<u8>) {
        let (kind, selection) = (&self.wanted.kind, &self.wanted.selection);
        let before = change.previous.as_ref().is_some_and(|previous| selection.matches(kind, previous));
        let after = change.kind != ChangeKind::Deleted && selection.matches(kind, &change.object);
        match (before, after) {
            (false, false) => {}
            (false, true) => self.event("ADDED", &change.object, out),
            (true, true) => self.event("MODIFIED", &change.object, out),
            (true, false) if change.kind == ChangeKind::Deleted => self.event("DELETED", &change.object, out),
            (true, false) => {
                // The event shows the object as it was last sent, with the revision of the change.
                if let Some(previous) = &change.previous {
                    self.event("DELETED", &previous.at_revision(change.object.revision), out);
                }
            }
        }
    }

    fn event(&mut self, type_: &str, object: &Object, out: &mut Vec<u8>) {
        out.extend_from_slice(format!(r#"{{"type":"{type_}","object":"#).as_bytes());
        let wanted = &self.wanted;
        match wanted.shape {
            Shape::Plain | Shape::Metadata => {
                out.extend_from_slice(&shape::object(&wanted.kind, object, wanted.shape, wanted.include));
            }
            Shape::Table => {
                let row = table::row(&wanted.kind, object, wanted.include, &crate::clock::now());
                let version = json!({"resourceVersion": object.revision.to_string()});
                out.extend_from_slice(self.table(&version, row).to_string().as_bytes());
            }
        }
        out.extend_from_slice(b"}\n");
    }

    fn table(&mut self, metadata: &Value, row: Value) -> Value {
        let columns = (!self.columns_sent).then(|| table::columns(&self.wanted.kind));
        self.columns_sent = true;
        table::table(metadata, columns, vec![row])
    }

    fn bookmark(&mut self, annotations: Option<Value>) -> Vec<u8> {
        let mut metadata = json!({"resourceVersion": self.cursor.to_string()});
        if let (Some(annotations), Some(map)) = (annotations, metadata.as_object_mut()) {
            map.insert("annotations".into(), annotations);
        }
        let kind = &self.wanted.kind;
        let object = match self.wanted.shape {
            Shape::Plain => {
                json!({"apiVersion": kind.api_version(), "kind": kind.kind, "metadata": metadata})
            }
            Shape::Metadata => {
                json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata})
            }
            Shape::Table => {
                let object =
                    json!({"apiVersion": kind.api_version(), "kind": kind.kind, "metadata": metadata});
                let row = table::row_of_value(kind, &object, self.wanted.include, &crate::clock::now());
                self.table(&metadata, row)
            }
        };
        format!("{}\n", json!({"type": "BOOKMARK", "object": object})).into_bytes()
    }
}

fn error_line(error: &ApiError) -> Vec<u8> {
    format!("{}\n", json!({"type": "ERROR", "object": error.to_status()})).into_bytes()
}

//! Requests about resources: dispatches them to the operations of `read` and `write`.

use std::sync::Arc;

use fake_kube_apimachinery::status::ApiError;
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::accept::{self, Shape};
use super::call::Call;
use super::decode::{self, Decoded};
use super::log_paths;
use super::query::{FieldValidation, Query};
use super::reply::Reply;
use crate::catalogue::Kind;
use crate::clock;
use crate::cluster::Cluster;
use crate::read::include::IncludeObject;
use crate::read::select::Selection;
use crate::read::{list, shape, watch};
use crate::store::Key;
use crate::write::delete::{self, DeleteOptions};
use crate::write::{Change, PatchType, TIME_LIMIT, Write, actions, create, scale, update};

/// Answers a request about a resource.
///
/// # Errors
/// The refusal that the client gets.
pub async fn answer(cluster: &Arc<Cluster>, call: Call) -> Result<Reply, ApiError> {
    let path = &call.path;
    let Some(kind) = cluster.state.catalogue().find(&path.group, &path.version, &path.resource) else {
        return Ok(Reply::page_not_found());
    };
    if path.namespace.is_some() && !kind.namespaced {
        return Ok(Reply::page_not_found());
    }
    if path.subresource.as_deref().is_some_and(|subresource| !kind.has_subresource(subresource)) {
        return Ok(Reply::page_not_found());
    }
    let Some(shape) = accept::shape(call.accept.as_deref()) else {
        return Err(not_acceptable());
    };
    let include = IncludeObject::read(call.query.get("includeObject"));
    let answer = Answer { cluster, kind, call: &call, shape, include };
    let has_namespace = !answer.kind.namespaced || call.path.namespace.is_some();
    match (&call.method, call.path.name.as_deref()) {
        (&Method::GET, Some(name)) if call.query.flag("watch") => answer.watch(Some(name)),
        (&Method::GET, None) if call.query.flag("watch") => answer.watch(None),
        (&Method::GET, Some(name)) if has_namespace => answer.get(name),
        (&Method::GET, None) => answer.list(),
        (&Method::POST, name) if has_namespace => answer.create(name).await,
        (&Method::PUT, Some(name)) if has_namespace => answer.change(name, Change::Replace).await,
        (&Method::PATCH, Some(name)) if has_namespace => {
            let force = call.query.flag("force");
            let custom = answer.kind.custom().is_some();
            let patch = PatchType::of(call.content_type.as_deref(), custom, force)?;
            answer.change(name, Change::Patch(patch)).await
        }
        (&Method::DELETE, Some(name)) if has_namespace && call.path.subresource.is_none() => {
            answer.delete(name).await
        }
        (&Method::DELETE, None) => answer.delete_collection().await,
        _ => Err(method_not_allowed()),
    }
}

fn not_acceptable() -> ApiError {
    ApiError {
        code: 406,
        reason: "NotAcceptable".into(),
        message: "only the following media types are accepted: application/json, application/json;as=Table;v=v1;g=meta.k8s.io, application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io".to_owned(),
        details: json!({}),
    }
}

/// The options of a write as reviews show them to webhooks.
fn reviewed_options(query: &Query) -> Map<String, Value> {
    let mut options = Map::new();
    for field in ["fieldManager", "fieldValidation"] {
        if let Some(given) = query.get(field) {
            options.insert(field.to_owned(), given.into());
        }
    }
    if query.get("dryRun").is_some() {
        options.insert("dryRun".into(), json!(["All"]));
    }
    options
}

fn method_not_allowed() -> ApiError {
    ApiError {
        code: 405,
        reason: "MethodNotAllowed".into(),
        message: "the server does not allow this method on the requested resource".to_owned(),
        details: json!({}),
    }
}

struct Answer<'a> {
    cluster: &'a Arc<Cluster>,
    kind: Arc<Kind>,
    call: &'a Call,
    shape: Shape,
    include: IncludeObject,
}

impl Answer<'_> {
    fn get(&self, name: &str) -> Result<Reply, ApiError> {
        self.require_verb("get")?;
        let key = Key::new(self.call.path.namespace.as_deref(), name);
        let missing = || ApiError::not_found(self.kind.resource_name(), name);
        let object = self.cluster.state.store.get(&self.kind.table, &key).ok_or_else(missing)?;
        match self.call.path.subresource.as_deref() {
            Some("scale") => {
                return Ok(Reply::json(StatusCode::OK, &scale::of(&self.kind, &self.kind.value(&object))?));
            }
            Some("log") => return log_paths::answer(self.cluster, &object.value(), &self.call.query),
            _ => {}
        }
        Ok(self.deprecated(Reply::bytes(
            StatusCode::OK,
            shape::object(&self.kind, &object, self.shape, self.include),
        )))
    }

    fn list(&self) -> Result<Reply, ApiError> {
        self.require_verb("list")?;
        let selection = Selection::read(&self.kind, self.call.path.namespace.clone(), &self.call.query)?;
        let (meta, objects) = list::list(self.cluster, &self.kind, &selection, &self.call.query)?;
        let body = shape::list(&self.kind, &meta, &objects, self.shape, self.include);
        Ok(self.deprecated(Reply::bytes(StatusCode::OK, body)))
    }

    fn watch(&self, name: Option<&str>) -> Result<Reply, ApiError> {
        self.require_verb("watch")?;
        let mut query = self.call.query.clone();
        if let Some(name) = name {
            query.add("fieldSelector", &format!("metadata.name={name}"));
        }
        let selection = Selection::read(&self.kind, self.call.path.namespace.clone(), &query)?;
        let control = self.cluster.faults.control_watch(self.call.summary.clone(), self.call.frozen);
        let stream = watch::watch(self.cluster, self.kind.clone(), selection, &query, self.shape, control)?;
        Ok(self.deprecated(Reply::stream(stream)))
    }

    async fn create(&self, name: Option<&str>) -> Result<Reply, ApiError> {
        let body = self.body(&self.kind.kind)?;
        let mut write = self.write("CreateOptions", false)?;
        let result = match (name, self.call.path.subresource.as_deref()) {
            (None, _) => {
                self.require_verb("create")?;
                match actions::review(self.cluster, &mut write, &body).await {
                    Ok(Some(answer)) => Ok(answer),
                    Ok(None) => create::create(self.cluster, &mut write, body).await,
                    Err(error) => Err(error),
                }
                .map(|object| (StatusCode::CREATED, object))
            }
            (Some(name), Some("binding")) => actions::bind(self.cluster, &mut write, name, body).await,
            (Some(name), Some("eviction")) => actions::evict(self.cluster, &mut write, name, body).await,
            (Some(_), _) => return Err(method_not_allowed()),
        };
        Ok(self.written(result, write.warnings))
    }

    async fn change(&self, name: &str, change: Change) -> Result<Reply, ApiError> {
        let patch = matches!(change, Change::Patch(_));
        self.require_verb(if patch { "patch" } else { "update" })?;
        let apply = matches!(change, Change::Patch(PatchType::Apply { .. }));
        let content_type = match change {
            Change::Patch(PatchType::Apply { .. }) => Some("application/apply-patch+yaml"),
            Change::Patch(_) => Some("application/json"),
            Change::Replace => self.call.content_type.as_deref(),
        };
        let body = decode::decode(&self.call.body, content_type, &self.kind.kind)?;
        let mut write = self.write(if patch { "PatchOptions" } else { "UpdateOptions" }, apply)?;
        let result = update::update(self.cluster, &mut write, name, change, body).await;
        Ok(self.written(result, write.warnings))
    }

    async fn delete(&self, name: &str) -> Result<Reply, ApiError> {
        self.require_verb("delete")?;
        let options = self.delete_options()?;
        let mut write = self.write("DeleteOptions", false)?;
        let result = delete::delete(self.cluster, &mut write, name, &options).await;
        Ok(self.written(result, write.warnings))
    }

    async fn delete_collection(&self) -> Result<Reply, ApiError> {
        self.require_verb("deletecollection")?;
        let options = self.delete_options()?;
        let mut write = self.write("DeleteOptions", false)?;
        let selection = Selection::read(&self.kind, self.call.path.namespace.clone(), &self.call.query)?;
        let (meta, objects) = list::list(self.cluster, &self.kind, &selection, &self.call.query)?;
        let result = delete::delete_collection(self.cluster, &mut write, &objects, &options).await;
        let reply = match result {
            Ok(()) => {
                let body = shape::list(&self.kind, &meta, &objects, self.shape, self.include);
                Reply::bytes(StatusCode::OK, body)
            }
            Err(error) => Reply::error(&error),
        };
        Ok(reply.with_warnings(write.warnings))
    }

    fn require_verb(&self, verb: &str) -> Result<(), ApiError> {
        let allowed = match self.call.path.subresource.as_deref() {
            None => self.kind.verbs.iter().any(|known| known == verb),
            Some(name) => self.kind.subresources.iter().any(|subresource| {
                subresource.name == name && subresource.verbs.iter().any(|known| known == verb)
            }),
        };
        if allowed { Ok(()) } else { Err(method_not_allowed()) }
    }

    fn body(&self, kind: &str) -> Result<Decoded, ApiError> {
        decode::decode(&self.call.body, self.call.content_type.as_deref(), kind)
    }

    fn delete_options(&self) -> Result<DeleteOptions, ApiError> {
        let body = if self.call.body.is_empty() { None } else { Some(self.body("DeleteOptions")?) };
        DeleteOptions::read(body, &self.call.query)
    }

    fn write(&self, options: &'static str, apply: bool) -> Result<Write, ApiError> {
        let query = &self.call.query;
        // Apply must name its manager. Other writes take the first word of the user agent by
        // default.
        let manager = match query.get("fieldManager") {
            Some(manager) => manager.to_owned(),
            None if apply => String::new(),
            None => self
                .call
                .user_agent
                .split('/')
                .next()
                .filter(|name| !name.is_empty())
                .unwrap_or("unknown")
                .to_owned(),
        };
        Ok(Write {
            kind: self.kind.clone(),
            namespace: self.call.path.namespace.clone(),
            subresource: self.call.path.subresource.clone(),
            manager,
            dry_run: query.dry_run(options)?,
            options: reviewed_options(query),
            deadline: Instant::now() + TIME_LIMIT,
            exempt: false,
            validation: if options == "DeleteOptions" {
                FieldValidation::Ignore
            } else {
                query.field_validation(options)?
            },
            now: clock::now(),
            warnings: Vec::new(),
        })
    }

    /// The answer to a write, with its warnings, which refusals carry too.
    fn written(&self, result: Result<(StatusCode, Value), ApiError>, warnings: Vec<String>) -> Reply {
        let (status, object) = match &result {
            Ok((status, object)) => (*status, object),
            Err(error) => return Reply::error(error).with_warnings(warnings),
        };
        let subresource_body =
            matches!(self.call.path.subresource.as_deref(), Some("scale" | "binding" | "eviction"));
        let shape = if subresource_body { Shape::Plain } else { self.shape };
        Reply::bytes(status, shape::value(&self.kind, object, shape, self.include)).with_warnings(warnings)
    }

    fn deprecated(&self, reply: Reply) -> Reply {
        match self.kind.custom().and_then(|custom| custom.deprecation.clone()) {
            Some(warning) => reply.with_warnings(vec![warning]),
            None => reply,
        }
    }
}

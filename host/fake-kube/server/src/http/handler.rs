//! One request from its head to its answer, with faults and the request log around it.

use std::sync::Arc;

use bytes::Bytes;
use fake_kube_apimachinery::status::ApiError;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use http::request::Parts;
use http::{HeaderName, Method, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::document_paths::{self, Asked};
use super::path::ResourcePath;
use super::query::Query;
use super::reply::{Body, Reply};
use super::resource_paths;
use crate::cluster::Cluster;
use crate::faults::Fault;
use crate::requests::Request;

/// The API server's limit for request bodies.
const LARGEST_BODY: usize = 3 * 1024 * 1024;

/// The connection is to be cut instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer was lost, as an injected fault wants it")]
pub struct LostResponse;

/// A request whose body has been read.
pub struct Call {
    /// The method.
    pub method: Method,
    /// The resource that the path names.
    pub path: ResourcePath,
    /// The query.
    pub query: Query,
    /// The body.
    pub body: Bytes,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Accept`.
    pub accept: Option<String>,
    /// `User-Agent`.
    pub user_agent: String,
    /// The fault that a watch starts with.
    pub frozen: bool,
    /// How the request log and faults name it.
    pub summary: Request,
}

/// Answers a request.
pub async fn handle(
    cluster: Arc<Cluster>,
    request: http::Request<Incoming>,
) -> Result<Response<Body>, LostResponse> {
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let pretty = wants_pretty(&query, header(&parts, &USER_AGENT).unwrap_or_default());
    let reply = match refuse_foreign_host(&parts) {
        Some(reply) => reply,
        None => answer(&cluster, &parts, query, body).await?,
    };
    let reply = if pretty { reply.pretty() } else { reply };
    Ok(reply.into_response())
}

fn header<'a>(parts: &'a Parts, name: &HeaderName) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

fn wants_pretty(query: &Query, user_agent: &str) -> bool {
    let person = ["curl", "Wget", "Mozilla/5.0"].iter().any(|tool| user_agent.starts_with(tool));
    query.flag_if_given("pretty").unwrap_or(person)
}

/// A page in a browser could reach this server through a name that resolves to loopback; such a
/// request carries that name in `Host`.
fn refuse_foreign_host(parts: &Parts) -> Option<Reply> {
    let host = header(parts, &HOST).or_else(|| parts.uri.authority().map(|authority| authority.as_str()))?;
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    if matches!(name, "localhost" | "::1" | "127.0.0.1") {
        return None;
    }
    let message = format!(
        "this API server answers only on loopback, but the request was for host {host:?}: use the server address of the kubeconfig"
    );
    Some(Reply::error(&ApiError { code: 403, reason: "Forbidden".into(), message, details: Value::Null }))
}

async fn answer(
    cluster: &Arc<Cluster>,
    parts: &Parts,
    query: Query,
    body: Incoming,
) -> Result<Reply, LostResponse> {
    let asked = Asked {
        path: parts.uri.path(),
        accept: header(parts, &ACCEPT),
        host: header(parts, &HOST).unwrap_or_default(),
    };
    if parts.method == Method::GET
        && let Some(reply) = document_paths::answer(cluster, &asked)
    {
        return Ok(reply);
    }
    let Some(path) = ResourcePath::parse(parts.uri.path()) else { return Ok(Reply::page_not_found()) };
    let summary = summarise(parts, &path, &query);
    let fault = cluster.faults.meet(&summary);
    match &fault {
        Some(Fault::Answer { code, retry_after }) => {
            let reply = injected_error(*code, *retry_after, &summary);
            cluster.requests.record(&summary, *code);
            return Ok(reply);
        }
        Some(Fault::Delay(time)) => tokio::time::sleep(*time).await,
        Some(Fault::LoseResponse | Fault::FreezeWatch) | None => {}
    }
    let reply = match read_body(body).await {
        Err(error) => Reply::error(&error),
        Ok(body) => {
            let call = Call {
                method: parts.method.clone(),
                path,
                query,
                body,
                content_type: header(parts, &CONTENT_TYPE).map(str::to_owned),
                accept: header(parts, &ACCEPT).map(str::to_owned),
                user_agent: summary.user_agent.clone(),
                frozen: fault == Some(Fault::FreezeWatch),
                summary: summary.clone(),
            };
            resource_paths::answer(cluster, call).await.unwrap_or_else(|error| Reply::error(&error))
        }
    };
    cluster.requests.record(&summary, reply.status.as_u16());
    if fault == Some(Fault::LoseResponse) { Err(LostResponse) } else { Ok(reply) }
}

async fn read_body(body: Incoming) -> Result<Bytes, ApiError> {
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError {
            code: 413,
            reason: "RequestEntityTooLarge".into(),
            message: format!("Request entity too large: limit is {LARGEST_BODY}"),
            details: Value::Null,
        }),
        Err(error) => Err(ApiError::bad_request(format!("the request body could not be read: {error}"))),
    }
}

fn summarise(parts: &Parts, path: &ResourcePath, query: &Query) -> Request {
    let named = path.name.is_some();
    let verb = match parts.method {
        Method::GET if query.flag("watch") => "watch",
        Method::GET if named => "get",
        Method::GET => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if named => "delete",
        Method::DELETE => "deletecollection",
        _ => "other",
    };
    Request {
        verb: verb.to_owned(),
        group: path.group.clone(),
        resource: path.resource.clone(),
        subresource: path.subresource.clone(),
        namespace: path.namespace.clone(),
        name: path.name.clone(),
        field_selector: query.get("fieldSelector").map(str::to_owned),
        user_agent: header(parts, &USER_AGENT).unwrap_or_default().to_owned(),
        continues: query.get("continue").is_some(),
        dry_run: query.get("dryRun").is_some(),
    }
}

fn injected_error(code: u16, retry_after: Option<u32>, request: &Request) -> Reply {
    let reason = match code {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "InternalError",
    };
    let mut details = json!({"kind": request.resource});
    if let Some(map) = details.as_object_mut() {
        if !request.group.is_empty() {
            map.insert("group".into(), request.group.clone().into());
        }
        if let Some(name) = &request.name {
            map.insert("name".into(), name.clone().into());
        }
        if let Some(seconds) = retry_after {
            map.insert("retryAfterSeconds".into(), seconds.into());
        }
    }
    let message = format!("an injected fault answers {} {} with {code}", request.verb, request.resource);
    let mut reply = Reply::error(&ApiError { code, reason: reason.into(), message, details });
    reply.retry_after = retry_after;
    reply.status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply
}

//! Handles one request: access, documents, injected faults, the request log, resources.

use std::sync::Arc;

use bytes::Bytes;
use fake_kube_apimachinery::status::ApiError;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use http::request::Parts;
use http::{HeaderName, Method, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::access;
use super::call::Call;
use super::document_paths::{self, Asked};
use super::path::ResourcePath;
use super::query::Query;
use super::reply::{Body, Reply};
use super::{large, resource_paths};
use crate::cluster::Cluster;
use crate::faults::Fault;
use crate::requests::Request;

/// The API server's limit for request bodies, in bytes (`MaxRequestBodyBytes`).
const LARGEST_BODY: usize = 3 * 1024 * 1024;

/// Cuts the connection instead of answering.
#[derive(Debug, thiserror::Error)]
#[error("an injected fault cuts the connection instead of answering")]
pub struct LostResponse;

/// Answers a request.
///
/// # Errors
/// When an injected fault loses the answer. The connection is cut then.
pub async fn handle(
    cluster: Arc<Cluster>,
    request: http::Request<Incoming>,
) -> Result<Response<Body>, LostResponse> {
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let pretty = wants_pretty(&query, header(&parts, &USER_AGENT).unwrap_or_default());
    let reply = match access::check(&parts, cluster.token.as_ref()) {
        Err(refused) => Reply::error(&refused),
        Ok(()) => answer(&cluster, &parts, query, body).await?,
    };
    let reply = if pretty { reply.pretty() } else { reply };
    Ok(reply.into_response())
}

fn header<'a>(parts: &'a Parts, name: &HeaderName) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether the answer is indented: when the query asks for it, and for clients that people read
/// from.
fn wants_pretty(query: &Query, user_agent: &str) -> bool {
    let person = ["curl", "Wget", "Mozilla/5.0"].iter().any(|tool| user_agent.starts_with(tool));
    query.flag_if_given("pretty").unwrap_or(person)
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
    let fault = cluster.faults.take(&summary);
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
            let answered = if large::is_large(&cluster.state, &call) {
                let (turns, cluster) = (&cluster.turns, cluster.clone());
                turns.run(async move { resource_paths::answer(&cluster, call).await }).await
            } else {
                resource_paths::answer(cluster, call).await
            };
            answered.unwrap_or_else(|error| Reply::error(&error))
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
        timeout_seconds: query.number("timeoutSeconds").ok().flatten(),
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

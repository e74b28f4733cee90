//! An API server that answers from texts which it made at its start.

use super::{MANAGER, Templates, filled};
use bytes::Bytes;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use kube::client::Body;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

const PRIMARIES: &str = "orascaches";

/// The beginning of the metadata of every object.
const METADATA: &str = r#""metadata":{"#;

type Answer = UnsyncBoxBody<Bytes, Infallible>;

/// Clones share one state.
#[derive(Clone)]
pub struct Api(Arc<Mutex<State>>);

struct State {
    primaries: Vec<String>,
    /// By the plural of a kind: metadata that the answer to a creation adds.
    added: HashMap<&'static str, String>,
    watches: HashMap<String, UnboundedSender<Bytes>>,
    revision: u64,
    writes: usize,
}

/// The UID of a cache.
pub fn uid_of(name: &str) -> String {
    format!("11111111-2222-3333-4444-{name:0>12}")
}

/// The name in the metadata of an object.
pub fn name_in(text: &str) -> &str {
    let (_, after) = text.split_once(r#""name":""#).expect("a name");
    after.split_once('"').expect("its end").0
}

impl Api {
    pub fn new(caches: usize, templates: &Templates) -> Self {
        let primary = r#"{"apiVersion":"cache.converged-computing.github.io/v1alpha1","kind":"OrasCache","metadata":{"name":"NAME","namespace":"lab","uid":"UID","resourceVersion":"1","generation":1,"creationTimestamp":"2026-11-24T12:00:00Z"},"spec":{"image":"ghcr.io/oras-project/registry:latest","deploy":true,"replicas":1}}"#;
        let primaries = (0..caches).map(|number| filled(primary, &number.to_string())).collect();
        let plurals = ["networkpolicies", "services", "statefulsets"];
        let added = plurals.into_iter().zip(templates.children.iter().map(|child| added(child))).collect();
        let watches = HashMap::new();
        Api(Arc::new(Mutex::new(State { primaries, added, watches, revision: 1, writes: 0 })))
    }

    pub fn writes(&self) -> usize {
        self.0.lock().expect("no panic").writes
    }
}

/// Metadata that an API server adds to a new object.
fn added(child: &str) -> String {
    let child: Value = serde_json::from_str(child).expect("JSON");
    let entry = json!([{
        "manager": MANAGER, "operation": "Update", "apiVersion": child["apiVersion"],
        "time": "2026-11-24T12:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields(&child),
    }]);
    let rest = r#""uid":"UUID","resourceVersion":"REVISION","generation":1,"creationTimestamp":"2026-11-24T12:00:00Z""#;
    format!(r#"{rest},"managedFields":{entry},"#)
}

/// The fields of a value, about as an API server writes them.
fn fields(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (format!("f:{name}"), fields(value))).collect()
        }
        Value::Array(items) if items.iter().all(|item| item.get("name").is_some()) => {
            let key = |item: &Value| format!("k:{}", json!({"name": item["name"]}));
            items.iter().map(|item| (key(item), fields(item))).collect()
        }
        _ => Value::Object(Map::new()),
    }
}

impl State {
    fn answer(&mut self, method: &Method, path: &str, query: &str, body: &str) -> Answer {
        let mut segments = path.trim_start_matches('/').split('/').skip_while(|one| *one != "namespaces");
        let plural = match segments.nth(2) {
            Some(plural) => plural.to_owned(),
            None => path.rsplit('/').next().unwrap_or_default().to_owned(),
        };
        let name = segments.next();
        if path == "/version" {
            return version();
        }
        if method == Method::GET {
            return if query.contains("watch=true") { self.watch(plural) } else { self.list(&plural) };
        }
        self.writes += 1;
        self.revision += 1;
        let revision = self.revision.to_string();
        match (method, name) {
            (&Method::POST, _) if plural == "events" => whole(body.to_owned()),
            (&Method::POST, _) => {
                let uid = format!("22222222-3333-4444-5555-{revision:0>12}");
                let added = self.added[&*plural].replace("REVISION", &revision).replace("UUID", &uid);
                self.written(&plural, "ADDED", body.replacen(METADATA, &format!("{METADATA}{added}"), 1))
            }
            (&Method::PATCH, Some(name)) if plural == PRIMARIES => {
                let number: usize = name.parse().expect("a number");
                let (_, status) = body.split_once(r#""status":"#).expect("a status");
                let status = status.strip_suffix('}').expect("the end of the object");
                let primary = self.primaries[number].strip_suffix('}').expect("the end of the object");
                let primary = format!(r#"{primary},"status":{status}}}"#);
                let revision = format!(r#""resourceVersion":"{revision}""#);
                self.written(&plural, "MODIFIED", primary.replacen(r#""resourceVersion":"1""#, &revision, 1))
            }
            (method, name) => panic!("{method} {path} {name:?}"),
        }
    }

    /// The answer to a write, which the watch reports too.
    fn written(&self, plural: &str, type_: &str, object: String) -> Answer {
        if let Some(watch) = self.watches.get(plural) {
            let line = format!("{{\"type\":\"{type_}\",\"object\":{object}}}\n");
            watch.unbounded_send(line.into()).expect("a watch");
        }
        whole(object)
    }

    fn list(&self, plural: &str) -> Answer {
        let items = if plural == PRIMARIES { self.primaries.join(",") } else { String::new() };
        let list = format!(
            r#"{{"apiVersion":"v1","kind":"List","metadata":{{"resourceVersion":"1"}},"items":[{items}]}}"#
        );
        whole(list)
    }

    fn watch(&mut self, plural: String) -> Answer {
        let (sender, lines): (_, UnboundedReceiver<Bytes>) = unbounded();
        self.watches.insert(plural, sender);
        let frames = lines.map(|line| Ok::<_, Infallible>(Frame::data(line)));
        StreamBody::new(frames).boxed_unsync()
    }
}

fn whole(text: String) -> Answer {
    Full::from(text).boxed_unsync()
}

/// A server before lists were sent through watches.
fn version() -> Answer {
    let version = json!({
        "major": "1", "minor": "33", "gitVersion": "v1.33.0", "gitCommit": "", "gitTreeState": "",
        "buildDate": "", "goVersion": "", "compiler": "", "platform": "",
    });
    whole(version.to_string())
}

impl tower_service::Service<Request<Body>> for Api {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Answer>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let api = self.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            let text = std::str::from_utf8(&body).expect("text");
            let mut state = api.0.lock().expect("no panic");
            let query = parts.uri.query().unwrap_or_default();
            Ok(Response::new(state.answer(&parts.method, parts.uri.path(), query, text)))
        }
        .boxed()
    }
}

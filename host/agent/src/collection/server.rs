//! Serves requests for collections.

use super::collections::{Answer, Collections};
use super::protocol::{CHALLENGE, PATH, SCHEME};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Most connections at a time. Others wait until one is closed.
const CONNECTIONS: usize = 16;
/// Longest time of a connection.
const LONGEST: Duration = Duration::from_secs(10);

/// Listens at an address. Where all addresses are meant and there is no IPv6, those of IPv4 are.
///
/// # Errors
/// A sentence, when that is not possible.
pub fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    let fallback = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
    let bound = match TcpListener::bind(address) {
        Err(error) if address.ip().is_unspecified() && error.kind() != ErrorKind::AddrInUse => {
            TcpListener::bind(fallback)
        }
        other => other,
    };
    let listener = bound.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    listener.map_err(|error| format!("requests for collections cannot be taken at {address}: {error}"))
}

/// Serves, until the process ends. `begin` begins a collection.
///
/// # Errors
/// A sentence, when the system gives no more threads or files.
pub fn serve(
    listener: TcpListener,
    collections: Arc<Collections>,
    begin: impl Fn() + Clone + Send + Sync + 'static,
) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("requests for collections cannot be taken: {error}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let listener = {
        let _entered = runtime.enter();
        tokio::net::TcpListener::from_std(listener).map_err(failed)?
    };
    let serving = move || runtime.block_on(accept(&listener, &collections, begin));
    std::thread::Builder::new().name("collections".to_owned()).spawn(serving).map(drop).map_err(failed)
}

async fn accept(
    listener: &tokio::net::TcpListener,
    collections: &Arc<Collections>,
    begin: impl Fn() + Clone + Send + Sync + 'static,
) {
    let open = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(permit) = open.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // There may be too many open files, of which some will be closed.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (collections, begin) = (collections.clone(), begin.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = respond(&collections, &request, &begin);
                async move { Ok::<_, Infallible>(response) }
            });
            let serving =
                http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service);
            // The client notices an error of its connection itself.
            let _ = tokio::time::timeout(LONGEST, serving).await;
            drop(permit);
        });
    }
}

fn respond(
    collections: &Collections,
    request: &Request<Incoming>,
    begin: &impl Fn(),
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    if request.uri().path() != PATH {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    if !matches!(*request.method(), Method::GET | Method::POST) {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        return response;
    }
    let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let signature = authorization.and_then(|value| value.strip_prefix(SCHEME));
    let answer = collections.answer(request.method(), signature, Instant::now());
    if answer.begins {
        begin();
    }
    write(answer, &mut response);
    response
}

fn write(answer: Answer, response: &mut Response<Full<Bytes>>) {
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    if let Ok(challenge) = HeaderValue::from_str(&answer.challenge) {
        headers.insert(CHALLENGE, challenge);
    }
    if answer.status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(SCHEME.trim_ascii_end()));
    }
    if let Some(after) = answer.after {
        headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs() + 1));
    }
    if let Some(text) = answer.state.and_then(|state| serde_json::to_vec(&state).ok()) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *response.body_mut() = Full::new(Bytes::from(text));
    }
}

//! One HTTP request and its answer, without authorization.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HOST, HeaderValue, PROXY_AUTHORIZATION,
    TRANSFER_ENCODING, USER_AGENT,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use url::Url;

use crate::connect::{Connector, SocketConnector};
use crate::endpoint::Endpoint;
use crate::error::{self, Error};
use crate::forward_proxy::{self, Way};
use crate::network::Network;

/// The body of a request.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// An empty body.
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body that is in memory.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Idle connections are closed before common load balancers close them.
const IDLE: Duration = Duration::from_secs(20);
/// Name and version of this program. Some firewalls refuse requests without it.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("orascache/", env!("CARGO_PKG_VERSION")));

/// What hyper-util says when a forward proxy answers CONNECT with 407. The type of the error is not
/// public.
const PROXY_WANTS_PASSWORD: &str = "proxy authorization required";

type Plain = Pool<Connector, Body>;
type Encrypted = Pool<HttpsConnector<Connector>, Body>;

/// The encrypted connections, with the configuration that they were made with.
type Pooled = (Arc<ClientConfig>, Encrypted);

enum Connections {
    /// The certificates of authorities are read for the first encrypted connection only, since
    /// reading them takes longer than a small transfer.
    Tcp(Connector, Box<Plain>, Mutex<Option<Box<Pooled>>>),
    Socket(Box<Pool<SocketConnector, Body>>),
}

fn pool() -> hyper_util::client::legacy::Builder {
    let mut builder = Pool::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
    builder
}

/// The connections to one registry.
pub(crate) struct Transport {
    endpoint: Endpoint,
    connections: Connections,
}

impl Transport {
    pub(crate) fn new(endpoint: Endpoint, network: Network) -> Self {
        let connections = match endpoint.socket().map(PathBuf::from) {
            Some(path) => Connections::Socket(Box::new(pool().build(SocketConnector(Arc::new(path))))),
            None => {
                let connector = Connector::new(network);
                let plain = Box::new(pool().build(connector.clone()));
                Connections::Tcp(connector, plain, Mutex::default())
            }
        };
        Transport { endpoint, connections }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a request. The headers that delimit its body are written here and nowhere else, so
    /// that a header that was passed on from somebody else cannot contradict the body.
    pub(crate) async fn send(
        &self,
        method: &Method,
        url: &Url,
        mut headers: HeaderMap,
        body: Body,
    ) -> Result<Response<Incoming>, Error> {
        frame(&mut headers, method, body.size_hint().exact())
            .map_err(|why| Error::protocol(url.path(), why))?;
        headers.insert(USER_AGENT, AGENT);
        let mut request = Request::new(body);
        *request.method_mut() = method.clone();
        let uri: Uri = url
            .as_str()
            .parse()
            .map_err(|_| Error::protocol(url.path(), "the address cannot be requested"))?;
        headers.remove(PROXY_AUTHORIZATION);
        // In a tunnel, the proxy sees no requests: there it gets the header when it is connected.
        if url.scheme() == "http"
            && let Some(Way::Through(proxy)) = self.way(&uri)
            && let Some(authorization) = proxy.basic_auth()
        {
            headers.insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let connection = capture_connection(&mut request);
        let sent = match &self.connections {
            Connections::Tcp(connector, _, encrypted) if url.scheme() == "https" => {
                let pool = current(connector, encrypted);
                pool.request(request).await
            }
            Connections::Tcp(_, plain, _) => plain.request(request).await,
            Connections::Socket(pool) => pool.request(request).await,
        };
        let response = sent.map_err(|error| self.unreachable(url, &error))?;
        if is_protocol_error(response.status()) {
            close_afterwards(&connection);
        }
        Ok(response)
    }

    /// The error of a connection. An error about a certificate is lasting: waiting does not help.
    pub(crate) fn unreachable(&self, url: &Url, error: &(dyn std::error::Error + 'static)) -> Error {
        let endpoint = self.tried(url);
        let why = error::causes(error);
        let is_lasting = error::find::<rustls::Error>(error).is_some_and(|error| {
            !matches!(
                error,
                rustls::Error::General(_) | rustls::Error::DecryptError | rustls::Error::AlertReceived(_)
            )
        });
        let is_parse = error::find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse);
        let is_setting = error::find::<io::Error>(error).is_some_and(|error| {
            // This error comes from a proxy variable with an unusable value, or from a host without
            // a public address where it must have one.
            error.kind() == io::ErrorKind::InvalidInput
        });
        let is_lasting = is_lasting || is_setting || why.contains(PROXY_WANTS_PASSWORD);
        if is_lasting || is_parse {
            Error::Untrusted { endpoint, why }
        } else {
            Error::Unreachable { endpoint, why }
        }
    }

    /// The address that was tried, for messages: where it is not the registry's own, both are
    /// named. So is a proxy on the way.
    pub(crate) fn tried(&self, url: &Url) -> String {
        let registry = &self.endpoint;
        let uri = url.as_str().parse::<Uri>().ok();
        let through = match (registry.socket(), uri.as_ref().and_then(|uri| self.way(uri))) {
            (Some(socket), _) => format!(" (through {})", socket.display()),
            (None, Some(Way::Through(proxy))) => {
                format!(" (through the proxy {})", forward_proxy::address(proxy))
            }
            _ => String::new(),
        };
        if registry.socket().is_some() || registry.is_own(url) {
            return format!("{registry}{through}");
        }
        let address = url.origin().ascii_serialization();
        format!("{address}{through}, which {registry} sends this request to,")
    }

    /// The way to an address. None where a Unix socket is the only way.
    fn way(&self, to: &Uri) -> Option<Way<'_>> {
        match &self.connections {
            Connections::Tcp(connector, ..) => Some(connector.network().proxies().way(to)),
            Connections::Socket(_) => None,
        }
    }
}

/// The encrypted connections by the authorities that are trusted now. Those by others end with the
/// requests that use them.
fn current(connector: &Connector, pooled: &Mutex<Option<Box<Pooled>>>) -> Encrypted {
    let config = connector.tls();
    let mut pooled = pooled.lock().unwrap_or_else(PoisonError::into_inner);
    match pooled.as_deref() {
        Some((made_with, connections)) if Arc::ptr_eq(made_with, &config) => connections.clone(),
        _ => {
            let connections: Encrypted = pool().build(connector.encrypted(&config));
            *pooled = Some(Box::new((config, connections.clone())));
            connections
        }
    }
}

/// Writes the headers that delimit a body (RFC 9112, 6). Without a body there is no description of
/// one either; a length of 0 is sent with the methods for which servers expect a length.
fn frame(headers: &mut HeaderMap, method: &Method, length: Option<u64>) -> Result<(), &'static str> {
    for name in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    match length {
        None => Err("a body of unknown length cannot be sent"),
        Some(0) => {
            headers.remove(CONTENT_TYPE);
            headers.remove(CONTENT_RANGE);
            if matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            Ok(())
        }
        Some(length) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            Ok(())
        }
    }
}

/// Whether a status says that the server did not understand where the request begins or ends, or
/// gave up reading it. Then the two sides may disagree about what comes next on the connection.
fn is_protocol_error(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 408 | 411 | 413 | 414 | 417 | 431 | 501 | 505)
}

/// Keeps a connection from being used for another request.
fn close_afterwards(connection: &CaptureConnection) {
    if let Some(connected) = connection.connection_metadata().as_ref() {
        connected.poison();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(method: &Method, length: Option<u64>) -> Vec<String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("57"));
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        headers.insert(CONTENT_RANGE, HeaderValue::from_static("0-56"));
        headers.insert(HOST, HeaderValue::from_static("elsewhere"));
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
        if let Err(why) = frame(&mut headers, method, length) {
            return vec![why.to_owned()];
        }
        let line = |(name, value): (_, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        headers.iter().map(line).collect()
    }

    #[test]
    fn the_length_of_a_body_is_never_taken_from_a_header() {
        for method in [Method::GET, Method::HEAD, Method::DELETE] {
            assert_eq!(framed(&method, Some(0)), [""; 0], "{method}");
        }
        for method in [Method::POST, Method::PUT, Method::PATCH] {
            assert_eq!(framed(&method, Some(0)), ["content-length: 0"], "{method}");
        }
        let mut with_body = framed(&Method::PUT, Some(3));
        with_body.sort();
        assert_eq!(with_body, ["content-length: 3", "content-range: 0-56", "content-type: text/plain"]);
        assert_eq!(framed(&Method::PUT, None), ["a body of unknown length cannot be sent"]);
    }
}

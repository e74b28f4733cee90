//! Connections as hyper serves them: HTTP/1 and HTTP/2 behind one trait.

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::rt::bounds::Http2ServerConnExec;
use hyper::server::conn::{http1, http2};
use hyper::service::HttpService;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::pin::Pin;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A connection as hyper serves it.
pub(super) trait Connection: Future<Output = hyper::Result<()>> {
    /// Lets running requests finish, and takes no new ones.
    fn graceful_shutdown(self: Pin<&mut Self>);
}

type Io = TokioIo<TlsStream<BufReader<TcpStream>>>;

impl<S> Connection for http1::Connection<Io, S>
where
    S: HttpService<Incoming, ResBody = Full<Bytes>, Error = Infallible>,
{
    fn graceful_shutdown(self: Pin<&mut Self>) {
        http1::Connection::graceful_shutdown(self);
    }
}

/// `E` is the executor of the connection's requests.
impl<S, E> Connection for http2::Connection<Io, S, E>
where
    S: HttpService<Incoming, ResBody = Full<Bytes>, Error = Infallible>,
    E: Http2ServerConnExec<S::Future, Full<Bytes>>,
{
    fn graceful_shutdown(self: Pin<&mut Self>) {
        http2::Connection::graceful_shutdown(self);
    }
}

//! Connections: TCP with or without TLS and with or without a forward proxy, or a Unix socket.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpStream, UnixStream};
use tower_service::Service;

use crate::forward_proxy::Way;
use crate::network::Network;
use crate::public_address;
use crate::resolver::SearchingResolver;

/// Longest time that making a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

type PendingIo<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Pending<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// The configuration of TLS. The certificates of authorities are read when they are needed first,
/// since reading them takes longer than a small transfer.
struct Tls {
    network: Network,
    made: Mutex<Option<Made>>,
}

/// A configuration, with what the followed files held when it was made.
struct Made {
    followed: Vec<Vec<CertificateDer<'static>>>,
    config: Arc<ClientConfig>,
}

impl Tls {
    /// Trusts the authorities that browsers trust, those of the system (`SSL_CERT_FILE` names
    /// another file), and those of the network. Images of workflows often have no certificates of
    /// their own, so that the system's alone would not do. The configuration is another one when a
    /// followed file has changed.
    fn config(&self) -> Arc<ClientConfig> {
        let found = self.network.followed();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let before = made.as_ref().map(|made| made.followed.as_slice()).unwrap_or_default();
        let kept = |(at, found): (usize, Option<_>)| found.or_else(|| before.get(at).cloned());
        let followed: Vec<_> =
            found.into_iter().enumerate().map(|file| kept(file).unwrap_or_default()).collect();
        if let Some(made) = made.as_ref().filter(|made| made.followed == followed) {
            return Arc::clone(&made.config);
        }
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots.add_parsable_certificates(self.network.authorities().to_vec());
        roots.add_parsable_certificates(followed.concat());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)
            .unwrap_or_else(|_| ClientConfig::builder());
        let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
        *made = Some(Made { followed, config: Arc::clone(&config) });
        config
    }
}

/// Connects to hosts by TCP, directly or through a forward proxy. TLS of the destination is not
/// its task. Clones share everything.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector<SearchingResolver>,
    /// The same, to public addresses alone.
    public: HttpConnector<SearchingResolver>,
    tls: Arc<Tls>,
}

impl Connector {
    pub(crate) fn new(network: Network) -> Self {
        let [tcp, public] = [false, true].map(|public_only| {
            let mut tcp = HttpConnector::new_with_resolver(SearchingResolver { public_only });
            tcp.enforce_http(false);
            tcp.set_nodelay(true);
            tcp.set_connect_timeout(Some(CONNECT));
            tcp
        });
        Connector { tcp, public, tls: Arc::new(Tls { network, made: Mutex::default() }) }
    }

    /// The configuration of TLS as it is now.
    pub(crate) fn tls(&self) -> Arc<ClientConfig> {
        self.tls.config()
    }

    /// The same connections, with TLS.
    pub(crate) fn encrypted(&self, config: &ClientConfig) -> HttpsConnector<Connector> {
        let config = config.clone();
        HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http1()
            .wrap_connector(self.clone())
    }

    pub(crate) fn network(&self) -> &Network {
        &self.tls.network
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pending<Stream>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let public_only = self.tls.network.trusted().is_some_and(|trusted| !trusted.contain(&to));
        if public_only && let Err(refused) = public_address::check_literal(&to) {
            return Box::pin(async move { Err(refused.into()) });
        }
        match self.tls.network.proxies().way(&to) {
            Way::Direct => {
                let connecting = if public_only { self.public.call(to) } else { self.tcp.call(to) };
                Box::pin(async move {
                    Ok(Stream { inner: MaybeHttpsStream::Http(connecting.await?), is_proxied: false })
                })
            }
            Way::Unusable(name) => {
                let why = format!("{name} names no proxy: write it like http://proxy.example.org:3128");
                Box::pin(async move { Err(io::Error::new(io::ErrorKind::InvalidInput, why).into()) })
            }
            Way::Through(proxy) => {
                let mut to_proxy = ToProxy(self.clone());
                if to.scheme_str() != Some("https") {
                    let connecting = to_proxy.call(proxy.uri().clone());
                    return Box::pin(
                        async move { Ok(Stream { inner: connecting.await?, is_proxied: true }) },
                    );
                }
                let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy);
                if let Some(authorization) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(authorization.clone());
                }
                let connecting = tunnel.call(to);
                // The other end of a tunnel is the destination itself.
                Box::pin(async move { Ok(Stream { inner: connecting.await?, is_proxied: false }) })
            }
        }
    }
}

/// Connects to a forward proxy, with TLS if its address says so.
struct ToProxy(Connector);

impl Service<Uri> for ToProxy {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pending<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, proxy: Uri) -> Self::Future {
        if proxy.scheme_str() == Some("https") {
            return HttpsConnector::from((self.0.tcp.clone(), self.0.tls.config())).call(proxy);
        }
        let connecting = self.0.tcp.call(proxy);
        Box::pin(async move { Ok(MaybeHttpsStream::Http(connecting.await?)) })
    }
}

/// A connection to a host, or to a forward proxy that passes plain requests on.
pub(crate) struct Stream {
    inner: MaybeHttpsStream<TokioIo<TcpStream>>,
    is_proxied: bool,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        // A proxy gets the whole address with each request (RFC 9112, 3.2.2).
        self.inner.connected().proxy(self.is_proxied)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, buffers)
    }
}

/// Connects to one Unix socket, whatever the address of the request is.
#[derive(Clone)]
pub(crate) struct SocketConnector(pub(crate) Arc<PathBuf>);

impl Service<Uri> for SocketConnector {
    type Response = TokioIo<UnixStream>;
    type Error = io::Error;
    type Future = PendingIo<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let path = Arc::clone(&self.0);
        Box::pin(async move { UnixStream::connect(path.as_path()).await.map(TokioIo::new) })
    }
}

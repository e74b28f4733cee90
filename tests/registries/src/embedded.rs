//! A registry within the process of the test.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ferro_blob_store::FsBlobStore;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// A registry on a thread of its own.
pub struct Embedded {
    address: SocketAddr,
    _folder: TempDir,
    _stop: oneshot::Sender<()>,
}

impl Embedded {
    /// Starts an empty registry without authentication.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = FsBlobStore::new(folder.path()).expect("a store of blobs");
        let router = ferro_oci_server::build_app_persisted(Arc::new(blobs), folder.path());
        let (address, stop) = serve(router);
        Embedded { address, _folder: folder, _stop: stop }
    }

    /// Starts a registry that allows anonymous reading, and requires this `Authorization` for
    /// everything else (RFC 7617).
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn guarded(authorization: &'static str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = FsBlobStore::new(folder.path()).expect("a store of blobs");
        let guard = axum::middleware::from_fn(move |request: Request, next: Next| async move {
            let given = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes());
            let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
            if is_reading || given == Some(authorization.as_bytes()) {
                return next.run(request).await;
            }
            let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"test\"")];
            (StatusCode::UNAUTHORIZED, challenge).into_response()
        });
        let router = ferro_oci_server::build_app_persisted(Arc::new(blobs), folder.path()).layer(guard);
        let (address, stop) = serve(router);
        Embedded { address, _folder: folder, _stop: stop }
    }

    /// Starts a registry without authentication, behind a function that sees every request first, and
    /// may answer it in place of the registry.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn behind(answer: impl Fn(&Request) -> Option<Response> + Clone + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = FsBlobStore::new(folder.path()).expect("a store of blobs");
        let hook = axum::middleware::from_fn(move |request: Request, next: Next| {
            let answer = answer.clone();
            async move {
                match answer(&request) {
                    Some(response) => response,
                    None => next.run(request).await,
                }
            }
        });
        let router = ferro_oci_server::build_app_persisted(Arc::new(blobs), folder.path()).layer(hook);
        let (address, stop) = serve(router);
        Embedded { address, _folder: folder, _stop: stop }
    }

    /// Starts a server that answers every request with this status.
    ///
    /// # Panics
    /// When it cannot be started, or there is no such status.
    pub fn refusing(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a status");
        Embedded::serving(axum::Router::new().fallback(move || async move { status }))
    }

    /// Serves a router that imitates a registry.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn serving(router: axum::Router) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (address, stop) = serve(router);
        Embedded { address, _folder: folder, _stop: stop }
    }

    /// Its address, as `host:port`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }
}

/// Serves until the sender is dropped.
fn serve(router: axum::Router) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    listener.set_nonblocking(true).expect("a listener");
    let (stop, stopped) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            let served = axum::serve(listener, router);
            tokio::select! {
                _ = served => {}
                _ = stopped => {}
            }
        });
    });
    (address, stop)
}

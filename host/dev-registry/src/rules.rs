//! Which requests a registry takes: accounts, read-only, and no deletion.

use crate::serving::{SecretFile, Serving};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The rules of one registry.
pub(crate) struct Rules {
    serving: Serving,
    secrets: Api<Secret>,
    known: Mutex<Known>,
}

/// Headers that were accepted with an htpasswd file. A bcrypt hash for each request would be slow.
#[derive(Default)]
struct Known {
    file: Vec<u8>,
    headers: HashSet<Vec<u8>>,
}

impl Rules {
    pub(crate) fn new(serving: Serving, client: Client, namespace: &str) -> Arc<Self> {
        Arc::new(Rules { serving, secrets: Api::namespaced(client, namespace), known: Mutex::default() })
    }

    /// Whether the request has an account of the htpasswd file as it is now.
    async fn has_account(&self, file: &SecretFile, headers: &HeaderMap) -> bool {
        let Some(header) = headers.get(header::AUTHORIZATION) else { return false };
        let Ok(content) = read(&self.secrets, file).await else { return false };
        let header = header.as_bytes().to_vec();
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.file != content {
                *known = Known { file: content.clone(), headers: HashSet::new() };
            }
            if known.headers.contains(&header) {
                return true;
            }
        }
        let checked = (content.clone(), header.clone());
        let checking = tokio::task::spawn_blocking(move || is_account(&checked.0, &checked.1));
        let is_right = checking.await.unwrap_or(false);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if is_right && known.file == content {
            known.headers.insert(header);
        }
        is_right
    }
}

/// A key of a Secret. An error is a sentence.
pub(crate) async fn read(secrets: &Api<Secret>, file: &SecretFile) -> Result<Vec<u8>, String> {
    let SecretFile { secret: name, key } = file;
    let secret = secrets.get_opt(name).await;
    let secret = secret.map_err(|error| format!("Secret {name} cannot be read: {error}"))?;
    let secret = secret.ok_or_else(|| format!("Secret {name} does not exist"))?;
    let value = secret.data.unwrap_or_default().remove(key);
    value.map(|value| value.0).ok_or_else(|| format!("Secret {name} has no key {key}"))
}

/// Whether a header (RFC 7617) names an account of an htpasswd file, with its password.
fn is_account(htpasswd: &[u8], header: &[u8]) -> bool {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let credentials = text(header)
        .and_then(|header| BASE64_STANDARD.decode(header.strip_prefix("Basic ")?.trim()).ok())
        .and_then(|decoded| text(&decoded));
    let Some((user, password)) = credentials.as_ref().and_then(|text| text.split_once(':')) else {
        return false;
    };
    let file = text(htpasswd).unwrap_or_default();
    let hash = file.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| *name == user);
    hash.is_some_and(|(_, hash)| bcrypt::verify(password, hash.trim()).unwrap_or(false))
}

/// Answers requests that the registry does not take, as the distribution registry does.
pub(crate) async fn apply(State(rules): State<Arc<Rules>>, request: Request, next: Next) -> Response {
    let (path, method) = (request.uri().path(), request.method());
    // Probes have no account.
    if let Some(file) = rules.serving.accounts.as_ref().filter(|_| path != "/")
        && !rules.has_account(file, request.headers()).await
    {
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"cache\"")];
        return (StatusCode::UNAUTHORIZED, challenge, "authentication required\n").into_response();
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let deletes = *method == Method::DELETE && !path.contains("/blobs/uploads/");
    if (rules.serving.is_read_only && !reads) || (rules.serving.refuses_deletion && deletes) {
        return (StatusCode::METHOD_NOT_ALLOWED, "unsupported\n").into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::is_account;

    /// Password "secret" of user "ann".
    const HTPASSWD: &[u8] = include_bytes!("../../oci-registry-client/tests/htpasswd");

    #[test]
    fn only_a_user_with_the_right_password_has_an_account() {
        // ann:secret
        assert!(is_account(HTPASSWD, b"Basic YW5uOnNlY3JldA=="));
        for header in [
            // ann:wrong, bob:secret and ann
            "Basic YW5uOndyb25n",
            "Basic Ym9iOnNlY3JldA==",
            "Basic YW5u",
            "Basic ?",
            "Bearer YW5uOnNlY3JldA==",
            "",
        ] {
            assert!(!is_account(HTPASSWD, header.as_bytes()), "{header}");
        }
        assert!(!is_account(b"", b"Basic YW5uOnNlY3JldA=="));
    }
}

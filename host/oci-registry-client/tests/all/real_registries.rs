//! The client against real registries over a network with faults.

use std::io::{self, Cursor, Read};
use std::time::Duration;

use oci_registry_client::{
    ArtifactReference, Blob, Client, Credentials, Descriptor, Digest, Endpoint, Error, Manifest, Pushed,
    Secret, TransferPolicy, VerifyingReader, channel, media_type,
};
use test_registries::{DockerRegistry, Fault, Network, registries};

/// Content that can be neither compressed nor deduplicated: a counter, hashed by multiplication.
fn content(bytes: usize) -> Vec<u8> {
    (0..bytes.div_ceil(8) as u64)
        .flat_map(|n| (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .take(bytes)
        .collect()
}

fn client_with(host: &str, credentials: Credentials, patience: Duration) -> Client {
    let endpoint = Endpoint::parse(&format!("http://{host}")).unwrap();
    Client::new(
        endpoint,
        credentials,
        TransferPolicy { patience, stall: Duration::from_secs(20), ..TransferPolicy::default() },
    )
}

fn client(host: &str) -> Client {
    client_with(host, Credentials::default(), Duration::from_secs(60))
}

async fn push(client: &Client, repository: &str, content: &[u8], sources: &[&str]) -> Result<Pushed, Error> {
    let owned = content.to_vec();
    let open = move |offset: u64| -> io::Result<Box<dyn Read + Send>> {
        let mut cursor = Cursor::new(owned.clone());
        cursor.set_position(offset);
        Ok(Box::new(cursor))
    };
    let blob = Blob { digest: Digest::of(content), size: content.len() as u64, open: &open };
    client.push_blob(repository, &blob, sources).await
}

fn descriptor(content: &[u8]) -> Descriptor {
    Descriptor {
        media_type: "application/octet-stream".to_owned(),
        digest: Digest::of(content).to_string(),
        size: content.len() as u64,
        annotations: Default::default(),
    }
}

async fn pull(client: &Client, repository: &str, blob: &Descriptor) -> Result<io::Result<Vec<u8>>, Error> {
    let (sender, reader) = channel();
    let mut reader = VerifyingReader::new(reader, blob.checked_digest().unwrap(), blob.size);
    let reading = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map(|_| bytes)
    });
    let pulled = client.pull_blob(repository, blob, &sender).await;
    drop(sender);
    let read = reading.await.unwrap();
    pulled.map(|()| read)
}

#[tokio::test]
async fn pushed_content_is_pulled_unchanged() {
    for (host, _registry) in registries() {
        let client = client(&host);
        for size in [0, 5, 3 << 20] {
            let content = content(size);
            assert_eq!(push(&client, "a/b", &content, &[]).await.unwrap(), Pushed::Sent);
            assert_eq!(push(&client, "a/b", &content, &[]).await.unwrap(), Pushed::Existed, "{host}");
            assert_eq!(pull(&client, "a/b", &descriptor(&content)).await.unwrap().unwrap(), content);
        }
        let reference = ArtifactReference::parse("a/b:1").unwrap();
        push(&client, "a/b", b"{}", &[]).await.unwrap();
        let layers = vec![descriptor(&content(5))];
        let manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, layers, Default::default());
        let digest = client.push_manifest(&reference, &manifest).await.unwrap();
        let fetched = client.manifest(&reference).await.unwrap();
        assert_eq!((&fetched.digest, &fetched.manifest), (&digest, &manifest));
        let by_digest = ArtifactReference { digest: Some(digest.to_string()), ..reference };
        assert_eq!(client.manifest(&by_digest).await.unwrap().digest, digest);
    }
}

#[tokio::test]
async fn blobs_are_mounted_from_other_repositories() {
    let Some(registry) = DockerRegistry::start() else { return };
    let client = client(&registry.host());
    let content = content(2 << 20);
    push(&client, "one", &content, &[]).await.unwrap();
    assert_eq!(push(&client, "two", &content, &["one"]).await.unwrap(), Pushed::Mounted);
    assert_eq!(push(&client, "three", &content, &["no/such"]).await.unwrap(), Pushed::Sent);
}

#[tokio::test]
async fn pulls_continue_where_they_were_cut() {
    for (host, _registry) in registries() {
        let content = content(4 << 20);
        push(&client(&host), "a", &content, &[]).await.unwrap();
        let network = Network::to(&host);
        let cut = Fault::CutAfterReceived(1 << 20);
        network.plan(&[cut, cut, Fault::Refuse]);
        let pulled = pull(&client(&network.host()), "a", &descriptor(&content)).await.unwrap().unwrap();
        assert_eq!(pulled, content);
        assert_eq!(network.cuts(), 3, "{host}");
    }
}

#[tokio::test]
async fn pushes_succeed_after_cuts() {
    for (host, _registry) in registries() {
        let content = content(4 << 20);
        let network = Network::to(&host);
        // Cuts in the middle of the content, before the first byte, and shortly before the end.
        let size = content.len() as u64;
        network.plan(&[Fault::CutAfterSent(size / 2), Fault::Refuse, Fault::CutAfterSent(size - 1000)]);
        let pushed = push(&client(&network.host()), "a", &content, &[]).await.unwrap();
        assert_eq!(pushed, Pushed::Sent, "{host}");
        assert_eq!(network.cuts(), 3, "{host}");
        assert_eq!(pull(&client(&host), "a", &descriptor(&content)).await.unwrap().unwrap(), content);
    }
}

#[tokio::test]
async fn transfers_end_with_patience() {
    let network = Network::to("127.0.0.1:1");
    let client = client_with(&network.host(), Credentials::default(), Duration::from_millis(300));
    let error = push(&client, "a", b"x", &[]).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    let error = client.manifest(&ArtifactReference::parse("a:1").unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
}

#[tokio::test]
async fn a_push_survives_a_restart() {
    let Some(mut registry) = DockerRegistry::start() else { return };
    let content = content(8 << 20);
    let client = client(&registry.host());
    let open = |offset: u64| -> io::Result<Box<dyn Read + Send>> {
        let mut cursor = Cursor::new(content.clone());
        cursor.set_position(offset);
        Ok(Box::new(cursor))
    };
    // The registry does not run when the push begins, and is started while requests are repeated.
    registry.kill();
    let blob = Blob { digest: Digest::of(&content), size: content.len() as u64, open: &open };
    let restarting = std::thread::spawn(move || {
        registry.restart();
        registry
    });
    assert_eq!(client.push_blob("a", &blob, &[]).await.unwrap(), Pushed::Sent);
    let _registry = restarting.join().unwrap();
    assert_eq!(pull(&client, "a", &descriptor(&content)).await.unwrap().unwrap(), content);
}

#[tokio::test]
async fn missing_content_is_reported_at_once() {
    for (host, _registry) in registries() {
        let client = client(&host);
        let error = client.manifest(&ArtifactReference::parse("a:none").unwrap()).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
        assert!(error.to_string().starts_with("a:none is not in the registry"), "{error}");
        let error = pull(&client, "a", &descriptor(b"nothing")).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
    }
}

#[tokio::test]
async fn passwords_are_sent_on_request_and_wrong_ones_refused() {
    // Password "secret" of user "ann", as `htpasswd -Bbn ann secret` prints it.
    let htpasswd = include_str!("../htpasswd");
    let Some(registry) = DockerRegistry::with_password(htpasswd) else { return };
    let secret = |password: &str| Credentials::both(Secret::Password("ann".to_owned(), password.to_owned()));
    let patience = Duration::from_secs(20);
    let right = client_with(&registry.host(), secret("secret"), patience);
    let content = content(3 << 20);
    push(&right, "a", &content, &[]).await.unwrap();
    for (credentials, hint) in
        [(secret("wrong"), "check the credentials"), (Credentials::default(), "none were given")]
    {
        let wrong = client_with(&registry.host(), credentials, patience);
        let error = push(&wrong, "a", b"x", &[]).await.unwrap_err();
        assert!(matches!(error, Error::Denied { .. }) && error.to_string().contains(hint), "{error}");
        assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
        assert!(matches!(pull(&wrong, "a", &descriptor(&content)).await, Err(Error::Denied { .. })));
    }
    // The first request of this client has a body, so that the challenge comes as the answer to a
    // body.
    let fresh = client_with(&registry.host(), secret("secret"), patience);
    push(&right, "a", b"{}", &[]).await.unwrap();
    let manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, Vec::new(), Default::default());
    fresh.push_manifest(&ArtifactReference::parse("a:1").unwrap(), &manifest).await.unwrap();
}

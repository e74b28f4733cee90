//! Pulling a blob that is small enough to be held in memory.

use std::io::{self, Read};

use oci_registry_client::{Client, Descriptor, VerifyingReader, channel};

use crate::error::Error;

/// Pulls a blob of at most `limit` bytes, and compares it with its digest.
///
/// # Errors
/// The outer error is one of the registry. The inner one says that the blob is too large or
/// damaged.
pub(crate) async fn pull(
    client: &Client,
    repository: &str,
    blob: &Descriptor,
    limit: u64,
) -> Result<io::Result<Vec<u8>>, Error> {
    if blob.size > limit {
        let sentence = format!("it has {} bytes, and {limit} are allowed", blob.size);
        return Ok(Err(io::Error::new(io::ErrorKind::InvalidData, sentence)));
    }
    let (sender, reader) = channel();
    let mut content = VerifyingReader::new(reader, blob.checked_digest()?, blob.size);
    let reading = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map(|_| bytes)
    });
    let pulled = client.pull_blob(repository, blob, &sender).await;
    drop(sender);
    let read = reading.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    match pulled {
        // A reader that found damage stops the transfer, and says what is wrong.
        Ok(()) | Err(oci_registry_client::Error::Stopped) => Ok(read),
        Err(error) => Err(error.into()),
    }
}

//! One blob from a registry to another, through memory.

use super::sides::Sides;
use oci_registry_client::{Blob, Descriptor, Error, Pushed, VerifyingReader, channel};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// Makes sure that the repository `to` of the destination has a blob of the repository `from` of the
/// source. The error is a sentence.
///
/// The content is compared with its digest on the way. Where an upload continues after a cut, only
/// the rest is read again, and the destination compares the whole.
pub async fn copy(sides: &Sides, from: &str, to: &str, descriptor: &Descriptor) -> Result<Pushed, String> {
    let digest = descriptor.checked_digest().map_err(|error| error.to_string())?;
    // The destination sees only that its body was cut. The reason is here.
    let failure: Arc<Mutex<Option<Error>>> = Arc::default();
    let open = |offset: u64| -> io::Result<Box<dyn Read + Send>> {
        let (sender, reader) = channel();
        let (source, repository, wanted) = (sides.source.clone(), from.to_owned(), descriptor.clone());
        let failure = failure.clone();
        tokio::spawn(async move {
            match source.pull_blob_from(&repository, &wanted, offset, &sender).await {
                Ok(()) | Err(Error::Stopped) => {}
                Err(error) => *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
            }
            // The reader learns of the end when the failure is in its place.
            drop(sender);
        });
        Ok(if offset == 0 {
            Box::new(VerifyingReader::new(reader, digest.clone(), descriptor.size))
        } else {
            Box::new(reader)
        })
    };
    let blob = Blob { digest: digest.clone(), size: descriptor.size, open: &open };
    let sources: &[&str] = if sides.are_one { &[from] } else { &[] };
    let pushed = sides.destination.push_blob(to, &blob, sources).await;
    pushed.map_err(|error| {
        let reason = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        reason.filter(|_| matches!(error, Error::Source(_))).unwrap_or(error).to_string()
    })
}

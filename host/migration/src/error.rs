//! Why a migration does not go on.

/// Why a migration does not go on. Each is a sentence.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The API server did not do what was asked.
    #[error("cannot {what}: {}", reason(source))]
    Api {
        /// What was asked, as in `read Pods of namespace lab`.
        what: String,
        /// Its answer.
        source: Box<kube::Error>,
    },
    /// Something is in the way.
    #[error("{}", .0.join(" "))]
    Refused(Vec<String>),
    /// Something did not happen in time.
    #[error("{what}, for {seconds} seconds now. Run this command again to go on from here.")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// For how long.
        seconds: u64,
    },
}

fn reason(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            format!("{} (docs/migrating.md lists the rights that this command needs)", status.message)
        }
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

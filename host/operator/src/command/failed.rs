//! How a command fails, and the runtime for its asynchronous part.

use anyhow::Context;

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The input is usable, and the answer is no (exit code 1).
    Refused(anyhow::Error),
    /// The input or the arguments are not usable (exit code 2).
    Unusable(anyhow::Error),
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Failed::Refused(error)
    }
}

/// An error with its causes as one line. What one of them says after another one has said it is left
/// out: some errors have their causes in their own text.
pub(super) fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() || sentence.contains(&text) {
            continue;
        }
        if !sentence.is_empty() {
            sentence.push_str(": ");
        }
        sentence.push_str(&text);
    }
    sentence
}

/// Runs the asynchronous part of a command.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads for the asynchronous runtime")
}

#[cfg(test)]
mod tests {
    use super::sentence;
    use anyhow::anyhow;

    #[derive(Debug, thiserror::Error)]
    #[error("the file is not read: {source}")]
    struct Twice {
        source: std::io::Error,
    }

    #[test]
    fn nothing_is_said_twice_and_everything_on_one_line() {
        let source = std::io::Error::other("no space\n  left");
        let error = anyhow!(Twice { source }).context("a.yaml");
        assert_eq!(sentence(&error), "a.yaml: the file is not read: no space left");
        assert_eq!(sentence(&anyhow!("inner").context("outer")), "outer: inner");
    }
}

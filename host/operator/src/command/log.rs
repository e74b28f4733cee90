//! Which log messages are shown, and where.

use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// What is left out unless the filter names the crate.
const LEFT_OUT: [(&str, &str); 2] = [
    // A warning at every connection of a client that sends an address as the server's name. RFC 6066
    // (section 3) does not permit that, but many clients do it, and the handshake goes on.
    ("rustls", "rustls::msgs::handshake=error"),
    // An error for every answer of the API server with a status from 500, and a warning for every
    // connection that breaks, without the request. Whoever made the request says more, and less often.
    // The API server's CA is read again in `tls`, and nobody else tells when that fails.
    (
        "kube_client",
        "kube_client::client=error,kube_client::client::builder=off,kube_client::client::tls=warn",
    ),
];

/// Sends log messages to standard error.
///
/// # Errors
/// When the text is no filter.
pub(super) fn start(filter: &str) -> Result<(), ParseError> {
    let filter = read_filter(filter)?;
    // A process has one subscriber, and a test may have set it already.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .try_init();
    Ok(())
}

/// Reads a filter.
fn read_filter(text: &str) -> Result<EnvFilter, ParseError> {
    let given = EnvFilter::try_new(text)?;
    // An empty filter has a meaning of its own: errors only.
    if text.trim().is_empty() {
        return Ok(given);
    }
    let left_out =
        LEFT_OUT.iter().filter(|(name, _)| !text.contains(name)).map(|(_, directives)| *directives);
    EnvFilter::try_new(left_out.chain([text]).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::ServerName;
    use rustls::server::Acceptor;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::util::SubscriberInitExt;

    /// What was logged.
    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Output {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("a lock").write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'w> MakeWriter<'w> for Output {
        type Writer = Self;

        fn make_writer(&'w self) -> Self {
            self.clone()
        }
    }

    /// What is logged about an action with this filter.
    fn logged(filter: EnvFilter, action: impl FnOnce()) -> String {
        let output = Output::default();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            .without_time()
            .with_writer(output.clone());
        tracing::subscriber::with_default(subscriber.finish(), action);
        let bytes = output.0.lock().expect("a lock").clone();
        String::from_utf8(bytes).expect("UTF-8")
    }

    /// The first message of a client that sends an address as the server's name.
    fn hello_with_an_address() -> Vec<u8> {
        // rustls itself sends no addresses. This name has the length of one.
        const NAME: &str = "ab.cd.efg";
        const ADDRESS: &[u8] = b"127.0.0.1";
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let name = ServerName::try_from(NAME).expect("a name");
        let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
        let mut hello = Vec::new();
        client.write_tls(&mut hello).expect("written");
        let at = hello.windows(NAME.len()).position(|part| part == NAME.as_bytes()).expect("the name");
        hello[at..at + NAME.len()].copy_from_slice(ADDRESS);
        hello
    }

    #[test]
    fn clients_that_send_an_address_as_the_servers_name_are_not_logged() {
        // rustls uses the facade `log`. This lets its messages through to tracing.
        let _ = tracing_subscriber::registry().try_init();
        let hello = hello_with_an_address();
        let accept = || {
            let mut acceptor = Acceptor::default();
            acceptor.read_tls(&mut hello.as_slice()).expect("read");
            assert!(acceptor.accept().expect("a handshake").is_some());
        };
        let everything = EnvFilter::try_new("info").expect("a filter");
        assert!(logged(everything, accept).contains("Illegal SNI"), "rustls warns");
        for filter in ["info", "debug", "warn,orascache_webhook=debug"] {
            assert_eq!(logged(read_filter(filter).expect("a filter"), accept), "", "{filter}");
        }
        let asked = read_filter("info,rustls=warn").expect("a filter");
        assert!(logged(asked, accept).contains("Illegal SNI"), "whoever asks for it gets it");
    }

    #[test]
    fn what_the_client_of_the_api_says_about_single_requests_is_left_out() {
        let log = || {
            tracing::error!(target: "kube_client::client::builder", "failed with status 500");
            tracing::warn!(target: "kube_client::client", "eof in poll");
        };
        let tls = || tracing::warn!(target: "kube_client::client::tls", "failed to reload CA bundle");
        let filter = |text| read_filter(text).expect("a filter");
        assert_eq!(logged(filter("info"), log), "");
        assert!(logged(filter("info"), tls).contains("CA bundle"));
        let asked = logged(filter("info,kube_client=debug"), log);
        assert!(asked.contains("status 500") && asked.contains("eof"), "{asked}");
    }

    #[test]
    fn filters_mean_what_they_mean_without_the_addition() {
        let both = || {
            tracing::error!("an error");
            tracing::warn!("a warning");
        };
        for filter in ["", "off", "error", "info", "rustls=trace"] {
            let plain = logged(EnvFilter::try_new(filter).expect("a filter"), both);
            assert_eq!(logged(read_filter(filter).expect("a filter"), both), plain, "{filter:?}");
        }
        assert!(read_filter("a=b=c").is_err());
    }
}

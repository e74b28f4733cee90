//! The patterns of hosts in the setting `allowedRegistries`.

use super::{PLAIN_HTTP, Settings};

impl Settings<'_> {
    /// Why a registry may not be used, as the rest of a sentence about it, without its final stop.
    /// `None` when it may.
    pub(crate) fn refuse_registry(&self, host: &str) -> Option<String> {
        let allowed = self.allowed_registries.as_ref()?;
        if allowed.iter().any(|pattern| host_matches(host, pattern)) {
            return None;
        }
        let remedy = match allowed.as_slice() {
            [] => "remove it".to_owned(),
            patterns => format!("write one of {}, or remove it", patterns.join(", ")),
        };
        Some(format!("names {host}, which the administrator does not allow: {remedy}"))
    }
}

/// Whether a host is allowed by a pattern of the setting `allowedRegistries`, with or without TLS.
pub(crate) fn host_matches(host: &str, pattern: &str) -> bool {
    is_same_host(host, pattern.strip_prefix(PLAIN_HTTP).unwrap_or(pattern))
}

/// Upper and lower case are the same in host names (RFC 4343). A port must be the same too: another
/// port is another server.
pub(crate) fn is_same_host(host: &str, pattern: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(domain) => host
            .len()
            .checked_sub(domain.len())
            .filter(|start| *start > 0)
            .and_then(|start| host.get(start..))
            .is_some_and(|end| end.eq_ignore_ascii_case(domain)),
        None => host.eq_ignore_ascii_case(pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_patterns_match_whole_hosts() {
        for (host, pattern, wanted) in [
            ("ghcr.io", "ghcr.io", true),
            ("GHCR.io", "ghcr.IO", true),
            ("ghcr.io:443", "ghcr.io", false),
            ("xghcr.io", "ghcr.io", false),
            ("ghcr.io.evil.org", "ghcr.io", false),
            ("a.example.org", "*.example.org", true),
            ("a.b.Example.org", "*.example.org", true),
            ("example.org", "*.example.org", false),
            (".example.org", "*.example.org", false),
            ("evilexample.org", "*.example.org", false),
            ("a.example.org:5000", "*.example.org", false),
            ("a.example.org:5000", "*.example.org:5000", true),
            ("ghcr.io", "http://ghcr.io", true),
            ("a.example.org", "http://*.example.org", true),
        ] {
            assert_eq!(host_matches(host, pattern), wanted, "{host} and {pattern}");
        }
    }
}

//! Forward proxies, by which a network reaches others: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
//!
//! There is no standard for these variables. This reading is that of curl and Go: names in upper
//! or lower case, entries of `NO_PROXY` that are hosts (with their subdomains), addresses,
//! networks, or `*`, each with a port or without. Hosts in the cluster and on this machine are
//! never proxied, whatever the variables say.

use hyper::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Domains of Kubernetes Services
/// (kubernetes.io/docs/concepts/services-networking/dns-pod-service).
const CLUSTER_DOMAINS: [&str; 2] = ["svc", "svc.cluster.local"];

/// The proxy for one scheme.
#[derive(Clone)]
enum Setting {
    None,
    Proxy(Intercept),
    /// The variable holds something else.
    Unusable(&'static str),
}

/// Which destinations are reached through which proxy. Clones share everything.
#[derive(Clone)]
pub(crate) struct ForwardProxies {
    http: Setting,
    https: Setting,
    exceptions: Arc<Exceptions>,
}

/// The way to a destination.
pub(crate) enum Way<'a> {
    /// Without a proxy.
    Direct,
    /// Through this proxy.
    Through(&'a Intercept),
    /// Through a proxy whose variable, with this name, cannot be used.
    Unusable(&'static str),
}

/// The destinations without a proxy.
struct Exceptions {
    /// Entries of `NO_PROXY` without a port: the matcher intercepts every destination but these.
    listed: Matcher,
    /// Entries of `NO_PROXY` with a port.
    with_port: Vec<(String, u16)>,
    /// Domains of Services, by the configuration of the resolver.
    cluster_domains: Vec<String>,
}

impl ForwardProxies {
    /// Reads the variables. `search_domains` are those of the resolver.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>, search_domains: &[&str]) -> Self {
        let either = |upper: &str| {
            let is_set = |value: &String| !value.trim().is_empty();
            variable(upper).filter(is_set).or_else(|| variable(&upper.to_ascii_lowercase()).filter(is_set))
        };
        let setting = |name: &'static str| match either(name) {
            None => Setting::None,
            Some(text) => parse(&text).map_or(Setting::Unusable(name), Setting::Proxy),
        };
        let no_proxy = either("NO_PROXY").unwrap_or_default();
        let exceptions = Arc::new(Exceptions::read(&no_proxy, search_domains));
        Self { http: setting("HTTP_PROXY"), https: setting("HTTPS_PROXY"), exceptions }
    }

    /// No proxies.
    pub(crate) fn none() -> Self {
        Self::read(|_| None, &[])
    }

    /// The way to an address.
    pub(crate) fn way(&self, to: &Uri) -> Way<'_> {
        let setting = if to.scheme_str() == Some("https") { &self.https } else { &self.http };
        match setting {
            Setting::None => Way::Direct,
            _ if self.exceptions.contain(to) => Way::Direct,
            Setting::Proxy(proxy) => Way::Through(proxy),
            Setting::Unusable(name) => Way::Unusable(name),
        }
    }
}

impl fmt::Debug for ForwardProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without user and password.
        let shown = |setting: &Setting| match setting {
            Setting::None => "none".to_owned(),
            Setting::Proxy(proxy) => address(proxy),
            Setting::Unusable(name) => format!("{name} cannot be used"),
        };
        let (http, https) = (shown(&self.http), shown(&self.https));
        f.debug_struct("ForwardProxies").field("http", &http).field("https", &https).finish_non_exhaustive()
    }
}

/// The address of a proxy, without user and password.
pub(crate) fn address(proxy: &Intercept) -> String {
    proxy.uri().to_string().trim_end_matches('/').to_owned()
}

/// A proxy that is spoken to by HTTP, with TLS or without.
fn parse(text: &str) -> Option<Intercept> {
    let proxy = Matcher::builder().http(text.trim()).build().intercept(&Uri::from_static("http://x.x"))?;
    matches!(proxy.uri().scheme_str(), Some("http" | "https")).then_some(proxy)
}

impl Exceptions {
    fn read(no_proxy: &str, search_domains: &[&str]) -> Self {
        let (mut listed, mut with_port) = (Vec::new(), Vec::new());
        for entry in no_proxy.split(',').map(str::trim) {
            // Go takes `*.example.org` for `.example.org`.
            let entry = if entry.starts_with("*.") { &entry[1..] } else { entry };
            match entry.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?))) {
                // An address of IPv6 has colons too.
                Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                    with_port.push((host.trim_matches(['[', ']', '.']).to_ascii_lowercase(), port));
                }
                _ => listed.push(entry.trim_matches(['[', ']'])),
            }
        }
        let listed = Matcher::builder().all("http://proxy.invalid").no(listed.join(",")).build();
        let searched = search_domains.iter().filter(|domain| domain.starts_with("svc.")).copied();
        let cluster_domains = CLUSTER_DOMAINS.into_iter().chain(searched).map(str::to_owned).collect();
        Exceptions { listed, with_port, cluster_domains }
    }

    fn contain(&self, to: &Uri) -> bool {
        let Some(host) = to.host() else { return false };
        let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        let default = if to.scheme_str() == Some("https") { 443 } else { 80 };
        let port = to.port_u16().unwrap_or(default);
        let is_local = match host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            // A name without a dot means something in this network only.
            Err(_) => !host.contains('.') || host.ends_with(".localhost"),
        };
        is_local
            || self.cluster_domains.iter().any(|domain| is_below(&host, domain))
            || self.with_port.iter().any(|(name, at)| *at == port && (host == *name || is_below(&host, name)))
            || self.listed.intercept(to).is_none()
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> ForwardProxies {
        let find = |name: &str| {
            variables.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned())
        };
        ForwardProxies::read(find, &["lab.svc.site.example", "svc.site.example", "site.example"])
    }

    fn way(proxies: &ForwardProxies, to: &str) -> String {
        match proxies.way(&to.parse().unwrap()) {
            Way::Direct => "direct".to_owned(),
            Way::Through(proxy) => address(proxy),
            Way::Unusable(name) => name.to_owned(),
        }
    }

    #[test]
    fn each_scheme_has_its_variable_in_either_case() {
        for names in [["HTTP_PROXY", "HTTPS_PROXY"], ["http_proxy", "https_proxy"]] {
            let proxies = proxies(&[(names[0], "one:3128"), (names[1], "http://two:3129/")]);
            assert_eq!(way(&proxies, "http://r.example.org/v2/"), "http://one:3128");
            assert_eq!(way(&proxies, "https://r.example.org/v2/"), "http://two:3129");
        }
        let shadowed = proxies(&[("HTTPS_PROXY", ""), ("https_proxy", "http://two:3129")]);
        assert_eq!(way(&shadowed, "https://r.example.org"), "http://two:3129");
        assert_eq!(way(&shadowed, "http://r.example.org"), "direct");
    }

    #[test]
    fn the_cluster_and_this_machine_are_never_proxied() {
        let proxies = proxies(&[("HTTP_PROXY", "http://p:1"), ("HTTPS_PROXY", "http://p:1")]);
        for host in [
            "cache-0.cache.lab.svc:5000",
            "cache-0.cache.lab.svc.cluster.local.:5000",
            "cache.lab.svc.site.example",
            "cache:5000",
            "localhost:5000",
            "127.0.0.1:5000",
            "[::1]:5000",
        ] {
            for scheme in ["http", "https"] {
                assert_eq!(way(&proxies, &format!("{scheme}://{host}/v2/")), "direct", "{host}");
            }
        }
        for host in ["r.example.org", "svc.example.org", "r.site.example", "10.0.0.1:5000", "mysvc.example"] {
            assert_eq!(way(&proxies, &format!("http://{host}/")), "http://p:1", "{host}");
        }
    }

    #[test]
    fn exceptions_are_hosts_addresses_and_networks() {
        let no_proxy =
            "lab.example, .b.example,*.c.example,10.0.0.0/8, [fd00::1],d.example:5000, [fd00::2]:80";
        let proxies = proxies(&[("HTTP_PROXY", "http://p:1"), ("NO_PROXY", no_proxy)]);
        for host in [
            "lab.example",
            "R.LAB.example:80",
            "x.b.example",
            "x.c.example",
            "10.1.2.3",
            "[fd00::1]:9",
            "d.example:5000",
            "x.d.example:5000",
            "[fd00::2]",
        ] {
            assert_eq!(way(&proxies, &format!("http://{host}/")), "direct", "{host}");
        }
        for host in ["notlab.example", "d.example", "d.example:5001", "11.0.0.1", "[fd00::2]:81"] {
            assert_eq!(way(&proxies, &format!("http://{host}/")), "http://p:1", "{host}");
        }
        let all = self::proxies(&[("HTTP_PROXY", "http://p:1"), ("no_proxy", "*")]);
        assert_eq!(way(&all, "http://r.example.org/"), "direct");
    }

    #[test]
    fn a_variable_that_names_no_proxy_is_not_silently_ignored() {
        for text in ["socks5://p:1", "http://", "a b", "ftp://p"] {
            let proxies = proxies(&[("HTTPS_PROXY", text)]);
            assert_eq!(way(&proxies, "https://r.example.org/"), "HTTPS_PROXY", "{text}");
            assert_eq!(way(&proxies, "https://cache.lab.svc/"), "direct", "{text}");
        }
    }

    #[test]
    fn security_credentials_of_a_proxy_are_not_shown() {
        let proxies = proxies(&[("HTTPS_PROXY", "http://ann:hunter2@p:1")]);
        let Way::Through(proxy) = proxies.way(&Uri::from_static("https://r.example.org")) else { panic!() };
        // The base64 of ann:hunter2 (RFC 7617).
        assert_eq!(proxy.basic_auth().unwrap(), "Basic YW5uOmh1bnRlcjI=");
        let shown = format!("{proxies:?} {}", address(proxy));
        assert!(
            shown.contains("http://p:1") && !shown.contains("hunter2") && !shown.contains("ann"),
            "{shown}"
        );
    }
}

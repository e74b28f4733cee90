//! Forward proxies by which steps reach registries outside of the cluster.

use super::document::{self, Place};
use crate::findings::Findings;
use crate::json::Json;
use orascache_api::reference::{is_host, split_scheme};

/// The setting `forwardProxy`.
#[derive(Clone, Debug, Default)]
pub(crate) struct ForwardProxy<'a> {
    /// Proxy for https, as `http://host:port`.
    pub(crate) https: Option<&'a str>,
    /// Proxy for http.
    pub(crate) http: Option<&'a str>,
    /// Hosts, domains, addresses and networks that are reached without a proxy.
    pub(crate) no_proxy: Vec<&'a str>,
}

impl<'a> ForwardProxy<'a> {
    /// Reads `{"https": ..., "http": ..., "noProxy": [...]}`.
    pub(crate) fn read(tree: &'a Json<'a>, place: &Place<'_>, findings: &mut Findings) -> Self {
        let mut read = ForwardProxy::default();
        for (name, value, place) in document::members(tree, place, findings) {
            match name {
                "https" => read.https = address(value, &place, findings),
                "http" => read.http = address(value, &place, findings),
                "noProxy" => {
                    let wanted = "a host, a domain, an address or a network: write one like .example.org or 10.0.0.0/8";
                    read.no_proxy = document::texts(value, &place, is_exception, wanted, findings);
                }
                _ => place.refuse_unknown("https, http or noProxy", findings),
            }
        }
        read
    }

    /// Names and values of the proxies: `https`, `http`, and `no` for the exceptions.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, String)> {
        let addresses = [("https", self.https), ("http", self.http)].into_iter();
        let addresses = addresses.filter_map(|(name, address)| Some((name, address?.to_owned())));
        let is_used = self.https.is_some() || self.http.is_some();
        let exceptions = (is_used && !self.no_proxy.is_empty()).then(|| self.no_proxy.join(","));
        addresses.chain(exceptions.map(|exceptions| ("no", exceptions)))
    }
}

/// Messages do not repeat the text: it may hold a password.
fn address<'a>(value: &'a Json<'a>, place: &Place<'_>, findings: &mut Findings) -> Option<&'a str> {
    let text = document::text(value, place, findings)?;
    if text.contains('@') {
        findings.refuse(format!(
            "{place} holds user or password, which every pod with a step would show: write an address that asks for none"
        ));
        return None;
    }
    let is_address =
        matches!(split_scheme(text), Some(("http" | "https", host)) if is_host(host.trim_end_matches('/')));
    if !is_address {
        findings.refuse(format!(
            "{place} is not the address of a proxy: write one like http://proxy.example.org:3128"
        ));
        return None;
    }
    Some(text)
}

/// A `*`, or letters, digits and what addresses and networks are written with.
fn is_exception(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/[]*".contains(&byte);
    !text.is_empty() && text.bytes().all(inner)
}

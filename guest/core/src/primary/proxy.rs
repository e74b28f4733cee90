//! `spec.proxy`: the registry of which a cache is a pull-through cache.

use crate::fields::Fields;
use orascache_contract::Error;

/// `spec.proxy`.
#[derive(Debug)]
pub(crate) struct Proxy<'a> {
    pub(crate) remote_url: &'a str,
    /// Secret with the account for that registry.
    pub(crate) credentials_secret: Option<&'a str>,
    /// How long a fetched artifact is kept.
    pub(crate) ttl: Option<&'a str>,
}

impl<'a> Proxy<'a> {
    pub(crate) fn read(proxy: Fields<'a>) -> Result<Self, Error> {
        Ok(Proxy {
            remote_url: proxy.required_text("remoteURL")?,
            credentials_secret: proxy.text("credentialsSecret")?,
            ttl: proxy.text("ttl")?,
        })
    }
}

//! Names that a registry lists page by page: the tags of a repository, and its repositories
//! (distribution-spec 1.1, "Listing Tags"; distribution, "Listing Repositories").

use std::collections::BTreeSet;

use hyper::body::Incoming;
use hyper::header::LINK;
use hyper::{HeaderMap, Method, Response};
use serde::Deserialize;
use url::Url;

use crate::access::Access;
use crate::client::Client;
use crate::error::Error;
use crate::manifest::null_as_default;
use crate::response;

/// Number of names that are asked for at once. Some registries answer with all of them.
const PAGE: usize = 1000;
/// Largest page that is read, in bytes: distribution 2.8 lists all tags of a repository in one.
const MAX_PAGE: usize = 64 << 20;
/// Most names that are read.
const MAX_NAMES: usize = 2_000_000;

/// A page of tags or of repositories.
#[derive(Deserialize)]
struct Page {
    #[serde(default, deserialize_with = "null_as_default")]
    tags: Vec<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    repositories: Vec<String>,
}

impl Client {
    /// The tags of a repository, sorted by their bytes, each once. A repository whose tags were all
    /// deleted has none.
    ///
    /// # Errors
    /// When there is no such repository, it is not allowed, or patience ends.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>, Error> {
        let path = format!("/v2/{repository}/tags/list?n={PAGE}");
        self.names(&path, &Access::pull(repository), &format!("the tags of {repository}"), |page| page.tags)
            .await
    }

    /// The repositories of the registry, sorted by their bytes, each once. Those without tags may be
    /// among them.
    ///
    /// # Errors
    /// When the registry does not list them, it is not allowed, or patience ends.
    pub async fn repositories(&self) -> Result<Vec<String>, Error> {
        let path = format!("/v2/_catalog?n={PAGE}");
        self.names(&path, &Access::catalog(), "the list of repositories", |page| page.repositories).await
    }

    async fn names(
        &self,
        path: &str,
        access: &Access,
        what: &str,
        names: impl Fn(Page) -> Vec<String>,
    ) -> Result<Vec<String>, Error> {
        let (mut url, mut all) = (self.endpoint().at(path), BTreeSet::new());
        loop {
            let (page, next) = self.patiently(async || self.page(access, what, &url).await).await?;
            let before = all.len();
            all.extend(names(page));
            if all.len() > MAX_NAMES {
                return Err(Error::protocol(what, format!("it has more than {MAX_NAMES} names")));
            }
            match next {
                // A registry that repeats itself would never end.
                Some(next) if all.len() > before => url = next,
                _ => return Ok(all.into_iter().collect()),
            }
        }
    }

    /// One page of a list, and the address of the next one.
    async fn page(&self, access: &Access, what: &str, url: &Url) -> Result<(Page, Option<Url>), Error> {
        let none = HeaderMap::new();
        let sent = self.request(access, &Method::GET, url, &none);
        let response = self.within_stall_limit(url, sent).await?;
        let response = self.succeeded(what, access, response).await?;
        let next = self.next_page(&response, url);
        let body = self.read_body(response, MAX_PAGE).await?;
        let page = serde_json::from_slice(&body)
            .map_err(|error| Error::protocol(what, format!("it cannot be read: {error}")))?;
        Ok((page, next))
    }

    /// The address of the next page of a list, where it is one of the registry's own.
    pub(crate) fn next_page(&self, response: &Response<Incoming>, url: &Url) -> Option<Url> {
        let next = response::header(response.headers(), LINK).and_then(next_page)?;
        self.endpoint().redirect(next, url).filter(|next| self.endpoint().is_own(next))
    }
}

/// The address in `<address>; rel="next"` (RFC 8288, 3).
fn next_page(link: &str) -> Option<&str> {
    let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = |parameter: &str| matches!(parameter.trim(), "rel=\"next\"" | "rel=next");
    parameters.split(';').any(is_next).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_named_by_a_link() {
        assert_eq!(next_page(r#"</v2/a/referrers/x?p=1>; rel="next""#), Some("/v2/a/referrers/x?p=1"));
        assert_eq!(next_page("<b?c;d>; title=x; rel=next"), Some("b?c;d"));
        for other in ["", "<a>", r#"<a>; rel="prev""#, r#"a; rel="next""#, "<a"] {
            assert_eq!(next_page(other), None, "{other}");
        }
    }
}

//! The log of requests, for tests such as "a client that has converged sends no writes".

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many writes, and how many different requests, the log keeps.
const REMEMBERED: usize = 20_000;

/// The description of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// API group, empty for the core group.
    pub group: String,
    /// Plural resource name.
    pub resource: String,
    /// For example `status`.
    pub subresource: Option<String>,
    /// The namespace of the path.
    pub namespace: Option<String>,
    /// The object's name.
    pub name: Option<String>,
    /// The query parameter `fieldSelector`.
    pub field_selector: Option<String>,
    /// The whole `User-Agent`.
    pub user_agent: String,
    /// Whether the request asks for a later page of a list.
    pub continues: bool,
    /// Whether the request is a dry run.
    pub dry_run: bool,
    /// The query parameter `timeoutSeconds`: when the client asks a watch to end.
    pub timeout_seconds: Option<u64>,
}

impl Request {
    /// Whether the request is a write that can change something.
    pub fn is_write(&self) -> bool {
        !self.dry_run && !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }
}

/// Selects requests. A matcher without conditions matches every request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher {
    verb: Option<String>,
    group: Option<String>,
    resource: Option<String>,
    subresource: Option<Option<String>>,
    namespace: Option<String>,
    name: Option<String>,
    user_agent: Option<String>,
    continues: Option<bool>,
}

impl Matcher {
    /// Matches every request.
    pub fn any() -> Self {
        Self::default()
    }

    /// Only this verb.
    pub fn verb(mut self, verb: &str) -> Self {
        self.verb = Some(verb.to_owned());
        self
    }

    /// Only this resource. The core group is empty.
    pub fn resource(mut self, group: &str, plural: &str) -> Self {
        self.group = Some(group.to_owned());
        self.resource = Some(plural.to_owned());
        self
    }

    /// Only this subresource.
    pub fn subresource(mut self, subresource: &str) -> Self {
        self.subresource = Some(Some(subresource.to_owned()));
        self
    }

    /// Only the main resource.
    pub fn main_resource(mut self) -> Self {
        self.subresource = Some(None);
        self
    }

    /// Only this namespace.
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Only this object.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Only user agents with this prefix.
    pub fn user_agent(mut self, prefix: &str) -> Self {
        self.user_agent = Some(prefix.to_owned());
        self
    }

    /// Only later pages of lists.
    pub fn continued(mut self) -> Self {
        self.continues = Some(true);
        self
    }

    /// Whether the request matches.
    pub fn matches(&self, request: &Request) -> bool {
        fn equal<T: PartialEq>(wanted: &Option<T>, given: &T) -> bool {
            wanted.as_ref().is_none_or(|wanted| wanted == given)
        }
        let optional = |wanted: &Option<String>, given: &Option<String>| wanted.is_none() || wanted == given;
        equal(&self.verb, &request.verb)
            && equal(&self.group, &request.group)
            && equal(&self.resource, &request.resource)
            && equal(&self.subresource, &request.subresource)
            && optional(&self.namespace, &request.namespace)
            && optional(&self.name, &request.name)
            && self.user_agent.as_ref().is_none_or(|prefix| request.user_agent.starts_with(prefix.as_str()))
            && equal(&self.continues, &request.continues)
    }
}

/// A write and the status of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The number of the write, counted from 1; see [`RequestLog::mark`].
    pub number: u64,
    /// The request.
    pub request: Request,
    /// The HTTP status of the answer.
    pub status: u16,
}

/// The log of requests. Clones share one log.
#[derive(Clone, Debug, Default)]
pub struct RequestLog(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// How often each request was sent, by the request without namespace, name and field selector.
    counts: BTreeMap<Request, u64>,
    /// The first different requests.
    distinct: BTreeSet<Request>,
    writes: VecDeque<Entry>,
    numbered: u64,
}

impl RequestLog {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn record(&self, request: &Request, status: u16) {
        let mut state = self.state();
        let key = Request { namespace: None, name: None, field_selector: None, ..request.clone() };
        *state.counts.entry(key).or_default() += 1;
        if state.distinct.len() < REMEMBERED {
            state.distinct.insert(request.clone());
        }
        if request.is_write() {
            state.numbered += 1;
            let number = state.numbered;
            if state.writes.len() >= REMEMBERED {
                state.writes.pop_front();
            }
            state.writes.push_back(Entry { number, request: request.clone(), status });
        }
    }

    /// The number of requests that matched so far. Matchers with a namespace or name match nothing
    /// here, because requests are counted without these.
    pub fn count(&self, matcher: &Matcher) -> u64 {
        let state = self.state();
        state.counts.iter().filter(|(request, _)| matcher.matches(request)).map(|(_, count)| count).sum()
    }

    /// The different requests that matched, among the first 20,000 different ones.
    pub fn distinct(&self, matcher: &Matcher) -> Vec<Request> {
        self.state().distinct.iter().filter(|request| matcher.matches(request)).cloned().collect()
    }

    /// The number of the latest write, for [`RequestLog::writes_since`].
    pub fn mark(&self) -> u64 {
        self.state().numbered
    }

    /// The matching writes after a mark.
    pub fn writes_since(&self, mark: u64, matcher: &Matcher) -> Vec<Entry> {
        let state = self.state();
        let newer = state.writes.iter().filter(|entry| entry.number > mark);
        newer.filter(|entry| matcher.matches(&entry.request)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(verb: &str, agent: &str) -> Request {
        Request {
            verb: verb.into(),
            group: "apps".into(),
            resource: "statefulsets".into(),
            name: Some("s".into()),
            user_agent: agent.into(),
            ..Request::default()
        }
    }

    #[test]
    fn writes_after_a_mark_are_found_by_user_agent() {
        let log = RequestLog::default();
        log.record(&request("patch", "operator/0.1"), 200);
        let mark = log.mark();
        log.record(&request("get", "operator/0.1"), 200);
        log.record(&request("patch", "kubectl/1.32"), 409);
        let operator = Matcher::any().user_agent("operator");
        assert!(log.writes_since(mark, &operator).is_empty());
        assert_eq!(log.writes_since(mark, &Matcher::any())[0].status, 409);
        assert_eq!(log.count(&operator.resource("apps", "statefulsets")), 2);
    }
}

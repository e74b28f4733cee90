//! What was asked of the server, for tests such as "a converged cluster is silent".

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many writes are remembered one by one.
const REMEMBERED: usize = 20_000;

/// One request, described.
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
    /// A list request that continues another one.
    pub continues: bool,
    /// A write that stores nothing.
    pub dry_run: bool,
}

impl Request {
    /// Whether it changes something.
    pub fn is_write(&self) -> bool {
        !self.dry_run && !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }
}

/// Selects requests. What is not set matches everything.
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

    /// Only this resource; the group of the core resources is empty.
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

    /// Only user agents that begin so.
    pub fn user_agent(mut self, prefix: &str) -> Self {
        self.user_agent = Some(prefix.to_owned());
        self
    }

    /// Only list pages after the first.
    pub fn continued(mut self) -> Self {
        self.continues = Some(true);
        self
    }

    /// Whether the request is selected.
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

/// A write with its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Counts all writes; compare with [`RequestLog::mark`].
    pub number: u64,
    /// The request.
    pub request: Request,
    /// The HTTP status that was answered.
    pub status: u16,
}

/// Counts of all requests, and the recent writes one by one. Clones show the same log.
#[derive(Clone, Debug, Default)]
pub struct RequestLog(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// By the request without its namespace and name.
    counts: BTreeMap<Request, u64>,
    /// Different requests, the first so many.
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

    /// How many requests matched so far. Namespace and name are not counted by: leave them out.
    pub fn count(&self, matcher: &Matcher) -> u64 {
        let state = self.state();
        state.counts.iter().filter(|(request, _)| matcher.matches(request)).map(|(_, count)| count).sum()
    }

    /// The different requests that matched so far; of very many only the first.
    pub fn distinct(&self, matcher: &Matcher) -> Vec<Request> {
        self.state().distinct.iter().filter(|request| matcher.matches(request)).cloned().collect()
    }

    /// The number of the latest write, to ask later what came after.
    pub fn mark(&self) -> u64 {
        self.state().numbered
    }

    /// The writes after a mark that match.
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

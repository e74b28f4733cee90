//! Which tags and manifests of a repository go: a pure function of what is in it.
//!
//! A manifest goes only when nothing that is kept names it: no kept tag or key, no index that is
//! kept, and neither the manifest that it refers to nor one that refers to it. What was never seen
//! is never deleted.

use orascache_api::pattern::matches;
use orascache_api::reuse::is_key_tag;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// A tag or a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The manifest that it names, by its digest.
    pub digest: String,
    /// Since when, in seconds since the Unix epoch.
    pub since: u64,
}

/// What a manifest names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Manifests of an index.
    pub children: Vec<String>,
    /// The manifest that it refers to.
    pub subject: Option<String>,
    /// Bytes of the manifest itself.
    pub size: u64,
    /// Its blobs by their digests, with their sizes in bytes as it says them.
    pub blobs: Vec<(String, u64)>,
}

/// What is in a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Its tags and keys, by name.
    pub tags: BTreeMap<String, Tag>,
    /// Manifests that had a tag once, by tag and digest, and since when they do not have it any more.
    pub former: BTreeMap<(String, String), u64>,
    /// The manifests that are known, by digest.
    pub manifests: BTreeMap<String, Named>,
    /// Manifests that somebody has begun or ceased to name while we looked. They stay for now.
    pub pinned: BTreeSet<String>,
}

/// What is kept. A tag is kept if one of the rules keeps it.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// This number of the newest tags, and of the newest keys.
    pub keep_tags: Option<usize>,
    /// What is younger than this, in seconds.
    pub max_age: Option<u64>,
    /// What is younger than this, in seconds, whatever the other rules say.
    pub min_age: u64,
    /// Tags that match none of these, where there are any. Keys always count.
    pub patterns: Vec<String>,
}

impl Rules {
    /// Whether a tag is one that may go.
    fn choose(&self, tag: &str) -> bool {
        is_key_tag(tag) || self.patterns.is_empty() || self.patterns.iter().any(|one| matches(one, tag))
    }

    /// Whether something that is there since a time is not young any more.
    fn is_old(&self, since: u64, now: u64) -> bool {
        let young = self.max_age.unwrap_or_default().max(self.min_age);
        since.saturating_add(young) <= now
    }

    /// Whether a manifest that lost its tag may go. Only its age counts.
    pub fn has_expired(&self, tag: &str, since: u64, now: u64) -> bool {
        self.choose(tag) && self.is_old(since, now)
    }
}

/// A manifest that goes, with all tags that name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doomed {
    /// Its digest.
    pub digest: String,
    /// The tags.
    pub tags: Vec<String>,
}

/// What goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Manifests, the oldest first. Each comes before those that it names, so that none is ever
    /// incomplete.
    pub manifests: Vec<Doomed>,
    /// Tags whose manifest stays, since something that is kept names it.
    pub shared: Vec<String>,
}

/// Decides what goes. `now` is in seconds since the Unix epoch.
pub fn plan(contents: &Contents, rules: &Rules, now: u64) -> Plan {
    let expired = expired(contents, rules, now);
    let former = contents.former.iter().filter(|((tag, _), since)| !rules.has_expired(tag, **since, now));
    let kept = kept(contents, &expired, former.map(|((_, digest), _)| digest.as_str()));
    let mut tags: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut shared = Vec::new();
    for (name, tag) in &contents.tags {
        if !kept.contains(tag.digest.as_str()) {
            tags.entry(&tag.digest).or_default().push(name.clone());
        } else if expired.contains(name.as_str()) && !contents.pinned.contains(&tag.digest) {
            shared.push(name.clone());
        }
    }
    let doomed = |digest: &str| Doomed {
        digest: digest.to_owned(),
        tags: tags.get(digest).cloned().unwrap_or_default(),
    };
    let order = parents_first(contents, &kept);
    Plan { manifests: order.into_iter().map(doomed).collect(), shared }
}

/// The names of the tags that no rule keeps. Those that stand in for a list of referrers are none of
/// them: they stay and go with their subject.
fn expired<'c>(contents: &'c Contents, rules: &Rules, now: u64) -> BTreeSet<&'c str> {
    let is_chosen = |name: &str| subject_of_tag(name).is_none() && rules.choose(name);
    let candidates = contents.tags.iter().filter(|(name, _)| is_chosen(name));
    let (keys, tags): (Vec<_>, Vec<_>) = candidates.partition(|(name, _)| is_key_tag(name));
    let mut expired = BTreeSet::new();
    for mut group in [keys, tags] {
        group.sort_by(|(a, first), (b, second)| {
            second.since.cmp(&first.since).then_with(|| natural_order(b, a))
        });
        let old = group.into_iter().enumerate().filter(|(place, (_, tag))| {
            let is_new = rules.keep_tags.is_some_and(|keep| *place < keep);
            !is_new && rules.is_old(tag.since, now)
        });
        expired.extend(old.map(|(_, (name, _))| name.as_str()));
    }
    expired
}

/// The digests that something kept names, directly or not. `former` are kept without a tag.
fn kept<'c>(
    contents: &'c Contents,
    expired: &BTreeSet<&str>,
    former: impl Iterator<Item = &'c str>,
) -> BTreeSet<&'c str> {
    // What is kept with a manifest beside what it names itself.
    let mut with: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (digest, named) in &contents.manifests {
        if let Some(subject) = &named.subject {
            with.entry(subject).or_default().push(digest);
        }
    }
    let mut open: Vec<&str> = contents.pinned.iter().map(String::as_str).chain(former).collect();
    for (name, tag) in &contents.tags {
        match subject_of_tag(name) {
            Some(subject) => match contents.manifests.get_key_value(&subject) {
                Some((subject, _)) => with.entry(subject).or_default().push(&tag.digest),
                None => open.push(tag.digest.as_str()),
            },
            None if expired.contains(name.as_str()) => {}
            None => open.push(tag.digest.as_str()),
        }
    }
    let mut kept = BTreeSet::new();
    while let Some(digest) = open.pop() {
        if kept.insert(digest) {
            open.extend(with.get(digest).into_iter().flatten());
            let named = contents.manifests.get(digest);
            open.extend(
                named
                    .into_iter()
                    .flat_map(|named| named.children.iter().chain(&named.subject).map(String::as_str)),
            );
        }
    }
    kept
}

/// The known manifests that are not kept, each before those that it names, and the oldest first.
fn parents_first<'c>(contents: &'c Contents, kept: &BTreeSet<&str>) -> Vec<&'c str> {
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    for tag in contents.tags.values() {
        let since = newest.entry(&tag.digest).or_default();
        *since = tag.since.max(*since);
    }
    // The order is turned around in the end: what has no tag of its own comes after all others.
    let mut all: Vec<&String> = contents.manifests.keys().collect();
    all.sort_by_key(|digest| std::cmp::Reverse(newest.get(digest.as_str()).copied().unwrap_or(u64::MAX)));
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    for digest in all {
        // A manifest is left when everything that it names was left.
        let mut stack = vec![(digest.as_str(), false)];
        while let Some((digest, is_done)) = stack.pop() {
            let Some(named) = contents.manifests.get(digest).filter(|_| !kept.contains(digest)) else {
                continue;
            };
            if is_done {
                order.push(digest);
            } else if seen.insert(digest) {
                stack.push((digest, true));
                stack.extend(named.children.iter().chain(&named.subject).map(|next| (next.as_str(), false)));
            }
        }
    }
    order.reverse();
    order
}

/// The manifest whose referrers a tag stands for: `sha256-<digits>`, with an ending such as `.sig`
/// or without (distribution-spec 1.1, "Referrers Tag Schema"; cosign, "Signature Storage").
pub fn subject_of_tag(tag: &str) -> Option<String> {
    let rest = tag.strip_prefix("sha256-")?;
    let (digits, ending) = rest.split_at_checked(64)?;
    let is_digest = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_digest && (ending.is_empty() || ending.starts_with('.'))).then(|| format!("sha256:{digits}"))
}

/// The order of names in which numbers count as numbers: `run-9` comes before `run-10`.
fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while let (Some(first), Some(second)) = (a.first(), b.first()) {
        let (next, order) = if first.is_ascii_digit() && second.is_ascii_digit() {
            let ((left, rest), (right, behind)) = (number(a), number(b));
            ((rest, behind), left.len().cmp(&right.len()).then_with(|| left.cmp(right)))
        } else {
            ((a.get(1..).unwrap_or_default(), b.get(1..).unwrap_or_default()), first.cmp(second))
        };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = next;
    }
    a.len().cmp(&b.len())
}

/// The digits at the beginning without zeros in front, and what is behind them.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at_checked(digits).unwrap_or((text, &[]));
    let zeros = number.iter().take_while(|byte| **byte == b'0').count();
    (number.get(zeros..).unwrap_or_default(), rest)
}

#[cfg(test)]
mod tests;

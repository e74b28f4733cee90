//! How many requests of each sort an API server answered, by its own metrics.

use std::collections::BTreeMap;
use std::fmt;

/// The metric of kube-apiserver that counts requests
/// (kubernetes.io/docs/reference/instrumentation/metrics).
const METRIC: &str = "apiserver_request_total{";

/// A sort of requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sort {
    /// For example `POST`, `APPLY` or `LIST`.
    pub verb: String,
    /// The plural name, with the subresource behind a slash where there is one.
    pub resource: String,
}

impl Sort {
    /// A sort of requests.
    pub fn new(verb: &str, resource: &str) -> Self {
        Self { verb: verb.to_owned(), resource: resource.to_owned() }
    }
}

/// Numbers of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts(BTreeMap<Sort, u64>);

impl RequestCounts {
    /// Reads them from metrics in the text format of Prometheus.
    ///
    /// # Errors
    /// When a line of the metric is not what the format says; the error has the line.
    pub fn parse(metrics: &str) -> Result<Self, String> {
        let mut counts = Self::default();
        for line in metrics.lines() {
            let Some(rest) = line.strip_prefix(METRIC) else { continue };
            let wrong = || format!("this line of {METRIC} has no labels or no number: {line}");
            let (labels, value) = rest.rsplit_once("} ").ok_or_else(wrong)?;
            // Values of the labels that are read here have neither quotes nor commas.
            let label = |name: &str| {
                let mut pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
                let value = pairs.find(|(found, _)| *found == name).map(|(_, value)| value.trim_matches('"'));
                value.ok_or_else(wrong)
            };
            let (resource, subresource) = (label("resource")?, label("subresource")?);
            let separator = if subresource.is_empty() { "" } else { "/" };
            let sort = Sort::new(label("verb")?, &format!("{resource}{separator}{subresource}"));
            // Counters are whole numbers, which are written in the notation of floats when large.
            let value: f64 = value.parse().map_err(|_| wrong())?;
            counts.add(sort, value as u64);
        }
        Ok(counts)
    }

    /// Adds requests of a sort.
    pub fn add(&mut self, sort: Sort, count: u64) {
        *self.0.entry(sort).or_default() += count;
    }

    /// What was added since earlier numbers of the same server.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let more = |(sort, count): (&Sort, &u64)| {
            let added = count.saturating_sub(earlier.0.get(sort).copied().unwrap_or_default());
            (added > 0).then(|| (sort.clone(), added))
        };
        Self(self.0.iter().filter_map(more).collect())
    }

    /// Those that a condition selects.
    #[must_use]
    pub fn only(mut self, condition: impl Fn(&Sort) -> bool) -> Self {
        self.0.retain(|sort, _| condition(sort));
        self
    }

    /// One text for all of them, divided by a number of objects.
    pub fn for_each_of(&self, objects: usize) -> impl fmt::Display {
        let each = |(sort, count): (&Sort, &u64)| {
            format!("{} {} {:.2}", sort.verb, sort.resource, *count as f64 / objects as f64)
        };
        let all: Vec<String> = self.0.iter().map(each).collect();
        if all.is_empty() { "none".to_owned() } else { all.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as kube-apiserver 1.36 writes them.
    const METRICS: &str = r#"# HELP apiserver_request_total [STABLE] Counter of apiserver requests
# TYPE apiserver_request_total counter
apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="services",scope="resource",subresource="",verb="POST",version="v1"} 100
apiserver_request_total{code="409",component="apiserver",dry_run="",group="",resource="services",scope="resource",subresource="",verb="POST",version="v1"} 2
apiserver_request_total{code="200",component="apiserver",dry_run="",group="cache.converged-computing.github.io",resource="orascaches",scope="resource",subresource="status",verb="APPLY",version="v1alpha1"} 1.2e+06
apiserver_request_total{code="0",component="apiserver",dry_run="",group="",resource="",scope="",subresource="/readyz",verb="GET",version=""} 7
apiserver_request_terminations_total{code="429",component="apiserver",group="",resource="services"} 5
"#;

    #[test]
    fn requests_are_counted_by_verb_and_resource_whatever_their_status() {
        let counts = RequestCounts::parse(METRICS).expect("metrics");
        let expected = [
            (Sort::new("POST", "services"), 102),
            (Sort::new("APPLY", "orascaches/status"), 1_200_000),
            (Sort::new("GET", "//readyz"), 7),
        ];
        assert_eq!(counts, RequestCounts(expected.into()));
    }

    #[test]
    fn what_was_added_is_shown_for_each_object() {
        let before = RequestCounts::parse(METRICS).expect("metrics");
        let mut after = before.clone();
        after.add(Sort::new("POST", "services"), 150);
        after.add(Sort::new("POST", "events"), 100);
        after.add(Sort::new("WATCH", "events"), 1);
        let added = after.since(&before).only(|sort| sort.verb != "WATCH");
        assert_eq!(added.for_each_of(100).to_string(), "POST events 1.00, POST services 1.50");
        assert_eq!(after.since(&after).for_each_of(1).to_string(), "none");
    }

    #[test]
    fn a_line_that_is_cut_off_is_an_error() {
        for line in [
            r#"apiserver_request_total{verb="GET""#,
            r#"apiserver_request_total{verb="GET",resource="a",subresource=""} x"#,
            r#"apiserver_request_total{verb="GET",resource="a"} 1"#,
        ] {
            assert!(RequestCounts::parse(line).expect_err("refused").ends_with(line));
        }
    }
}

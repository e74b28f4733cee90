//! Objects with more fields than a review has time for. Everybody's reviews wait for a long one.

use super::request::Request;
use crate::findings::Findings;
use crate::json::{Json, count_steps};

/// Values that a reviewed object has at most: its fields, and the items of its lists, at all
/// depths. The largest object that etcd takes has room for twenty-five times as many. A container
/// that is written out in full has about 60.
pub(crate) const MAX_VALUES: usize = 12_000;

/// Bytes of text that a value takes at least: one of its own, and one that separates it from
/// others.
const BYTES_OF_A_VALUE: usize = 2;

/// Refuses the object of a request that has too many values, and says whether it did. `kind` is for
/// the message.
pub(crate) fn refuse_too_large(kind: &str, request: &Request<'_>, findings: &mut Findings) -> bool {
    let is_too_large = is_too_large(request);
    if is_too_large {
        findings.refuse(format!(
            "the {kind} has more than {MAX_VALUES} fields and items, which is more than is reviewed: move data into a ConfigMap or an artifact, or split it into several objects"
        ));
    }
    is_too_large
}

/// Whether the object of a request has too many values. `managedFields`, which the API server
/// writes, do not count.
pub(crate) fn is_too_large(request: &Request<'_>) -> bool {
    // Few texts are so long that counting is needed.
    request.length > MAX_VALUES * BYTES_OF_A_VALUE && request.object.is_some_and(has_too_many_values)
}

fn has_too_many_values(object: &Json<'_>) -> bool {
    let mut left = MAX_VALUES;
    let Json::Object(members) = object else { return false };
    !members.iter().all(|(key, value)| match value {
        Json::Object(metadata) if key == "metadata" => {
            let mut counted = metadata.iter().filter(|(key, _)| key != "managedFields");
            counted.all(|(_, value)| take(value, &mut left))
        }
        _ => take(value, &mut left),
    })
}

/// Takes the number of values from what is left. False when less is left.
fn take(value: &Json<'_>, left: &mut usize) -> bool {
    count_steps(1);
    let Some(rest) = left.checked_sub(1) else { return false };
    *left = rest;
    match value {
        Json::Array(items) => items.iter().all(|item| take(item, left)),
        Json::Object(members) => members.iter().all(|(_, value)| take(value, left)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object with this many values below `spec`.
    fn with_values(number: usize) -> String {
        let items = vec!["1"; number - 2].join(",");
        format!(r#"{{"metadata":{{"managedFields":[{{}},{{}}]}},"spec":{{"list":[{items}]}}}}"#)
    }

    #[test]
    fn an_object_has_as_many_values_as_the_limit_says_without_its_managed_fields() {
        let text = with_values(MAX_VALUES);
        assert!(!has_too_many_values(&Json::parse(&text).unwrap()));
        let text = with_values(MAX_VALUES + 1);
        assert!(has_too_many_values(&Json::parse(&text).unwrap()));
    }

    #[test]
    fn no_text_is_too_short_to_have_too_many_values() {
        // Nothing is shorter than digits in one list.
        let items = vec!["1"; MAX_VALUES].join(",");
        let object = format!(r#"{{"a":[{items}]}}"#);
        assert!(has_too_many_values(&Json::parse(&object).unwrap()));
        let review = format!(r#"{{"request":{{"uid":"1","object":{object}}}}}"#);
        let tree = Json::parse(&review).unwrap();
        let request = Request::read(&tree, object.len()).unwrap();
        assert!(is_too_large(&request), "the object alone is long enough");
    }
}

//! Security: pods that say by the marker that they were rewritten before. They are not rewritten
//! again, so that their parts must be those that the rewriting makes.

mod pass;
mod refused;

use serde_json::Value;

/// The pod with one value changed or added. `path` is a JSON pointer, whose last part may be `-`.
fn changed(mut pod: Value, path: &str, value: Value) -> Value {
    let (parent, name) = path.rsplit_once('/').unwrap();
    match pod.pointer_mut(path) {
        Some(place) => *place = value,
        None if name == "-" => pod.pointer_mut(parent).and_then(Value::as_array_mut).unwrap().push(value),
        None => pod.pointer_mut(parent).unwrap()[name] = value,
    }
    pod
}

const INSTALL: &str = "/spec/initContainers/0";
const PROXY: &str = "/spec/initContainers/1";

//! A second guest, for tests, that has nothing to do with registries: a Greeting gets a ConfigMap with its text, and a
//! Greeting whose text is empty is refused.
//!
//! `spec.misbehave` makes a call of `reconcile` do what no guest should: `panic`, `loop`, `allocate` or `recurse`. The
//! annotation `lab.example.com/misbehave` does the same to a review.

use orascache_guest_sdk::{
    Admission, AdmissionRule, Context, Description, Error, Kind, Object, Observed, Outcome, Plan, Reconciler,
    Request, WatchedKind, json,
};

const GREETING: Kind = Kind::namespaced("lab.example.com/v1", "Greeting", "greetings");
const CONFIG_MAP: Kind = Kind::namespaced("v1", "ConfigMap", "configmaps");
/// How a review misbehaves.
const MISBEHAVE: &str = "lab.example.com/misbehave";

/// The guest.
struct Greeter;

impl Reconciler for Greeter {
    fn describe() -> Description {
        Description {
            owned: vec![WatchedKind::whole(CONFIG_MAP)],
            admission: vec![AdmissionRule::validating("greetings", &GREETING)],
            ..Description::new(GREETING, "greeter")
        }
    }

    fn reconcile(observed: &Observed<String>) -> Result<Plan, Error> {
        let greeting = Object::parse("the Greeting", &observed.primary)?;
        misbehave(greeting["spec"]["misbehave"].as_str());
        let mut plan = Plan::default();
        if greeting.is_being_deleted() {
            return Ok(plan);
        }
        let text = greeting["spec"]["text"].as_str().unwrap_or("hello");
        let child = greeting.child(&CONFIG_MAP, greeting.name()).with("data", json!({"greeting": text}));
        child.apply_unless_current(&Object::parse_all("ConfigMap", &observed.owned)?, &mut plan);
        let generation = &greeting["metadata"]["generation"];
        plan.status = greeting.with_status(&json!({"observedGeneration": generation, "greeting": text}));
        Ok(plan)
    }
}

impl Admission for Greeter {
    fn review(review: &str, _context: &Context<String>) -> Result<Outcome, Error> {
        let request = Request::parse(review)?;
        let object = request.object();
        misbehave(object["metadata"]["annotations"][MISBEHAVE].as_str());
        Ok(match object["spec"]["text"].as_str() {
            Some("") => request.refuse("spec.text is empty: write a greeting, or leave it out for \"hello\""),
            _ => request.allow(),
        })
    }
}

orascache_guest_sdk::export!(Greeter);

#[allow(clippy::panic, reason = "tests ask for it")]
fn misbehave(how: Option<&str>) {
    match how {
        Some("panic") => panic!("as asked"),
        Some("loop") => loop {
            std::hint::spin_loop();
        },
        Some("allocate") => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
            }
        }
        Some("recurse") => {
            std::hint::black_box(recurse(1));
        }
        _ => {}
    }
}

#[allow(unconditional_recursion, reason = "tests ask for it")]
fn recurse(depth: u64) -> u64 {
    std::hint::black_box(recurse(std::hint::black_box(depth + 1))) + depth
}

#[cfg(test)]
mod tests {
    use super::*;
    use orascache_guest_sdk::{Response, Value};

    fn review(object: &Value) -> Response {
        let review = json!({"request": {"uid": "1", "object": object}}).to_string();
        match Greeter::review(&review, &Context::default()).expect("an answer") {
            Outcome::Decided(response) => response,
            Outcome::Need(needs) => panic!("needs {needs:?}"),
        }
    }

    #[test]
    fn a_greeting_without_words_is_refused() {
        assert!(review(&json!({"spec": {"text": "hi"}})).is_allowed());
        assert!(review(&json!({"spec": {}})).is_allowed());
        assert_eq!(review(&json!({"spec": {"text": ""}})).refusal().map(|refusal| refusal.code), Some(422));
    }

    #[test]
    fn objects_of_other_kinds_are_allowed() {
        assert!(review(&Value::Null).is_allowed());
    }
}

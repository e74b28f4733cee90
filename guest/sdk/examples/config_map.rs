//! A guest: every Note gets a ConfigMap with its text, and a Note without text is refused.
use orascache_guest_sdk::*;

const NOTE: Kind = Kind::namespaced("lab.example.com/v1", "Note", "notes");
const CONFIG_MAP: Kind = Kind::namespaced("v1", "ConfigMap", "configmaps");

/// The guest.
pub struct Notes;

impl Reconciler for Notes {
    fn describe() -> Description {
        Description {
            owned: vec![WatchedKind::whole(CONFIG_MAP)],
            admission: vec![AdmissionRule::validating("notes", &NOTE)],
            ..Description::new(NOTE, "notes")
        }
    }

    fn reconcile(observed: &Observed<String>) -> Result<Plan, Error> {
        let mut plan = Plan::default();
        let note = Object::parse("the Note", &observed.primary)?;
        if !note.is_being_deleted() {
            let data = json!({"text": note["spec"]["text"]});
            let config_map = note.child(&CONFIG_MAP, note.name()).with("data", data);
            config_map.apply_unless_current(&Object::parse_all("ConfigMap", &observed.owned)?, &mut plan);
        }
        Ok(plan)
    }
}

impl Admission for Notes {
    fn review(review: &str, _context: &Context<String>) -> Result<Outcome, Error> {
        let request = Request::parse(review)?;
        let is_empty = request.object()["spec"]["text"].as_str().unwrap_or_default().is_empty();
        Ok(if is_empty { request.refuse("spec.text is empty: write the text") } else { request.allow() })
    }
}

orascache_guest_sdk::export!(Notes);

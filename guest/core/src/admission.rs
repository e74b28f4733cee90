//! Admission: OrasCaches are checked by the rules of [`crate::validate`]; other objects pass unchanged.

use crate::contract::{Error, Verdict};
use crate::fields::{self, Place};
use crate::primary::Primary;
use crate::validate;
use orascache_api::names::{GROUP, KIND};

/// Decides about one AdmissionReview (admission.k8s.io/v1).
///
/// # Errors
/// When the text is no AdmissionReview with a request.
pub fn review(text: &str) -> Result<Verdict, Error> {
    let tree = fields::parse(text, "the AdmissionReview")?;
    let request = Place::root(&tree).object("request", "request")?.ok_or_else(|| {
        Error::InvalidInput(
            "this is not an AdmissionReview of admission.k8s.io/v1: request is missing".to_owned(),
        )
    })?;
    let uid = request.required_text("uid")?.to_owned();
    let kind = request.object("kind", "request.kind")?;
    let of_kind = |name| kind.map_or(Ok(None), |kind| kind.text(name));
    let is_cache = of_kind("group")? == Some(GROUP) && of_kind("kind")? == Some(KIND);
    let operation = request.text("operation")?.unwrap_or_default();
    let object = request.member("object").filter(|_| is_cache && matches!(operation, "CREATE" | "UPDATE"));
    let Some(object) = object else {
        return Ok(Verdict { uid, allowed: true, ..Verdict::default() });
    };
    let primary = match Primary::read(object) {
        Ok(primary) => primary,
        Err(error) => return Ok(refusal(uid, error.to_string())),
    };
    // Finalizers must stay removable, whatever the spec says.
    let problems = if primary.metadata.is_being_deleted { Vec::new() } else { validate::problems(&primary) };
    if !problems.is_empty() {
        let sentences: Vec<String> =
            problems.iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect();
        return Ok(refusal(uid, sentences.join("; ")));
    }
    let mut warnings = Vec::new();
    if primary.spec.registry_http.is_some() {
        warnings.push(
            "spec.secrets.registryHttp is deprecated: put the value into a Secret under the key http-secret and name that in spec.secret"
                .to_owned(),
        );
    }
    Ok(Verdict { uid, allowed: true, warnings, ..Verdict::default() })
}

fn refusal(uid: String, message: String) -> Verdict {
    Verdict { uid, allowed: false, code: 422, message, ..Verdict::default() }
}

#[cfg(test)]
mod tests {
    use super::review;

    fn request(object: &str) -> String {
        format!(
            r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"u","kind":{{"group":"cache.converged-computing.github.io","version":"v1alpha1","kind":"OrasCache"}},"operation":"CREATE","object":{object}}}}}"#
        )
    }

    fn cache(spec: &str) -> String {
        format!(
            r#"{{"apiVersion":"cache.converged-computing.github.io/v1alpha1","kind":"OrasCache","metadata":{{"name":"a","namespace":"n"}},"spec":{spec}}}"#
        )
    }

    #[test]
    fn a_good_cache_passes() {
        let verdict = review(&request(&cache("{}"))).unwrap();
        assert!(verdict.allowed && verdict.uid == "u" && verdict.patch.is_none());
    }

    #[test]
    fn a_contradiction_is_refused_with_the_field() {
        let verdict = review(&request(&cache(r#"{"replicas":2}"#))).unwrap();
        assert!(!verdict.allowed);
        assert_eq!(verdict.code, 422);
        assert!(
            verdict.message.starts_with("spec.replicas: more than one replica needs storage"),
            "{}",
            verdict.message
        );
    }

    #[test]
    fn a_wrong_type_is_refused() {
        let verdict = review(&request(&cache(r#"{"image":3}"#))).unwrap();
        assert!(
            !verdict.allowed && verdict.message.contains("spec.image must be a string, not a number"),
            "{}",
            verdict.message
        );
    }

    #[test]
    fn a_deprecated_field_warns() {
        let verdict = review(&request(&cache(r#"{"secrets":{"registryHttp":"x"}}"#))).unwrap();
        assert!(verdict.allowed);
        assert_eq!(verdict.warnings.len(), 1);
    }

    #[test]
    fn what_is_no_review_is_an_error() {
        assert!(review("{}").unwrap_err().to_string().contains("AdmissionReview"));
    }
}

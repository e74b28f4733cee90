//! The variables of a container.

use crate::expand::expand;
use crate::fields::{self, Machine};
use crate::objects::{Objects, Obstacle, Source};
use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVarSource, Pod};

/// Names and values, in the order in which they are defined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Variables(pub Vec<(String, String)>);

impl Variables {
    /// The value of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// Sets a variable. A later definition counts.
    pub(crate) fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Sets a variable unless it is defined.
    pub(crate) fn set_default(&mut self, name: &str, value: String) {
        if self.get(name).is_none() {
            self.set(name, value);
        }
    }

    /// Replaces `$(VAR)` in a text.
    pub(crate) fn expand(&self, text: &str) -> String {
        expand(text, |name| self.get(name))
    }
}

/// The variables that a container declares.
pub(crate) fn declared(
    pod: &Pod,
    container: &Container,
    objects: &Objects,
    machine: Machine,
) -> Result<Variables, Obstacle> {
    let mut variables = Variables::default();
    for source in container.env_from.iter().flatten() {
        all_of(source, objects, &mut variables)?;
    }
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (_, Some(source)) => value_from(pod, container, source, objects, machine)?,
            (value, None) => Some(variables.expand(value.as_deref().unwrap_or_default())),
        };
        if let Some(value) = value {
            variables.set(&variable.name, value);
        }
    }
    Ok(variables)
}

/// Every key of an object becomes a variable.
fn all_of(source: &EnvFromSource, objects: &Objects, variables: &mut Variables) -> Result<(), Obstacle> {
    let secret = source.secret_ref.as_ref().map(|found| (Source::Secret, &found.name, found.optional));
    let map = source.config_map_ref.as_ref().map(|found| (Source::ConfigMap, &found.name, found.optional));
    let Some((kind, name, optional)) = secret.or(map) else { return Ok(()) };
    let Some(data) = objects.get(kind, name) else {
        return if optional == Some(true) { Ok(()) } else { Err(missing(kind, name)) };
    };
    for (key, value) in data {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        let variable = format!("{prefix}{key}");
        // The kubelet skips what cannot be the name of a variable.
        if !variable.contains('=') {
            variables.set(&variable, text(kind, name, key, value)?);
        }
    }
    Ok(())
}

fn missing(kind: Source, name: &str) -> Obstacle {
    Obstacle::configuration(format!("{} {name:?} not found", kind.lowercase()))
}

/// The value of a variable; `None` for an optional one that is not there.
fn value_from(
    pod: &Pod,
    container: &Container,
    source: &EnvVarSource,
    objects: &Objects,
    machine: Machine,
) -> Result<Option<String>, Obstacle> {
    if let Some(reference) = &source.field_ref {
        return fields::field(pod, &reference.field_path).map(Some).map_err(Obstacle::configuration);
    }
    if let Some(reference) = &source.resource_field_ref {
        return fields::resource(container, reference, machine).map(Some).map_err(Obstacle::configuration);
    }
    let secret = source.secret_key_ref.as_ref();
    let secret = secret.map(|found| (Source::Secret, &found.name, &found.key, found.optional));
    let map = source.config_map_key_ref.as_ref();
    let map = map.map(|found| (Source::ConfigMap, &found.name, &found.key, found.optional));
    let Some((kind, name, key, optional)) = secret.or(map) else {
        return Err(Obstacle::configuration(
            "a variable has a source that processes cannot get: use fieldRef, resourceFieldRef, secretKeyRef or configMapKeyRef".to_owned(),
        ));
    };
    let is_optional = optional == Some(true);
    let Some(data) = objects.get(kind, name) else {
        return if is_optional { Ok(None) } else { Err(missing(kind, name)) };
    };
    match data.get(key) {
        Some(value) => text(kind, name, key, value).map(Some),
        None if is_optional => Ok(None),
        None => Err(Obstacle::configuration(format!(
            "couldn't find key {key} in {} {}/{name}",
            kind.kind(),
            objects.namespace
        ))),
    }
}

/// A value as text. The message does not repeat it, since it may be secret.
fn text(kind: Source, name: &str, key: &str, value: &[u8]) -> Result<String, Obstacle> {
    let text = std::str::from_utf8(value).ok().filter(|text| !text.contains('\0'));
    text.map(str::to_owned).ok_or_else(|| {
        Obstacle::configuration(format!(
            "the value of key {key} of {} {name:?} is not UTF-8, or has a zero byte, so that it cannot be a variable: mount it as a file",
            kind.lowercase()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::declared;
    use crate::fields::Machine;
    use crate::objects::{Data, Objects, Obstacle, Source};
    use serde_json::{Value, json};

    fn objects() -> Objects {
        let data = |pairs: &[(&str, &[u8])]| -> Data {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), value.to_vec())).collect()
        };
        let secret = data(&[("user", b"ann"), ("binary", b"\xff")]);
        let map = data(&[("mode", b"fast"), ("user", b"bob")]);
        let found = [((Source::Secret, "s".to_owned()), secret), ((Source::ConfigMap, "m".to_owned()), map)];
        Objects { namespace: "n".to_owned(), found: found.into() }
    }

    fn variables(container: Value) -> Result<Vec<(String, String)>, Obstacle> {
        let mut container = container;
        container["name"] = json!("c");
        let container = serde_json::from_value(container).expect("a container");
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": []}});
        let pod = serde_json::from_value(pod).expect("a pod");
        let machine = Machine { cores: 2, memory: 0 };
        declared(&pod, &container, &objects(), machine).map(|variables| variables.0)
    }

    #[test]
    fn later_variables_see_earlier_ones() {
        let found = variables(json!({
            "envFrom": [{"configMapRef": {"name": "m"}}, {"prefix": "X_", "configMapRef": {"name": "m"}}],
            "env": [
                {"name": "A", "value": "$(mode) $(B) $$(mode)"},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "user"}}},
                {"name": "C", "value": "$(A)-$(B)"},
                {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "CORES", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
                {"name": "mode", "value": "slow"},
                {"name": "EMPTY"},
                {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "t", "key": "k", "optional": true}}},
            ],
        }))
        .expect("variables");
        let wanted = [
            ("mode", "slow"),
            ("user", "bob"),
            ("X_mode", "fast"),
            ("X_user", "bob"),
            ("A", "fast $(B) $(mode)"),
            ("B", "ann"),
            ("C", "fast $(B) $(mode)-ann"),
            ("POD", "p"),
            ("CORES", "2"),
            ("EMPTY", ""),
        ];
        assert_eq!(found, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn missing_sources_are_named_without_values() {
        let message = |container: Value| variables(container).expect_err("an obstacle").message;
        assert_eq!(message(json!({"envFrom": [{"secretRef": {"name": "t"}}]})), "secret \"t\" not found");
        let key = |source: Value| message(json!({"env": [{"name": "A", "valueFrom": source}]}));
        assert_eq!(
            key(json!({"configMapKeyRef": {"name": "m", "key": "x"}})),
            "couldn't find key x in ConfigMap n/m"
        );
        assert!(key(json!({"secretKeyRef": {"name": "s", "key": "binary"}})).contains("mount it as a file"));
        assert!(key(json!({"fieldRef": {"fieldPath": "spec.x"}})).contains("spec.x"));
    }
}

//! Field ownership and server-side apply through the public API, in the shapes of a real API
//! server's answers (the numbers in test names are those of the transcripts in
//! `../server/tests/transcripts`).

use fake_kube_apimachinery::builtin_schema;
use fake_kube_apimachinery::managed_fields::{Manager, apply, track_update};
use fake_kube_apimachinery::schema::Schema;
use fake_kube_apimachinery::status::ApiError;
use serde_json::{Value, json};

const CACHE: &str = "lab.example.com/v1";
const EARLY: &str = "2026-01-01T00:00:00Z";
const LATE: &str = "2026-01-02T00:00:00Z";

fn cache_schema() -> Schema {
    Schema::from_openapi(&json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {
            "image": {"type": "string"}, "replicas": {"type": "integer"}, "shared": {"type": "boolean"},
            "fixed": {"type": "string"},
            "env": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {"name": {"type": "string"}, "value": {"type": "string"}}}},
            "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "groups": {"type": "array", "items": {"type": "object", "properties": {
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}}}},
        }},
        "status": {"type": "object", "properties": {
            "ready": {"type": "boolean"},
            "conditions": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
                "items": {"type": "object", "properties": {"type": {"type": "string"}, "status": {"type": "string"}}}},
        }},
    }}))
    .expect("a schema")
}

fn manager<'a>(name: &'a str, api_version: &'a str, time: &'a str) -> Manager<'a> {
    Manager { name, subresource: None, api_version, time }
}

fn cache(spec: Value) -> Value {
    json!({"apiVersion": CACHE, "kind": "Cache", "metadata": {"name": "b"}, "spec": spec})
}

fn apply_cache(live: Option<&Value>, spec: Value, who: &str, time: &str) -> Result<Value, ApiError> {
    apply(&cache_schema(), live, &cache(spec), &manager(who, CACHE, time), false)
}

/// The entry of a manager, of which there must be exactly one.
fn entry<'v>(object: &'v Value, name: &str, subresource: Option<&str>) -> &'v Value {
    let entries = object["metadata"]["managedFields"].as_array().expect("managedFields");
    let found: Vec<&Value> = entries
        .iter()
        .filter(|entry| {
            entry["manager"] == name && entry.get("subresource").and_then(Value::as_str) == subresource
        })
        .collect();
    assert_eq!(found.len(), 1, "entries of {name}: {entries:?}");
    found[0]
}

fn fields<'v>(object: &'v Value, name: &str) -> &'v Value {
    &entry(object, name, None)["fieldsV1"]
}

#[test]
fn updates_own_what_they_change_08_20_23() {
    let schema = cache_schema();
    let mut created = cache(json!({"image": "registry:1", "replicas": 1}));
    track_update(&schema, None, &mut created, &manager("recorder", CACHE, EARLY));
    let owned = json!({"f:spec": {".": {}, "f:image": {}, "f:replicas": {}}});
    assert_eq!(
        created["metadata"]["managedFields"],
        json!([{"apiVersion": CACHE, "fieldsType": "FieldsV1", "fieldsV1": owned, "manager": "recorder",
            "operation": "Update", "time": EARLY}])
    );

    let mut patched = created.clone();
    patched["spec"] = json!({"image": "i:3", "replicas": 1, "fixed": "f"});
    track_update(&schema, Some(&created), &mut patched, &manager("recorder", CACHE, EARLY));
    let owned = json!({"f:spec": {".": {}, "f:fixed": {}, "f:image": {}, "f:replicas": {}}});
    assert_eq!(fields(&patched, "recorder"), &owned);

    let mut ready = patched.clone();
    ready["status"] = json!({"ready": true, "conditions": [{"type": "Ready", "status": "True"}]});
    let through_status =
        Manager { name: "recorder", subresource: Some("status"), api_version: CACHE, time: LATE };
    track_update(&schema, Some(&patched), &mut ready, &through_status);
    assert_eq!(fields(&ready, "recorder"), &owned);
    assert_eq!(
        entry(&ready, "recorder", Some("status"))["fieldsV1"],
        json!({"f:status": {".": {}, "f:ready": {}, "f:conditions": {".": {},
            "k:{\"type\":\"Ready\"}": {".": {}, "f:status": {}, "f:type": {}}}}})
    );
}

#[test]
fn apply_creates_shares_and_gives_up_24_to_29() {
    let created =
        apply_cache(None, json!({"image": "one:1", "shared": true}), "one", EARLY).expect("created");
    assert_eq!(fields(&created, "one"), &json!({"f:spec": {"f:image": {}, "f:shared": {}}}));
    assert_eq!(entry(&created, "one", None)["operation"], "Apply");

    // The server sets a default, which no manager owns.
    let mut live = created;
    live["spec"]["replicas"] = json!(1);
    let again = apply_cache(Some(&live), json!({"image": "one:1", "shared": true}), "one", LATE);
    assert_eq!(again.expect("applied").to_string(), live.to_string());

    let refused = apply_cache(Some(&live), json!({"image": "two:1"}), "two", LATE).expect_err("a conflict");
    assert_eq!(
        refused.to_status(),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "Apply failed with 1 conflict: conflict with \"one\": .spec.image", "reason": "Conflict",
            "details": {"causes": [{"reason": "FieldManagerConflict", "message": "conflict with \"one\"",
                "field": ".spec.image"}]}, "code": 409})
    );

    let schema = cache_schema();
    let two = manager("two", CACHE, LATE);
    let forced = apply(&schema, Some(&live), &cache(json!({"image": "two:1"})), &two, true).expect("applied");
    assert_eq!(fields(&forced, "one"), &json!({"f:spec": {"f:shared": {}}}));
    assert_eq!(fields(&forced, "two"), &json!({"f:spec": {"f:image": {}}}));

    let dropped = apply_cache(Some(&forced), json!({}), "one", LATE).expect("applied");
    assert_eq!(dropped["spec"], json!({"image": "two:1", "replicas": 1}));
    assert_eq!(fields(&dropped, "one"), &json!({"f:spec": {}}));

    let status = json!({"apiVersion": CACHE, "kind": "Cache", "metadata": {"name": "b"},
        "status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    let through_status = Manager { name: "one", subresource: Some("status"), api_version: CACHE, time: LATE };
    let reported = apply(&schema, Some(&dropped), &status, &through_status, true).expect("applied");
    assert_eq!(
        entry(&reported, "one", Some("status"))["fieldsV1"],
        json!({"f:status": {"f:conditions": {"k:{\"type\":\"Ready\"}": {".": {}, "f:status": {}, "f:type": {}}}}})
    );
    assert_eq!(reported["spec"], dropped["spec"]);
    assert_eq!(reported["metadata"]["managedFields"].as_array().map(Vec::len), Some(3));
}

fn set(image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "s", "ownerReferences": [{"apiVersion": CACHE, "kind": "Cache", "name": "a", "uid": "1", "controller": true}]},
        "spec": {"serviceName": "s", "selector": {"matchLabels": {"app": "s"}}, "template": {
            "metadata": {"labels": {"app": "s"}}, "spec": {"containers": [{"name": "c", "image": image}]}}}})
}

#[test]
fn a_stateful_set_is_shared_39_40_42() {
    let schema = builtin_schema::schema("apps", "v1", "StatefulSet").expect("known");
    let created = apply(&schema, None, &set("i"), &manager("op", "apps/v1", EARLY), true).expect("created");
    let applied_fields = json!({
        "f:metadata": {"f:ownerReferences": {"k:{\"uid\":\"1\"}": {}}},
        "f:spec": {"f:selector": {}, "f:serviceName": {}, "f:template": {
            "f:metadata": {"f:labels": {"f:app": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:image": {}, "f:name": {}}}}}}});
    assert_eq!(fields(&created, "op"), &applied_fields);

    let patch = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "c", "env": [{"name": "A", "value": "1"}]}, {"name": "d", "image": "j"}]}}}});
    let mut patched =
        fake_kube_apimachinery::patch::strategic_merge(&schema, &created, &patch).expect("merged");
    track_update(&schema, Some(&created), &mut patched, &manager("recorder", "apps/v1", EARLY));
    let patched_fields = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {
        "k:{\"name\":\"c\"}": {"f:env": {".": {}, "k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}}},
        "k:{\"name\":\"d\"}": {".": {}, "f:image": {}, "f:name": {}}}}}}});
    assert_eq!(fields(&patched, "recorder"), &patched_fields);

    let applied =
        apply(&schema, Some(&patched), &set("new"), &manager("op", "apps/v1", LATE), true).expect("applied");
    assert_eq!(
        applied["spec"]["template"]["spec"]["containers"],
        json!([{"name": "c", "image": "new", "env": [{"name": "A", "value": "1"}]}, {"name": "d", "image": "j"}])
    );
    assert_eq!(fields(&applied, "op"), &applied_fields);
    assert_eq!(fields(&applied, "recorder"), &patched_fields);
    assert_eq!(entry(&applied, "op", None)["time"], LATE);
    assert_eq!(entry(&applied, "recorder", None)["time"], EARLY);
}

#[test]
fn a_created_service_43() {
    let schema = builtin_schema::schema("", "v1", "Service").expect("known");
    let mut service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"clusterIP": "None", "selector": {"app": "s"}, "type": "ClusterIP", "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster", "ports": [{"port": 5000, "protocol": "TCP", "targetPort": 5000}]},
        "status": {"loadBalancer": {}}});
    track_update(&schema, None, &mut service, &manager("recorder", "v1", EARLY));
    assert_eq!(
        fields(&service, "recorder"),
        &json!({"f:spec": {"f:clusterIP": {}, "f:internalTrafficPolicy": {}, "f:ports": {".": {},
            "k:{\"port\":5000,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}, "f:protocol": {}, "f:targetPort": {}}},
            "f:selector": {}, "f:sessionAffinity": {}, "f:type": {}}})
    );
}

#[test]
fn duplicate_keys_are_refused() {
    for (spec, sentence) in [
        (
            json!({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}),
            ".spec.env: duplicate entries for key [name=\"A\"]",
        ),
        (json!({"tags": ["x", "y", "x"]}), ".spec.tags: duplicate entries for key [=\"x\"]"),
        (
            json!({"groups": [{}, {"tags": ["x", "x"]}]}),
            ".spec.groups[1].tags: duplicate entries for key [=\"x\"]",
        ),
    ] {
        let refused = apply_cache(None, spec, "one", EARLY).expect_err("duplicates");
        assert_eq!(refused.code, 400);
        assert!(refused.message.contains(sentence), "{}", refused.message);
    }
    let schema = builtin_schema::schema("", "v1", "Service").expect("known");
    let ports = json!([{"port": 1}, {"port": 1, "protocol": "TCP"}]);
    let service = json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": ports}});
    let refused = apply(&schema, None, &service, &manager("one", "v1", EARLY), false);
    assert_eq!(refused.expect_err("the same port").code, 400);
    let lacking = apply_cache(None, json!({"env": [{"value": "1"}]}), "one", EARLY).expect_err("no key");
    assert!(lacking.message.contains("omits key field \"name\""), "{}", lacking.message);
}

#[test]
fn live_duplicates_are_replaced_by_the_applied_item() {
    let live = cache(json!({"tags": ["x", "y", "x"]}));
    let applied = apply_cache(Some(&live), json!({"tags": ["x"]}), "one", LATE).expect("applied");
    assert_eq!(applied["spec"]["tags"], json!(["x", "y"]));
}

#[test]
fn lists_follow_the_applied_order() {
    for (live, applied, wanted) in [
        ("AB", "BA", "BA"),
        ("ABC", "CA", "CAB"),
        ("XAB", "BA", "XBA"),
        ("AXBY", "BA", "BYAX"),
        ("AX", "NA", "NAX"),
        ("XA", "NA", "XNA"),
        ("XY", "AB", "XYAB"),
        ("", "BA", "BA"),
        ("AB", "", "AB"),
    ] {
        let tags = |text: &str| -> Value { text.chars().map(String::from).collect() };
        let env = |text: &str| -> Value { text.chars().map(|c| json!({"name": c.to_string()})).collect() };
        let old = cache(json!({"tags": tags(live), "env": env(live)}));
        let spec = json!({"tags": tags(applied), "env": env(applied)});
        let new = apply_cache(Some(&old), spec.clone(), "one", EARLY).expect("applied");
        assert_eq!(new["spec"]["tags"], tags(wanted), "{applied} over {live}");
        assert_eq!(new["spec"]["env"], env(wanted), "{applied} over {live}");
        let again = apply_cache(Some(&new), spec, "one", LATE).expect("applied");
        assert_eq!(again.to_string(), new.to_string(), "{applied} over {live}, twice");
    }
}

#[test]
fn a_changed_value_moves_the_time() {
    let created = apply_cache(None, json!({"image": "a"}), "one", EARLY).expect("created");
    let changed = apply_cache(Some(&created), json!({"image": "b"}), "one", LATE).expect("applied");
    assert_eq!(fields(&changed, "one"), fields(&created, "one"));
    assert_eq!(entry(&changed, "one", None)["time"], LATE);

    let mut updated = changed.clone();
    updated["spec"]["replicas"] = json!(1);
    track_update(&cache_schema(), Some(&changed), &mut updated, &manager("two", CACHE, EARLY));
    let mut once_more = updated.clone();
    once_more["spec"]["replicas"] = json!(2);
    track_update(&cache_schema(), Some(&updated), &mut once_more, &manager("two", CACHE, LATE));
    assert_eq!(fields(&once_more, "two"), fields(&updated, "two"));
    assert_eq!(entry(&once_more, "two", None)["time"], LATE);

    let mut untouched = updated.clone();
    track_update(&cache_schema(), Some(&updated), &mut untouched, &manager("two", CACHE, LATE));
    assert_eq!(untouched, updated);
}

mod properties {
    use super::{CACHE, EARLY, LATE, apply, apply_cache, cache, cache_schema, fields, manager};
    use fake_kube_apimachinery::{builtin_schema, patch, unknown_fields};
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    /// Specs of caches: any subset of fields, list items in any order, without duplicates.
    /// Associative lists have at least one item, because an empty one has no owner.
    fn spec() -> impl Strategy<Value = Value> {
        let names = || Just(vec!["A", "B", "C", "D"]).prop_shuffle();
        let some = proptest::option::of::<BoxedStrategy<Value>>;
        let image = some("[a-z]{0,3}".prop_map(Value::from).boxed());
        let shared = some(any::<bool>().prop_map(Value::from).boxed());
        let env = (names(), 1..5_usize, "[0-9]{0,2}").prop_map(|(names, count, value)| {
            names.into_iter().take(count).map(|name| json!({"name": name, "value": value})).collect()
        });
        let tags = (names(), 1..5_usize).prop_map(|(names, count)| names.into_iter().take(count).collect());
        let groups = proptest::collection::vec(Just(json!({"tags": ["x"]})), 0..3).prop_map(Value::from);
        (image, shared, some(env.boxed()), some(tags.boxed()), some(groups.boxed())).prop_map(
            |(image, shared, env, tags, groups)| {
                let fields =
                    [("image", image), ("shared", shared), ("env", env), ("tags", tags), ("groups", groups)];
                let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
                Value::Object(given.collect())
            },
        )
    }

    /// JSON objects whose names are partly those of a cache.
    fn any_object() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z]{0,3}".prop_map(Value::from),
        ];
        const NAMES: [&str; 11] = [
            "metadata",
            "spec",
            "status",
            "env",
            "tags",
            "name",
            "conditions",
            "template",
            "containers",
            "labels",
            "other",
        ];
        let name = proptest::sample::select(&NAMES[..]).prop_map(str::to_owned);
        let object = move |inner: BoxedStrategy<Value>| {
            proptest::collection::vec((name.clone(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>()))
        };
        let inner = leaf
            .prop_recursive(4, 32, 4, {
                let object = object.clone();
                move |inner| {
                    prop_oneof![
                        object(inner.clone().boxed()),
                        proptest::collection::vec(inner, 0..3).prop_map(Value::from),
                    ]
                }
            })
            .boxed();
        object(inner)
    }

    proptest! {
        #[test]
        fn applying_twice_changes_nothing(first in spec(), second in spec()) {
            let one = apply_cache(None, first, "one", EARLY).expect("created");
            let forced = |live: &Value, time| {
                let two = manager("two", CACHE, time);
                apply(&cache_schema(), Some(live), &cache(second.clone()), &two, true).expect("applied")
            };
            let once = forced(&one, EARLY);
            prop_assert_eq!(forced(&once, LATE).to_string(), once.to_string());
        }

        #[test]
        fn equal_values_are_shared(spec in spec()) {
            let one = apply_cache(None, spec.clone(), "one", EARLY).expect("created");
            let both = apply_cache(Some(&one), spec.clone(), "two", LATE).expect("no conflict");
            prop_assert_eq!(&both["spec"], &one["spec"]);
            prop_assert_eq!(fields(&both, "one"), fields(&both, "two"));
            // Fields that the first manager gives up stay, because the second one has them.
            let left = apply_cache(Some(&both), json!({}), "one", LATE).expect("applied");
            prop_assert_eq!(&left["spec"], &spec);
        }

        #[test]
        fn pruning_twice_finds_nothing(object in any_object()) {
            let mut once = object;
            unknown_fields::prune(&cache_schema(), &mut once);
            let mut twice = once.clone();
            prop_assert_eq!(unknown_fields::prune(&cache_schema(), &mut twice), Vec::<String>::new());
            prop_assert_eq!(twice, once);
        }

        #[test]
        fn an_empty_strategic_merge_is_identity(object in any_object()) {
            let schema = builtin_schema::schema("apps", "v1", "StatefulSet").expect("known");
            prop_assert_eq!(&patch::strategic_merge(&schema, &object, &json!({})).expect("merged"), &object);
        }
    }
}

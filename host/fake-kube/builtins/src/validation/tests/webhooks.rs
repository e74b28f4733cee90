//! Causes for webhook configurations.

use serde_json::{Value, json};

use super::{created, made};

const MUTATING: &str = "mutatingwebhookconfigurations.admissionregistration.k8s.io";
const VALIDATING: &str = "validatingwebhookconfigurations.admissionregistration.k8s.io";

/// The smallest valid webhook, with changed fields.
fn webhook(changes: Value) -> Value {
    let mut webhook = json!({
        "name": "a.b.c", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"namespace": "n", "name": "s"}},
    });
    for (key, value) in changes.as_object().unwrap() {
        webhook[key] = value.clone();
    }
    webhook
}

#[track_caller]
fn refused(changes: Value, expected: &[&str]) {
    for name in [MUTATING, VALIDATING] {
        created(name, json!({"webhooks": [webhook(changes.clone())]}), expected);
    }
}

fn rule(changes: Value) -> Value {
    let mut rule =
        json!({"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]});
    for (key, value) in changes.as_object().unwrap() {
        rule[key] = value.clone();
    }
    json!({"rules": [rule]})
}

#[test]
fn defaults_are_filled_in() {
    let rules = rule(json!({}));
    let mut expected = json!({
        "name": "a.b.c", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"namespace": "n", "name": "s", "port": 443}},
        "failurePolicy": "Fail", "matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {},
        "timeoutSeconds": 10, "rules": [{
            "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "scope": "*",
        }],
    });
    assert_eq!(made(VALIDATING, json!({"webhooks": [webhook(rules.clone())]}))["webhooks"][0], expected);
    expected["reinvocationPolicy"] = "Never".into();
    assert_eq!(made(MUTATING, json!({"webhooks": [webhook(rules)]}))["webhooks"][0], expected);
}

#[test]
fn names_are_qualified_and_unique() {
    refused(json!({}), &[]);
    refused(json!({"name": ""}), &["webhooks[0].name: Required value"]);
    refused(
        json!({"name": "a.b"}),
        &[
            "webhooks[0].name: Invalid value: \"a.b\": should be a domain with at least three segments separated by \
           dots",
        ],
    );
    created(
        MUTATING,
        json!({"webhooks": [webhook(json!({})), webhook(json!({}))]}),
        &["webhooks[1].name: Duplicate value: \"a.b.c\""],
    );
}

#[test]
fn enumerations_and_bounds() {
    refused(
        json!({"sideEffects": "Some"}),
        &[
            "webhooks[0].sideEffects: Unsupported value: \"Some\": supported values: \"None\", \"NoneOnDryRun\"",
        ],
    );
    refused(
        json!({"sideEffects": null}),
        &["webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun"],
    );
    refused(
        json!({"admissionReviewVersions": ["v2", "v2"]}),
        &[
            "webhooks[0].admissionReviewVersions[1]: Invalid value: \"v2\": duplicate version",
            "webhooks[0].admissionReviewVersions: Invalid value: [\"v2\",\"v2\"]: must include at least one of v1, \
             v1beta1",
        ],
    );
    refused(
        json!({"admissionReviewVersions": []}),
        &["webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1"],
    );
    for seconds in [0, 31] {
        refused(
            json!({"timeoutSeconds": seconds}),
            &[&format!(
                "webhooks[0].timeoutSeconds: Invalid value: {seconds}: the timeout value must be between 1 and 30 \
                 seconds"
            )],
        );
    }
    refused(
        json!({"failurePolicy": "Maybe", "matchPolicy": "Fuzzy"}),
        &[
            "webhooks[0].failurePolicy: Unsupported value: \"Maybe\": supported values: \"Fail\", \"Ignore\"",
            "webhooks[0].matchPolicy: Unsupported value: \"Fuzzy\": supported values: \"Equivalent\", \"Exact\"",
        ],
    );
    created(
        MUTATING,
        json!({"webhooks": [webhook(json!({"reinvocationPolicy": "Often"}))]}),
        &[
            "webhooks[0].reinvocationPolicy: Unsupported value: \"Often\": supported values: \"IfNeeded\", \"Never\"",
        ],
    );
}

#[test]
fn rules_are_not_empty_and_wildcards_stand_alone() {
    refused(
        rule(json!({"operations": [], "apiGroups": [], "apiVersions": [], "resources": []})),
        &[
            "webhooks[0].rules[0].operations: Required value",
            "webhooks[0].rules[0].apiGroups: Required value",
            "webhooks[0].rules[0].apiVersions: Required value",
            "webhooks[0].rules[0].resources: Required value",
        ],
    );
    refused(
        rule(json!({"operations": ["*", "PATCH"], "resources": ["*", "pods", "pods/*", "pods/status"]})),
        &[
            "webhooks[0].rules[0].operations: Invalid value: [\"*\",\"PATCH\"]: if '*' is present, must not specify \
             other operations",
            "webhooks[0].rules[0].operations[1]: Unsupported value: \"PATCH\": supported values: \"*\", \"CONNECT\", \
             \"CREATE\", \"DELETE\", \"UPDATE\"",
            "webhooks[0].rules[0].resources[3]: Invalid value: \"pods/status\": if 'pods/*' is present, must not \
             specify pods/status",
            "webhooks[0].rules[0].resources: Invalid value: [\"*\",\"pods\",\"pods/*\",\"pods/status\"]: if '*' is \
             present, must not specify other resources without subresources",
        ],
    );
    refused(
        rule(json!({"scope": "Some"})),
        &["webhooks[0].rules[0].scope: Unsupported value: \"Some\": supported values: \"*\", \"Cluster\", \
           \"Namespaced\""],
    );
}

#[test]
fn a_webhook_has_one_address() {
    let both = json!({"url": "https://h", "service": {"namespace": "n", "name": "s"}});
    for neither_nor_both in [json!({}), both] {
        refused(
            json!({"clientConfig": neither_nor_both}),
            &["webhooks[0].clientConfig: Required value: exactly one of url or service is required"],
        );
    }
    refused(
        json!({"clientConfig": {"url": "http://u:p@h/x?a=b#c"}}),
        &[
            "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired \
             format: https://host[/path]",
            "webhooks[0].clientConfig.url: Invalid value: \"u:p\": user information is not permitted in the URL",
            "webhooks[0].clientConfig.url: Invalid value: \"c\": fragments are not permitted in the URL",
            "webhooks[0].clientConfig.url: Invalid value: \"a=b\": query parameters are not permitted in the URL",
        ],
    );
    let service = |path: &str, port: i64| json!({"clientConfig": {"service": {"namespace": "n", "name": "s", "path": path, "port": port}}});
    refused(service("/mutate", 9443), &[]);
    refused(
        service("mutate", 0),
        &[
            "webhooks[0].clientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, \
             inclusive",
            "webhooks[0].clientConfig.service.path: Invalid value: \"mutate\": must start with a '/'",
        ],
    );
    refused(
        service("/a//b", 443),
        &["webhooks[0].clientConfig.service.path: Invalid value: \"/a//b\": segment[1] may not be empty"],
    );
    refused(
        json!({"clientConfig": {"service": {}}}),
        &[
            "webhooks[0].clientConfig.service.name: Required value",
            "webhooks[0].clientConfig.service.namespace: Required value",
        ],
    );
}

#[test]
fn conditions_compile_and_have_unique_names() {
    let conditions = |conditions: Value| json!({"matchConditions": conditions});
    refused(conditions(json!([{"name": "a", "expression": "has(object.spec)"}])), &[]);
    refused(
        conditions(
            json!([{"name": "a", "expression": "true"}, {"name": "a", "expression": " "}, {"expression": "true"}]),
        ),
        &[
            "webhooks[0].matchConditions[1].expression: Required value",
            "webhooks[0].matchConditions[1].name: Duplicate value: \"a\"",
            "webhooks[0].matchConditions[2].name: Required value",
        ],
    );
    refused(
        conditions(json!([{"name": "a", "expression": "objekt == 1"}])),
        &[
            "webhooks[0].matchConditions[0].expression: Invalid value: \"objekt == 1\": compilation failed: ERROR: \
           <input>: undeclared reference to 'objekt' (in container '')",
        ],
    );
}

//! Where the artifacts are stored.

use super::line::{Line, fixed, line, one_way, shared};
use serde_json::json;

pub(super) fn lines() -> Vec<Line> {
    vec![
        line(
            "storage.emptyDir.sizeLimit",
            json!({}),
            json!({"storage": {"emptyDir": {"sizeLimit": "1024Mi"}}}),
        ),
        line("storage.size", json!({}), json!({"storage": {"size": "1Gi"}})),
        one_way(
            "storage.size",
            json!({"storage": {"size": "1Gi"}}),
            json!({"storage": {"size": "2Gi"}}),
            "storage cannot shrink",
        ),
        fixed(
            "storage.storageClassName",
            json!({"storage": {"size": "1Gi"}}),
            json!({"storage": {"size": "1Gi", "storageClassName": "nfs"}}),
            "storageClassName cannot change",
        ),
        fixed(
            "storage.accessModes",
            json!({"storage": {"size": "1Gi"}}),
            json!({"storage": shared()}),
            "accessModes cannot change",
        ),
        line(
            "storage.whenDeleted",
            json!({"storage": {"size": "1Gi"}}),
            json!({"storage": {"size": "1Gi", "whenDeleted": "Retain"}}),
        ),
        one_way(
            "storage.size",
            json!({"storage": {"size": "1Gi", "whenDeleted": "Retain"}}),
            json!({"storage": {"size": "2Gi", "whenDeleted": "Retain"}}),
            "storage cannot shrink",
        ),
        line("storage.existingClaim", json!({}), json!({"storage": {"existingClaim": "scratch"}})),
        line(
            "storage.existingClaim",
            json!({"storage": {"size": "1Gi"}}),
            json!({"storage": {"existingClaim": "scratch"}}),
        ),
        fixed(
            "storage.s3.bucket",
            json!({"storage": {"s3": {"bucket": "b", "region": "r"}}}),
            json!({"storage": {"s3": {"bucket": "c", "region": "r"}}}),
            "another bucket",
        ),
        line(
            "storage.s3.region",
            json!({"storage": {"s3": {"bucket": "b", "region": "r"}}}),
            json!({"storage": {"s3": {"bucket": "b", "region": "s"}}}),
        ),
        fixed(
            "storage.s3.endpoint",
            json!({"storage": {"s3": {"bucket": "b", "region": "r"}}}),
            json!({"storage": {"s3": {"bucket": "b", "region": "r", "endpoint": "https://a"}}}),
            "another bucket",
        ),
        line(
            "storage.s3.pathStyle",
            json!({"storage": {"s3": {"bucket": "b", "region": "r"}}}),
            json!({"storage": {"s3": {"bucket": "b", "region": "r", "pathStyle": true}}}),
        ),
        fixed(
            "storage.s3.prefix",
            json!({"storage": {"s3": {"bucket": "b", "region": "r"}}}),
            json!({"storage": {"s3": {"bucket": "b", "region": "r", "prefix": "/"}}}),
            "another bucket",
        ),
        line(
            "storage.s3.credentialsSecret",
            json!({"storage": {"s3": {"bucket": "b", "region": "r"}}}),
            json!({"storage": {"s3": {"bucket": "b", "region": "r", "credentialsSecret": "mysecret"}}}),
        ),
        fixed(
            "storage.gcs.bucket",
            json!({"storage": {"gcs": {"bucket": "b"}}}),
            json!({"storage": {"gcs": {"bucket": "c"}}}),
            "another bucket",
        ),
        fixed(
            "storage.gcs.prefix",
            json!({"storage": {"gcs": {"bucket": "b"}}}),
            json!({"storage": {"gcs": {"bucket": "b", "prefix": "/"}}}),
            "another bucket",
        ),
        line(
            "storage.gcs.credentialsSecret",
            json!({"storage": {"gcs": {"bucket": "b"}}}),
            json!({"storage": {"gcs": {"bucket": "b", "credentialsSecret": "mysecret"}}}),
        ),
        fixed(
            "storage.azure.accountName",
            json!({"storage": {"azure": {"accountName": "a", "container": "b"}}}),
            json!({"storage": {"azure": {"accountName": "c", "container": "b"}}}),
            "another bucket",
        ),
        fixed(
            "storage.azure.container",
            json!({"storage": {"azure": {"accountName": "a", "container": "b"}}}),
            json!({"storage": {"azure": {"accountName": "a", "container": "c"}}}),
            "another bucket",
        ),
        line(
            "storage.azure.realm",
            json!({"storage": {"azure": {"accountName": "a", "container": "b"}}}),
            json!({"storage": {"azure": {"accountName": "a", "container": "b", "realm": "r"}}}),
        ),
        fixed(
            "storage.azure.prefix",
            json!({"storage": {"azure": {"accountName": "a", "container": "b"}}}),
            json!({"storage": {"azure": {"accountName": "a", "container": "b", "prefix": "/"}}}),
            "another bucket",
        ),
        line(
            "storage.azure.credentialsSecret",
            json!({"storage": {"azure": {"accountName": "a", "container": "b"}}}),
            json!({"storage": {"azure": {"accountName": "a", "container": "b", "credentialsSecret": "mysecret"}}}),
        ),
        fixed(
            "storage.s3.bucket",
            json!({}),
            json!({"storage": {"s3": {"bucket": "b", "region": "r"}}}),
            "between a bucket and other storage",
        ),
        fixed(
            "storage.gcs.bucket",
            json!({"storage": {"size": "1Gi"}}),
            json!({"storage": {"gcs": {"bucket": "b"}}}),
            "between a bucket and other storage",
        ),
    ]
}

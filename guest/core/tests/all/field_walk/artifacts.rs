//! What becomes of artifacts: where they come from, how long they stay, and where they go.

use super::line::{Line, fixed, line, shared};
use serde_json::json;

pub(super) fn lines() -> Vec<Line> {
    vec![
        line("delete", json!({}), json!({"delete": true})),
        line("export.destination", json!({}), json!({"export": {"destination": "ghcr.io/lab"}})),
        line(
            "export.destination",
            json!({"export": {"destination": "ghcr.io/lab"}}),
            json!({"export": {"destination": "registry.example.org"}}),
        ),
        line(
            "export.repositories",
            json!({"export": {"destination": "ghcr.io/lab"}}),
            json!({"export": {"destination": "ghcr.io/lab", "repositories": ["flow/*", "words"]}}),
        ),
        line(
            "export.tags",
            json!({"export": {"destination": "ghcr.io/lab"}}),
            json!({"export": {"destination": "ghcr.io/lab", "tags": ["release-*"]}}),
        ),
        line(
            "export.schedule",
            json!({"export": {"destination": "ghcr.io/lab"}}),
            json!({"export": {"destination": "ghcr.io/lab", "schedule": "@daily"}}),
        ),
        line(
            "export.secret",
            json!({"export": {"destination": "ghcr.io/lab"}}),
            json!({"export": {"destination": "ghcr.io/lab", "secret": "mysecret"}}),
        ),
        line("flavor", json!({}), json!({"flavor": "zot"})),
        fixed(
            "flavor",
            json!({"storage": {"size": "1Gi"}}),
            json!({"storage": {"size": "1Gi"}, "flavor": "zot"}),
            "do not read each other's storage",
        ),
        line("proxy.remoteURL", json!({}), json!({"proxy": {"remoteURL": "https://ghcr.io"}})),
        line(
            "proxy.credentialsSecret",
            json!({"proxy": {"remoteURL": "https://ghcr.io"}}),
            json!({"proxy": {"remoteURL": "https://ghcr.io", "credentialsSecret": "mysecret"}}),
        ),
        line(
            "proxy.ttl",
            json!({"proxy": {"remoteURL": "https://ghcr.io"}}),
            json!({"proxy": {"remoteURL": "https://ghcr.io", "ttl": "1h"}}),
        ),
        line("readOnly", json!({}), json!({"readOnly": true})),
        line("retention.keepTags", json!({}), json!({"retention": {"keepTags": 5}})),
        line(
            "retention.keepTags",
            json!({"storage": shared(), "retention": {"keepTags": 5}}),
            json!({"storage": shared(), "retention": {"keepTags": 6}}),
        ),
        line(
            "retention.maxAge",
            json!({"retention": {"keepTags": 5}}),
            json!({"retention": {"keepTags": 5, "maxAge": "30d"}}),
        ),
        line(
            "retention.patterns",
            json!({"retention": {"keepTags": 5}}),
            json!({"retention": {"keepTags": 5, "patterns": ["run-*"]}}),
        ),
        line(
            "retention.schedule",
            json!({"retention": {"keepTags": 5}}),
            json!({"retention": {"keepTags": 5, "schedule": "@weekly"}}),
        ),
        line(
            "taskResources",
            json!({"retention": {"keepTags": 5}}),
            json!({"retention": {"keepTags": 5}, "taskResources": {"limits": {"memory": "1Gi"}}}),
        ),
        line(
            "resources",
            json!({"retention": {"keepTags": 5}}),
            json!({"retention": {"keepTags": 5}, "resources": {"limits": {"memory": "8Gi"}}}),
        ),
        line(
            "retention.garbageCollection",
            json!({"retention": {"keepTags": 5}}),
            json!({"retention": {"keepTags": 5, "garbageCollection": false}}),
        ),
        line(
            "retention.garbageCollection",
            json!({"storage": shared(), "retention": {"keepTags": 5}}),
            json!({"storage": shared(), "retention": {"keepTags": 5, "garbageCollection": false}}),
        ),
        Line {
            refused: [Some("tolerates no other registry pods"), None],
            ..line(
                "retention.garbageCollection",
                json!({"storage": shared(), "replicas": 2, "retention": {"keepTags": 5}}),
                json!({"storage": shared(), "replicas": 2, "retention": {"keepTags": 5, "garbageCollection": true}}),
            )
        },
        line(
            "replicas",
            json!({"storage": shared(), "retention": {"keepTags": 5}}),
            json!({"storage": shared(), "retention": {"keepTags": 5}, "replicas": 3}),
        ),
        line(
            "flavor",
            json!({"retention": {"keepTags": 5}}),
            json!({"retention": {"keepTags": 5}, "flavor": "zot"}),
        ),
        line(
            "retention.keepTags",
            json!({"flavor": "zot", "tls": {}, "auth": {}}),
            json!({"flavor": "zot", "tls": {}, "auth": {}, "retention": {"keepTags": 5}}),
        ),
        line(
            "retention.unusedSince",
            json!({"flavor": "zot", "retention": {"keepTags": 5}}),
            json!({"flavor": "zot", "retention": {"keepTags": 5, "unusedSince": "7d"}}),
        ),
        Line {
            refused: [Some("zot deletes by itself once a day"), None],
            ..line(
                "retention.schedule",
                json!({"flavor": "zot", "retention": {"keepTags": 5}}),
                json!({"flavor": "zot", "retention": {"keepTags": 5, "schedule": "@daily"}}),
            )
        },
        Line {
            refused: [Some("zot deletes by its garbage collection alone"), None],
            ..line(
                "retention.garbageCollection",
                json!({"flavor": "zot", "retention": {"keepTags": 5}}),
                json!({"flavor": "zot", "retention": {"keepTags": 5, "garbageCollection": false}}),
            )
        },
        Line {
            refused: [Some("does not record when an artifact was pulled"), None],
            ..line(
                "retention.unusedSince",
                json!({"retention": {"keepTags": 5}}),
                json!({"retention": {"keepTags": 5, "unusedSince": "7d"}}),
            )
        },
        line(
            "seed.artifacts",
            json!({}),
            json!({"seed": {"artifacts": [{"source": "docker.io/library/busybox:1"}]}}),
        ),
        line(
            "seed.artifacts",
            json!({"seed": {"artifacts": [{"source": "ghcr.io/a:1"}, {"source": "ghcr.io/b:1"}]}}),
            json!({"seed": {"artifacts": [{"source": "ghcr.io/b:1", "target": "c:2"}]}}),
        ),
        line(
            "seed.secret",
            json!({"seed": {"artifacts": [{"source": "ghcr.io/a:1"}]}}),
            json!({"seed": {"artifacts": [{"source": "ghcr.io/a:1"}], "secret": "mysecret"}}),
        ),
    ]
}

//! The README of the manifests. Its tables of rights are made from [`crate::rights`].

use super::kustomize::agent_image;
use crate::names::WEBHOOK_CERTIFICATE;
use crate::rights::{self, Right};
use crate::settings::Settings;

pub(super) fn text(settings: &Settings) -> String {
    let replacement = serde_saphyr::to_string(&[agent_image()]).unwrap_or_default();
    let sections = [
        INTRODUCTION.to_owned(),
        FOLDERS.to_owned(),
        INSTALLATION
            .replace("[CERTIFICATE]", WEBHOOK_CERTIFICATE)
            .replace("[NAMESPACE]", &settings.namespace),
        CHANGES
            .replace("[REPLACEMENT]", replacement.trim_end())
            .replace("[IMAGE]", repository(&settings.image))
            .replace("[VERSION]", env!("CARGO_PKG_VERSION")),
        SAFETY.replace("[NAMESPACE]", &settings.namespace),
        "## What each right is for".to_owned(),
        table("In all namespaces (`rbac/caches.yaml`):", &rights::caches()),
        table(
            "In the operator's namespace, for leader election (`rbac/leader-election.yaml`):",
            &rights::leader_election(),
        ),
        table("... and for the administrator's settings (`rbac/settings.yaml`):", &rights::settings()),
        table(
            "With managed certificates only: in the operator's namespace (`rbac/webhook-certificate.yaml`):",
            &rights::certificate(),
        ),
        table("... and in the cluster (`rbac/webhook-publication.yaml`):", &rights::publication()),
        table(
            "For people: part of the ClusterRole `view`, and by that of `edit` and `admin` (`rbac/users-view.yaml`):",
            &rights::viewing(),
        ),
        table("... and part of `edit` and `admin` (`rbac/users-edit.yaml`):", &rights::editing()),
    ];
    let mut text = sections.join("\n\n");
    text.push('\n');
    text
}

/// An image without tag and digest, as kustomize finds it by.
fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    match image.rsplit_once(':') {
        // A port is followed by a path.
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => image,
    }
}

fn table(title: &str, rights: &[Right]) -> String {
    let mut text = format!("{title}\n\n| what | verbs | why |\n|---|---|---|");
    for right in rights {
        text.push_str(&format!("\n| {} | {} | {} |", right.subject(), right.verbs.join(", "), right.why));
    }
    text
}

const INTRODUCTION: &str = "\
# Manifests

What is needed in a cluster (Kubernetes 1.30 or newer). All files but the samples are generated from
`host/deploy-manifests`; a test holds them to it, and `ORASCACHE_BLESS=1 cargo test -p deploy-manifests` writes them anew.";

const FOLDERS: &str = "\
| folder | contents |
|---|---|
| `crd` | the CustomResourceDefinition of OrasCache |
| `rbac` | the operator's ServiceAccount and rights, and what `view`, `edit` and `admin` may do with caches |
| `manager` | namespace, Deployment, PodDisruptionBudget |
| `webhook` | Service and webhook configurations |
| `network` | NetworkPolicy |
| `default` | all of the above; the operator looks after its certificate itself |
| `certmanager` | the same with a certificate by cert-manager |
| `samples` | caches and workflow steps to try |";

const INSTALLATION: &str = "\
## Installing

```sh
kubectl apply -k manifests/default       # or manifests/certmanager, with cert-manager installed
kubectl -n [NAMESPACE] rollout status deployment/orascache
kubectl apply -f manifests/samples/01-orascache.yaml
```

When changing from `default` to `certmanager` or back, delete the Secret `[CERTIFICATE]` first: the type of
a Secret cannot change. Delete what only the other folder has, too: the Roles and ClusterRoles `orascache-webhook` with their
bindings, or the Issuers and Certificates.

`kubectl delete -k manifests/default` removes everything: the CRD too, with it all caches, and with them the storage that
was made for them. To keep them, run `kubectl delete -k` for the folders `webhook`, `network`, `manager` and `rbac`, in this order.";

const CHANGES: &str = "\
## Changing image and replicas

In a kustomization of your own. The replacement makes injected init containers run the same image; without it they keep
the one from here.

```yaml
resources: [github.com/converged-computing/orascache//manifests/default?ref=v[VERSION]]
images:
- name: [IMAGE]
  newName: registry.example.org/orascache
  newTag: '[VERSION]'
replicas:
- name: orascache
  count: 3
replacements:
[REPLACEMENT]
```

Another namespace is more than kustomize's `namespace`: the webhooks leave the operator's namespace out by name, and
certificates contain it. `orascache manifests` generates these files with another one (see its `--help`).

The pods have the priority class `system-cluster-critical`. Clusters that admit it only where a ResourceQuota allows it
(GKE does) need one with the scope PriorityClass in the namespace, or another class.";

const SAFETY: &str = "\
## When the operator is down

Pods and Jobs without annotations under `oras.converged-computing.github.io/` never reach it (match conditions). Annotated
ones are refused on creation until it is back: a step without its artifacts would be worse. Updates and deletions go
on. Nothing in `kube-system` and `[NAMESPACE]` is ever reviewed. Caches are then checked by the rules of their CRD alone.";

#[cfg(test)]
mod tests {
    use super::{repository, text};
    use crate::settings::Settings;

    #[test]
    fn repositories_of_images() {
        for (image, name) in [
            ("a/b:1", "a/b"),
            ("a/b", "a/b"),
            ("host:5000/b", "host:5000/b"),
            ("host:5000/b:1@sha256:0", "host:5000/b"),
        ] {
            assert_eq!(repository(image), name);
        }
    }

    #[test]
    fn every_placeholder_is_filled_in() {
        let text = text(&Settings::default());
        for placeholder in ["[NAMESPACE]", "[CERTIFICATE]", "[IMAGE]", "[VERSION]", "[REPLACEMENT]"] {
            assert!(!text.contains(placeholder), "{placeholder}");
        }
        assert!(text.contains("env.[name=AGENT_IMAGE].value"));
    }
}

//! The README of the manifests. Its tables of rights come from [`crate::rights`].

use super::kustomize::{agent_image, name_references};
use crate::gates;
use crate::names::{CLIENT_CA_KEY, CLIENT_CA_SECRET, WEBHOOK_CERTIFICATE};
use crate::options::ManifestOptions;
use crate::rights::{RoleRights, all_roles, markdown};
use orascache_contract::Description;

/// The text. `[WORDS]` in the constants are placeholders.
pub(super) fn text(options: &ManifestOptions, description: &Description) -> String {
    let replacement = serde_saphyr::to_string(&[agent_image()]).unwrap_or_default();
    let sections = [
        INTRODUCTION.to_owned(),
        FOLDERS.to_owned(),
        INSTALL.replace("[CERTIFICATE]", WEBHOOK_CERTIFICATE),
        CHANGES
            .replace("[REPLACEMENT]", replacement.trim_end())
            .replace("[IMAGE]", repository(&options.operator_image()))
            .replace("[VERSION]", env!("CARGO_PKG_VERSION")),
        PREFIX.replace("[REFERENCES]", name_references().trim_end()),
        NAMESPACES.to_owned(),
        AVAILABILITY.to_owned(),
        AIR_GAPPED.to_owned(),
        NETWORK.to_owned(),
        CLIENTS.replace("[CLIENT_CA]", CLIENT_CA_SECRET).replace("[CLIENT_CA_KEY]", CLIENT_CA_KEY),
        EGRESS.to_owned(),
        OUTAGE.to_owned(),
        "## Rights and their reasons".to_owned(),
        markdown(&with_gates(options, description)),
    ];
    let text = sections.join("\n\n").replace("[NAMESPACE]", &options.namespace);
    let mut text = text.replace("[VERSION]", env!("CARGO_PKG_VERSION"));
    text.push('\n');
    text
}

/// All roles, those of the folder `gates` too.
fn with_gates(options: &ManifestOptions, description: &Description) -> Vec<RoleRights> {
    let mut roles = all_roles(options, description);
    if !options.gates {
        roles.push(gates::role(options));
    }
    roles
}

/// An image without tag and digest, by which kustomize finds it.
fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    match image.rsplit_once(':') {
        // A port is followed by a path, a tag is not.
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => image,
    }
}

const INTRODUCTION: &str = "\
# Manifests

Everything that the operator needs in a cluster (Kubernetes 1.30 or newer).
`host/deploy-manifests` generates all files but the samples, and a test compares them. To write
them again, run `ORASCACHE_BLESS=1 cargo test -p deploy-manifests`.";

const FOLDERS: &str = "\
| folder | contents |
|---|---|
| `crd` | the CustomResourceDefinition of OrasCache |
| `rbac` | the operator's ServiceAccount and rights, and what `view`, `edit` and `admin` may do with caches |
| `manager` | namespace, Deployment, PodDisruptionBudget |
| `webhook` | Service and webhook configurations |
| `network` | NetworkPolicy |
| `default` | all of the above; the operator manages its certificate |
| `certmanager` | the same with a certificate of cert-manager |
| `client-ca` | a kustomize component: only clients with a certificate may ask for reviews |
| `gates` | the same as `default` for an operator that removes scheduling gates ([docs/gates.md](../docs/gates.md)) |
| `no-webhook` | the same as `default` without webhooks, for clusters with the Kubewarden policy ([docs/kubewarden.md](../docs/kubewarden.md)) |
| `kubewarden` | the Kubewarden policies that make the decisions then, and the rights that they need |
| `listed-namespaces` | the same as `default` in two namespaces only: a folder to copy |
| `high-availability` | a kustomize component: three pods, each on a node of its own |
| `chart` | the Helm chart, which renders the same objects ([docs/install.md](../docs/install.md)) |
| `samples` | caches and workflow steps to try |";

const INSTALL: &str = "\
## Install

```sh
kubectl apply -k manifests/default       # or manifests/certmanager, if cert-manager is installed
kubectl -n [NAMESPACE] rollout status deployment/orascache
kubectl apply -f manifests/samples/01-orascache.yaml
```

Before you change from `default` to `certmanager` or back, delete the Secret
`[CERTIFICATE]`: the type of a Secret cannot change. Then delete what only the
former folder contains: the Roles and ClusterRoles `orascache-webhook` with their bindings, or the
Issuers and Certificates.

`kubectl delete -k manifests/default` removes everything: with the CRD all caches, and with the
caches the storage that was made for them. To keep caches and storage, run `kubectl delete -k` for
the folders `webhook`, `network`, `manager` and `rbac`, in this order.";

const CHANGES: &str = "\
## Change image and replicas

Write a kustomization. The replacement gives injected init containers the same image; without it
they keep the image of these manifests.

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

kustomize's `namespace` does not suffice to change the operator's namespace: the webhook
configurations and the certificates contain its name. `orascache manifests --namespace NAME
--directory DIR` writes these files with another namespace. The NetworkPolicies of caches admit the
operator's namespace, whatever its name is.

The pods have the priority class `system-cluster-critical`. Some clusters (GKE) admit it only
where a ResourceQuota with the scope PriorityClass allows it: make one in the namespace, or use
another class.";

const PREFIX: &str = "\
## Change names

`namePrefix` and `nameSuffix` work with `manifests/default` where kustomize is told of three places
that contain names: a right, and two variables of the operator. Write this file `names.yaml` beside
the kustomization, and list it there as `configurations: [names.yaml]`:

```yaml
[REFERENCES]
```

These names stay, since no manifest has objects of them: the Secret `orascache-webhook-certificate`
and the Lease `orascache-operator`, which the operator makes, and the ConfigMap `orascache-settings`,
which you make: keep it out of a kustomization with a prefix. The namespace `[NAMESPACE]` and the
CustomResourceDefinition are not prefixed. With `manifests/certmanager` names cannot change, because
its Certificates contain the DNS names of the Service.";

const NAMESPACES: &str = "\
## Listed namespaces

By default the operator works in all namespaces. Its rights on Secrets and StatefulSets then
amount to those of a cluster administrator. `orascache manifests --namespaces team-a,team-b
--directory DIR` writes these files for an operator that works in the listed namespaces only: its
rights are Roles in these namespaces, and a ClusterRole that names the objects it is for. Webhooks
review requests in these namespaces only. The folder `listed-namespaces` is what that changes for
two namespaces.";

const AVAILABILITY: &str = "\
## High availability

Two pods run by default. They spread over nodes and zones where there are several, and one of them
stays while nodes are drained. The component `high-availability` has three, each on a node of its
own, and drains take one at a time:

```yaml
resources: [github.com/converged-computing/orascache//manifests/certmanager?ref=v[VERSION]]
components: [github.com/converged-computing/orascache//manifests/high-availability?ref=v[VERSION]]
```

`orascache manifests --high-availability --replicas 3` writes the same.";

const AIR_GAPPED: &str = "\
## Without access to other registries

`orascache manifests --images` lists the images that an installation runs. Copy them, and name the
registry that has the copies:

```sh
orascache manifests --images | while read image; do
  oras cp --recursive \"$image\" \"mirror.example.org/${image#*/}\"
done
orascache manifests --registry mirror.example.org | kubectl apply -f -
```

`mirror.example.org/k8s` puts a path in front of all images. Caches that name no image get the copy,
too: it is the default in the CustomResourceDefinition.";

const NETWORK: &str = "\
## Who may reach the webhooks

By default the NetworkPolicy admits everybody to the webhook port, since the address of the API
server is not known beforehand. If you know it, admit nobody else: `orascache manifests
--webhook-from 10.0.0.0/28`. The option takes a CIDR, a namespace, or a namespace with labels of
pods (`kube-system/component=konnectivity-agent`), and can be repeated. A policy has an effect
only if the cluster's network plugin enforces it, and most plugins never apply it to connections
from the node itself.";

const CLIENTS: &str = "\
## Only clients with a certificate

A policy knows addresses. With a client CA the operator also closes the connection of every client
without a certificate by this CA. Two steps, in this order:

1. Give the API server a certificate for `orascache-webhook.[NAMESPACE].svc`, by the
   kubeconfig that its `--admission-control-config-file` names. Use a CA that signs nothing else.
2. Put the CA under the key `[CLIENT_CA_KEY]` into a Secret of the namespace `[NAMESPACE]`, and
   include the component, which mounts the Secret `[CLIENT_CA]`:

```yaml
resources: [github.com/converged-computing/orascache//manifests/default?ref=v[VERSION]]
components: [github.com/converged-computing/orascache//manifests/client-ca?ref=v[VERSION]]
```

`orascache manifests --webhook-client-ca-secret NAME`, or `--webhook-client-ca-config-map NAME`,
writes manifests that mount another one. Pods start once it exists. A replaced CA is used without a
restart; put the old one and the new one there while certificates change.";

const EGRESS: &str = "\
## What the operator may connect to

The NetworkPolicy admits the operator to DNS and to the ports 443, 6443, 8443 and 16443, on which most
API servers listen. A policy sees the port behind the Service `kubernetes`: `kubectl get
endpointslices kubernetes` shows it. `orascache manifests --api-port 7443` admits that port alone.
`--egress-port 5000` admits a further port, of the registry that a component comes from
(`--component oci://HOST:5000/...`) or of a proxy. Both can be repeated. A policy cannot name hosts.
An operator that cannot reach what it needs does not become ready, and its log says what that is.";

const OUTAGE: &str = "\
## While the operator is down

Pods and Jobs without annotations under `oras.converged-computing.github.io/` are not affected:
match conditions keep their requests from the webhooks. The creation of annotated ones is refused,
since a step without its artifacts would be worse. Ephemeral containers are refused for pods whose
step has credentials. Updates and deletions go on. Requests in `kube-system` and `[NAMESPACE]` are
never reviewed. Caches are checked by the rules of their CRD alone.";

#[cfg(test)]
mod tests {
    use super::{repository, text};
    use crate::options::ManifestOptions;
    use orascache_core::describe;

    #[test]
    fn repositories_have_no_tag_and_no_digest() {
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
    fn every_placeholder_is_replaced() {
        let text = text(&ManifestOptions::default(), &describe());
        for placeholder in [
            "[NAMESPACE]",
            "[CERTIFICATE]",
            "[IMAGE]",
            "[VERSION]",
            "[REPLACEMENT]",
            "[CLIENT_CA]",
            "[CLIENT_CA_KEY]",
        ] {
            assert!(!text.contains(placeholder), "{placeholder}");
        }
        assert!(text.contains("env.[name=AGENT_IMAGE].value"));
    }
}

//! The OrasCache as the core reads it: borrowed, and reduced to the fields that decisions depend
//! on.

mod auth;
mod flavor;
mod metrics;
mod object_storage;
mod pods;
mod proxy;
mod service;
mod tls;

use crate::fields::Fields;
use crate::json::Json;
use crate::tasks::Tasks;
pub(crate) use auth::{Auth, generated_accounts};
pub(crate) use flavor::Flavor;
pub(crate) use metrics::Metrics;
pub(crate) use object_storage::{Bucket, Provider};
use orascache_api::names::{
    API_VERSION, DEFAULT_IMAGE, DEFAULT_PROGRESS_DEADLINE_SECONDS, KIND, ROTATE_ANNOTATION,
};
use orascache_contract::Error;
pub(crate) use pods::Pods;
pub(crate) use proxy::Proxy;
pub(crate) use service::Service;
pub(crate) use tls::{SYSTEM, Tls, generated_certificate};

/// An OrasCache.
#[derive(Debug)]
pub(crate) struct Primary<'a> {
    pub(crate) metadata: Metadata<'a>,
    pub(crate) spec: Spec<'a>,
    pub(crate) status: Option<&'a Json<'a>>,
    /// Which certificate the registry pods have to start with, where it is not the first one.
    pub(crate) certificate: Option<String>,
}

/// Its metadata.
#[derive(Debug)]
pub(crate) struct Metadata<'a> {
    pub(crate) name: &'a str,
    /// Empty for a document that names none.
    pub(crate) namespace: &'a str,
    /// Empty for a document that was never in a cluster.
    pub(crate) uid: &'a str,
    pub(crate) generation: i64,
    pub(crate) is_being_deleted: bool,
    /// Another value than before asks for other generated values.
    pub(crate) rotation_request: Option<&'a str>,
}

impl Metadata<'_> {
    /// Whether it describes an object of a cluster. A document for `orascache render` has no UID.
    pub(crate) fn is_in_cluster(&self) -> bool {
        !self.uid.is_empty()
    }
}

/// Its spec. The fields are documented where the CRD is made from them.
#[derive(Debug, Default)]
pub(crate) struct Spec<'a> {
    image: Option<&'a str>,
    flavor: Option<&'a str>,
    pub(crate) image_pull_policy: Option<&'a str>,
    pub(crate) image_pull_secrets: Option<&'a Json<'a>>,
    deploy: Option<bool>,
    pub(crate) secret: Option<&'a str>,
    /// Secret for workflow steps.
    pub(crate) oras_env: Option<&'a str>,
    /// The registry that the credentials in this Secret are for.
    pub(crate) oras_env_registry: Option<&'a str>,
    /// The HTTP secret as a literal (deprecated).
    pub(crate) registry_http: Option<&'a str>,
    replicas: Option<i64>,
    pub(crate) storage: Option<Storage<'a>>,
    delete: Option<bool>,
    progress_deadline_seconds: Option<i64>,
    pub(crate) tasks: Tasks<'a>,
    read_only: Option<bool>,
    pub(crate) proxy: Option<Proxy<'a>>,
    pub(crate) tls: Option<Tls<'a>>,
    pub(crate) auth: Option<Auth<'a>>,
    pub(crate) network_policy: NetworkPolicy<'a>,
    pub(crate) resources: Option<&'a Json<'a>>,
    pub(crate) task_resources: Option<&'a Json<'a>>,
    pub(crate) node_selector: Option<&'a Json<'a>>,
    pub(crate) tolerations: Option<&'a Json<'a>>,
    pub(crate) pods: Pods<'a>,
    pub(crate) service: Option<Service<'a>>,
    /// `None` where the metrics port is closed.
    pub(crate) metrics: Option<Metrics<'a>>,
    suspend: Option<bool>,
}

/// `spec.networkPolicy`.
#[derive(Debug, Default)]
pub(crate) struct NetworkPolicy<'a> {
    enabled: Option<bool>,
    /// Further namespaces that reach the registry.
    pub(crate) allowed_namespaces: Vec<&'a str>,
}

/// `spec.storage`.
#[derive(Debug, Default)]
pub(crate) struct Storage<'a> {
    pub(crate) size: Option<&'a str>,
    pub(crate) storage_class_name: Option<&'a str>,
    pub(crate) access_modes: Option<Vec<&'a str>>,
    pub(crate) when_deleted: Option<&'a str>,
    pub(crate) existing_claim: Option<&'a str>,
    pub(crate) empty_dir: Option<EmptyDir<'a>>,
    /// One at most, in a valid spec.
    pub(crate) buckets: Vec<Bucket<'a>>,
}

/// `spec.storage.emptyDir`.
#[derive(Debug, Default)]
pub(crate) struct EmptyDir<'a> {
    pub(crate) size_limit: Option<&'a str>,
}

impl<'a> Primary<'a> {
    /// Reads an OrasCache of the version that this guest manages.
    pub(crate) fn read(tree: &'a Json<'a>) -> Result<Self, Error> {
        let root = Fields::root(tree);
        let (version, kind) =
            (root.text("apiVersion")?.unwrap_or_default(), root.text("kind")?.unwrap_or_default());
        if version != API_VERSION || kind != KIND {
            return Err(Error::InvalidInput(format!(
                "the primary is {version} {kind}, but this guest manages {API_VERSION} {KIND}"
            )));
        }
        let metadata = root
            .object("metadata", "metadata")?
            .ok_or_else(|| Error::InvalidInput("metadata of the primary is missing".to_owned()))?;
        Ok(Primary {
            metadata: Metadata {
                name: metadata.required_text("name")?,
                namespace: metadata.text("namespace")?.unwrap_or_default(),
                uid: metadata.text("uid")?.unwrap_or_default(),
                generation: metadata.integer("generation")?.unwrap_or_default(),
                is_being_deleted: metadata.member("deletionTimestamp").is_some(),
                rotation_request: metadata
                    .member("annotations")
                    .and_then(|annotations| annotations.get(ROTATE_ANNOTATION)?.as_str()),
            },
            spec: match root.object("spec", "spec")? {
                Some(spec) => Spec::read(spec)?,
                None => Spec::default(),
            },
            status: root.member("status"),
            certificate: None,
        })
    }
}

impl<'a> Spec<'a> {
    fn read(spec: Fields<'a>) -> Result<Self, Error> {
        let secrets = spec.object("secrets", "spec.secrets")?;
        let secret = |name| secrets.map_or(Ok(None), |secrets| secrets.text(name));
        Ok(Spec {
            image: spec.text("image")?,
            flavor: spec.text("flavor")?,
            image_pull_policy: spec.text("imagePullPolicy")?,
            image_pull_secrets: copied(spec, "imagePullSecrets")?,
            deploy: spec.flag("deploy")?,
            secret: spec.text("secret")?,
            oras_env: secret("orasEnv")?,
            oras_env_registry: secret("orasEnvRegistry")?,
            registry_http: secret("registryHttp")?,
            replicas: spec.integer("replicas")?,
            storage: match spec.object("storage", "spec.storage")? {
                Some(storage) => Some(Storage::read(storage)?),
                None => None,
            },
            delete: spec.flag("delete")?,
            progress_deadline_seconds: spec.integer("progressDeadlineSeconds")?,
            tasks: Tasks::read(spec)?,
            read_only: spec.flag("readOnly")?,
            proxy: spec.object("proxy", "spec.proxy")?.map(Proxy::read).transpose()?,
            tls: spec.object("tls", "spec.tls")?.map(Tls::read).transpose()?,
            auth: spec.object("auth", "spec.auth")?.map(Auth::read).transpose()?,
            network_policy: match spec.object("networkPolicy", "spec.networkPolicy")? {
                Some(policy) => NetworkPolicy::read(policy)?,
                None => NetworkPolicy::default(),
            },
            resources: copied(spec, "resources")?,
            task_resources: copied(spec, "taskResources")?,
            node_selector: copied(spec, "nodeSelector")?,
            tolerations: copied(spec, "tolerations")?,
            pods: Pods::read(spec)?,
            service: Service::read(spec)?,
            metrics: Metrics::read(spec)?,
            suspend: spec.flag("suspend")?,
        })
    }

    // The defaults are those of the CRD's schema, for clusters whose CRD is older than this guest.

    pub(crate) fn image(&self) -> &'a str {
        self.image.unwrap_or(DEFAULT_IMAGE)
    }

    /// The name of the flavour, where the spec gives one.
    pub(crate) fn flavor_name(&self) -> Option<&'a str> {
        self.flavor
    }

    /// The flavour: as named, or as the image suggests.
    pub(crate) fn flavor(&self) -> Flavor {
        self.flavor.and_then(Flavor::of_name).unwrap_or_else(|| Flavor::of_image(self.image()))
    }

    pub(crate) fn deploy(&self) -> bool {
        self.deploy.unwrap_or(true)
    }

    pub(crate) fn replicas(&self) -> i64 {
        self.replicas.unwrap_or(1)
    }

    /// Whether it is to have registry pods.
    pub(crate) fn wants_pods(&self) -> bool {
        self.deploy() && self.replicas() > 0
    }

    /// Whether nothing of the cache is made, changed or removed.
    pub(crate) fn suspend(&self) -> bool {
        self.suspend.unwrap_or(false)
    }

    /// Whether artifacts live and die with the pod.
    pub(crate) fn is_ephemeral(&self) -> bool {
        self.why_ephemeral().is_some()
    }

    /// Why artifacts live and die with the pod, if they do: the rest of a sentence.
    pub(crate) fn why_ephemeral(&self) -> Option<&'static str> {
        match &self.storage {
            None => Some("because spec.storage is not set"),
            Some(storage) => storage.empty_dir.as_ref().map(|_| "because spec.storage.emptyDir is set"),
        }
    }

    /// Whether a Service spreads clients over the registry pods, and steps are sent to it.
    pub(crate) fn is_balanced(&self) -> bool {
        self.replicas() > 1 || self.service.is_some()
    }

    /// How long the registry pods may come no further before the cache counts as degraded, in
    /// seconds.
    pub(crate) fn progress_deadline_seconds(&self) -> i64 {
        self.progress_deadline_seconds.unwrap_or(DEFAULT_PROGRESS_DEADLINE_SECONDS)
    }

    /// Whether clients may delete manifests and blobs. Retention is such a client, but of zot, which
    /// deletes by itself.
    pub(crate) fn delete(&self) -> bool {
        let is_client = self.tasks.retention.is_some() && self.flavor() == Flavor::Distribution;
        self.delete.unwrap_or(false) || is_client
    }

    /// Whether the garbage of a distribution registry is collected. The collector tolerates no
    /// writers, and nobody stops those of other pods.
    pub(crate) fn collects_garbage(&self) -> bool {
        let retention = self.tasks.retention.as_ref();
        retention.is_some_and(|retention| retention.garbage_collection.unwrap_or(true))
            && self.flavor() == Flavor::Distribution
            && self.replicas() <= 1
    }

    /// The Secrets that the spec names.
    pub(crate) fn named_secrets(&self) -> Vec<NamedSecret<'a>> {
        let of_registry = |field, name: Option<&'a str>, remedy| {
            name.map(|name| NamedSecret { field, name, remedy, is_for_steps: false })
        };
        let of_steps = |field, name: Option<&'a str>| {
            let remedy = "Create it with ORAS_USER, ORAS_PULL_PASS and ORAS_PUSH_PASS.";
            name.map(|name| NamedSecret { field, name, remedy, is_for_steps: true })
        };
        let proxy = self.proxy.as_ref().and_then(|proxy| proxy.credentials_secret);
        let bucket = self.bucket();
        let [of_bucket, remedy] = bucket.map_or(["", ""], Bucket::credentials_field);
        [
            of_registry("spec.secret", self.secret, "Create it with the key http-secret."),
            of_registry("spec.proxy.credentialsSecret", proxy, "Create it with username and password."),
            of_registry(
                "spec.tls.secretName",
                self.tls.and_then(|tls| tls.secret_name),
                "Create it with tls.crt, tls.key and ca.crt.",
            ),
            of_registry(
                "spec.auth.htpasswdSecret",
                self.auth.and_then(|auth| auth.htpasswd_secret),
                "Create it with the key htpasswd.",
            ),
            of_registry(of_bucket, bucket.and_then(|bucket| bucket.credentials_secret), remedy),
            of_steps("spec.auth.credentialsSecret", self.auth.and_then(|auth| auth.credentials_secret)),
            of_steps("spec.secrets.orasEnv", self.oras_env),
        ]
        .into_iter()
        .flatten()
        .chain(self.tasks.secrets().map(|(field, name)| NamedSecret {
            field,
            name,
            remedy: "Create it with the key .dockerconfigjson.",
            is_for_steps: true,
        }))
        .collect()
    }

    /// Whether the registry takes no pushes and no deletions.
    pub(crate) fn read_only(&self) -> bool {
        self.read_only.unwrap_or(false)
    }

    /// The bucket in which the cache keeps its artifacts.
    pub(crate) fn bucket(&self) -> Option<&Bucket<'a>> {
        self.storage.as_ref().and_then(|storage| storage.buckets.first())
    }
}

/// A Secret that a spec names.
pub(crate) struct NamedSecret<'a> {
    /// Path of the field.
    pub(crate) field: &'static str,
    pub(crate) name: &'a str,
    /// A sentence about what has to be in it.
    pub(crate) remedy: &'static str,
    /// Whether steps, seeds or exports need it, and not the registry.
    pub(crate) is_for_steps: bool,
}

impl<'a> NetworkPolicy<'a> {
    fn read(policy: Fields<'a>) -> Result<Self, Error> {
        Ok(NetworkPolicy {
            enabled: policy.flag("enabled")?,
            allowed_namespaces: policy.texts("allowedNamespaces")?.unwrap_or_default(),
        })
    }

    /// Whether a NetworkPolicy is made.
    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.unwrap_or(true)
    }
}

/// A member that is copied into children as it is.
fn copied<'a>(spec: Fields<'a>, name: &'static str) -> Result<Option<&'a Json<'a>>, Error> {
    match spec.member(name) {
        Some(value) if value.has_other_number() => Err(Error::InvalidInput(format!(
            "spec.{name} holds a number with a fraction: write quantities as strings, for example \"500m\""
        ))),
        other => Ok(other),
    }
}

impl<'a> Storage<'a> {
    fn read(storage: Fields<'a>) -> Result<Self, Error> {
        Ok(Storage {
            size: storage.text("size")?,
            storage_class_name: storage.text("storageClassName")?,
            access_modes: storage.texts("accessModes")?,
            when_deleted: storage.text("whenDeleted")?,
            existing_claim: storage.text("existingClaim")?,
            empty_dir: match storage.object("emptyDir", "spec.storage.emptyDir")? {
                Some(disk) => Some(EmptyDir { size_limit: disk.text("sizeLimit")? }),
                None => None,
            },
            buckets: Bucket::read_all(storage)?,
        })
    }

    /// Whether the claim that is made for the cache outlives it.
    pub(crate) fn retains(&self) -> bool {
        self.size.is_some() && self.when_deleted == Some("Retain")
    }

    /// Access modes of the claim that is made for the cache.
    pub(crate) fn access_modes(&self) -> &[&'a str] {
        match &self.access_modes {
            Some(modes) if !modes.is_empty() => modes,
            _ => &["ReadWriteOnce"],
        }
    }
}

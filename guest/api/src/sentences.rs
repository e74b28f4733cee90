//! What is wrong with an OrasCache, and what to write instead.
//!
//! The rules of the CRD and the checks of the component say it in the same words. A sentence that
//! begins with "must" follows the value that it is about, which the API server and the component
//! put in front.

/// `metadata.name` cannot be the name of a Service.
pub const NAME: &str = "the name must start with a letter and hold only lower case letters, digits and '-', because a Service of the same name is made";
/// `metadata.name` is too long.
pub const NAME_LENGTH: &str =
    "the name must have at most 52 characters, because the pods of its StatefulSet are labelled with it";
/// `spec.image` is no image reference. Follows the value.
pub const IMAGE: &str = "must be an image reference, like registry.example.org/name:tag";
/// `spec.replicas` is less than 0. Follows the value.
pub const REPLICAS: &str = "must be at least 0";
/// `spec.progressDeadlineSeconds` is out of bounds. Follows the value.
pub const PROGRESS_DEADLINE: &str = "must be a number of seconds from 1 to 604800";
/// `spec.replicas` is more than the storage permits.
pub const SHARED_STORAGE: &str = "more than one replica needs storage that several pods can write: set spec.storage.accessModes to [ReadWriteMany], name such a claim in spec.storage.existingClaim, name a bucket in spec.storage.s3, gcs or azure, or set spec.replicas to 1";
/// `spec.secrets.registryHttp` and `spec.secret` exclude each other.
pub const TWO_HTTP_SECRETS: &str = "secret and secrets.registryHttp both give the registry's HTTP secret: keep secret and remove secrets.registryHttp";
/// `spec.storage` names no place for artifacts, or several.
pub const ONE_STORAGE: &str = "give one of size, for a claim that is made for the cache, existingClaim, for one that exists, emptyDir, for the disk of the node, and s3, gcs and azure, for a bucket";
/// `spec.storage` has fields that say nothing about a claim that exists.
pub const FIELDS_OF_OWN_CLAIM: &str = "storageClassName, accessModes and whenDeleted belong to a claim that is made for the cache: remove them, or give size";
/// `spec.storage.size` is no size. Follows the value.
pub const SIZE: &str = "must be a size, like 20Gi";
/// `spec.storage.size` is less than it was.
pub const SHRINKS: &str = "storage cannot shrink: set size to at least what it was";
/// `spec.storage.storageClassName` is another one than it was.
pub const STORAGE_CLASS_IS_FIXED: &str =
    "storageClassName cannot change once the claim exists: set it back to what it was";
/// `spec.storage.accessModes` are others than they were.
pub const ACCESS_MODES_ARE_FIXED: &str =
    "accessModes cannot change once the claim exists: set them back to what they were";
/// A cache gets or loses `spec.storage.s3`, `gcs` or `azure`.
pub const BACKEND_IS_FIXED: &str = "artifacts do not move between a bucket and other storage: set storage back to what it was, or make another cache";
/// A cache names another bucket, or another directory in it.
pub const BUCKET_IS_FIXED: &str = "artifacts do not move to another bucket or directory: set this back to what it was, or make another cache";
/// A field is no URL of a host. Follows the value.
pub const URL: &str = "must be the URL of a host, like https://registry.example.org:5000, without a path and without credentials";
/// `spec.proxy.ttl` is no duration. Follows the value.
pub const TTL: &str = "must be a duration of at most 7d, like 36h";
/// `spec.proxy` and `spec.delete` exclude each other.
pub const DELETE_FROM_PROXY: &str = "nobody can delete from a pull-through cache, whose artifacts expire: set delete to false, or remove proxy";
/// `spec.proxy` with several registry pods.
pub const REPLICAS_OF_PROXY: &str = "the pods of a pull-through cache overwrite each other's list of what expires when: set replicas to 1, or remove proxy";
/// `spec.tls.ca` is no place of certificates. Follows the value.
pub const CA: &str =
    "must be system, or where certificates are, and no private key: configmap/NAME/KEY or secret/NAME/KEY";
/// `spec.tls.ca` is about a certificate that exists.
pub const CA_OF_OWN_CERTIFICATE: &str = "ca belongs to the certificate in secretName or of issuerRef, and the operator's own has its authority with it: give one of them, or remove ca";
/// `spec.tls` names a certificate and somebody who issues one.
pub const ISSUER_OF_OWN_CERTIFICATE: &str =
    "issuerRef and secretName both give the certificate: remove one of them";
/// `spec.auth.credentialsSecret` is for accounts that exist.
pub const CREDENTIALS_WITHOUT_ACCOUNTS: &str = "credentialsSecret belongs to accounts of htpasswdSecret, and the operator's own has its password with it: give htpasswdSecret, or remove credentialsSecret";
/// `spec.auth.rotateAfter` is no age of an account. Follows the value.
pub const ROTATE_AFTER: &str = "must be a duration from 1h to 3650d, like 90d";
/// `spec.auth.rotateAfter` is for an account that the operator makes.
pub const ROTATION_OF_OWN_ACCOUNTS: &str =
    "the operator replaces no accounts of htpasswdSecret: remove rotateAfter, or htpasswdSecret";
/// `spec.auth.rotateAfter` for zot.
pub const ROTATION_OF_ZOT: &str = "zot may go on with the accounts that it read at its start: remove rotateAfter, or use the flavor distribution";
/// Jobs of the agent for a registry with accounts of which none is known.
pub const TASKS_WITHOUT_ACCOUNT: &str = "the Jobs that this asks for have no account for the registry: name one of those in htpasswdSecret in auth.credentialsSecret, or remove this";
/// Retention or seeds of a registry that takes nothing.
pub const TASKS_OF_READ_ONLY: &str = "this writes into the registry or deletes from it, and the registry is read-only or a pull-through cache: remove this, or readOnly and proxy";
/// `spec.retention.unusedSince` of distribution.
pub const UNUSED_SINCE: &str =
    "the distribution registry does not record when an artifact was pulled: remove it, and use maxAge";
/// Garbage collection of several pods.
pub const COLLECTION_OF_REPLICAS: &str = "the garbage collector tolerates no other registry pods, which would write meanwhile: remove it, or set replicas to 1";
/// `spec.retention.schedule` of zot.
pub const SCHEDULE_OF_ZOT: &str =
    "zot deletes by itself once a day: remove schedule, or use the flavor distribution";
/// Retention of zot without garbage collection.
pub const COLLECTION_OF_ZOT: &str =
    "zot deletes by its garbage collection alone: remove garbageCollection, or remove retention";
/// `spec.retention` without a rule that keeps anything.
pub const NOTHING_IS_KEPT: &str =
    "nothing says what is kept, so that everything would be deleted: give keepTags, maxAge or both";
/// An item of `spec.seed.artifacts` is no artifact of a registry. Follows the value.
pub const SEED_SOURCE: &str = "must be an artifact with its host, like docker.io/library/busybox:1";
/// What a seed becomes has no name of its own. Follows the value.
pub const SEED_TARGET: &str = "must be a repository with a tag, like mirror/busybox:1";
/// `spec.export.destination` is no place in a registry. Follows the value.
pub const EXPORT_DESTINATION: &str = "must be a host with a path, like registry.example.org/lab";
/// Several pods of zot.
pub const REPLICAS_OF_ZOT: &str = "zot keeps a database beside its artifacts that one pod writes: set replicas to 1, or use the flavor distribution";
/// An HTTP secret for zot.
pub const HTTP_SECRET_OF_ZOT: &str =
    "zot signs no state of uploads: remove the HTTP secret, or use the flavor distribution";
/// Metrics of zot.
pub const METRICS_OF_ZOT: &str =
    "zot serves metrics on the port of its clients: remove metrics, or use the flavor distribution";
/// An account of `spec.proxy` for zot.
pub const PROXY_CREDENTIALS_OF_ZOT: &str = "zot reads the account for another registry from a file of its own form: remove credentialsSecret, or use the flavor distribution";
/// `spec.proxy.ttl` for zot.
pub const TTL_OF_ZOT: &str = "zot keeps what it fetched: remove ttl, or use the flavor distribution";
/// `spec.storage.gcs` or `azure` for zot.
pub const BUCKET_OF_ZOT: &str =
    "of buckets, zot is configured for s3 alone: use s3, or the flavor distribution";
/// The flavor of a cache with storage changes.
pub const FLAVOR_IS_FIXED: &str = "distribution and zot do not read each other's storage: set flavor and image back to what they were, or make another cache";
/// `spec.networkPolicy` is off and names namespaces nevertheless.
pub const POLICY_IS_OFF: &str =
    "without a policy every namespace reaches the registry: remove allowedNamespaces, or set enabled to true";
/// An item of `spec.networkPolicy.allowedNamespaces` cannot name a namespace. Follows the value.
pub const NAMESPACE: &str =
    "must be the name of a namespace: up to 63 lower case letters, digits and '-', without '-' at the ends";
/// `spec.service.nodePort` of a Service that has none.
pub const NODE_PORT_IS_INTERNAL: &str = "nodes have a port for the types NodePort and LoadBalancer alone: set type to one of them, or remove nodePort";
/// `spec.service.sourceRanges` of a Service that nobody outside of the cluster reaches.
pub const SOURCE_RANGES_ARE_INTERNAL: &str = "clients outside of the cluster need the type NodePort or LoadBalancer: set type to one of them, or remove sourceRanges";

#[cfg(test)]
mod tests {
    use super::NAME_LENGTH;
    use crate::names::MAX_NAME_LENGTH;

    #[test]
    fn the_longest_name_is_the_one_that_the_sentence_gives() {
        assert!(NAME_LENGTH.contains(&format!("at most {MAX_NAME_LENGTH} characters")));
    }
}

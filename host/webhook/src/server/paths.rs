//! Paths of requests.

/// Path of reviews that may change the object.
pub const MUTATE_PATH: &str = "/mutate";
/// Path of reviews that only allow or refuse.
pub const VALIDATE_PATH: &str = "/validate";
/// Paths that tell whether the server is up. Both always answer 200.
pub(super) const HEALTH_PATHS: [&str; 2] = ["/healthz", "/readyz"];

//! What a component must look like from outside to run here, and why others are refused.

use semver::Version;

/// The WIT package that this host speaks, without its version.
pub(super) const PACKAGE: &str = "orascache:operator";
/// Its version. A host also runs guests of other versions as long as their first number is the
/// same, and, before 1.0, their second number too (semver.org, items 4 and 8).
const VERSION: Version = Version::new(0, 3, 2);

/// Why a component was refused.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The engine cannot be set up.
    #[error(
        "the WebAssembly engine cannot start: {0}. Lower the number of calls that may run at once, or raise the address space limit."
    )]
    Engine(String),
    /// There is no compiler for a machine.
    #[error("code for {0} cannot be made here: {1}")]
    NoCompiler(String, String),
    /// Not WebAssembly, or not valid.
    #[error("this is not a valid WebAssembly component: {0}")]
    Invalid(String),
    /// A core module.
    #[error(
        "this is a core WebAssembly module, not a component: build it for {PACKAGE}@{VERSION}, for example with wasm-component-ld"
    )]
    CoreModule,
    /// The component imports something from the host.
    #[error("the component imports {}, but a guest must import nothing: remove what needs it (a clock, randomness, input or output)", .0.join(", "))]
    HasImports(Vec<String>),
    /// The component does not export anything of our WIT package.
    #[error(
        "the component does not export {PACKAGE}/reconciler: it exports {0}. Build it for the world {PACKAGE}/operator."
    )]
    WrongWorld(String),
    /// The component was built for another version of our WIT package.
    #[error(
        "the component exports {found}, but this host speaks {PACKAGE}@{VERSION}: build it with that version of the WIT package, or use another host"
    )]
    WrongVersion {
        /// The export.
        found: String,
    },
    /// The component's exports have other types than the WIT package says.
    #[error("the component's exports do not match the WIT package: {0}")]
    WrongTypes(String),
    /// `describe` failed.
    #[error("the component cannot describe what it manages: {0}")]
    Describe(String),
}

/// What a component looks like from outside.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Interface {
    /// Names of its imports: none, for a guest that may run.
    pub imports: Vec<String>,
    /// Names of its exports, with versions.
    pub exports: Vec<String>,
    /// Size in bytes.
    pub size: usize,
    /// Digest of the component, as OCI writes digests.
    pub digest: String,
    /// The WIT package that it speaks, with its version; empty when it is not ours.
    pub wit: String,
}

/// Whether a component with these exports speaks our WIT package.
pub(super) fn check_version(exports: &[String]) -> Result<(), LoadError> {
    let reconciler = format!("{PACKAGE}/reconciler@");
    let found = exports.iter().find_map(|export| export.strip_prefix(&reconciler).map(|it| (export, it)));
    let Some((export, version)) = found else {
        let exports = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
        return Err(LoadError::WrongWorld(exports));
    };
    match Version::parse(version) {
        Ok(version) if runs(&VERSION, &version) => Ok(()),
        _ => Err(LoadError::WrongVersion { found: export.clone() }),
    }
}

/// Whether a host of one version of the WIT package runs guests of the other one.
fn runs(host: &Version, guest: &Version) -> bool {
    let is_same_minor = host.major > 0 || host.minor == guest.minor;
    host.major == guest.major && is_same_minor && guest.pre.is_empty()
}

#[cfg(test)]
mod tests {
    use super::{LoadError, VERSION, Version, check_version, runs};

    #[test]
    fn the_third_number_may_differ_and_the_others_may_not() {
        let check =
            |version: &str| check_version(&[format!("orascache:operator/reconciler@{version}"), "x".into()]);
        let (major, minor) = (VERSION.major, VERSION.minor);
        for version in [format!("{major}.{minor}.0"), format!("{major}.{minor}.9")] {
            assert!(check(&version).is_ok(), "{version}");
        }
        for version in [
            format!("{major}.{}.0", minor + 1),
            format!("{}.{minor}.0", major + 1),
            format!("{major}.{minor}.0-rc.1"),
            "1".to_owned(),
            "one".to_owned(),
        ] {
            assert!(matches!(check(&version), Err(LoadError::WrongVersion { .. })), "{version}");
        }
        assert!(matches!(check_version(&["x".into()]), Err(LoadError::WrongWorld(_))));
    }

    #[test]
    fn from_1_0_on_the_second_number_may_differ_too() {
        let host = Version::new(1, 2, 0);
        assert!(runs(&host, &Version::new(1, 0, 7)) && runs(&host, &Version::new(1, 9, 0)));
        assert!(!runs(&host, &Version::new(2, 2, 0)) && !runs(&host, &Version::new(0, 2, 0)));
    }
}

# The commands that people type. CI calls the same ones.

default:
    @just --list

# A Kubernetes API on loopback with the operator in it.
dev:
    cargo run --release -- dev

# The fast tests: contract, decisions, controller. They build no WebAssembly engine.
quick *args:
    cargo test -p orascache-contract -p orascache-json -p orascache-core -p orascache-controller {{args}}

# All tests. `just test -p orascache-core` for one crate.
test *args="--workspace":
    cargo test {{args}}

# Everything that CI checks.
ci:
    .ci/run

# Formatting, links of the documents and lints, as CI asks for them.
lint:
    cargo fmt --all --check
    .ci/links
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The crate documentation; a warning is an error. `just doc --open` shows it.
doc *args:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked {{args}}

# The version, or another one everywhere: `just version set 1.2.3`.
version *args:
    .ci/version {{args}}

# A step of a release (docs/releasing.md): `just release chart`. Only push and sign publish something.
release *args:
    .ci/release {{args}}

# The operator's image as an OCI layout in target/image, for amd64 and arm64. Needs no container engine.
image *args:
    .ci/image {{args}}

# Licences, forbidden crates and sources of all dependencies (deny.toml).
deny:
    .ci/deny

# The same end-to-end tests against a bare control plane: a folder with etcd and kube-apiserver.
test-control-plane assets:
    KUBEBUILDER_ASSETS={{assets}} cargo test -p orascache-tests --test all -- --test-threads=2 operator:: other_guest:: leader:: admission::

# Write generated files and snapshots anew. Look at the difference before you commit it.
bless:
    ORASCACHE_BLESS=1 cargo test -p orascache-tests manifests
    ORASCACHE_BLESS=1 cargo test -p deploy-manifests manifests
    INSTA_UPDATE=always cargo test -p orascache-core

# The Kubewarden policy in kwctl. Needs kwctl and bats.
kubewarden-e2e:
    make -C guest/kubewarden e2e-tests

# The baselines of docs/performance.md.
bench *args:
    cargo bench -p orascache-tests {{args}}

# Fuzz a target (review, reconcile) for some seconds.
fuzz target="review" seconds="60":
    tests/fuzz/run {{target}} {{seconds}}

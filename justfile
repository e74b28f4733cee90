# The commands that people type; CI calls the same ones.

default:
    @just --list

# A Kubernetes API on loopback with the operator in it.
dev:
    cargo run --release -- dev

# Everything that CI checks.
ci:
    .ci/run

# All tests. `just test -p orascache-core` for one crate.
test *args="--workspace":
    cargo test {{args}}

# The same end-to-end tests against a bare control plane: a folder with etcd and kube-apiserver.
test-control-plane assets:
    KUBEBUILDER_ASSETS={{assets}} cargo test -p orascache-tests --test operator --test other_guest --test leader --test admission -- --test-threads=2

# Write generated files and snapshots anew, after looking at the difference.
bless:
    ORASCACHE_BLESS=1 cargo test -p orascache-tests --test manifests
    ORASCACHE_BLESS=1 cargo test -p deploy-manifests --test manifests
    INSTA_UPDATE=always cargo test -p orascache-core

# The baselines of docs/performance.md.
bench:
    cargo bench -p orascache-tests

# Fuzz a target (review, reconcile) for some seconds.
fuzz target="review" seconds="60":
    tests/fuzz/run {{target}} {{seconds}}

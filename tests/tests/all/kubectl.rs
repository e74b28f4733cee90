//! Real kubectl and oras against the parts that `orascache dev` runs. Where a tool is not
//! installed, its test is skipped and prints why.

use orascache_tests::cluster::Cluster;
use orascache_tests::tools::{installed, shell};
use std::path::Path;

/// The sample documents of the repository.
fn samples() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/samples").display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_works_with_caches() {
    if !installed("kubectl") {
        return;
    }
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = cluster.kubeconfig_file();
    let run = |script: &str| shell(script, &kubeconfig, folder.path());
    let samples = samples();

    let applied = run(&format!("kubectl apply -f {samples}")).expect();
    assert!(
        applied.contains("orascache-sample created") && applied.contains("pod/generate created"),
        "{applied}"
    );
    let again = run(&format!("kubectl apply -f {samples}/01-orascache.yaml")).expect();
    assert!(again.contains("unchanged"), "{again}");
    run("kubectl wait --for=condition=Ready --timeout=30s oc --all").expect();

    let table = run("kubectl get oc orascache-sample").expect();
    let mut lines = table.lines();
    let header: Vec<&str> = lines.next().expect("a header").split_whitespace().collect();
    assert_eq!(header, ["NAME", "READY", "STORAGE", "REASON", "AGE"]);
    assert!(table.lines().all(|line| line.trim_end().len() <= 80), "{table}");
    let row = lines.next().expect("a row");
    for cell in ["True", "Ephemeral", "RegistryReady"] {
        assert!(row.contains(cell), "{row}");
    }
    let wide = run("kubectl get oc orascache-sample -o wide").expect();
    for cell in [
        "True",
        "orascache-sample-0.orascache-sample.default.svc:5000",
        "ghcr.io/oras-project/registry:latest",
    ] {
        assert!(wide.contains(cell), "{wide}");
    }
    let described = run("kubectl describe oc orascache-sample").expect();
    assert!(described.contains("RegistryReady") && described.contains("Events:"), "{described}");
    let explained =
        run("kubectl explain orascache.spec --recursive && kubectl explain oc.spec.storage.existingClaim")
            .expect();
    for field in [
        "imagePullPolicy",
        "imagePullSecrets",
        "deploy",
        "orasEnv",
        "registryHttp",
        "replicas",
        "progressDeadlineSeconds",
        "storageClassName",
        "accessModes",
        "resources",
        "nodeSelector",
        "tolerations",
        "It is never changed or deleted",
    ] {
        assert!(explained.replace("\n    ", " ").contains(field), "{field} is missing: {explained}");
    }
    assert!(run("kubectl events --for oc/orascache-sample").expect().contains("RegistryReady"));

    // Compare with `diff`; change with `edit` and `patch`.
    let differs = run(
        "kubectl get oc orascache-sample -o yaml | sed 's/registry:latest/registry:3/' | kubectl diff -f -",
    );
    assert!(!differs.ok && differs.out.contains("+  image: ghcr.io/oras-project/registry:3"), "{differs:?}");
    run("EDITOR=\"sed -i s/registry:latest/registry:3/\" kubectl edit oc orascache-sample").expect();
    run("kubectl rollout status sts/orascache-sample --timeout=30s").expect();
    run("kubectl patch oc orascache-sample --type json -p '[{\"op\":\"replace\",\"path\":\"/spec/deploy\",\"value\":false}]'").expect();
    run("kubectl wait --for=delete sts/orascache-sample --timeout=30s").expect();
    run("kubectl wait --for=jsonpath='{.status.conditions[0].reason}'=RegistryNotDeployed oc/orascache-sample --timeout=30s").expect();

    // Invalid specs are refused with a message.
    let strict = run(
        "printf 'apiVersion: cache.converged-computing.github.io/v1alpha1\\nkind: OrasCache\\nmetadata: {name: x}\\nspec: {imge: y}\\n' | kubectl apply --validate=strict -f -",
    );
    assert!(!strict.ok && strict.err.contains("unknown field \"spec.imge\""), "{strict:?}");
    let wrong = run("kubectl patch oc orascache-sample --type merge -p '{\"spec\":{\"image\":\"\"}}'");
    assert!(!wrong.ok && wrong.err.contains("must be an image reference"), "{wrong:?}");

    run("kubectl delete oc --all --wait && kubectl wait --for=delete sts --all --timeout=30s").expect();
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oras_pushes_and_pulls_through_a_cache() {
    if !installed("oras") || !installed("kubectl") {
        return;
    }
    let cluster = Cluster::embedded().await;
    let operator = cluster.operator().await;
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = cluster.kubeconfig_file();
    let run = |script: &str| shell(script, &kubeconfig, folder.path());
    let endpoint = "kubectl get pod stored-0 -o jsonpath='{.metadata.annotations.cache\\.converged-computing\\.github\\.io/dev-endpoint}'";
    run("printf 'apiVersion: cache.converged-computing.github.io/v1alpha1\\nkind: OrasCache\\nmetadata: {name: stored}\\nspec: {storage: {size: 1Gi}}\\n' | kubectl apply -f -").expect();
    run("kubectl wait --for=condition=Ready oc/stored --timeout=30s").expect();
    run("mkdir -p in/words && printf one > in/words/one && printf 'two words' > in/words/two && printf file > in/file").expect();
    run(&format!("cd in && oras push --plain-http $({endpoint})/flow/words:1 file words")).expect();

    // Artifacts survive an edit of a cache with storage.
    run("kubectl patch oc stored --type merge -p '{\"spec\":{\"image\":\"registry:3\"}}' && kubectl rollout status sts/stored --timeout=30s").expect();
    run("kubectl wait --for=condition=Ready oc/stored --timeout=30s").expect();
    run(&format!("oras pull --plain-http $({endpoint})/flow/words:1 -o out && diff -r in out")).expect();

    // Deleting the cache deletes its registry and its volume claim.
    let address = run(endpoint).expect();
    run("kubectl delete oc stored && kubectl wait --for=delete pod/stored-0 --timeout=30s").expect();
    let gone = run(&format!("oras repo tags --plain-http {address}/flow/words"));
    assert!(!gone.ok, "{gone:?}");
    run("kubectl wait --for=delete pvc/stored-data --timeout=30s").expect();
    operator.shutdown().await;
    cluster.finish().await;
}

//! Real kubectl against the server.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use crate::common::with_caches;
use fake_kube_server::{ApiServer, Options, OutputStream};
use tokio::process::Command;

struct Kubectl {
    folder: tempfile::TempDir,
    server: ApiServer,
}

impl Kubectl {
    /// `None`, with the reason on stdout, where there is no kubectl.
    #[allow(clippy::print_stdout)]
    async fn new() -> Option<Self> {
        if Command::new("kubectl").arg("version").arg("--client").output().await.is_err() {
            println!("skipped: kubectl is not on PATH");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let server = with_caches(Options::default()).await;
        server.write_kubeconfig(&folder.path().join("kubeconfig")).unwrap();
        Some(Self { folder, server })
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    async fn output(&self, line: &str, editor: &str) -> Output {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("kubectl {line}")])
            .current_dir(self.folder.path())
            .env("KUBECONFIG", self.folder.path().join("kubeconfig"))
            // Discovery caches would outlive the server.
            .env("HOME", self.folder.path())
            .env("KUBE_EDITOR", editor)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        tokio::time::timeout(Duration::from_secs(60), command.output()).await.expect("kubectl hangs").unwrap()
    }

    /// Runs a command that works; returns what it prints.
    async fn ok(&self, line: &str) -> String {
        self.edit(line, "false").await
    }

    async fn edit(&self, line: &str, editor: &str) -> String {
        let output = self.output(line, editor).await;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "kubectl {line}: {out}{err}");
        format!("{out}{err}")
    }

    /// Runs a command that fails; returns what it says.
    async fn fails(&self, line: &str) -> String {
        let output = self.output(line, "false").await;
        assert!(!output.status.success(), "kubectl {line} should fail");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

macro_rules! assert_contains {
    ($text:expr, $($part:expr),+ $(,)?) => {{
        let text = $text;
        $(assert!(text.contains($part), "{:?} is not in {text}", $part);)+
    }};
}

const CACHE: &str = "apiVersion: lab.example.com/v1\nkind: Cache\nmetadata: {name: a}\nspec: {image: one}\n";
const SET: &str = "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: web
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: one}]}
";

#[tokio::test(flavor = "multi_thread")]
async fn apply_diff_edit_and_patch() {
    let Some(kubectl) = Kubectl::new().await else { return };
    kubectl.file("all.yaml", &format!("{CACHE}---\n{SET}"));
    assert_contains!(
        kubectl.ok("apply -f all.yaml").await,
        "cache.lab.example.com/a created",
        "statefulset.apps/web created"
    );
    assert_contains!(
        kubectl.ok("apply -f all.yaml").await,
        "cache.lab.example.com/a unchanged",
        "web unchanged"
    );
    assert_eq!(kubectl.ok("diff -f all.yaml").await, "");
    kubectl.file("all.yaml", &format!("{CACHE}---\n{SET}").replace("one", "two"));
    assert_contains!(
        kubectl.fails("diff -f all.yaml").await,
        "-  image: one",
        "+  image: two",
        "+      - image: two"
    );
    assert_contains!(kubectl.ok("apply -f all.yaml").await, "a configured", "web configured");
    assert_contains!(kubectl.ok("apply --server-side -f all.yaml").await, "a serverside-applied");
    kubectl.ok("patch cache a --type merge -p '{\"spec\":{\"image\":\"three\"}}'").await;
    kubectl.file("all.yaml", &format!("{CACHE}---\n{SET}"));
    assert_contains!(
        kubectl.fails("apply --server-side -f all.yaml").await,
        "conflict with \"kubectl-patch\"",
        ".spec.image"
    );
    kubectl.ok("apply --server-side --force-conflicts -f all.yaml").await;
    kubectl
        .ok("patch lc a --type json -p '[{\"op\":\"replace\",\"path\":\"/spec/image\",\"value\":\"four\"}]'")
        .await;
    assert_eq!(kubectl.ok("get lc a -o jsonpath={.spec.image}").await, "four");
    kubectl.ok("patch sts web -p '{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"d\",\"image\":\"x\"}]}}}}'").await;
    let containers = kubectl.ok("get sts web -o jsonpath={.spec.template.spec.containers[*].name}").await;
    let mut containers: Vec<_> = containers.split(' ').collect();
    containers.sort_unstable();
    assert_eq!(containers, ["c", "d"]);
    assert_contains!(kubectl.edit("edit lc a", "sed -i s/four/five/").await, "edited");
    assert_contains!(kubectl.edit("edit sts web", "sed -i s/replicas:.1/replicas:\\ 2/").await, "edited");
    assert_contains!(kubectl.ok("get sts web").await, "0/2");
    kubectl.ok("replace -f all.yaml").await;
    kubectl.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn get_describe_explain_and_wait() {
    let Some(kubectl) = Kubectl::new().await else { return };
    assert_contains!(kubectl.ok("api-resources").await, "caches", "lc", "lab.example.com/v1", "statefulsets");
    assert_contains!(kubectl.ok("explain lc.spec").await, "What to run.", "replicas");
    assert_contains!(kubectl.ok("explain pod.spec.containers.image").await, "Container image name");
    kubectl.file("cache.yaml", CACHE);
    kubectl.ok("apply -f cache.yaml").await;
    assert_contains!(kubectl.ok("get lc").await, "NAME   IMAGE   AGE", "a      one");
    assert_contains!(kubectl.ok("get all").await, "cache.lab.example.com/a");
    assert_contains!(kubectl.ok("describe lc a").await, "Image:     one");
    assert_contains!(kubectl.ok("get ns").await, "default           Active", "kube-system");
    assert_contains!(kubectl.ok("get lc -o yaml").await, "kind: List", "image: one");
    kubectl.ok("label lc a x=y").await;
    kubectl.ok("annotate lc a note=text").await;
    assert_contains!(kubectl.ok("get lc -l x=y --show-labels").await, "x=y");
    let status = "patch lc a --subresource status --type merge -p '{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}'";
    let (waited, _) =
        tokio::join!(kubectl.ok("wait --for condition=Ready lc/a --timeout 30s"), kubectl.ok(status));
    assert_contains!(waited, "condition met");
    let watch = kubectl.output("get lc a -w --request-timeout 3s", "false");
    let (watched, _) = tokio::join!(watch, async {
        // The watch has its first row from a list, or sees the deletion; both rows name the object.
        kubectl.ok("wait --for=jsonpath={.spec.image}=one lc/a").await
    });
    assert_contains!(String::from_utf8_lossy(&watched.stdout), "a      one");
    assert_contains!(kubectl.fails("get lc none").await, "caches.lab.example.com \"none\" not found");
    kubectl.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn debug_autoscale_and_times() {
    let Some(kubectl) = Kubectl::new().await else { return };
    kubectl.ok("run p --image=i --restart=Never").await;
    kubectl.ok("debug p --image=busybox --container=debugger --attach=false -- sleep 1").await;
    let path = "get pod p -o jsonpath={.spec.ephemeralContainers[*].name}";
    assert_eq!(kubectl.ok(path).await, "debugger");
    kubectl.file("set.yaml", SET);
    kubectl.ok("apply -f set.yaml").await;
    assert_contains!(
        kubectl.ok("autoscale sts web --min 1 --max 3 --cpu-percent 70").await,
        "web autoscaled"
    );
    assert_contains!(
        kubectl.ok("get hpa").await,
        "NAME   REFERENCE         TARGETS              MINPODS   MAXPODS   REPLICAS",
        "web    StatefulSet/web   cpu: <unknown>/70%   1         3         0",
    );
    let v1 =
        "get horizontalpodautoscalers.v1.autoscaling web -o jsonpath={.spec.targetCPUUtilizationPercentage}";
    assert_eq!(kubectl.ok(v1).await, "70");
    kubectl.ok("create job j --image=i -- true").await;
    let start = "{\"status\":{\"startTime\":\"2026-01-01T10:00:00.987654321+02:00\"}}";
    kubectl.ok(&format!("patch job j --subresource=status --type=merge -p '{start}'")).await;
    assert_eq!(kubectl.ok("get job j -o jsonpath={.status.startTime}").await, "2026-01-01T08:00:00Z");
    kubectl.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_token_is_refused() {
    let Some(kubectl) = Kubectl::new().await else { return };
    assert_contains!(kubectl.fails("get ns --token=another").await, "must be logged in to the server");
    kubectl.ok("get ns").await;
    kubectl.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn create_scale_events_and_delete() {
    let Some(kubectl) = Kubectl::new().await else { return };
    // These commands send protobuf.
    kubectl.ok("create namespace team").await;
    kubectl.ok("create secret generic s --from-literal=key=value").await;
    assert_eq!(kubectl.ok("get secret s -o jsonpath={.data.key}").await, "dmFsdWU=");
    kubectl.ok("create configmap c --from-literal=key=value -n team").await;
    kubectl.ok("create deployment d --image=i --replicas=2").await;
    assert_eq!(kubectl.ok("auth can-i create pods").await.trim(), "yes");
    kubectl.file("set.yaml", SET);
    kubectl.ok("apply -f set.yaml").await;
    kubectl.ok("scale sts web --replicas 3").await;
    assert_contains!(kubectl.ok("get sts web").await, "0/3");
    kubectl.file(
        "event.yaml",
        "apiVersion: v1\nkind: Event\nmetadata: {name: e, namespace: default}\ntype: Warning\nreason: Tested\nmessage: a sentence\n\
         involvedObject: {apiVersion: apps/v1, kind: StatefulSet, name: web, namespace: default}\n",
    );
    kubectl.ok("create -f event.yaml").await;
    assert_contains!(kubectl.ok("events --for sts/web").await, "Tested", "a sentence");
    assert_contains!(kubectl.ok("get events").await, "Tested");
    kubectl.ok("delete sts web --cascade=orphan --wait=false").await;
    assert_eq!(kubectl.ok("get sts web -o jsonpath={.metadata.finalizers[0]}").await, "orphan");
    kubectl.ok("delete deploy d --cascade=foreground --wait=false").await;
    assert_eq!(kubectl.ok("get deploy d -o jsonpath={.metadata.finalizers[0]}").await, "foregroundDeletion");
    kubectl.file("cache.yaml", CACHE);
    kubectl.ok("create -f cache.yaml").await;
    kubectl.ok("delete -f cache.yaml --cascade=background").await;
    kubectl.ok("delete crd caches.lab.example.com").await;
    kubectl.fails("get lc").await;
    assert_contains!(kubectl.fails("create cm x -n none").await, "namespaces \"none\" not found");
    kubectl.server.shutdown().await;
}

#[tokio::test]
async fn logs_are_read_and_followed() {
    let Some(kubectl) = Kubectl::new().await else { return };
    let pod = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {
        "nodeName": "node", "containers": [{"name": "c", "image": "i"}]}}"#;
    kubectl.file("pod.json", pod);
    kubectl.ok("create -f pod.json").await;
    let uid = kubectl.ok("get pod p -o jsonpath={.metadata.uid}").await;
    let first = kubectl.server.logs().begin(&uid, "c");
    first.write(OutputStream::Stdout, b"one\ntwo\n");
    assert_eq!(kubectl.ok("logs p").await, "one\ntwo\n");
    assert_eq!(kubectl.ok("logs p -c c --tail=1 --since=1h").await, "two\n");
    let times = kubectl.ok("logs p --timestamps --tail=1").await;
    assert!(times.ends_with("Z two\n"), "{times}");
    drop(first);
    let second = kubectl.server.logs().begin(&uid, "c");
    assert_eq!(kubectl.ok("logs p --previous").await, "one\ntwo\n");
    // Following ends with the container.
    let write = async {
        second.write(OutputStream::Stdout, b"three\n");
        drop(second);
    };
    let (followed, ()) = tokio::join!(kubectl.ok("logs -f p"), write);
    assert_eq!(followed, "three\n");
}

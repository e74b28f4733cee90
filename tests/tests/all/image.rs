//! The image as it is: unpacked from its layout, and run as its user with a root that cannot be
//! written. `.ci/image` makes it; `ORASCACHE_IMAGE=target/image` has these tests look at it.

#![allow(clippy::print_stdout, reason = "start time and memory of the image are printed")]

use deploy_manifests::{ManifestOptions, names};
use fake_kube::FakeKube;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, CustomResourceExt};
use orascache_api::orascache::OrasCache;
use orascache_api::steps::{AGENT_DIRECTORY, AGENT_PROGRAM};
use orascache_tests::image::{Image, Unpacked, can_run};
use orascache_tests::process::resident_mib;
use orascache_tests::tools::{installed, shell};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How long a test waits. Only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The container of the Deployment, and its pod's security context.
fn deployment() -> (Value, Value) {
    let objects = deploy_manifests::objects(&ManifestOptions::default(), &orascache_core::describe());
    let objects = objects.expect("valid options");
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").expect("a Deployment");
    let pod = &deployment["spec"]["template"]["spec"];
    (pod["containers"][0].clone(), pod["securityContext"].clone())
}

fn user(image: &Image) -> String {
    image.config["config"]["User"].as_str().expect("a user").to_owned()
}

/// The kubelet can tell whether a pod with `runAsNonRoot` may start only by a number
/// (pod-security-standards, "Running as Non-root user"). Admission adds the install container without
/// a user to pods that name none.
#[test]
fn the_user_is_the_number_that_admission_and_the_deployment_assume() {
    let Some(image) = Image::find() else { return };
    let user = user(&image);
    let ids: Vec<u32> = user.split(':').map(|id| id.parse().expect("a number")).collect();
    assert!(ids.len() == 2 && ids.iter().all(|id| *id != 0), "{user}");
    let (container, security) = deployment();
    assert_eq!(user, format!("{}:{}", security["runAsUser"], security["runAsGroup"]));
    // The Deployment gives arguments only, and init containers call the agent by its name.
    assert!(container.get("command").is_none());
    assert_eq!(image.config["config"]["Entrypoint"], serde_json::json!(["/usr/bin/orascache"]));
    assert_eq!(image.config["config"]["Env"], serde_json::json!(["PATH=/usr/bin"]));
}

#[test]
fn the_files_are_the_programs_their_code_and_authorities_and_belong_to_root() {
    let Some(image) = Image::find() else { return };
    let listed =
        Command::new("tar").args(["--numeric-owner", "-tvzf"]).arg(image.layer()).output().expect("tar");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut files = BTreeMap::new();
    for line in listed.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [mode, owner, .., path] = words.as_slice() else { panic!("{line}") };
        assert_eq!(*owner, "0/0", "{line}");
        // Nobody else may write, and nothing is more than a file or a folder.
        assert!(matches!(*mode, "drwxr-xr-x" | "-rwxr-xr-x" | "-rw-r--r--"), "{line}");
        if mode.starts_with('-') {
            files.insert((*path).to_owned(), mode.contains('x'));
        }
    }
    let is_program: Vec<_> = files.iter().map(|(path, is_program)| (path.as_str(), *is_program)).collect();
    let [certificates, operator, agent, code] = is_program.as_slice() else { panic!("{files:?}") };
    assert_eq!(*certificates, ("./etc/ssl/certs/ca-certificates.crt", false));
    assert_eq!(*operator, ("./usr/bin/orascache", true));
    assert_eq!(*agent, ("./usr/bin/orascache-agent", true));
    assert!(code.0.starts_with("./usr/lib/orascache/") && code.0.ends_with(".cwasm") && !code.1, "{code:?}");
}

#[test]
fn a_bill_of_materials_and_the_provenance_are_attached() {
    let Some(image) = Image::find() else { return };
    for ((_, subject), wanted) in
        [(&image.manifest, "application/vnd.cyclonedx+json"), (&image.index, "application/vnd.in-toto+json")]
    {
        let referrers = image.referrers(subject);
        let [referrer] = referrers.as_slice() else { panic!("{referrers:?}") };
        assert_eq!(referrer["artifactType"], wanted);
        let document = image.document(&referrer["layers"][0]);
        if wanted.ends_with("in-toto+json") {
            assert_eq!(
                format!("sha256:{}", document["subject"][0]["digest"]["sha256"].as_str().expect("hex")),
                *subject
            );
            assert_eq!(document["predicateType"], "https://slsa.dev/provenance/v1");
            continue;
        }
        let names: Vec<_> =
            document["components"].as_array().expect("a list").iter().map(|it| &it["name"]).collect();
        for linked in ["orascache-operator", "orascache-agent", "orascache-component", "wasmtime", "ring"] {
            assert!(names.iter().any(|name| *name == linked), "{linked}");
        }
        // What only workstations have is not in the image, and neither is what only builds have.
        for absent in ["fake-kube", "orascache-dev-registry", "kube-cel", "guest-build"] {
            assert!(!names.iter().any(|name| *name == absent), "{absent}");
        }
    }
}

#[test]
fn the_image_and_what_is_attached_to_it_are_pushed_to_a_registry() {
    let Some(image) = Image::find().filter(|_| installed("oras")) else { return };
    let registry = test_registries::Embedded::start();
    let (layout, folder) = (image.layout().display(), tempfile::tempdir().expect("a folder"));
    let (tag, repository) = (env!("CARGO_PKG_VERSION"), format!("{}/lab/orascache", registry.host()));
    let run = |command: &str| shell(command, Path::new("/dev/null"), folder.path()).expect();
    run(&format!("oras cp --recursive --from-oci-layout {layout}:{tag} --to-plain-http {repository}:{tag}"));
    assert_eq!(run(&format!("oras resolve --plain-http {repository}:{tag}")).trim(), image.index.1);
    for ((_, subject), kind) in [(&image.manifest, "cyclonedx"), (&image.index, "in-toto")] {
        let found = run(&format!("oras discover --plain-http {repository}@{subject}"));
        assert!(found.contains(kind), "{found}");
    }
    if !installed("cosign") {
        return;
    }
    let index = &image.index.1;
    let sign = "COSIGN_PASSWORD= cosign sign --yes --tlog-upload=false --key cosign.key --recursive";
    run("COSIGN_PASSWORD= cosign generate-key-pair");
    run(&format!("{sign} {repository}@{index}"));
    for subject in [index, &image.manifest.1] {
        run(&format!("cosign verify --private-infrastructure --key cosign.pub {repository}@{subject}"));
    }
    // Another key has signed nothing.
    run("mkdir other && cd other && COSIGN_PASSWORD= cosign generate-key-pair");
    let verify =
        format!("cosign verify --private-infrastructure --key other/cosign.pub {repository}@{index}");
    assert!(!shell(&verify, Path::new("/dev/null"), folder.path()).ok);
}

#[test]
fn the_agent_installs_itself_as_init_containers_call_it() {
    let Some(image) = Image::find().filter(|_| can_run()) else { return };
    let unpacked = image.unpack();
    let volume = unpacked.volume("agent");
    let words = [AGENT_PROGRAM, "install", AGENT_DIRECTORY].map(str::to_owned);
    let path = [("PATH".to_owned(), "/usr/sbin:/usr/bin:/sbin:/bin".to_owned())];
    let install = unpacked.start(&user(&image), &[(&volume, AGENT_DIRECTORY)], &path, &words);
    let ended = install.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let installed = std::fs::read(volume.join(AGENT_PROGRAM)).expect("installed");
    assert!(
        installed == std::fs::read(unpacked.root.join("usr/bin").join(AGENT_PROGRAM)).expect("in the image")
    );
    let said = Command::new(volume.join(AGENT_PROGRAM))
        .arg("--version")
        .output()
        .expect("it runs without the image");
    assert!(String::from_utf8_lossy(&said.stdout).contains(env!("CARGO_PKG_VERSION")), "{said:?}");
}

#[test]
fn commands_of_workstations_are_said_to_be_elsewhere() {
    let Some(image) = Image::find().filter(|_| can_run()) else { return };
    let unpacked = image.unpack();
    let ran = |word: &str| {
        let words = ["/usr/bin/orascache", word].map(str::to_owned);
        unpacked.start(&user(&image), &[], &[], &words).wait_with_output().expect("it ends")
    };
    let refused = ran("dev");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        refused.status.code() == Some(2) && said.starts_with("error: this build has no `dev`: "),
        "{said}"
    );
    let help = ran("--help");
    let said = String::from_utf8_lossy(&help.stdout);
    assert!(help.status.success() && said.contains("lacks dev, render, review"), "{said}");
}

/// An operator that is killed when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_runs_as_its_deployment_says_answers_probes_and_ends_on_sigterm() {
    let Some(image) = Image::find().filter(|_| can_run()) else { return };
    let cluster = FakeKube::builder().definition(OrasCache::crd()).start().await.expect("an API server");
    install_objects(&cluster.client()).await;
    let unpacked = image.unpack();
    let (cache, config) = (unpacked.volume("cache"), unpacked.volume("kube"));
    std::fs::copy(cluster.kubeconfig_path(), config.join("config")).expect("a copy");
    readable(&config.join("config"));

    let [http, webhooks] = [(); 2].map(|()| test_registries::free_address().port());
    let started = Instant::now();
    let mut running = Running(start_operator(&image, &unpacked, &cache, &config, http, webhooks));
    // It is alive before it is ready.
    until(&mut running, || answer(http, "/readyz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")))
        .await;
    println!("ready after {:.1} ms", started.elapsed().as_secs_f64() * 1000.0);
    assert!(answer(http, "/healthz").expect("an answer").starts_with("HTTP/1.1 200"));
    println!("resident: {:.1} MiB", resident_mib(running.0.id()));
    // The code of the image was mapped: code that is compiled is kept there.
    let kept = std::fs::read_dir(&cache).expect("readable").count();
    assert_eq!(kept, 0, "the component was compiled");
    let secrets: Api<Secret> = Api::namespaced(cluster.client(), names::NAMESPACE);
    let certificate = secrets.get_opt(names::WEBHOOK_CERTIFICATE).await.expect("an answer");
    assert!(certificate.is_some(), "the certificate was issued");
    assert!(TcpStream::connect(("127.0.0.1", webhooks)).is_ok(), "reviews are served");

    let status = std::fs::read_to_string(format!("/proc/{}/status", running.0.id())).expect("it runs");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field of proc(5)");
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let (user, _) =
        user(&image).split_once(':').map(|(user, group)| (user.to_owned(), group.to_owned())).expect("two");
    assert_eq!(field("Uid:"), [user.as_str(); 4].join(" "));
    assert_eq!((field("CapEff:"), field("NoNewPrivs:")), ("0".repeat(16), "1".to_owned()));

    let sent = Command::new("kill").args(["-TERM", &running.0.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let ended = Instant::now();
    let status = loop {
        if let Some(status) = running.0.try_wait().expect("a status") {
            break status;
        }
        assert!(ended.elapsed() < PATIENCE, "it does not end");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(status.success(), "{status}");
    cluster.shutdown().await;
}

/// The operator as its Deployment starts it, but for addresses and the way to the API server.
fn start_operator(
    image: &Image,
    unpacked: &Unpacked,
    cache: &Path,
    config: &Path,
    http: u16,
    webhooks: u16,
) -> Child {
    let (container, _) = deployment();
    let mut env: Vec<(String, String)> = Vec::new();
    for variable in container["env"].as_array().expect("variables") {
        let value = variable["value"].as_str().unwrap_or(names::NAMESPACE);
        env.push((variable["name"].as_str().expect("a name").to_owned(), value.to_owned()));
    }
    let mut words = vec!["/usr/bin/orascache".to_owned()];
    for word in container["args"].as_array().expect("arguments") {
        let word = env.iter().fold(word.as_str().expect("a word").to_owned(), |word, (name, value)| {
            word.replace(&format!("$({name})"), value)
        });
        words.push(match word.split_once('=') {
            Some(("--listen", _)) => format!("--listen=127.0.0.1:{http}"),
            Some(("--webhook-listen", _)) => format!("--webhook-listen=127.0.0.1:{webhooks}"),
            _ => word,
        });
    }
    words.push("--kubeconfig=/kube/config".to_owned());
    unpacked.start(&user(image), &[(cache, "/var/cache"), (config, "/kube")], &env, &words)
}

/// The namespaces and the webhook configurations of an installation, which the operator finds.
async fn install_objects(client: &Client) {
    let objects = deploy_manifests::objects(&ManifestOptions::default(), &orascache_core::describe());
    for object in objects.expect("valid options") {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kind = text(&object["kind"]);
        let plural = match kind.as_str() {
            "Namespace" => "namespaces",
            "MutatingWebhookConfiguration" => "mutatingwebhookconfigurations",
            "ValidatingWebhookConfiguration" => "validatingwebhookconfigurations",
            _ => continue,
        };
        let version = text(&object["apiVersion"]);
        let (group, version) = version.rsplit_once('/').unwrap_or(("", &version));
        let kind = GroupVersionKind::gvk(group, version, &kind);
        let api: Api<DynamicObject> =
            Api::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, plural));
        let object = serde_json::from_value(object).expect("an object");
        api.create(&PostParams::default(), &object).await.expect("created");
    }
}

fn readable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).expect("it is ours");
}

/// Waits until a condition holds while the operator runs.
async fn until(running: &mut Running, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        let ended = running.0.try_wait().expect("a status");
        if ended.is_some() || started.elapsed() > PATIENCE {
            let _ = running.0.kill();
            let mut said = String::new();
            if let Some(stderr) = &mut running.0.stderr {
                let _ = stderr.read_to_string(&mut said);
            }
            panic!("the operator is not ready ({ended:?}): {said}");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What an endpoint answers, if somebody listens.
fn answer(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

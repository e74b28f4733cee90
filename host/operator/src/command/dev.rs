//! `orascache dev`: a Kubernetes API on loopback with the operator in it, and a live registry for every cache.

mod install;

use super::{Failed, operator, run};
use crate::cli::DevArgs;
use crate::output;
use crate::settings::Source;
use crate::webhooks::{self, Certificate};
use anyhow::{Context, anyhow};
use deploy_manifests::names;
use fake_kube_server::ApiServer;
use fake_kube_simulators::{RegistryChange, RegistryOptions, Simulators};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, CustomResourceExt};
use orascache_api::orascache::OrasCache;
use orascache_controller::contract::{Kind, Reconciler};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub(super) fn execute(args: &DevArgs) -> Result<ExitCode, Failed> {
    let guest = Arc::new(super::load_guest(&args.component)?);
    let definitions = install::read_definitions(&args.crd)?;
    super::runtime()?.block_on(async {
        let folder =
            tempfile::Builder::new().prefix("orascache-dev-").tempdir().context("no temporary folder")?;
        let server = ApiServer::start(fake_kube_server::Options {
            port: args.port,
            ..fake_kube_server::Options::default()
        })
        .await
        .context("the Kubernetes API cannot be started")?;
        let kubeconfig = args.kubeconfig.clone().unwrap_or_else(|| folder.path().join("kubeconfig"));
        write_private(&kubeconfig, &server.kubeconfig())?;
        let managed = guest.describe();
        let cluster = Cluster::start(&server, guest, &definitions, &folder, args).await?;
        let outcome = match &args.exec {
            Some(command) => {
                let announcer = tokio::spawn(announce(cluster.changes));
                let outcome = exec(command, &kubeconfig).await;
                announcer.abort();
                outcome
            }
            None => {
                output::print(&welcome(&kubeconfig, &managed.primary))?;
                let announcer = tokio::spawn(announce(cluster.changes));
                let outcome = run::stop_requested().await.map(|()| ExitCode::SUCCESS);
                announcer.abort();
                outcome.map_err(Failed::from)
            }
        };
        cluster.operator.shutdown().await;
        cluster.simulators.shutdown().await;
        server.shutdown().await;
        outcome
    })
}

/// Everything that runs beside the API server.
struct Cluster {
    operator: operator::Operator,
    simulators: Simulators,
    changes: UnboundedReceiver<RegistryChange>,
}

impl Cluster {
    async fn start(
        server: &ApiServer,
        guest: Arc<crate::engine::Guest>,
        definitions: &[CustomResourceDefinition],
        folder: &TempDir,
        args: &DevArgs,
    ) -> Result<Self, Failed> {
        let client = client_of(server, operator::AGENT).await?;
        let description = guest.describe();
        // Another component has a CRD of its own, and what it reviews is up to whoever installs it.
        let manages_caches = install::manages_caches(&description);
        if manages_caches {
            install::definition(&client, &OrasCache::crd()).await?;
        }
        for definition in definitions {
            install::definition(&client, definition).await?;
        }
        install::require_kinds(&client, &description).await?;
        let (sender, changes) = unbounded_channel();
        let registries = RegistryOptions { data_dir: folder.path().join("registries"), changes: sender };
        let options = fake_kube_simulators::Options {
            registries: Some(registries),
            ..fake_kube_simulators::Options::all()
        };
        let simulators = Simulators::start(client_of(server, "simulators").await?, options)
            .await
            .context("no simulated cluster")?;
        if manages_caches {
            install::webhooks(&client).await?;
        }
        let options = operator::Options {
            webhooks: manages_caches.then(|| webhooks::Options {
                listen: SocketAddr::from(([127, 0, 0, 1], 0)),
                certificate: Certificate::Managed {
                    namespace: names::NAMESPACE.to_owned(),
                    names: Vec::new(),
                },
                agent_image: None,
            }),
            settings: Some(Source {
                namespace: names::NAMESPACE.to_owned(),
                name: names::SETTINGS.to_owned(),
            }),
            record: args.record.options(),
            swap: super::swap_options(&args.component),
            ..operator::Options::default()
        };
        let operator = operator::start(client.clone(), guest, options).await?;
        if let Some(address) = operator.webhook_address() {
            server.route_service(names::NAMESPACE, names::WEBHOOK_SERVICE, install::SERVICE_PORT, address);
        }
        if manages_caches {
            install::trust(&client).await?;
        }
        operator.synced().await;
        Ok(Self { operator, simulators, changes })
    }
}

async fn client_of(server: &ApiServer, agent: &'static str) -> Result<Client, Failed> {
    let kubeconfig =
        Kubeconfig::from_yaml(&server.kubeconfig()).context("the embedded kubeconfig is unusable")?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .context("the embedded kubeconfig is unusable")?;
    Ok(operator::connect(config, agent)?)
}

/// The file gives access to the API: nobody else needs to read it.
fn write_private(path: &Path, text: &str) -> Result<(), Failed> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let write = || {
        std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?
            .write_all(text.as_bytes())
    };
    write()
        .with_context(|| {
            format!(
                "the kubeconfig {} cannot be written: choose another place with --kubeconfig",
                path.display()
            )
        })
        .map_err(Failed::Unusable)
}

async fn exec(command: &str, kubeconfig: &Path) -> Result<ExitCode, Failed> {
    let kubeconfig: PathBuf = std::path::absolute(kubeconfig).unwrap_or_else(|_| kubeconfig.to_owned());
    let mut child = tokio::process::Command::new("sh")
        .args(["-c", command])
        .env("KUBECONFIG", kubeconfig)
        .kill_on_drop(true)
        .spawn()
        .context("sh cannot be started")?;
    let status = tokio::select! {
        status = child.wait() => status.context("the command cannot be waited for")?,
        stopped = run::stop_requested() => {
            stopped?;
            return Err(Failed::Refused(anyhow!("stopped before the command ended")));
        }
    };
    // As a shell says it: 128 and the signal's number.
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

fn welcome(kubeconfig: &Path, primary: &Kind) -> String {
    let (next, announced) = if install::is_cache(primary) {
        let next = "kubectl apply -f manifests/samples/01-orascache.yaml\n  kubectl get oc -w".to_owned();
        (next, "Registries are announced here. ")
    } else {
        (format!("kubectl get {} --all-namespaces -w", primary.plural), "")
    };
    format!(
        "A Kubernetes API runs on loopback, with the operator in it. In another terminal:\n\n  \
         export KUBECONFIG={}\n  {next}\n\n{announced}Ctrl-C ends everything.\n",
        kubeconfig.display()
    )
}

/// Tells of registries that come and go, on standard error: standard output belongs to commands.
#[allow(clippy::print_stderr, reason = "for the person at the terminal")]
async fn announce(mut changes: UnboundedReceiver<RegistryChange>) {
    while let Some(change) = changes.recv().await {
        match change {
            RegistryChange::Up { namespace, pod, address, .. } => {
                eprintln!(
                    "registry {namespace}/{pod} answers at http://{address}  (oras push --plain-http {address}/NAME:TAG FILE)"
                );
            }
            RegistryChange::Down { namespace, pod } => eprintln!("registry {namespace}/{pod} is gone"),
        }
    }
}

//! `orascache dev`: a Kubernetes API on loopback with the operator in it, a live registry for every
//! cache, and pods that end as processes.

mod install;
mod pods;

use super::failed::{Failed, runtime};
use super::{definition, load, run};
use crate::cli::DevArgs;
use crate::operator;
use crate::output;
use crate::settings::Source;
use crate::webhooks::{self, Certificate};
use anyhow::{Context, anyhow};
use deploy_manifests::names;
use fake_kube::{FakeKube, Simulators, StartError};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use orascache_api::orascache::OrasCache;
use orascache_contract::Kind;
use orascache_dev_registry::{Registries, RegistryChange, RegistryOptions};
use orascache_runtime::Guest;
use pods::Pods;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub(super) fn execute(args: &DevArgs) -> Result<ExitCode, Failed> {
    let guest = Arc::new(load::load_guest(&args.component)?);
    let definitions = install::read_definitions(&args.crd)?;
    runtime()?.block_on(async {
        let folder =
            tempfile::Builder::new().prefix("orascache-dev-").tempdir().context("no temporary folder")?;
        let mut cluster = start_cluster(args).await?;
        let kubeconfig = cluster.kubeconfig_path().to_owned();
        let primary = guest.describe().primary.clone();
        let pods = Pods::start(&cluster, folder.path(), args)?;
        let started = start_operator(&mut cluster, guest, &definitions, &folder, args, &pods).await;
        let (operator, changes) = started?;
        let outcome = match &args.exec {
            Some(command) => {
                let announcer = tokio::spawn(announce(changes));
                let outcome = exec(command, &kubeconfig).await;
                announcer.abort();
                outcome
            }
            None => {
                output::print(&welcome(&kubeconfig, &primary, &pods))?;
                let announcer = tokio::spawn(announce(changes));
                let outcome = run::stop_requested().await.map(|()| ExitCode::SUCCESS);
                announcer.abort();
                outcome.map_err(Failed::from)
            }
        };
        operator.shutdown().await;
        pods.stop(&mut cluster).await;
        cluster.shutdown().await;
        outcome
    })
}

/// Starts the Kubernetes API, without anything in it.
async fn start_cluster(args: &DevArgs) -> Result<FakeKube, Failed> {
    let mut builder = FakeKube::builder();
    if let Some(port) = args.port {
        builder = builder.port(port);
    }
    if let Some(path) = &args.kubeconfig {
        builder = builder.kubeconfig(path);
    }
    builder.start().await.map_err(|error| match error {
        StartError::Kubeconfig { path, source } => Failed::Unusable(anyhow!(source).context(format!(
            "the kubeconfig {} cannot be written: choose another place with --kubeconfig",
            path.display()
        ))),
        error => Failed::Refused(anyhow!(error).context("the Kubernetes API cannot be started")),
    })
}

/// Installs what the operator needs, starts the simulated controllers with live registries, and
/// then the operator. The receiver hears of registries.
async fn start_operator(
    cluster: &mut FakeKube,
    guest: Arc<Guest>,
    definitions: &[CustomResourceDefinition],
    folder: &TempDir,
    args: &DevArgs,
    pods: &Pods,
) -> Result<(operator::Operator, UnboundedReceiver<RegistryChange>), Failed> {
    let client = operator::connect(cluster.config(), operator::AGENT)?;
    let description = guest.describe().clone();
    // Another component has a CRD of its own, which --crd gives.
    if definition::is_cache(&description.primary) {
        install::definition(&client, &OrasCache::crd()).await?;
    }
    for definition in definitions {
        install::definition(&client, definition).await?;
    }
    install::require_kinds(&client, &description).await?;
    let (sender, changes) = unbounded_channel();
    let options =
        RegistryOptions { data_dir: folder.path().join("registries"), logs: cluster.logs(), changes: sender };
    let registries = Registries::start(cluster.client(), options).context("no live registries")?;
    // The registries come first: a registry pod is not run from its image.
    cluster.simulate(pods.join(Simulators::all().with_pod_runner(registries)));
    let reviews = !description.admission.is_empty();
    if reviews {
        install::webhooks(&client, &description).await?;
    }
    let options = operator::Options {
        webhooks: reviews.then(|| webhooks::Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            certificate: Certificate::Managed {
                namespace: names::NAMESPACE.to_owned(),
                service: names::WEBHOOK_SERVICE.to_owned(),
                configuration: names::OPERATOR.to_owned(),
                names: Vec::new(),
            },
            client_authority: None,
        }),
        settings: Some(Source { namespace: names::NAMESPACE.to_owned(), name: names::SETTINGS.to_owned() }),
        record: args.record.options(),
        hot_swap: load::hot_swap_options(&args.component),
        ..operator::Options::default()
    };
    let operator = operator::start(client.clone(), guest, options).await?;
    if let Some(address) = operator.webhook_address() {
        cluster.route_service(names::NAMESPACE, names::WEBHOOK_SERVICE, install::SERVICE_PORT, address);
    }
    if reviews {
        install::trusted(&client, &description).await?;
    }
    operator.synced().await;
    Ok((operator, changes))
}

async fn exec(command: &str, kubeconfig: &Path) -> Result<ExitCode, Failed> {
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
    // As a shell does: 128 plus the number of the signal.
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

fn welcome(kubeconfig: &Path, primary: &Kind, pods: &Pods) -> String {
    let (next, announced) = if definition::is_cache(primary) {
        let next = "kubectl apply -f manifests/samples/01-orascache.yaml\n  kubectl get oc -w".to_owned();
        (next, "Registries are announced here. ")
    } else {
        (format!("kubectl get {} --all-namespaces -w", primary.plural), "")
    };
    let run = if pods.are_run() {
        "Pods that end are run as processes, with the programs of this machine. "
    } else {
        "Pods that end are stored and not run. "
    };
    format!(
        "A Kubernetes API runs on loopback, with the operator in it. In another terminal:\n\n  \
         export KUBECONFIG={}\n  {next}\n\n{run}{announced}Ctrl-C ends everything.\n",
        kubeconfig.display()
    )
}

/// Reports registries that start and stop, on standard error: standard output belongs to the
/// command of `--exec`.
#[allow(clippy::print_stderr, reason = "for the person at the terminal")]
async fn announce(mut changes: UnboundedReceiver<RegistryChange>) {
    while let Some(change) = changes.recv().await {
        eprintln!("{}", announcement(&change));
    }
}

/// A registry that started, with a command that works with it, or one that stopped.
fn announcement(change: &RegistryChange) -> String {
    let (namespace, pod, address, has_tls, accounts) = match change {
        RegistryChange::Up { namespace, pod, address, has_tls, accounts } => {
            (namespace, pod, address, *has_tls, accounts)
        }
        RegistryChange::Down { namespace, pod } => return format!("registry {namespace}/{pod} is gone"),
    };
    // The certificate names the registry as the cluster does, and not by this address.
    let (scheme, flag) = if has_tls { ("https", "--insecure") } else { ("http", "--plain-http") };
    let (login, account) = match accounts {
        Some(secret) => (" -u USER -p PASSWORD", format!("; Secret {secret} has the account")),
        None => ("", String::new()),
    };
    format!(
        "registry {namespace}/{pod} answers at {scheme}://{address}  (oras push {flag}{login} {address}/NAME:TAG FILE{account})"
    )
}

#[cfg(test)]
mod tests {
    use super::{RegistryChange, announcement};

    fn announced(has_tls: bool, accounts: Option<&str>) -> String {
        announcement(&RegistryChange::Up {
            namespace: "lab".to_owned(),
            pod: "demo-0".to_owned(),
            address: "127.0.0.2:5000".to_owned(),
            has_tls,
            accounts: accounts.map(str::to_owned),
        })
    }

    #[test]
    fn the_announced_command_speaks_as_the_registry_does() {
        assert_eq!(
            announced(false, None),
            "registry lab/demo-0 answers at http://127.0.0.2:5000  (oras push --plain-http 127.0.0.2:5000/NAME:TAG FILE)"
        );
        assert_eq!(
            announced(true, Some("demo-account")),
            "registry lab/demo-0 answers at https://127.0.0.2:5000  (oras push --insecure -u USER -p PASSWORD 127.0.0.2:5000/NAME:TAG FILE; Secret demo-account has the account)"
        );
    }
}

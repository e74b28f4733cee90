//! `orascache migrate`: takes over what the former operator made.

use super::connection;
use super::failed::{Failed, runtime};
use crate::cli::{MigrateArgs, MigrateFormat};
use crate::{operator, output};
use anyhow::anyhow;
use deploy_manifests::names;
use kube::Client;
use orascache_migration::{
    Advance, Direction, LeasePlace, Migration, MigrationError, Options, Report, list_caches,
};
use std::process::ExitCode;
use std::time::Duration;

/// How often a migration looks while it waits.
const PERIOD: Duration = Duration::from_secs(1);

pub(super) fn execute(args: &MigrateArgs) -> Result<ExitCode, Failed> {
    runtime()?.block_on(async {
        let config = connection::config(&args.connection).await?;
        let namespace = args.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = operator::connect(config, operator::AGENT).map_err(Failed::Unusable)?;
        let caches = caches(&client, args, &namespace).await?;
        let (mut reports, mut complete) = (Vec::new(), true);
        for (namespace, name) in caches {
            let mut migration = Migration::new(client.clone(), &namespace, &name, options(args));
            if args.apply {
                complete &= run(&mut migration, &namespace, &name).await;
            }
            let report = migration.report().await.map_err(refused)?;
            complete &= report.in_the_way.is_empty();
            // Of a whole namespace, caches without anything to do are none of the user's concern.
            if !args.names.is_empty() || args.apply || !report.done {
                reports.push(report);
            }
        }
        output::print(&printed(&reports, args)?)?;
        Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// Namespaces and names of the caches that are meant.
async fn caches(
    client: &Client,
    args: &MigrateArgs,
    namespace: &str,
) -> Result<Vec<(String, String)>, Failed> {
    if !args.names.is_empty() {
        return Ok(args.names.iter().map(|name| (namespace.to_owned(), name.clone())).collect());
    }
    list_caches(client, (!args.all_namespaces).then_some(namespace)).await.map_err(refused)
}

fn options(args: &MigrateArgs) -> Options {
    Options {
        direction: if args.back { Direction::Back } else { Direction::Forward },
        agent_image: args.agent_image.clone(),
        lease: LeasePlace { namespace: args.operator_namespace.clone(), name: names::LEASE.to_owned() },
        ignore_running_steps: args.ignore_running_steps,
        patience: args.timeout,
        period: PERIOD,
    }
}

/// Migrates one cache. A failure is said, and the other caches follow.
#[allow(clippy::print_stderr, reason = "progress is for people, and goes to standard error")]
async fn run(migration: &mut Migration, namespace: &str, name: &str) -> bool {
    let said = |advance: &Advance| match advance {
        Advance::Made(_, sentence) => eprintln!("{namespace}/{name}: {sentence}"),
        Advance::Waits(what) => eprintln!("{namespace}/{name}: waiting: {what}"),
        Advance::Done => {}
    };
    match migration.run(said).await {
        Ok(()) => true,
        Err(error) => {
            eprintln!("error: {namespace}/{name}: {error}");
            false
        }
    }
}

fn printed(reports: &[Report], args: &MigrateArgs) -> anyhow::Result<String> {
    Ok(match args.output {
        MigrateFormat::Json => output::Format::Json.render(&reports)?,
        MigrateFormat::Text if reports.is_empty() => "There is nothing to migrate.\n".to_owned(),
        MigrateFormat::Text => {
            let mut text: String = reports.iter().map(Report::to_string).collect();
            if !args.apply && reports.iter().any(|report| !report.would_do.is_empty()) {
                text += "Nothing was changed. --apply makes these changes.\n";
            }
            text
        }
    })
}

fn refused(error: MigrationError) -> Failed {
    Failed::Refused(anyhow!(error))
}

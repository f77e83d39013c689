//! Fills a database with the work of a busy installation: to see how the explorer does with a million invocations.
//!
//! ```text
//! cargo run --release --example generate -- --private /tmp/big            # 1,000,000, then it waits
//! cargo run --release --example generate -- --url "$ADMIN_URL" --rows 100000
//! ```
//!
//! Each invocation has 14 events and 4 jobs; a fifth is the child of another one's job; they spread over thirty days up
//! to now by the hours of a working day. `--private` makes a cluster in a folder, or starts the one that is there, and
//! keeps it running until Enter, the end of input or SIGTERM; a folder that holds rows is not filled again.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the command line")]

mod copy;
mod load;
mod rows;
mod words;

use std::cell::Cell;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use obs_tui::clock::{Clock, secret};
use obs_tui::postgres::{Cluster, Options};
use obs_tui::store::admin::{self, Passwords};
use obs_tui::store::config::{Config, Secret};
use sqlx::{Connection, Executor, PgConnection};
use tokio::signal::unix::{SignalKind, signal};

/// Fill a database with the work of a busy installation.
#[derive(Debug, Parser)]
struct Args {
    /// URL of the role that owns the tables of a migrated database.
    #[arg(long, required_unless_present = "private", conflicts_with = "private")]
    url: Option<String>,
    /// Folder of a private cluster, made if it is missing.
    #[arg(long, value_name = "DIR")]
    private: Option<PathBuf>,
    /// Invocations.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Nodes of one huge cascade beside them.
    #[arg(long, value_name = "NODES", default_value_t = 0)]
    cascade: u64,
    /// Other rows, equally many.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// End with the indexes that a database of another writer has, and with its random ids.
    #[arg(long)]
    existing_schema: bool,
}

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let args = Args::parse();
    let Some(folder) = &args.private else {
        return fill(&args, &Config::from_url(args.url.as_deref().unwrap_or_default())?).await;
    };
    let options = Options { data_dir: Some(folder.clone()), ..Options::default() };
    let mut cluster = Cluster::start(&options)?;
    let mut stopped = stop()?;
    tokio::select! {
        done = serve(&args, &mut cluster) => done?,
        _ = stopped.recv() => return Ok(()),
    }
    eprintln!("Running until Enter, the end of input or SIGTERM.");
    stopped.recv().await;
    eprintln!("Stopping ...");
    cluster.stop();
    Ok(())
}

/// Fills the private database if it is empty, and prints how to reach it.
async fn serve(args: &Args, cluster: &mut Cluster) -> Outcome {
    let password = || Some(Secret::new(secret()));
    let passwords = Passwords { admin: password(), app: password(), readonly: password() };
    // Without replication, what is copied into a new table need not go through the log.
    let mut superuser = PgConnection::connect_with(
        &cluster.superuser().writer_options("generate").options([("search_path", "public")]),
    )
    .await?;
    for setting in
        ["wal_level = minimal", "max_wal_senders = 0", "max_wal_size = '4GB'", "checkpoint_timeout = '30min'"]
    {
        superuser.execute(sqlx::AssertSqlSafe(format!("alter system set {setting}"))).await?;
    }
    superuser.close().await?;
    cluster.restart()?;
    let roles = admin::create_database(&cluster.superuser(), "event_detector_observability", &passwords).await?;
    admin::migrate(&roles.admin).await?;
    let mut session =
        PgConnection::connect_with(&roles.admin.writer_options("generate").options([("search_path", "public")]))
            .await?;
    let (filled,): (bool,) = sqlx::query_as("select exists (select from invocations)").fetch_one(&mut session).await?;
    session.close().await?;
    if !filled {
        fill(args, &roles.admin).await?;
    }
    for (name, config) in [("admin", &roles.admin), ("app", &roles.app), ("readonly", &roles.readonly)] {
        println!("{name:<9} {}", config.url());
    }
    Ok(())
}

async fn fill(args: &Args, admin: &Config) -> Outcome {
    let clock = Clock::system();
    let plan = rows::Plan {
        rows: args.rows,
        cascade: args.cascade,
        seed: args.seed,
        now: clock.now(),
        random_ids: args.existing_schema,
    };
    let indexes = if args.existing_schema { load::Indexes::Theirs } else { load::Indexes::Same };
    let mut session =
        PgConnection::connect_with(&admin.writer_options("generate").options([("search_path", "public")])).await?;
    let told = Cell::new((Duration::ZERO, String::new()));
    let seconds = || clock.elapsed().as_secs_f64();
    load::load(&mut session, &plan, indexes, |doing| {
        // A statement is told at once, a number of rows now and then.
        let (at, before) = told.take();
        let same = before.split(':').next() == doing.split(':').next();
        if same && clock.elapsed() < at + Duration::from_secs(2) {
            told.set((at, before));
            return;
        }
        eprintln!("{:>6.1} s  {doing}", seconds());
        told.set((clock.elapsed(), doing.to_owned()));
    })
    .await?;
    eprintln!("{:>6.1} s  done: {} invocations", seconds(), plan.invocations());
    if args.cascade > 0 {
        let root = plan.cascades().last().and_then(|cascade| cascade.invocations.first().map(|root| root.id));
        eprintln!("the huge cascade begins with {}", root.unwrap_or_default());
    }
    session.close().await?;
    Ok(())
}

/// Tells when somebody wants the program to end.
fn stop() -> std::io::Result<tokio::sync::mpsc::Receiver<()>> {
    let (tell, stopped) = tokio::sync::mpsc::channel(1);
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let (mut signals, tell) = (signal(kind)?, tell.clone());
        tokio::spawn(async move {
            signals.recv().await;
            let _ = tell.send(()).await;
        });
    }
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_line(&mut String::new());
        let _ = tell.blocking_send(());
    });
    Ok(stopped)
}

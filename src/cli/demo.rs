//! `obs-tui demo`: a private PostgreSQL, sample work written through the recorder as the role of writers, and the
//! explorer as the role of readers.

mod plan;
mod workload;

use std::cell::Cell;
use std::io::{self, Write};
use std::time::Duration;

use fastrand::Rng;
use tokio::signal::unix::{SignalKind, signal};

use super::args::{Args, Demo};
use super::config::Settings;
// Progress goes to standard error, so that standard output holds the URLs only.
use super::output::{Output, tell};
use super::{CliError, Exit, explorer, require_terminal};
use crate::clock::Clock;
use crate::postgres::{Cluster, Options as ClusterOptions};
use crate::recorder::{Options, Recorder};
use crate::store::admin::{self, Passwords, Roles};
use crate::store::config::Secret;
use crate::tui::app::Files;

const DATABASE: &str = "event_detector_observability";
/// How long the writer may take at the end to write what waits.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// Runs the demo until it is stopped or the explorer is left.
///
/// # Errors
/// When there is no PostgreSQL to start, or no terminal for the explorer.
pub async fn run(args: &Args, settings: &Settings, demo: &Demo) -> Result<Exit, CliError> {
    if !demo.no_ui {
        require_terminal()?;
    }
    // From here on a signal must end the demo in order, also while the server is being made.
    let mut stop = Stop::new()?;
    tell("Starting a private PostgreSQL (this takes a few seconds) ...");
    let options = ClusterOptions { data_dir: demo.data_dir.clone(), ..ClusterOptions::default() };
    let starting = tokio::task::spawn_blocking(move || Cluster::start(&options));
    let cluster = starting.await.map_err(io::Error::other)??;
    let in_explorer = Cell::new(false);
    let ended = tokio::select! {
        exit = stop.wait(&in_explorer) => Ok(exit),
        ended = on_server((args, settings, demo), &cluster, &in_explorer) => ended,
    };
    if demo.no_ui {
        tell("Stopping ...");
    }
    // Blocks until the server is gone; nothing else is left to run.
    let _ = tokio::task::spawn_blocking(move || cluster.stop()).await;
    ended
}

async fn on_server(
    (args, settings, demo): (&Args, &Settings, &Demo),
    cluster: &Cluster,
    in_explorer: &Cell<bool>,
) -> Result<Exit, CliError> {
    let roles = prepare(cluster).await?;
    let mut rng = Rng::with_seed(demo.seed);
    let reader = crate::store::read::Reader::new(roles.readonly.clone());
    let empty = reader.page(&first_row(), Clock::system().now(), settings.stale_after).await?.rows.is_empty();
    reader.close().await;
    if empty {
        tell("Writing the work of a past day ...");
        let end = workload::history(&roles.app, &mut rng, Clock::system().now()).await;
        tell(&format!("{} records written, {} dropped", end.written, end.dropped + end.held));
    }
    let recorder =
        Recorder::new(Options { flush_interval: Duration::from_millis(500), ..Options::new(roles.app.clone()) });
    let live = tokio::spawn(workload::live(recorder.clone(), rng, demo.rate));
    let ended = if demo.no_ui {
        print_urls(&roles, &mut Output::stdout(args, settings.look))?;
        std::future::pending().await
    } else {
        in_explorer.set(true);
        explorer(args, settings, roles.readonly.clone(), Files { session: None, ..settings.files(super::variable) })
            .await
    };
    live.abort();
    let _ = tokio::task::spawn_blocking(move || recorder.shutdown(SHUTDOWN)).await;
    ended
}

fn first_row() -> crate::store::read::PageQuery {
    crate::store::read::PageQuery { limit: 1, ..Default::default() }
}

/// The database with its tables and roles. A kept data directory has the roles already: they get new passwords.
async fn prepare(cluster: &Cluster) -> Result<Roles, CliError> {
    let password = || Some(Secret::new(crate::clock::secret()));
    let passwords = Passwords { admin: password(), app: password(), readonly: password() };
    let roles = admin::create_database(&cluster.superuser(), DATABASE, &passwords).await?;
    admin::migrate(&roles.admin).await?;
    Ok(roles)
}

/// What scripts need: three lines, a name and a URL each.
fn print_urls(roles: &Roles, out: &mut impl Write) -> Result<(), CliError> {
    for (name, config) in [("admin", &roles.admin), ("app", &roles.app), ("readonly", &roles.readonly)] {
        writeln!(out, "{name:<9} {}", config.url())?;
    }
    out.flush()?;
    tell("Writing until stopped (Ctrl-C). Explore it with: OBSERVABILITY_DB_URL=<the readonly URL> obs-tui");
    Ok(())
}

/// The signals that end a demo without a screen; the explorer has its own handling of them.
struct Stop {
    signals: Vec<(u8, tokio::signal::unix::Signal)>,
}

impl Stop {
    fn new() -> io::Result<Self> {
        let kinds = [
            (2, SignalKind::interrupt()),
            (15, SignalKind::terminate()),
            (1, SignalKind::hangup()),
            (3, SignalKind::quit()),
        ];
        let signals = kinds.into_iter().map(|(number, kind)| Ok((number, signal(kind)?))).collect::<io::Result<_>>()?;
        Ok(Self { signals })
    }

    /// Waits for one of them. The explorer handles Ctrl-C and Ctrl-\ itself: they may be meant for its pager.
    async fn wait(&mut self, in_explorer: &Cell<bool>) -> Exit {
        let waits = self.signals.iter_mut().map(|(number, signal)| {
            Box::pin(async move {
                loop {
                    signal.recv().await;
                    if !(in_explorer.get() && matches!(number, 2 | 3)) {
                        return Exit::Signal(*number);
                    }
                }
            })
        });
        futures_util::future::select_all(waits).await.0
    }
}

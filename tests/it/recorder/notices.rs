//! What a recorder says on its own: when it begins and ceases to write, and what it loses.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use obs_tui::Recorder;
use obs_tui::recorder::{Class, Loss, Notice, OnNotice, Options, Reason};
use obs_tui::store::config::Secret;
use tracing_subscriber::layer::SubscriberExt as _;

use super::{LONG, chain, cluster, failing, nowhere, number, options, records, until};
use crate::common;

/// The notices of a recorder so far.
#[derive(Clone, Default)]
pub(super) struct Notices(Arc<Mutex<Vec<Notice>>>);

impl Notices {
    fn note(&self, notice: &Notice) {
        self.0.lock().unwrap().push(notice.clone());
    }

    pub(super) fn all(&self) -> Vec<Notice> {
        self.0.lock().unwrap().clone()
    }

    fn lost(&self) -> Vec<Loss> {
        let lost = |notice| match notice {
            Notice::Lost { losses, .. } => losses,
            _ => Vec::new(),
        };
        self.all().into_iter().flat_map(lost).collect()
    }
}

pub(super) fn noting() -> (OnNotice, Notices) {
    let notices = Notices::default();
    let noted = notices.clone();
    (OnNotice::call(move |notice| noted.note(notice)), notices)
}

#[tokio::test]
async fn a_server_that_goes_and_comes_is_said_once_each() {
    let (mut cluster, roles) = cluster("recorder_notices").await;
    let (on_notice, notices) = noting();
    let recorder = Recorder::new(Options { on_notice, ..options(&roles.app) });
    assert_eq!(notices.all(), []);
    for _ in 0..3 {
        chain(&recorder, 1);
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    }
    assert_eq!(notices.all(), [Notice::Connected]);
    cluster.halt();
    chain(&recorder, 1);
    failing(&recorder, "nothing listens there");
    // It goes on trying, and says no more.
    assert!(!recorder.flush(Duration::from_millis(300)));
    let said = notices.all();
    assert!(matches!(&said[1..], [Notice::CannotWrite { .. }, ..]) && said.len() <= 3, "{said:?}");
    cluster.restart().unwrap();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let end = recorder.shutdown(LONG);
    assert_eq!((end.written, end.dropped), (4 * records(1), 0));
    let said = notices.all();
    assert_eq!(said.last(), Some(&Notice::Recovered), "{said:?}");
    assert!(!said.iter().any(|notice| matches!(notice, Notice::Lost { .. })), "{said:?}");
}

#[tokio::test]
async fn a_session_that_ended_while_nothing_was_written_is_not_announced() {
    let db = common::database("recorder_idle_session").await;
    let (on_notice, notices) = noting();
    let recorder = Recorder::new(Options { on_notice, ..options(&db.app) });
    let superuser = &mut common::session(&db.superuser).await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'observability_app'";
    for _ in 0..3 {
        chain(&recorder, 1);
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        assert_eq!(number(superuser, end).await, 1);
    }
    assert!(recorder.stats().last_error.is_some(), "it was noticed");
    assert_eq!(recorder.shutdown(LONG).written, 3 * records(1));
    assert_eq!(notices.all(), [Notice::Connected]);
}

#[tokio::test]
async fn a_wrong_password_is_said_before_anything_is_lost_and_so_is_what_it_costs() {
    let db = common::database("recorder_password").await;
    let (on_notice, notices) = noting();
    let wrong = db.app.with_user("observability_app", Some(Secret::new("hush".to_owned())));
    let recorder = Recorder::new(Options { on_notice, memory_limit: 64 << 10, ..options(&wrong) });
    chain(&recorder, 1);
    failing(&recorder, "refused the login");
    until(async || !notices.all().is_empty()).await;
    assert!(
        matches!(&notices.all()[..], [Notice::CannotWrite { reason }] if reason.contains("Check the user and the password")),
        "{:?}",
        notices.all()
    );
    while recorder.stats().dropped < 1000 {
        chain(&recorder, 5);
    }
    // Said while it lasts, though nobody asks and no attempt is due.
    until(async || !notices.lost().is_empty()).await;
    assert!(notices.lost().iter().all(|loss| loss.reason == Reason::BufferFull));
    assert_eq!(recorder.shutdown(Duration::ZERO).written, 0);
    // Its thread may be late, on a busy machine.
    let all = |losses: &[Loss]| losses.iter().map(|loss| loss.records).sum::<u64>();
    until(async || recorder.stats().buffered == 0 && all(&notices.lost()) == recorder.stats().dropped).await;
    let (lost, stats) = (notices.lost(), recorder.stats());
    for Loss { class, reason, records } in stats.losses {
        let said = lost.iter().filter(|loss| (loss.class, loss.reason) == (class, reason));
        assert_eq!(said.map(|loss| loss.records).sum::<u64>(), records, "{class} {reason}");
    }
    assert!(notices.all().iter().all(|notice| !notice.to_string().contains("hush")));
}

#[tokio::test]
async fn what_is_refused_is_said_and_a_notice_that_panics_costs_nothing() {
    let db = common::database("recorder_notice_panics").await;
    let dir = tempfile::tempdir().unwrap();
    let notices = Notices::default();
    let noted = notices.clone();
    let on_notice = OnNotice::call(move |notice| {
        noted.note(notice);
        panic!("on purpose");
    });
    let recorder = Recorder::new(Options { on_notice, spool: Some(dir.path().to_owned()), ..options(&db.app) });
    recorder.invocation("refused").source_event_time(DateTime::<Utc>::MIN_UTC).start().finish();
    chain(&recorder, 1);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let end = recorder.shutdown(LONG);
    assert_eq!((end.written, end.quarantined, end.dropped), (records(1), 2, 0));
    let said = notices.all();
    assert!(
        matches!(&said[..], [Notice::Connected, Notice::Quarantined { records: 2, last_error: Some(error) }] if error.contains("refuses a row")),
        "{said:?}"
    );
}

/// Every event of a subscriber, as text.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Heard {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!("{value:?}");
            }
        }
        let metadata = event.metadata();
        let mut text = Text(format!("{} {} ", metadata.level(), metadata.target()));
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }
}

#[test]
fn a_wrong_url_is_said_to_tracing_and_to_the_host() {
    let heard = Heard::default();
    let (on_notice, notices) = noting();
    // Without a database there is no thread: it is said on this one.
    tracing::subscriber::with_default(tracing_subscriber::registry().with(heard.clone()), || {
        let recorder = Recorder::new(Options { on_notice, ..Options::from_url("postgresql://app:hush@db:port/o") });
        chain(&recorder, 1);
        let _ = recorder.shutdown(LONG);
        chain(&recorder, 0);
    });
    let said = notices.all();
    let [Notice::CannotWrite { reason }, Notice::Lost { losses, .. }, Notice::Lost { losses: late, .. }] = &said[..]
    else {
        panic!("{said:?}");
    };
    assert!(reason.contains("port"), "{reason}");
    let lost = |class, records| Loss { class, reason: Reason::NotConfigured, records };
    assert_eq!(losses[..], [lost(Class::Invocation, 2), lost(Class::Event, 3), lost(Class::Job, 2)]);
    assert_eq!(late[..], [lost(Class::Invocation, 2), lost(Class::Event, 3)]);
    let heard = heard.0.lock().unwrap();
    assert_eq!(heard.len(), 3);
    assert!(heard[0].starts_with("WARN obs_tui::recorder the recorder cannot write: "), "{heard:?}");
    assert!(
        heard[1]
            .starts_with("ERROR obs_tui::recorder the recorder lost records: 2 invocation (not_configured), 3 event")
    );
    assert!(heard.iter().all(|text| !text.contains("hush")), "{heard:?}");
    assert!(said.iter().zip(heard.iter()).all(|(notice, text)| text.ends_with(&notice.to_string())));
}

/// A recorder whose own events would be log lines of a job of its own, if its layer took them.
#[test]
fn what_a_recorder_says_is_never_recorded() {
    let subscriber =
        tracing_subscriber::registry().with(obs_tui::recorder::log_layer(tracing::level_filters::LevelFilter::TRACE));
    tracing::subscriber::with_default(subscriber, || {
        let outer = Recorder::new(options(&nowhere()));
        let invocation = outer.invocation("host").start();
        let handler = invocation.event("event").detected();
        let job = handler.job("job").start();
        let before = outer.stats().recorded;
        let _entered = job.context().enter();
        // Said on this thread, inside the job.
        let _ = Recorder::new(Options::from_url("postgresql://app@db:port/o"));
        assert_eq!(outer.stats().recorded, before);
        tracing::info!("a line of the host");
        assert_eq!(outer.stats().recorded, before + 1);
    });
}

#[tokio::test]
async fn too_little_memory_is_raised_and_said() {
    let db = common::database("recorder_least_memory").await;
    let recorder = Recorder::new(Options { memory_limit: 32, ..options(&db.app) });
    let stats = recorder.stats();
    assert!(stats.last_error.unwrap().contains("memory_limit is 32 bytes"));
    chain(&recorder, 1);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    assert_eq!((recorder.stats().written, recorder.stats().dropped), (records(1), 0));
    // What is too large for all of it is named, by a thread that has not begun, or sleeps because there is nothing to do.
    for begun in [false, true] {
        let (on_notice, notices) = noting();
        let recorder = Recorder::new(Options { on_notice, memory_limit: 16 << 10, ..options(&db.app) });
        if begun {
            chain(&recorder, 1);
            assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        }
        std::mem::forget(recorder.invocation("host").payload(&"x".repeat(20_000)).start());
        until(async || !notices.lost().is_empty()).await;
        let error = recorder.stats().last_error.unwrap();
        assert!(error.contains("the memory limit of 16384 bytes"), "{error}");
        assert_eq!(notices.lost(), [Loss { class: Class::Invocation, reason: Reason::BufferFull, records: 1 }]);
    }
}

#[tokio::test]
async fn stats_and_losses_are_json() {
    let recorder = Recorder::new(Options::from_url("postgresql://app@db:port/o"));
    recorder.invocation("host").start().finish();
    let json = serde_json::to_value(recorder.stats()).unwrap();
    assert_eq!((&json["recorded"], &json["dropped"]), (&2.into(), &2.into()));
    let loss = serde_json::json!({ "class": "invocation", "reason": "not_configured", "records": 2 });
    assert_eq!(json["losses"], serde_json::json!([loss]));
    assert_eq!(serde_json::to_value(recorder.shutdown(LONG)).unwrap()["dropped"], 2);
}

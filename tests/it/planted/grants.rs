//! Whoever was granted rights on a table, or took a name before a migration did, puts no code into sessions of ours. And
//! where a pooler takes from a session what protects it, the session ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use chrono::TimeDelta;
use obs_tui::cli;
use obs_tui::clock::Clock;
use obs_tui::model::status::STALE_AFTER;
use obs_tui::postgres::{Cluster, Options};
use obs_tui::recorder::{self, Recorder};
use obs_tui::store::admin::{self, Passwords};
use obs_tui::store::config::{Config, Secret};
use obs_tui::store::error::StoreError;
use obs_tui::store::read::{PageQuery, Reader};
use obs_tui::store::{prune, refresh};

use super::{log, run};
use crate::common::session;
use crate::pty::PATIENCE;

/// Code of a role that was granted everything on the tables, ways to have it run, and ways back.
const TOLD: &str = "
    create schema theirs;
    create function theirs.told() returns trigger language plpgsql as $$
    begin raise log 'GRANTED to %', current_user; return coalesce(new, old); end $$;
    create function theirs.asked(text) returns boolean language plpgsql as $$
    begin raise log 'GRANTED to %', current_user; return true; end $$";
const WAYS: [(&str, &str, &str); 5] = [
    (
        "create trigger planted after insert or update or delete on public.metrics_hourly for each row execute function theirs.told()",
        "the trigger planted on metrics_hourly, code of mallory",
        "drop trigger planted on public.metrics_hourly",
    ),
    (
        "create trigger planted before delete on public.invocations for each statement execute function theirs.told()",
        "the trigger planted on invocations, code of mallory",
        "drop trigger planted on public.invocations",
    ),
    // A function of PostgreSQL, and a condition that is not.
    (
        "create trigger planted before update or delete on public.invocations for each row when (theirs.asked(old.status)) \
         execute function suppress_redundant_updates_trigger()",
        "the trigger planted on invocations, code of mallory",
        "drop trigger planted on public.invocations",
    ),
    (
        "create table theirs.\"fol\nlowers\" (id uuid references public.invocations on delete cascade); \
         create trigger planted before delete on theirs.\"fol\nlowers\" for each statement execute function theirs.told()",
        "the table theirs.\"fol lowers\" on our tables, which it follows, code of mallory",
        "drop table theirs.\"fol\nlowers\"",
    ),
    (
        "create table theirs.followers (id uuid references public.event_executions on update set null)",
        "the table theirs.followers on our tables, which it follows, code of mallory",
        "drop table theirs.followers",
    ),
];
const ROWS: &str = "
    insert into invocations (id, created_at, updated_at, source_function, source_event_payload, status)
        values ('00000000-0000-0000-0000-000000000001', now() - interval '20 days', now() - interval '20 days', 'f', '{}', 'completed')";

fn granted(cluster: &Cluster) -> usize {
    log(cluster).matches("GRANTED to").count()
}

/// All that changes rows of the tables.
async fn changes(config: &Config) -> Vec<(&'static str, Result<(), StoreError>)> {
    let now = Clock::system().now();
    vec![
        ("migrate", admin::migrate(config).await.map(drop)),
        ("refresh", refresh::refresh(config, refresh::Since::FirstRow, now, |_| ()).await.map(drop)),
        ("prune", prune::prune(config, now - TimeDelta::days(30), |_| ()).await.map(drop)),
    ]
}

#[tokio::test]
async fn rights_on_a_table_put_no_code_into_a_session() {
    let cluster = Cluster::start(&Options::default()).unwrap();
    let superuser = cluster.superuser();
    let roles = admin::create_database(&superuser, "granted", &Passwords::default()).await.unwrap();
    let inside = superuser.with_database("granted");
    admin::migrate(&roles.admin).await.unwrap();
    let mut root = session(&inside).await;
    run(&mut root, "create role mallory login password 'x'; grant connect, create on database granted to mallory")
        .await;
    run(&mut root, "grant usage on schema public to mallory; grant all on all tables in schema public to mallory")
        .await;
    run(&mut root, ROWS).await;
    let mut mallory = session(&inside.with_user("mallory", Some(Secret::new("x".to_owned())))).await;
    run(&mut mallory, TOLD).await;
    for (plant, named, remove) in WAYS {
        run(&mut mallory, plant).await;
        for config in [&roles.admin, &inside] {
            for (name, result) in changes(config).await {
                let error = result.expect_err(name);
                let told = error.to_string();
                assert!(matches!(error, StoreError::Denied { .. }) && told.contains(named), "{name}: {told}");
            }
            let status = cli::db::status(config).await.unwrap();
            assert!(status.contains(&format!("Runs when this role changes the tables: {named}.\n")), "{status}");
        }
        assert_eq!(granted(&cluster), 0, "{plant}");
        run(&mut root, remove).await;
        assert_eq!(admin::status(&roles.admin).await.unwrap().code_of_others, Vec::<String>::new());
    }
    // It is code that runs: for whoever does not look.
    run(&mut mallory, WAYS[2].0).await;
    run(&mut root, "update public.invocations set status = 'failed'").await;
    assert_eq!(granted(&cluster), 1);
    run(&mut root, WAYS[2].2).await;

    // Triggers of those who own the tables, as other writers have them, are theirs to run.
    run(&mut root, "grant create on schema public to observability_admin").await;
    let mut owner = session(&roles.admin).await;
    run(
        &mut owner,
        "create function public.own() returns trigger language plpgsql as $$ begin return new; end $$; \
         create trigger own before update on public.invocations for each row execute function public.own()",
    )
    .await;
    for config in [&roles.admin, &inside] {
        for (name, result) in changes(config).await {
            result.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[tokio::test]
async fn a_function_that_was_there_before_the_migration_serves_no_trigger() {
    let cluster = Cluster::start(&Options::default()).unwrap();
    let superuser = cluster.superuser();
    let roles = admin::create_database(&superuser, "touched", &Passwords::default()).await.unwrap();
    let inside = superuser.with_database("touched");
    let mut root = session(&inside).await;
    run(
        &mut root,
        "create role mallory login password 'x'; grant connect on database touched to mallory; \
         grant create, usage on schema public to mallory",
    )
    .await;
    let mut mallory = session(&inside.with_user("mallory", Some(Secret::new("x".to_owned())))).await;
    run(
        &mut mallory,
        "create function public.obs_tui_touch() returns trigger language plpgsql as 'begin return new; end'",
    )
    .await;
    for config in [&roles.admin, &inside] {
        let told = admin::migrate(config).await.unwrap_err().to_string();
        assert!(told.contains("the function obs_tui_touch on our tables, for a trigger, code of mallory"), "{told}");
    }
    run(&mut mallory, "drop function public.obs_tui_touch()").await;
    admin::migrate(&roles.admin).await.unwrap();
}

/// An index of somebody else's is computed while a statement is planned.
#[tokio::test]
async fn a_superuser_reads_no_table_of_those_who_could_have_it_run_code() {
    let cluster = Cluster::start(&Options::default()).unwrap();
    let superuser = cluster.superuser();
    let mut outside = session(&superuser).await;
    run(&mut outside, "create role team login password 'x'").await;
    run(&mut outside, "create database teams owner team").await;
    let inside = superuser.with_database("teams");
    let team = inside.with_user("team", Some(Secret::new("x".to_owned())));
    // Their own database: they may do what they want in it.
    run(&mut session(&inside).await, "alter schema public owner to team").await;
    admin::migrate(&team).await.unwrap();
    let mut owner = session(&team).await;
    run(&mut owner, ROWS).await;
    run(
        &mut owner,
        "create function public.asked(text) returns boolean immutable language plpgsql as $$ \
         begin raise log 'GRANTED to %', current_user; return true; end $$; \
         create index planted on public.invocations (created_at) where public.asked('x')",
    )
    .await;
    let before = granted(&cluster);
    let reader = Reader::new(inside);
    let query = PageQuery { limit: 10, ..PageQuery::default() };
    let error = reader.page(&query, Clock::system().now(), STALE_AFTER).await.unwrap_err();
    let told = error.to_string();
    assert!(
        told.contains("could run code of its owner team") && told.contains("Connect as a role with fewer rights"),
        "{told}"
    );
    assert_eq!(granted(&cluster), before);
    // The owner reads their own.
    let rows = Reader::new(team).page(&query, Clock::system().now(), STALE_AFTER).await.unwrap().rows;
    assert_eq!(rows.len(), 1);
}

/// Passes sessions on without the options that they begin with, as a pooler does that is told to ignore them.
fn pooler(server: &Config) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = (server.host.clone(), server.port);
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect((server.0.as_str(), server.1)).unwrap();
            std::thread::spawn(move || without_options(client, server));
        }
    });
    port
}

/// <https://www.postgresql.org/docs/current/protocol-message-formats.html>: `StartupMessage`, `SSLRequest`.
fn without_options(mut client: TcpStream, mut server: TcpStream) -> Option<()> {
    let body = loop {
        let mut length = [0; 4];
        client.read_exact(&mut length).ok()?;
        let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap() - 4];
        client.read_exact(&mut body).ok()?;
        if body[..4] == 196_608_u32.to_be_bytes() {
            break body;
        }
        client.write_all(b"N").ok()?;
    };
    let mut words = body[4..].split(|byte| *byte == 0);
    let mut kept = body[..4].to_vec();
    while let (Some(name @ [_, ..]), Some(value)) = (words.next(), words.next()) {
        if !matches!(name, b"options" | b"search_path") {
            kept.extend([name, b"\0", value, b"\0"].concat());
        }
    }
    kept.push(0);
    server.write_all(&u32::try_from(kept.len() + 4).unwrap().to_be_bytes()).ok()?;
    server.write_all(&kept).ok()?;
    let (mut to_client, mut from_server) = (client.try_clone().ok()?, server.try_clone().ok()?);
    std::thread::spawn(move || std::io::copy(&mut from_server, &mut to_client));
    std::io::copy(&mut client, &mut server).ok()?;
    server.shutdown(std::net::Shutdown::Both).ok()
}

#[tokio::test]
async fn a_session_whose_settings_were_dropped_on_the_way_ends() {
    let db = crate::common::database("without_options").await;
    let port = pooler(&db.superuser);
    let at = |config: &Config| {
        Config::from_url(&config.url().replace(&format!(":{}/", config.port), &format!(":{port}/"))).unwrap()
    };
    let words = "the settings of the session did not reach the server";
    let query = PageQuery { limit: 10, ..PageQuery::default() };
    let reader = Reader::new(at(&db.readonly));
    let page = reader.page(&query, Clock::system().now(), STALE_AFTER).await.map(drop);
    let mut all = changes(&at(&db.admin)).await;
    all.extend([("page", page), ("status", admin::status(&at(&db.readonly)).await.map(drop))]);
    for (name, result) in all {
        let told = result.expect_err(name).to_string();
        assert!(told.contains(words) && told.contains("connect to the server itself"), "{name}: {told}");
    }
    // A recorder keeps what it has, and says why.
    let retry_delay = Duration::from_millis(20);
    let recorder = Recorder::new(recorder::Options { retry_delay, ..recorder::Options::new(at(&db.app)) });
    recorder.invocation("f").start().finish();
    let clock = Clock::system();
    let stats = loop {
        let stats = recorder.stats();
        if stats.last_error.is_some() {
            break stats;
        }
        assert!(clock.elapsed() < PATIENCE, "{stats:?}");
        tokio::task::yield_now().await;
    };
    assert!(stats.last_error.as_ref().is_some_and(|told| told.contains(words)), "{stats:?}");
    assert_eq!((stats.written, stats.dropped), (0, 0));
    let rows: i64 = sqlx::query_scalar("select count(*) from invocations")
        .fetch_one(&mut session(&db.superuser).await)
        .await
        .unwrap();
    assert_eq!(rows, 0);
}

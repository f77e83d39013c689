//! Whoever may create something in a schema makes nobody run it: neither the owner, nor the recorder, nor the explorer.
//!
//! All that this program asks a server is asked twice. The first time, of a quiet database, tells which functions,
//! aggregates, operators and relations its statements name. The second database is another's, who has planted all of
//! these wherever it can, and what is planted tells the log of the server that it ran.

mod calls;
mod earlier;
mod grants;
mod writes;

use std::collections::BTreeSet;

use obs_tui::cli;
use obs_tui::postgres::{Cluster, Options};
use obs_tui::store::admin::{self, Passwords};
use obs_tui::store::config::{Config, Secret};
use obs_tui::store::error::StoreError;
use obs_tui::store::read::Reader;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};

use crate::common::session;
use calls::everything;

const PLANT: &str = include_str!("planted/plant.sql");
/// Of the tables, where everybody may create, as an older server has it.
const SCHEMA: &str = "events";
/// Where a name could be looked up: the usual place, that of the tables, and one for each role that connects.
const PLACES: [&str; 6] =
    ["public", SCHEMA, "observability_admin", "observability_app", "observability_readonly", "postgres"];
const OURS: [&str; 11] = [
    "invocations",
    "event_executions",
    "job_executions",
    "job_logs",
    "metrics_hourly",
    "metrics_coverage",
    "metrics_pruned",
    "metrics_late",
    "dashboard_stats",
    "recorder_losses",
    "obs_tui_migrations",
];

async fn run(session: &mut PgConnection, sql: &str) {
    session.execute(AssertSqlSafe(sql.to_owned())).await.unwrap_or_else(|error| panic!("{error}: {sql:.200}"));
}

fn log(cluster: &Cluster) -> String {
    String::from_utf8_lossy(&std::fs::read(cluster.dir().join("log")).unwrap()).into_owned()
}

/// What ran since the log had this length, once each.
fn ran(cluster: &Cluster, since: usize) -> BTreeSet<String> {
    log(cluster)[since..].lines().filter_map(|line| Some(line.split_once("PLANTED ")?.1.to_owned())).collect()
}

/// What the statements in a log name.
struct Names {
    functions: Vec<String>,
    signs: Vec<String>,
    relations: Vec<String>,
}

impl Names {
    async fn in_log(session: &mut PgConnection, log: &str) -> Self {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let words: BTreeSet<&str> = log.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect();
        let is_sign = |c: char| "+-*/<>=~!@#%^&|`?".contains(c);
        let mut signs: BTreeSet<&str> = log.split(|c| !is_sign(c)).filter(|sign| !sign.is_empty()).collect();
        // Of `like`, `ilike` and their opposites.
        signs.extend(["~~", "!~~", "~~*", "!~~*"]);
        let known = async |session: &mut PgConnection, sql: &'static str, words: &BTreeSet<&str>| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            sqlx::query_scalar::<_, String>(sql).bind(words).fetch_all(session).await.unwrap()
        };
        let functions = "select distinct proname::text from pg_catalog.pg_proc where proname = any($1) order by 1";
        let operators = "select distinct oprname::text from pg_catalog.pg_operator where oprname = any($1) order by 1";
        let relations = "select distinct relname::text from pg_catalog.pg_class c \
             where relname = any($1) and relkind in ('r', 'v') and relnamespace in \
                 ('pg_catalog'::pg_catalog.regnamespace, 'information_schema'::pg_catalog.regnamespace) order by 1";
        Self {
            functions: known(&mut *session, functions, &words).await,
            signs: known(&mut *session, operators, &signs).await,
            relations: known(session, relations, &words).await,
        }
    }

    /// Plants them in a schema, and views with the names of `further` relations.
    async fn plant(&self, session: &mut PgConnection, place: &str, further: &[&str]) {
        let relations = self.relations.iter().cloned().chain(further.iter().map(|&name| name.to_owned())).collect();
        let set = "select set_config('planted.schema', $1, false), set_config('planted.names', $2::text[]::text, false), \
             set_config('planted.signs', $3::text[]::text, false), set_config('planted.relations', $4::text[]::text, false)";
        let set = sqlx::query(set).bind(place).bind(self.functions.clone()).bind(self.signs.clone());
        set.bind::<Vec<String>>(relations).execute(&mut *session).await.unwrap();
        run(session, "set search_path = pg_catalog").await;
        run(session, PLANT).await;
    }
}

#[tokio::test]
async fn nothing_that_others_plant_runs() {
    let cluster = Cluster::start(&Options::default()).unwrap();
    let superuser = cluster.superuser();
    let mut root = session(&superuser).await;

    // What is named, where nobody has planted anything.
    let roles = admin::create_database(&superuser, "quiet", &Passwords::default()).await.unwrap();
    let named = |config: &Config| config.with_schema(SCHEMA);
    let (admin, app, readonly) = (named(&roles.admin), named(&roles.app), named(&roles.readonly));
    run(&mut root, "alter database quiet set log_statement = 'all'").await;
    let before = log(&cluster).len();
    admin::create_database(&superuser, "quiet", &Passwords::default()).await.unwrap();
    everything(&admin, &app, &readonly).await;
    let names = Names::in_log(&mut root, &log(&cluster)[before..]).await;

    // The database of somebody without rights, where everybody may create.
    run(&mut root, "create role planter login password 'x'").await;
    run(&mut root, "create database planted owner planter").await;
    let at = |config: &Config| config.with_database("planted");
    let theirs = at(&superuser).with_user("planter", Some(Secret::new("x".to_owned())));
    let mut planter = session(&theirs).await;
    run(&mut planter, "grant create, connect on database planted to observability_admin").await;
    let mut owner = session(&at(&admin)).await;
    run(&mut owner, "create schema events; grant create, usage on schema events to public").await;
    for place in PLACES {
        if !["public", SCHEMA].contains(&place) {
            run(&mut planter, &format!("create schema {place}; grant usage on schema {place} to public")).await;
        }
        // Where the tables stand, a migration refuses to go on with tables of others; a view of its name is left alone.
        let further: &[&str] = if place == SCHEMA { &["dashboard_stats"] } else { &OURS };
        names.plant(&mut planter, place, further).await;
    }

    // They do run where a session looks names up as sessions of an earlier version did.
    for place in PLACES {
        let since = log(&cluster).len();
        for statement in [
            "select jsonb_build_object('name', 'x'::text, 'count', 1::bigint)",
            "select array_agg(id) from (select '550e8400-e29b-41d4-a716-446655440000'::uuid as id) ids",
            "select 'a'::varchar = 'b'::varchar",
            "select format('%s %s', 'a'::name, 'b'::name)",
            &format!("select * from {place}.dashboard_stats"),
            &format!("select * from {place}.pg_class"),
        ] {
            let statement = format!("set search_path = {place}; {statement}");
            // What a planted thing gives need not fit.
            let _ = planter.execute(AssertSqlSafe(statement)).await;
        }
        let ran = ran(&cluster, since);
        for kind in ["jsonb_build_object", "aggregate", "operator", "format", "dashboard_stats", "pg_class"] {
            assert!(ran.contains(&format!("{place}.{kind} ran as planter")), "{kind} of {ran:?}");
        }
    }

    let since = log(&cluster).len();
    admin::create_database(&superuser, "planted", &Passwords::default()).await.unwrap();
    everything(&at(&admin), &at(&app), &at(&readonly)).await;
    assert_eq!(ran(&cluster, since), BTreeSet::new());
    let planted: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(
        "select n.nspname::text, \
             (select count(*) from pg_proc p where p.pronamespace = n.oid and p.prokind = 'f'), \
             (select count(*) from pg_proc p where p.pronamespace = n.oid and p.prokind = 'a'), \
             (select count(*) from pg_operator o where o.oprnamespace = n.oid), \
             (select count(*) from pg_class c where c.relnamespace = n.oid and c.relkind = 'v') \
         from pg_namespace n where n.nspname = any($1) order by 1",
    )
    .bind(PLACES.map(str::to_owned).to_vec())
    .fetch_all(&mut session(&at(&superuser)).await)
    .await
    .unwrap();
    println!("names: {} functions, {} operators", names.functions.len(), names.signs.len());
    println!("functions: {}\noperators: {}", names.functions.join(" "), names.signs.join(" "));
    println!("relations: {} {}", names.relations.join(" "), OURS.join(" "));
    for (place, functions, aggregates, operators, views) in &planted {
        println!("{place}: {functions} functions, {aggregates} aggregates, {operators} operators, {views} views");
        assert!(*functions > 1_000 && *aggregates > 30 && *operators > 100 && *views > 5, "{place}");
    }
    assert_eq!(planted.len(), PLACES.len());
    let (superusers,): (i64,) =
        sqlx::query_as("select count(*) from pg_roles where rolsuper").fetch_one(&mut root).await.unwrap();
    assert_eq!(superusers, 1);

    // Who may create is told, with the statement that ends it.
    for told in [cli::db::migrate(&at(&admin)).await.unwrap(), cli::db::status(&at(&readonly)).await.unwrap()] {
        assert!(
            told.contains("every role") && told.contains("REVOKE CREATE ON SCHEMA \"events\" FROM PUBLIC;"),
            "{told}"
        );
    }
    let reader = Reader::new(at(&readonly));
    let server = reader.capabilities().await.unwrap().server;
    assert_eq!((server.may_write, server.may_create), (false, vec!["PUBLIC".to_owned()]));
    assert_eq!(server.not_read, [("dashboard_stats".to_owned(), "planter".to_owned())]);
}

#[tokio::test]
async fn a_migration_refuses_tables_of_others() {
    let cluster = Cluster::start(&Options::default()).unwrap();
    let superuser = cluster.superuser();
    let roles = admin::create_database(&superuser, "refused", &Passwords::default()).await.unwrap();
    let inside = superuser.with_database("refused");
    let mut root = session(&inside).await;
    run(
        &mut root,
        "create role planter login password 'x'; grant connect, temporary on database refused to planter; \
         grant create, usage on schema public to public",
    )
    .await;
    let mut planter = session(&inside.with_user("planter", Some(Secret::new("x".to_owned())))).await;
    // A table, whose triggers would run.
    run(&mut planter, "create table public.obs_tui_migrations (version int)").await;
    let told = admin::migrate(&roles.admin).await.unwrap_err().to_string();
    assert!(told.contains("needs the owner of the tables, and obs_tui_migrations belongs to planter"), "{told}");
    run(&mut planter, "drop table public.obs_tui_migrations").await;
    let none = Names { functions: Vec::new(), signs: Vec::new(), relations: Vec::new() };
    for name in OURS.iter().rev().filter(|&&name| name != "dashboard_stats") {
        none.plant(&mut planter, "public", &[name]).await;
        let since = log(&cluster).len();
        for config in [&roles.admin, &inside] {
            let error = admin::migrate(config).await.unwrap_err();
            let told = error.to_string();
            assert!(
                matches!(error, StoreError::Denied { .. }) && told.contains(&format!("{name} of planter")),
                "{told}"
            );
            assert!(!admin::status(config).await.unwrap().tracked || *name != "obs_tui_migrations");
        }
        let refused = Reader::new(roles.readonly.clone()).capabilities().await.unwrap_err();
        assert!(matches!(refused, StoreError::MissingTable { .. }), "{refused}");
        assert_eq!(ran(&cluster, since), BTreeSet::new(), "{name}");
        run(&mut planter, &format!("drop view public.{name}; drop function public.planted_row, public.planted_ran"))
            .await;
    }
    let told = cli::db::migrate(&roles.admin).await.unwrap();
    // The schema is ours: all tables in it are. Somebody else's is not closed.
    assert!(told.contains("ours; no longer: REVOKE CREATE ON SCHEMA \"public\" FROM PUBLIC;"), "{told}");
    assert!(!cli::db::status(&roles.readonly).await.unwrap().contains("May create"));
    run(&mut root, "grant create on schema public to planter, public; create table public.theirs ()").await;
    let told = cli::db::migrate(&roles.admin).await.unwrap();
    assert!(told.contains("ends that: REVOKE CREATE ON SCHEMA \"public\" FROM PUBLIC, planter;"), "{told}");
}

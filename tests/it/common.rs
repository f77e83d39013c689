//! One private PostgreSQL for the whole test program, and a migrated database of its own for every test.
//!
//! ```ignore
//! #[tokio::test]
//! async fn counts() {
//!     let db = common::database("counts").await;      // any name that no other test uses
//!     common::load_foreign(&db).await;                // 1,500 invocations of another writer, if wanted
//!     let mut session = common::session(&db.readonly).await;
//! }
//! ```
//! Connections are TCP with passwords, as the three roles. The server stops and its folder goes when the program ends.
use std::io::Read;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};

use obs_tui::postgres::{Cluster, Options};
use obs_tui::store::admin::{self, Passwords, Roles};
use obs_tui::store::config::Config;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

const TEMPLATE: &str = "migrated_template";
const FOREIGN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/foreign");

/// A database of one test, by who connects. It goes when its test lets go of it: together they would need gigabytes.
#[derive(Debug)]
pub(crate) struct TestDb {
    pub(crate) superuser: Config,
    pub(crate) admin: Config,
    pub(crate) app: Config,
    pub(crate) readonly: Config,
}

impl Drop for TestDb {
    fn drop(&mut self) {
        // The server may be gone already, at the end of the program.
        let _ = server().left.send(self.superuser.database.clone());
    }
}

/// A migrated database without rows.
pub(crate) async fn database(name: &str) -> TestDb {
    copy(name, TEMPLATE).await
}

/// A database without tables, for tests of migrations; the roles and their rights are there.
pub(crate) async fn empty_database(name: &str) -> TestDb {
    copy(name, "template0").await
}

/// A migrated database that keeps bytes as they come.
pub(crate) async fn ascii_database(name: &str) -> TestDb {
    let db = copy(name, "template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'").await;
    admin::migrate(&db.admin).await.unwrap();
    db
}

/// A session of the role, with the explorer's settings for the readonly role and the recorder's for all others, that finds the tables.
pub(crate) async fn session(config: &Config) -> PgConnection {
    let reader = config.user == "observability_readonly";
    let options = if reader { config.reader_options() } else { config.writer_options("test") };
    // Statements of tests name tables without their schema.
    let path = format!("\"{}\"", config.schema);
    PgConnection::connect_with(&options.options([("search_path", path)])).await.unwrap()
}

/// The superuser of the server that all tests share.
pub(crate) fn superuser() -> &'static Config {
    &server().superuser
}

/// The log of the server that all tests share.
pub(crate) fn server_log() -> PathBuf {
    server().cluster.dir().join("log")
}

/// Fills the tables with the rows of `tests/data/foreign`.
pub(crate) async fn load_foreign(db: &TestDb) {
    load_foreign_into(&db.superuser).await;
}

/// The same for a database of another server, as its superuser.
pub(crate) async fn load_foreign_into(superuser: &Config) {
    let mut session = session(superuser).await;
    session.execute("SET session_replication_role = replica").await.unwrap();
    for table in ["invocations", "job_executions", "event_executions"] {
        let file = std::fs::File::open(format!("{FOREIGN}/{table}.csv.gz")).unwrap();
        let mut rows = Vec::new();
        flate2::read::GzDecoder::new(file).read_to_end(&mut rows).unwrap();
        let header = String::from_utf8_lossy(rows.split(|byte| *byte == b'\n').next().unwrap()).into_owned();
        let mut copy = session
            .copy_in_raw(&format!("COPY {table} ({header}) FROM STDIN (FORMAT csv, HEADER true)"))
            .await
            .unwrap();
        copy.send(rows).await.unwrap();
        copy.finish().await.unwrap();
    }
    session.execute("ANALYZE").await.unwrap();
    session.close().await.unwrap();
}

struct Server {
    superuser: Config,
    roles: Roles,
    /// Databases that nobody uses any more.
    left: Sender<String>,
    /// Never dropped: the end of the program stops the server.
    cluster: Cluster,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    // Its own thread and runtime: the caller is inside the runtime of some test.
    SERVER.get_or_init(|| std::thread::spawn(start).join().unwrap())
}

fn start() -> Server {
    let cluster = Cluster::start(&Options::default()).unwrap_or_else(|error| panic!("{error}"));
    let superuser = cluster.superuser();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let roles = runtime.block_on(async {
        let roles = admin::create_database(&superuser, TEMPLATE, &Passwords::default()).await.unwrap();
        admin::migrate(&roles.admin).await.unwrap();
        roles
    });
    let (left, names) = channel();
    std::thread::spawn({
        let superuser = superuser.clone();
        move || runtime.block_on(remove(&superuser, names))
    });
    Server { superuser, roles, left, cluster }
}

/// Drops databases, one after the other, while tests go on.
async fn remove(superuser: &Config, names: Receiver<String>) {
    let mut session = session(superuser).await;
    for name in names {
        // One that will not go, because a session of it does not end, goes with the server.
        let _ = session.execute(AssertSqlSafe(format!("DROP DATABASE \"{name}\" WITH (FORCE)"))).await;
    }
}

async fn copy(name: &str, template: &str) -> TestDb {
    let Server { superuser, roles, .. } = server();
    let mut session = session(superuser).await;
    let statement = format!("CREATE DATABASE \"{name}\" TEMPLATE {template} OWNER {}", roles.admin.user);
    session.execute(AssertSqlSafe(statement)).await.unwrap();
    session.close().await.unwrap();
    // Rights on the database itself are not copied.
    admin::create_database(superuser, name, &Passwords::default()).await.unwrap();
    TestDb {
        superuser: superuser.with_database(name),
        admin: roles.admin.with_database(name),
        app: roles.app.with_database(name),
        readonly: roles.readonly.with_database(name),
    }
}

//! What a database holds: an adopted one may lack tables and columns that ours have.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::error::StoreError;

/// The tables that a reader looks for.
const TABLES: [&str; 7] = [
    "dashboard_stats",
    "event_executions",
    "invocations",
    "job_executions",
    "job_logs",
    "metrics_hourly",
    "recorder_losses",
];

/// The readable tables and their columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether the server refuses to write in this session.
    pub read_only: bool,
    /// Whether the server was a standby when it was asked.
    pub replica: bool,
    /// About how many invocations there are, as the server last estimated it; nothing when it never did.
    pub invocations: Option<u64>,
    /// Whether the server has TLS with its client, as it says itself: that may be a pooler between us.
    pub tls: Option<bool>,
    columns: BTreeMap<String, BTreeSet<String>>,
}

impl Capabilities {
    /// Asks the server what stands in the schemas of the search path and may be read, and has it notice when nobody waits
    /// for a query any more (from PostgreSQL 14 on). Both in one message, since each answer may be far away. A view that
    /// was never filled counts as missing: it refuses to be read.
    ///
    /// # Errors
    /// When the server does not answer, or when one of the three main tables is missing.
    pub async fn probe(connection: &mut PgConnection) -> Result<Self, StoreError> {
        let sql = format!(
            "select set_config('client_connection_check_interval', '1s', false) \
             where current_setting('client_connection_check_interval', true) is not null; \
             select c.relname::text as relation, a.attname::text as attribute, \
                    current_setting('transaction_read_only') = 'on' as read_only, pg_is_in_recovery() as replica, \
                    (select s.ssl from pg_catalog.pg_stat_ssl s where s.pid = pg_catalog.pg_backend_pid()) as tls, \
                    case when c.relname = 'invocations' and c.reltuples > 0 then c.reltuples::bigint end as rows \
             from pg_class c \
             join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
             where c.oid in (select to_regclass(name) from unnest('{{{}}}'::text[]) as t(name)) \
               and c.relispopulated and has_table_privilege(c.oid, 'select')",
            TABLES.join(",")
        );
        let mut found = Self::default();
        for row in sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await? {
            // The first answer has no such columns.
            if let (Ok(table), Ok(column)) = (row.try_get("relation"), row.try_get("attribute")) {
                found.columns.entry(table).or_default().insert(column);
                (found.read_only, found.replica) = (row.try_get("read_only")?, row.try_get("replica")?);
                found.tls = row.try_get("tls")?;
                let rows: Option<i64> = row.try_get("rows")?;
                found.invocations = rows.and_then(|rows| rows.try_into().ok()).or(found.invocations);
            }
        }
        for table in ["invocations", "event_executions", "job_executions"] {
            if !found.table(table) {
                let reason = format!("there is no table {table} that this role may read");
                return Err(StoreError::MissingTable { source: reason.clone().into(), reason });
            }
        }
        Ok(found)
    }

    /// Whether a table can be read.
    #[must_use]
    pub fn table(&self, table: &str) -> bool {
        self.columns.contains_key(table)
    }

    /// Whether a column can be read.
    #[must_use]
    pub fn column(&self, table: &str, column: &str) -> bool {
        self.columns.get(table).is_some_and(|columns| columns.contains(column))
    }

    /// The column, qualified, or a null of its type where it is missing.
    #[must_use]
    pub fn or_null(&self, table: &str, alias: char, column: &str, of_type: &str) -> String {
        if self.column(table, column) { format!("{alias}.{column}") } else { format!("null::{of_type}") }
    }
}

//! What a database holds: an adopted one may lack tables and columns that ours have.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{PgConnection, Row};

use super::error::StoreError;
use super::read::session::{BEGIN, fresh};
use super::sql::{OWNED_BY_RULER, in_schema};
use super::trust::MAY_CREATE;
use crate::model::invocation::Server;
use crate::model::text::clean;

/// The tables that a reader looks for.
const TABLES: [&str; 9] = [
    // Read by nobody here, but one that is somebody else's is worth a warning.
    "dashboard_stats",
    "event_executions",
    "invocations",
    "job_executions",
    "job_logs",
    "metrics_coverage",
    "metrics_hourly",
    "metrics_pruned",
    "recorder_losses",
];

/// The readable tables and their columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// What the server was when it was asked.
    pub server: Server,
    columns: BTreeMap<String, BTreeSet<String>>,
}

impl Capabilities {
    /// Asks the server what stands in the schema and may be read, and leaves the session in a transaction that is
    /// read-only. All in one message, since each answer may be far away. A view that was never filled counts as missing:
    /// it refuses to be read. So does a relation of somebody who owns neither the schema nor the main table, and for a
    /// superuser a view of almost anybody: to read it could run their code.
    ///
    /// # Errors
    /// When the server does not answer, or when one of the three main tables is missing.
    pub async fn probe(connection: &mut PgConnection, schema: &str) -> Result<Self, StoreError> {
        let sql = format!(
            "{}; \
             select c.relname::text as relation, o.rolname::text as owner, {OWNED_BY_RULER} \
                        and (c.relkind <> 'v' or not me.rolsuper or o.rolsuper or o.rolname = 'observability_admin') as trusted, \
                    array(select a.attname::text from pg_attribute a \
                          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as attributes, \
                    current_setting('transaction_read_only') = 'on' as read_only, pg_is_in_recovery() as replica, \
                    (select s.ssl from pg_stat_ssl s where s.pid = pg_backend_pid()) as tls, \
                    case when c.relname = 'invocations' and c.reltuples > 0 then c.reltuples::bigint end as rows, \
                    c.relkind <> 'm' and (has_table_privilege(c.oid, 'insert, update, delete, truncate') \
                        or has_any_column_privilege(c.oid, 'insert, update')) as may_write, {MAY_CREATE} as may_create \
             from pg_class c \
             join pg_namespace n on n.oid = c.relnamespace and n.nspname = @'schema' \
             join pg_roles o on o.oid = c.relowner \
             join pg_roles me on me.rolname = current_user \
             where c.relname = any('{{{}}}') and c.relkind in ('r', 'p', 'v', 'm', 'f') \
               and has_schema_privilege(n.oid, 'usage') and c.relispopulated and has_table_privilege(c.oid, 'select') \
             order by 1; {BEGIN}",
            fresh(connection),
            TABLES.join(","),
        );
        let mut found = Self::default();
        for row in sqlx::raw_sql(in_schema(&sql, schema)).fetch_all(connection).await? {
            let relation: String = row.try_get("relation")?;
            let server = &mut found.server;
            (server.read_only, server.replica) = (row.try_get("read_only")?, row.try_get("replica")?);
            server.may_create = row.try_get("may_create")?;
            // What the server says of its client, which may be a pooler.
            server.tls = row.try_get("tls")?;
            if !row.try_get("trusted")? {
                server.not_read.push((relation, row.try_get("owner")?));
                continue;
            }
            let rows: Option<i64> = row.try_get("rows")?;
            server.invocations = rows.and_then(|rows| rows.try_into().ok()).or(server.invocations);
            server.may_write |= row.try_get::<bool, _>("may_write")?;
            let attributes: Vec<String> = row.try_get("attributes")?;
            found.columns.insert(relation, attributes.into_iter().collect());
        }
        for table in ["invocations", "event_executions", "job_executions"] {
            if !found.table(table) {
                let owner = found.server.not_read.iter().find(|(relation, _)| relation == table);
                let reason = match owner {
                    Some((_, owner)) => format!(
                        "{table} is not read: that could run code of its owner {}, whom this session does not trust",
                        clean(owner)
                    ),
                    None => format!("there is no table {table} that this role may read"),
                };
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

    /// The columns of a table.
    pub fn columns(&self, table: &str) -> impl Iterator<Item = &str> {
        self.columns.get(table).into_iter().flatten().map(String::as_str)
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

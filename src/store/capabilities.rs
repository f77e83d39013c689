//! What a database holds: an adopted one may lack tables and columns that ours have.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::adopted::{Types, conversion, replaced, selection};
use super::connect::check_search_path;
use super::error::StoreError;
use super::read::session::{BEGIN, fresh};
use super::sql::{OWNED_BY_RULER, in_schema};
use super::trust::MAY_CREATE;
use crate::model::invocation::Server;
use crate::model::text::{clean, shell_argument};

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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Capabilities {
    /// What the server was when it was asked.
    pub server: Server,
    /// Whether the database keeps bytes as they come, with the encoding `SQL_ASCII`.
    pub(super) without_encoding: bool,
    /// The server's time when it was asked, in seconds.
    pub(super) server_now: Option<f64>,
    columns: BTreeMap<String, Types>,
    /// What is read instead of tables that have columns of other types than ours.
    selections: BTreeMap<String, String>,
}

impl Capabilities {
    /// Asks the server what stands in the schema and may be read, and leaves the session in a transaction that is
    /// read-only. All in one message, since each answer may be far away. A view that was never filled counts as missing:
    /// it refuses to be read. So does a relation of somebody who owns neither the schema nor the main table, and for a
    /// superuser one of almost anybody: to read it could run their code, also that of an index while a plan is made.
    ///
    /// # Errors
    /// When the server does not answer, or when one of the three main tables is missing.
    pub async fn probe(connection: &mut PgConnection, schema: &str) -> Result<Self, StoreError> {
        let sql = format!(
            "show search_path; {}; set search_path = pg_catalog, pg_temp; \
             select c.relname::text as relation, o.rolname::text as owner, {OWNED_BY_RULER} \
                        and (not me.rolsuper or o.rolsuper or o.rolname = 'observability_admin') as trusted, \
                    array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 \
                          and not a.attisdropped order by a.attnum) as attributes, \
                    array(select format_type(a.atttypid, null) from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 \
                          and not a.attisdropped order by a.attnum) as types, \
                    getdatabaseencoding() = 'SQL_ASCII' as without_encoding, \
                    current_setting('transaction_read_only') = 'on' as read_only, pg_is_in_recovery() as replica, \
                    extract(epoch from clock_timestamp())::float8 as server_now, \
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
            fresh(connection, false),
            TABLES.join(","),
        );
        let mut found = Self::default();
        for row in sqlx::raw_sql(in_schema(&sql, schema)).fetch_all(&mut *connection).await? {
            if let Ok(path) = row.try_get::<String, _>("search_path") {
                check_search_path(&path)?;
                continue;
            }
            let relation: String = row.try_get("relation")?;
            found.without_encoding = row.try_get("without_encoding")?;
            found.server_now = row.try_get("server_now")?;
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
            let types: Vec<String> = row.try_get("types")?;
            let types: Types = attributes.into_iter().zip(types).collect();
            let converted = types.iter().filter(|(column, of_type)| conversion(column, of_type).is_some());
            server
                .converted
                .extend(converted.map(|(column, of_type)| (format!("{relation}.{column}"), of_type.clone())));
            found.selections.extend(selection(&relation, &types).map(|selection| (relation.clone(), selection)));
            found.columns.insert(relation, types);
        }
        if found.without_encoding {
            sqlx::raw_sql("set client_encoding = 'SQL_ASCII'").execute(&mut *connection).await?;
        }
        for table in ["invocations", "event_executions", "job_executions"] {
            if !found.table(table) {
                let owner = found.server.not_read.iter().find(|(relation, _)| relation == table);
                let reason = match owner {
                    Some((_, owner)) => format!(
                        "{table} is not read: that could run code of its owner {}, whom this session does not trust. Connect as \
                         a role with fewer rights, such as observability_readonly",
                        clean(owner)
                    ),
                    None => format!(
                        "there is no table {table} in schema {} that this role may read{}",
                        clean(schema),
                        elsewhere(connection).await?
                    ),
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
        self.columns.get(table).into_iter().flat_map(|columns| columns.keys()).map(String::as_str)
    }

    /// Whether a column can be read.
    #[must_use]
    pub fn column(&self, table: &str, column: &str) -> bool {
        self.columns.get(table).is_some_and(|columns| columns.contains_key(column))
    }

    /// The text of a statement as this database needs it, with the name of the schema in it.
    pub(super) fn statement(&self, sql: &str, schema: &str) -> AssertSqlSafe<String> {
        if self.selections.is_empty() {
            in_schema(sql, schema)
        } else {
            in_schema(&replaced(sql, &self.selections), schema)
        }
    }

    /// A column of the table itself (alias `t`) as ours.
    pub(super) fn raw(&self, table: &str, column: &str) -> String {
        let of_type = self.columns.get(table).and_then(|columns| columns.get(column));
        of_type.and_then(|of_type| conversion(column, of_type)).unwrap_or_else(|| format!("t.{column}"))
    }

    /// The column, qualified, or a null of its type where it is missing.
    #[must_use]
    pub fn or_null(&self, table: &str, alias: char, column: &str, of_type: &str) -> String {
        if self.column(table, column) { format!("{alias}.{column}") } else { format!("null::{of_type}") }
    }
}

/// The schemas that hold the three main tables, and how to choose one.
async fn elsewhere(connection: &mut PgConnection) -> Result<String, StoreError> {
    let sql = "select n.nspname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace \
               where c.relname in ('invocations', 'event_executions', 'job_executions') and c.relkind in ('r', 'p', 'v', 'm', 'f') \
                 and has_schema_privilege(n.oid, 'usage') group by n.nspname having count(*) = 3 order by 1 limit 5";
    let schemas: Vec<String> = sqlx::query_scalar(sql).fetch_all(connection).await?;
    Ok(match &schemas[..] {
        [] => String::new(),
        [schema] => format!("; the tables stand in schema {0}: add --schema {0}", clean(&shell_argument(schema))),
        several => format!("; schemas with such tables are {}: choose one with --schema", clean(&several.join(", "))),
    })
}

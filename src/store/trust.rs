//! Whose code may run in a statement of ours, and who could put some there.
//!
//! A view is code of its owner, and so are the triggers, rules, policies and types of a table. Where others may create
//! in the schema of our tables, a relation that is not there yet may be theirs by the time it is looked for.

use sqlx::PgConnection;

use super::error::StoreError;
use super::sql::{OWNED_BY_RULER, in_schema};
use crate::model::text::clean;

/// The tables that statements of ours change, or read as somebody who may write.
const TABLES: [&str; 10] = [
    "event_executions",
    "invocations",
    "job_executions",
    "job_logs",
    "metrics_coverage",
    "metrics_hourly",
    "metrics_late",
    "metrics_pruned",
    "obs_tui_migrations",
    "recorder_losses",
];

/// An array of the roles, as they stand in a statement, that may create in the schema besides its owner, superusers and
/// the role of ours that makes the tables: `PUBLIC` is everybody.
pub(super) const MAY_CREATE: &str = "array(select case when a.grantee = 0 then 'PUBLIC' else quote_ident(r.rolname) end \
     from pg_namespace n cross join lateral aclexplode(n.nspacl) a left join pg_roles r on r.oid = a.grantee \
     where n.nspname = @'schema' and a.privilege_type = 'CREATE' \
       and (a.grantee = 0 or r.rolname not in ('observability_admin', 'pg_database_owner') \
            and not pg_has_role(a.grantee, n.nspowner, 'member')) \
     order by 1)::text[]";

/// Who may create in the schema: see [`MAY_CREATE`].
pub(super) async fn may_create(connection: &mut PgConnection, schema: &str) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(in_schema(&format!("select {MAY_CREATE}"), schema)).fetch_one(connection).await?)
}

/// What of others would run in a statement of this session that changes our tables, in words: whoever has the right
/// TRIGGER on a table puts a trigger on it (whose condition, too, may be of functions, operators and types of their own),
/// and with REFERENCES their own table, with its triggers, changes along.
pub(super) async fn code_of_others(connection: &mut PgConnection, schema: &str) -> Result<Vec<String>, StoreError> {
    let sql = "with me as (select rolsuper from pg_roles where rolname = current_user), \
             ruling as (select n.nspowner as owner from pg_namespace n where n.nspname = @'schema' \
                 union select m.relowner from pg_class m join pg_namespace n on n.oid = m.relnamespace \
                 where n.nspname = @'schema' and m.relname = 'invocations'), \
             strangers as (select o.oid, o.rolname::text as name from pg_roles o where o.rolname <> current_user and not case \
                 when (select rolsuper from me) then o.rolsuper or o.rolname = 'observability_admin' \
                 else o.rolsuper or exists (select from ruling where pg_has_role(o.oid, ruling.owner, 'member')) end), \
             ours as (select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace \
                 where n.nspname = @'schema' and c.relname = any($1)), \
             followers as (select k.conrelid as oid from pg_constraint k join ours on ours.oid = k.confrelid \
                 where k.contype = 'f' and (k.confdeltype in ('c', 'n', 'd') or k.confupdtype in ('c', 'n', 'd'))), \
             touched as (select oid from ours union select oid from followers) \
         select distinct 'trigger', t.tgname::text, c.relname::text, s.name \
         from pg_trigger t join touched on touched.oid = t.tgrelid join pg_class c on c.oid = t.tgrelid \
         join pg_depend d on d.classid = 'pg_trigger'::regclass and d.objid = t.oid and d.refclassid <> 'pg_class'::regclass \
         join pg_shdepend o on o.classid = d.refclassid and o.objid = d.refobjid and o.deptype = 'o' \
             and o.dbid = (select b.oid from pg_database b where b.datname = current_database()) \
         join strangers s on s.oid = o.refobjid where not t.tgisinternal \
         union all \
         select 'table', quote_ident(n.nspname) || '.' || quote_ident(c.relname), 'our tables, which it follows', s.name \
         from followers f join pg_class c on c.oid = f.oid join pg_namespace n on n.oid = c.relnamespace \
         join strangers s on s.oid = c.relowner \
         union all \
         select 'function', p.proname::text, 'our tables, for a trigger', s.name \
         from pg_proc p join pg_namespace n on n.oid = p.pronamespace and n.nspname = @'schema' \
         join strangers s on s.oid = p.proowner where p.proname = 'obs_tui_touch' \
         order by 1, 2, 3";
    let names = TABLES.map(str::to_owned).to_vec();
    let found: Vec<(String, String, String, String)> =
        sqlx::query_as(in_schema(sql, schema)).bind(names).fetch_all(connection).await?;
    let words = |(kind, name, place, owner): (String, String, String, String)| {
        clean(&format!("the {kind} {name} on {place}, code of {owner}")).into_owned()
    };
    Ok(found.into_iter().map(words).collect())
}

/// What a session is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Change the tables themselves, which takes their owner.
    Migrate,
    /// Write and delete rows.
    Write,
}

/// Refuses to go on where a table is no table, or that of somebody whose code would run in this session. A superuser has
/// more to lose than others: for one, only tables of superusers and of the role that `db create` makes are good enough.
pub(super) async fn check_tables(
    connection: &mut PgConnection,
    schema: &str,
    purpose: Purpose,
) -> Result<(), StoreError> {
    let enough = match purpose {
        Purpose::Migrate => "pg_has_role(c.relowner, 'usage')",
        Purpose::Write => OWNED_BY_RULER,
    };
    let sql = format!(
        "select c.relname::text, o.rolname::text, c.relkind in ('r', 'p') \
         from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_roles o on o.oid = c.relowner \
         where n.nspname = @'schema' and c.relname = any($1) and not (c.relkind in ('r', 'p') and \
               case when (select rolsuper from pg_roles where rolname = current_user) \
               then o.rolsuper or o.rolname = 'observability_admin' else {enough} end) \
         order by 1 limit 1"
    );
    let names = TABLES.map(str::to_owned).to_vec();
    let found: Option<(String, String, bool)> =
        sqlx::query_as(in_schema(&sql, schema)).bind(names).fetch_optional(&mut *connection).await?;
    let Some((table, owner, is_table)) = found else {
        let code = code_of_others(connection, schema).await?;
        return match code.first() {
            None => Ok(()),
            Some(first) => {
                let reason = format!(
                    "code of others would run: {first}. Drop it, or take the rights TRIGGER and REFERENCES on the tables \
                     from that role; `obs-tui db status` lists all"
                );
                Err(StoreError::Denied { source: reason.clone().into(), reason })
            }
        };
    };
    let owner = clean(&owner);
    let what = match purpose {
        Purpose::Migrate => "a migration needs the owner of the tables",
        Purpose::Write => "code of who owns the tables could run",
    };
    let reason = if is_table {
        format!("{what}, and {table} belongs to {owner}")
    } else {
        format!("{what}, and {table} of {owner} is no table")
    };
    Err(StoreError::Denied { source: reason.clone().into(), reason })
}

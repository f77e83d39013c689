//! Deletes old invocations with everything below them, a few at a time: what was deleted stays deleted when it is
//! interrupted, and no lock is held for long. Hourly numbers stay.
//!
//! Nothing that is kept is modified: where another program's foreign key takes the link from a child whose parent goes,
//! the child would change, and everywhere it would look like the root of a cascade. So an invocation is kept as long as
//! one is that a job of it caused, by the links that writers recorded. The newest go first: children before parents.
//! `offset 0` holds the server to looking rows up: it would else read whole tables to join a few hundred rows.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{Connection, Executor, PgConnection};
use uuid::Uuid;

use super::admin::connect;
use super::config::Config;
use super::error::StoreError;
use super::refresh::keep_pruned;
use super::sql::in_schema;
use super::time::Timestamp;
use super::trust::{self, Purpose};

/// Invocations that one transaction deletes; each may have hundreds of events and jobs.
const BATCH: i64 = 500;
/// How far up one statement goes from child to parent.
const LEVELS: i32 = 100;

/// What [`prune`] would delete, or has deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Invocations that go.
    pub deleted: u64,
    /// Invocations from before the moment that stay, because one that they caused stays.
    pub kept: u64,
}

/// How many invocations [`prune`] would delete and keep now.
///
/// # Errors
/// When the database cannot be reached or read.
pub async fn count(config: &Config, before: DateTime<Utc>) -> Result<Pruned, StoreError> {
    let mut connection = connect(config, config.reader_options()).await?;
    trust::check_tables(&mut connection, &config.schema, Purpose::Write).await?;
    let mut walk = Walk::new(&mut connection, config, before).await?;
    let mut old = 0;
    // Of those from before the moment.
    let mut kept = HashSet::new();
    while let Some(batch) = walk.next(&mut connection, "").await? {
        old += batch.len() as u64;
        let parents = walk.parents_of_newer(&mut connection, &batch).await?;
        kept.extend(walk.with_ancestors(&mut connection, parents, &kept).await?);
    }
    connection.close().await?;
    let kept = kept.len() as u64;
    Ok(Pruned { deleted: old.saturating_sub(kept), kept })
}

/// Deletes the invocations that were created before a moment and have no living children, the newest first. `progress`
/// is given the number deleted so far. Rows that another session is changing are passed over, and their parents with them.
///
/// # Errors
/// When the database cannot be reached, the role may not delete, or one statement takes too long. What was deleted until
/// then is gone; doing it again goes on from there.
pub async fn prune(
    config: &Config,
    before: DateTime<Utc>,
    mut progress: impl FnMut(u64),
) -> Result<Pruned, StoreError> {
    let mut connection = connect(config, config.writer_options("obs-tui prune")).await?;
    trust::check_tables(&mut connection, &config.schema, Purpose::Write).await?;
    let mut walk = Walk::new(&mut connection, config, before).await?;
    let (mut deleted, mut postponed) = (0, Vec::new());
    loop {
        connection.execute("begin").await?;
        let Some(batch) = walk.next(&mut connection, "for update skip locked").await? else { break };
        let (gone, left) = walk.delete(&mut connection, batch).await?;
        connection.execute("commit").await?;
        postponed.extend(left);
        if gone > 0 {
            deleted += gone;
            progress(deleted);
        }
    }
    connection.execute("rollback").await?;
    // Parents that came before a child of theirs: of the same moment, by a clock that was set, or in a circle.
    loop {
        let mut links = Vec::new();
        for batch in postponed.chunks(usize::try_from(BATCH).unwrap_or(usize::MAX)) {
            links.extend(walk.links(&mut connection, batch).await?);
        }
        let stay = staying(&postponed, &links);
        let (mut left, go): (Vec<Uuid>, Vec<Uuid>) = postponed.into_iter().partition(|id| stay.contains(id));
        let mut some = false;
        for batch in children_first(&go, &links).chunks(usize::try_from(BATCH).unwrap_or(usize::MAX)) {
            connection.execute("begin").await?;
            let (gone, stay) = walk.delete(&mut connection, batch.to_vec()).await?;
            connection.execute("commit").await?;
            left.extend(stay);
            if gone > 0 {
                (some, deleted) = (true, deleted + gone);
                progress(deleted);
            }
        }
        postponed = left;
        if !some {
            break;
        }
    }
    connection.close().await?;
    Ok(Pruned { deleted, kept: postponed.len() as u64 })
}

/// The invocations before a moment, from the newest to the oldest.
struct Walk<'a> {
    schema: &'a str,
    before: DateTime<Utc>,
    /// Where the batch before ended; times as texts, since they may be beyond what we can hold.
    cursor: Option<(String, Uuid)>,
    /// Whether writers can record what caused an invocation: older ones cannot.
    linked: bool,
}

impl<'a> Walk<'a> {
    async fn new(connection: &mut PgConnection, config: &'a Config, before: DateTime<Utc>) -> Result<Self, StoreError> {
        let sql = "select exists (select from pg_attribute a join pg_class c on c.oid = a.attrelid \
                   join pg_namespace n on n.oid = c.relnamespace \
                   where n.nspname = @'schema' and c.relname = 'invocations' and a.attname = 'source_job_id' \
                     and not a.attisdropped)";
        let linked = sqlx::query_scalar(in_schema(sql, &config.schema)).fetch_one(connection).await?;
        Ok(Self { schema: &config.schema, before, cursor: None, linked })
    }

    /// The ids of the next ones; `None` after the last.
    async fn next(&mut self, connection: &mut PgConnection, lock: &str) -> Result<Option<Vec<Uuid>>, StoreError> {
        let after = if self.cursor.is_some() { "and (created_at, id) < ($3::text::timestamptz, $4)" } else { "" };
        let sql = format!(
            "select created_at::text, id from @schema.invocations where created_at < $1 {after} \
             order by created_at desc, id desc limit $2 {lock}"
        );
        let mut query = sqlx::query_as(in_schema(&sql, self.schema)).bind(Timestamp(self.before)).bind(BATCH);
        if let Some((at, id)) = self.cursor.take() {
            query = query.bind(at).bind(id);
        }
        let rows: Vec<(String, Uuid)> = query.fetch_all(connection).await?;
        self.cursor = rows.last().cloned();
        Ok((!rows.is_empty()).then(|| rows.into_iter().map(|(_, id)| id).collect()))
    }

    /// Those of the batch that caused an invocation which is not older than the moment.
    async fn parents_of_newer(&self, connection: &mut PgConnection, batch: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        if !self.linked {
            return Ok(Vec::new());
        }
        // A time that is NULL is not from before the moment either.
        let sql = "select distinct b.id from unnest($1) b (id) \
                   cross join lateral (select j.id from @schema.job_executions j where j.invocation_id = b.id offset 0) j \
                   cross join lateral (select c.created_at from @schema.invocations c where c.source_job_id = j.id offset 0) c \
                   where c.created_at < $2 is not true";
        let query = sqlx::query_scalar(in_schema(sql, self.schema)).bind(batch).bind(Timestamp(self.before));
        Ok(query.fetch_all(connection).await?)
    }

    /// These and all that caused them, as far as they are from before the moment and not among the known ones.
    async fn with_ancestors(
        &self,
        connection: &mut PgConnection,
        mut from: Vec<Uuid>,
        known: &HashSet<Uuid>,
    ) -> Result<HashSet<Uuid>, StoreError> {
        let mut all = HashSet::new();
        let sql = "with recursive up (id, levels) as (select b.id, 0 from unnest($1) b (id) union all \
                       select p.id, u.levels + 1 from up u \
                       cross join lateral (select c.source_job_id from @schema.invocations c where c.id = u.id offset 0) c \
                       cross join lateral (select j.invocation_id from @schema.job_executions j where j.id = c.source_job_id offset 0) j \
                       cross join lateral (select p.id, p.created_at from @schema.invocations p where p.id = j.invocation_id offset 0) p \
                       where p.created_at < $2 and u.levels < $3) \
                   select id, min(levels) from up group by id";
        from.retain(|id| !known.contains(id) && all.insert(*id));
        while !from.is_empty() {
            let query = sqlx::query_as(in_schema(sql, self.schema)).bind(&from);
            let found: Vec<(Uuid, i32)> =
                query.bind(Timestamp(self.before)).bind(LEVELS).fetch_all(&mut *connection).await?;
            from.clear();
            for (id, levels) in found {
                if !known.contains(&id) && all.insert(id) && levels == LEVELS {
                    from.push(id);
                }
            }
        }
        Ok(all)
    }

    /// Parents of the batch with the invocations that they caused.
    async fn links(&self, connection: &mut PgConnection, batch: &[Uuid]) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
        if !self.linked {
            return Ok(Vec::new());
        }
        let sql = "select b.id, c.id from unnest($1) b (id) \
                   cross join lateral (select j.id from @schema.job_executions j where j.invocation_id = b.id offset 0) j \
                   cross join lateral (select c.id from @schema.invocations c where c.source_job_id = j.id offset 0) c";
        Ok(sqlx::query_as(in_schema(sql, self.schema)).bind(batch).fetch_all(connection).await?)
    }

    /// Deletes those of the batch of which no child stays; gives how many, and those that were left.
    async fn delete(&self, connection: &mut PgConnection, batch: Vec<Uuid>) -> Result<(u64, Vec<Uuid>), StoreError> {
        let stay = staying(&batch, &self.links(connection, &batch).await?);
        let (left, go): (Vec<Uuid>, Vec<Uuid>) = batch.into_iter().partition(|id| stay.contains(id));
        if go.is_empty() {
            return Ok((0, left));
        }
        // What another run deletes is counted by that one.
        let sql =
            in_schema("select id from @schema.invocations where id = any($1) for update skip locked", self.schema);
        let go: Vec<Uuid> = sqlx::query_scalar(sql).bind(&go).fetch_all(&mut *connection).await?;
        keep_pruned(&mut *connection, self.schema, &go).await?;
        let sql = in_schema("delete from @schema.invocations where id = any($1)", self.schema);
        Ok((sqlx::query(sql).bind(&go).execute(connection).await?.rows_affected(), left))
    }
}

/// Those of the batch that stay, since a child is outside of it or stays itself. Links are of parent and child.
fn staying(batch: &[Uuid], links: &[(Uuid, Uuid)]) -> HashSet<Uuid> {
    let inside: HashSet<Uuid> = batch.iter().copied().collect();
    let mut parents: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for &(parent, child) in links {
        parents.entry(child).or_default().push(parent);
    }
    let mut stay = HashSet::new();
    let mut next: Vec<Uuid> = parents.keys().copied().filter(|child| !inside.contains(child)).collect();
    while let Some(child) = next.pop() {
        for parent in parents.get(&child).into_iter().flatten() {
            if stay.insert(*parent) {
                next.push(*parent);
            }
        }
    }
    stay
}

/// The same ids, each after those that it caused, as far as there is no circle.
fn children_first(ids: &[Uuid], links: &[(Uuid, Uuid)]) -> Vec<Uuid> {
    let mut children: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for &(parent, child) in links {
        children.entry(parent).or_default().push(child);
    }
    let mut waiting: HashSet<Uuid> = ids.iter().copied().collect();
    let (mut order, mut path) = (Vec::with_capacity(ids.len()), Vec::new());
    for id in ids {
        if waiting.remove(id) {
            path.push(*id);
        }
        while let Some(id) = path.last().copied() {
            match children.get_mut(&id).and_then(Vec::pop) {
                Some(child) if waiting.remove(&child) => path.push(child),
                Some(_) => {}
                None => order.extend(path.pop()),
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parent_stays_while_a_child_outside_of_the_batch_does() {
        let id = Uuid::from_u128;
        let batch = [1, 2, 3, 4, 5].map(id);
        // 1 → 2 → 9, outside; 3 → 4 → 3, a circle; 5 caused nothing.
        let links = [(1, 2), (2, 9), (3, 4), (4, 3)].map(|(parent, child)| (id(parent), id(child)));
        assert_eq!(staying(&batch, &links), HashSet::from([id(1), id(2)]));
        assert_eq!(staying(&batch, &links[2..]), HashSet::new());
    }

    #[test]
    fn children_come_before_parents_in_long_chains_and_beside_circles() {
        let id = Uuid::from_u128;
        let links: Vec<_> = (1..100_000).map(|parent| (id(parent), id(parent + 1))).collect();
        let ids: Vec<_> = (1..=100_000).map(id).collect();
        assert!(children_first(&ids, &links).iter().eq(ids.iter().rev()));
        assert!(staying(&ids[..99_999], &links).len() == 99_999);
        // 1 caused 2 and 3, and these 2 each other; 9 is not asked for.
        let links = [(1, 2), (1, 3), (2, 3), (3, 2), (2, 9)].map(|(parent, child)| (id(parent), id(child)));
        let order = children_first(&[1, 2, 3].map(id), &links);
        assert!(order.len() == 3 && order[2] == id(1), "{order:?}");
    }
}

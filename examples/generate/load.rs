//! Rows → tables, by COPY.
//!
//! Empty tables are filled without constraints and indexes, which are made again afterwards: all in one transaction, so
//! that an interrupted load leaves the database as it was. Tables that hold rows keep everything while rows are added.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::sync::mpsc;

use super::copy::{HEADER, TRAILER, Table};
use super::rows::Plan;

/// What is sent at once; many small pieces would wait for each other.
const CHUNK: usize = 4 << 20;
/// The indexes that a database of the other writer has.
const THEIR_INDEXES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/foreign/indexes.sql"));

/// Which indexes stand at the end, where the tables are filled from empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Indexes {
    /// Those that were there before.
    Same,
    /// Those that a database of the other writer has.
    Theirs,
}

/// Fills the three tables, as their owner. `progress` is told what is done now.
pub(crate) async fn load(
    connection: &mut PgConnection,
    plan: &Plan,
    indexes: Indexes,
    progress: impl Fn(&str),
) -> Result<(), sqlx::Error> {
    connection
        .execute(
            "set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; \
             set maintenance_work_mem = '1GB'; set client_min_messages = warning",
        )
        .await?;
    let mut transaction = connection.begin().await?;
    let (filled,): (bool,) =
        sqlx::query_as("select exists (select from invocations)").fetch_one(&mut *transaction).await?;
    let rebuild = if filled { Vec::new() } else { strip(&mut transaction, indexes).await? };
    // Frozen rows need no later vacuum; only a table that was truncated here may get them.
    let how = if filled { "format binary" } else { "format binary, freeze" };
    for table in Table::ALL {
        let statement = format!("copy {} ({}) from stdin with ({how})", table.name(), table.columns());
        let mut copy = transaction.copy_in_raw(&statement).await?;
        let (chunks, mut ready) = mpsc::channel(4);
        let maker = plan.clone();
        let thread = std::thread::spawn(move || make(&maker, table, &chunks));
        while let Some((rows, chunk)) = ready.recv().await {
            let chunk: Vec<u8> = chunk;
            copy.send(chunk).await?;
            progress(&format!("{}: {rows} rows", table.name()));
        }
        // It ended: its end of the channel is closed.
        let _ = thread.join();
        copy.finish().await?;
    }
    for statement in rebuild {
        progress(&statement);
        transaction.execute(AssertSqlSafe(statement)).await?;
    }
    transaction.commit().await?;
    progress("analyze");
    for table in Table::ALL {
        connection.execute(AssertSqlSafe(format!("analyze {}", table.name()))).await?;
    }
    Ok(())
}

/// Sends the rows of a table in pieces, with the number of rows so far, until they are all made or nobody listens.
fn make(plan: &Plan, table: Table, chunks: &mpsc::Sender<(u64, Vec<u8>)>) {
    let mut rows = 0;
    let mut chunk = Vec::with_capacity(CHUNK + CHUNK / 8);
    chunk.extend(HEADER);
    for cascade in plan.cascades() {
        rows += table.write(&cascade, &mut chunk);
        if chunk.len() >= CHUNK {
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK + CHUNK / 8));
            if chunks.blocking_send((rows, full)).is_err() {
                return;
            }
        }
    }
    chunk.extend(TRAILER);
    let _ = chunks.blocking_send((rows, chunk));
}

/// Empties the tables and takes their constraints and indexes away. Returns the statements that make them.
async fn strip(connection: &mut PgConnection, indexes: Indexes) -> Result<Vec<String>, sqlx::Error> {
    let names: Vec<String> = Table::ALL.iter().map(|table| table.name().to_owned()).collect();
    // Primary keys before what leans on them; checks stay.
    let constraints: Vec<(String, String)> = sqlx::query_as(
        "select format('alter table %s drop constraint %I', c.conrelid::regclass, c.conname), \
                format('alter table %s add constraint %I %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)) \
         from pg_constraint c \
         where c.contype in ('p', 'u', 'f') \
           and (c.conrelid = any ($1::regclass[]) or c.confrelid = any ($1::regclass[])) \
         order by c.contype = 'f', c.conrelid, c.conname",
    )
    .bind(&names)
    .fetch_all(&mut *connection)
    .await?;
    let secondary: Vec<(String, String)> = sqlx::query_as(
        "select format('drop index %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid) \
         from pg_index i \
         where i.indrelid = any ($1::regclass[]) \
           and not exists (select from pg_constraint c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x')) \
         order by i.indrelid, i.indexrelid::regclass::text",
    )
    .bind(&names)
    .fetch_all(&mut *connection)
    .await?;
    for (drop, _) in constraints.iter().rev().chain(&secondary) {
        connection.execute(AssertSqlSafe(drop.clone())).await?;
    }
    connection.execute(AssertSqlSafe(format!("truncate {}", names.join(", ")))).await?;
    let secondary: Vec<String> = match indexes {
        Indexes::Same => secondary.into_iter().map(|(_, create)| create).collect(),
        Indexes::Theirs => {
            let statements =
                THEIR_INDEXES.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
            statements.split(';').map(str::to_owned).collect()
        }
    };
    // Foreign keys are last: their check reads what the primary keys hold.
    Ok(constraints.into_iter().map(|(_, add)| add).chain(secondary).collect())
}

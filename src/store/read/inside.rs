//! What is directly below one invocation, for the preview of the list.

use serde_json::Value;
use uuid::Uuid;

use super::cascade::{EVENT_COLUMNS, EventRow, JOB_COLUMNS, JobRow};
use super::{Reader, Values};
use crate::model::invocation::Inside;
use crate::store::error::StoreError;

/// Events and jobs that are read at the most, each.
const MOST: i64 = 100;
/// Characters of an error text.
const ERROR_CHARACTERS: i32 = 500;
/// Bytes of a payload, as it is stored, above which its rows are not compared.
const MOST_PAYLOAD: i32 = 65_536;

impl Reader {
    /// The oldest 100 events that were detected or failed, the oldest 100 jobs, and the rows that the payload holds.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn inside(&self, invocation: Uuid) -> Result<Inside, StoreError> {
        let mut session = self.session().await?;
        let arguments = || {
            use sqlx::Arguments;
            let mut arguments = sqlx::postgres::PgArguments::default();
            arguments.add(invocation).and_then(|()| arguments.add(ERROR_CHARACTERS)).map_err(sqlx::Error::Encode)?;
            arguments.add(MOST).map_err(sqlx::Error::Encode)?;
            Ok::<_, sqlx::Error>(arguments)
        };
        let events = format!(
            "select {EVENT_COLUMNS} from @schema.event_executions \
             where invocation_id = $1 and (detected or status is distinct from 'not_detected') \
             order by created_at, id limit $3"
        );
        let events = session.fetch_kept(&events, arguments()?, EventRow::keep).await?;
        let jobs = format!(
            "select {JOB_COLUMNS} from @schema.job_executions where invocation_id = $1 order by created_at, id limit $3"
        );
        let jobs = session.fetch_kept(&jobs, arguments()?, JobRow::keep).await?;
        let sql = "select jsonb_build_object('table', source_event_payload->'table', 'event', source_event_payload->'event') \
             from @schema.invocations where id = $1 and pg_column_size(source_event_payload) <= $2";
        let mut values = Values::default();
        values.add(invocation)?;
        values.add(MOST_PAYLOAD)?;
        let payload: Option<(Option<Value>,)> = session.fetch_first(sql, values.inner).await?;
        session.done();
        Ok(Inside { events, jobs, payload: payload.and_then(|(payload,)| payload) })
    }
}

//! What is directly below one invocation, for the preview of the list.

use uuid::Uuid;

use super::cascade::{
    EVENT_FIELDS, EventRow, JOB_FIELDS, JobRow, LONG_ERRORS, event_columns, job_columns, with_errors,
};
use super::{Reader, Values, bound};
use crate::model::invocation::Inside;
use crate::store::error::StoreError;
use crate::store::text::Text;

/// Events and jobs that are read at the most, each.
const MOST: i64 = 100;

impl Reader {
    /// The oldest 100 events that were detected or failed, the oldest 100 jobs, and the rows that the payload holds.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn inside(&self, invocation: Uuid) -> Result<Inside, StoreError> {
        let mut session = self.session().await?;
        let arguments = || {
            let mut values = Values::default();
            values.add(invocation)?;
            values.add(MOST)?;
            Ok::<_, StoreError>(values.inner)
        };
        let events = format!(
            "select {} from @schema.event_executions e \
             where e.invocation_id = $1 and (e.detected or e.status is distinct from 'not_detected') \
             order by e.created_at, e.id limit $2",
            event_columns()
        );
        let events = with_errors(EVENT_FIELDS, &events, LONG_ERRORS);
        let events = session.fetch_kept(&events, arguments()?, EventRow::keep).await?;
        let jobs = format!(
            "select {} from @schema.job_executions j where j.invocation_id = $1 order by j.created_at, j.id limit $2",
            job_columns()
        );
        let jobs = with_errors(JOB_FIELDS, &jobs, LONG_ERRORS);
        let jobs = session.fetch_kept(&jobs, arguments()?, JobRow::keep).await?;
        let sql = "select jsonb_build_object('table', source_event_payload->'table', 'event', source_event_payload->'event')::text \
             from @schema.invocations where id = $1 and pg_column_size(source_event_payload) <= $2";
        let mut values = Values::default();
        values.add(invocation)?;
        values.add(bound::MOST_PAYLOAD)?;
        let payload: Option<(Option<Text>,)> = session.fetch_first(sql, values.inner).await?;
        session.done();
        Ok(Inside {
            events,
            jobs,
            payload: payload.and_then(|(payload,)| payload).map(|text| bound::json_or_text(text, usize::MAX)),
        })
    }
}

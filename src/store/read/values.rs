//! One value out of the payloads of a few invocations, for a column of the list.

use uuid::Uuid;

use super::{Reader, Values, bound};
use crate::model::text::cut;
use crate::store::error::StoreError;
use crate::store::text::Text;

/// Characters of a value that are read, such as the digits of 1e400; a mark stands for more.
const MOST_CHARACTERS: usize = 500;

const VALUES: &str = "select id, case when pg_column_size(source_event_payload) > $4 then '(large)' \
     else left(case jsonb_typeof(value) when 'object' then '{…}' when 'array' then '[…]' else value #>> '{}' end, $5) end \
     from (select id, source_event_payload, coalesce(source_event_payload #> $2, source_event_payload #> $3) as value \
           from @schema.invocations where id = any($1)) i";

impl Reader {
    /// The values at a path of the payloads of these invocations, or at the same path below `event`; nothing where there is
    /// none. Objects and arrays are only named.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn payload_values(
        &self,
        ids: &[Uuid],
        path: &[String],
    ) -> Result<Vec<(Uuid, Option<String>)>, StoreError> {
        let below_event: Vec<String> = ["event".to_owned()].into_iter().chain(path.iter().cloned()).collect();
        let mut session = self.session().await?;
        let mut values = Values::default();
        values.add(ids)?;
        values.add(path)?;
        values.add(below_event)?;
        values.add(bound::MOST_PAYLOAD)?;
        values.add(i32::try_from(MOST_CHARACTERS + 1).unwrap_or(i32::MAX))?;
        let values: Vec<(Uuid, Option<Text>)> = session.fetch_all(VALUES, values.inner).await?;
        session.done();
        Ok(values.into_iter().map(|(id, value)| (id, value.map(|value| cut(value.into(), MOST_CHARACTERS)))).collect())
    }
}

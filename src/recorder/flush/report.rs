//! Tells the database what was lost.

use sqlx::AssertSqlSafe;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::Flusher;
use super::attempt::{expiry, patience};
use crate::recorder::loss::Loss;

impl Flusher {
    /// Tells the database what was lost since it was told last, if it has the table and a connection is open.
    pub(super) fn report_losses(&mut self, runtime: &Runtime) {
        let Some((connection, target)) = &mut self.connection else { return };
        if !target.has("recorder_losses", "count") {
            return;
        }
        if self.report.is_empty() {
            let losses = self.shared.lock().losses.unreported();
            self.report = losses.into_iter().map(|loss| (self.shared.options.ids.next(), loss)).collect();
        }
        if self.report.is_empty() {
            return;
        }
        let sql = format!(
            "INSERT INTO {} (id, recorder, class, reason, count) SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int8[]) \
             ON CONFLICT (id) DO NOTHING",
            target.table("recorder_losses")
        );
        let column =
            |text: &dyn Fn(&Loss) -> String| self.report.iter().map(|(_, loss)| text(loss)).collect::<Vec<_>>();
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(self.report.iter().map(|(id, _)| *id).collect::<Vec<_>>())
            .bind(column(&|_| self.shared.name.clone()))
            .bind(column(&|loss| loss.class.to_string()))
            .bind(column(&|loss| loss.reason.to_string()))
            .bind(
                self.report.iter().map(|(_, loss)| i64::try_from(loss.records).unwrap_or(i64::MAX)).collect::<Vec<_>>(),
            );
        let shared = &self.shared;
        let telling = async {
            tokio::select! {
                outcome = timeout(patience(shared), query.execute(connection)) => outcome.ok(),
                () = expiry(shared) => None,
                // The next attempt sees to it.
                () = shared.pressure.notified() => None,
            }
        };
        match runtime.block_on(telling) {
            Some(Ok(_)) => {
                let losses: Vec<Loss> = self.report.drain(..).map(|(_, loss)| loss).collect();
                self.shared.lock().losses.reported(&losses);
            }
            // It may write rows but not tell of losses: that costs no connection.
            Some(Err(sqlx::Error::Database(_))) => {}
            _ => self.connection = None,
        }
    }
}

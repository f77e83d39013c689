//! Being told that something was written, instead of asking every so often. It is no more than a hint: writers that are
//! not ours tell nothing, and what is told while nobody listens is lost.

use futures_util::FutureExt;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::SemaphorePermit;

use super::{CONNECTIONS, Reader};
use crate::store::answer::{self, CONNECT_TIME, within};
use crate::store::config::Config;
use crate::store::error::StoreError;
use crate::store::write::CHANNEL;

/// A connection that hears of batches of recorders; one of the two of its [`Reader`], until it is dropped.
#[derive(Debug)]
pub struct Listener<'a> {
    listener: PgListener,
    server: &'a Config,
    lost: bool,
    _permit: SemaphorePermit<'a>,
}

impl Reader {
    /// Begins to listen.
    ///
    /// # Errors
    /// When there is no further connection to be had, or when the server has no such thing, as a standby has not.
    pub async fn listen(&self) -> Result<Listener<'_>, StoreError> {
        let inner = &*self.inner;
        let at = |error| StoreError::at(&inner.config, error);
        let permit = inner.permits.acquire().await.map_err(|_| at(sqlx::Error::PoolClosed))?;
        {
            let mut idle = inner.idle();
            let others = CONNECTIONS - 1;
            let in_use = others.saturating_sub(inner.permits.available_permits());
            idle.truncate(others.saturating_sub(in_use));
        }
        // The listener of sqlx takes its connection from a pool.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECT_TIME)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(inner.options());
        let listener = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.ignore_pool_close_event(true);
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        let listener =
            within(CONNECT_TIME, &inner.config, listener).await.map_err(|error| error.named(&inner.config))?;
        Ok(Listener { listener, server: &inner.config, lost: false, _permit: permit })
    }
}

impl Listener<'_> {
    /// Waits until something was written, once for all that is known by then; false when the connection is lost, and
    /// with it this listener's use.
    pub async fn heard(&mut self) -> bool {
        // After a loss it would connect again, and hear nothing of what was written meanwhile.
        self.lost = self.lost || !matches!(answer::heard(self.server, self.listener.try_recv()).await, Ok(Some(_)));
        let heard = !self.lost;
        while !self.lost
            && let Some(more) = answer::heard(self.server, self.listener.try_recv()).now_or_never()
        {
            self.lost = !matches!(more, Ok(Some(_)));
        }
        heard
    }
}

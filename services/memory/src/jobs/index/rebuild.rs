//! Makes an index anew beside the one that answers, because somebody asked for it.

use super::followed::{CatchUp, Followed, page};
use crate::{
    domain::rebuild::Rebuild,
    state::AppState,
    store::{feed::Cursor, rebuilds},
    vectors::{Change, Watermark},
};

impl Followed {
    /// Fills a new generation from the database, builds its graphs and puts it in place. What changes meanwhile goes to
    /// both as it comes.
    pub async fn rebuild(&mut self, state: &AppState, asked: &Rebuild) -> Result<(), CatchUp> {
        state.vectors.begin_rebuild(self.space).await?;
        let (id, mut done) = (asked.id, 0);
        let mut next = Some(Cursor::at(Watermark::default()));
        while let Some(cursor) = next {
            let (mut changes, after) = page(state, self.space, cursor).await?;
            // What is gone was never in there, or goes with what is new.
            changes.retain(|change| matches!(change, Change::Upsert { .. }));
            done += i64::try_from(changes.len()).unwrap_or_default();
            state.vectors.fill(self.space, changes).await?;
            state.db.system("rebuild").tx(move |conn| Ok::<_, db::Error>(rebuilds::note(conn, id, done)?)).await?;
            self.catch_up(state).await?;
            next = after;
        }
        self.optimize(state).await?;
        state.vectors.publish(self.space, self.applied).await?;
        self.committed = self.applied;
        Ok(())
    }
}

//! A document that waits is read and becomes findable. Whoever does so claims it first; when they do not come back, somebody
//! else begins anew.

use std::{io, time::Duration};

use contracts::{ChunkId, Origin};
use db::{diesel::PgConnection, outbox};
use kit::{Ids, NewId as _};

use super::delete_document::forget_chunks;
use crate::{
    documents::{
        Extracted,
        chunk::{self, Sizes},
    },
    domain::{
        document::{Chunk, Document, Failure},
        entry::Entry,
    },
    error::Error,
    extractor::Extractor,
    metrics,
    state::AppState,
    store::{chunks, documents, entries},
};

/// Somebody who is not done by then is taken for dead: reading takes a minute at most, and storing some seconds.
const LEASE: Duration = Duration::from_mins(3);
/// A document that could not be read so often, through no fault of its own, is given up.
const ATTEMPTS: i32 = 5;
/// Before the second attempt; twice as long before the third, and so on.
const PAUSE: Duration = Duration::from_secs(5);
/// Chunks that one statement stores.
const BATCH: usize = 1_000;

/// Reads one document; whether there was one. What it said before is found until everything new is.
pub async fn index_document(state: &AppState, extractor: &Extractor) -> Result<bool, Error> {
    let now = state.clock.now();
    let claim = move |conn: &mut PgConnection| Ok::<_, Error>(documents::claim(conn, now, LEASE)?);
    let Some(claimed) = state.db.system("documents").tx(claim).await? else { return Ok(false) };
    if claimed.attempts > ATTEMPTS {
        tracing::error!(document.id = %claimed.id, "A document was not read in {ATTEMPTS} attempts and is given up");
        fail(state, claimed, Failure::Internal).await?;
        return Ok(true);
    }
    match read(state, extractor, &claimed).await {
        Ok(Some(Ok((title, chunks)))) => store(state, claimed, title, chunks).await?,
        Ok(Some(Err(failure))) => fail(state, claimed, failure).await?,
        // It was forgotten meanwhile.
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(
                document.id = %claimed.id,
                error = &error as &dyn std::error::Error,
                "A document could not be read; it will be tried again"
            );
            postpone(state, claimed).await?;
        }
    }
    Ok(true)
}

/// The title and the chunks of a document, or why it has none.
type Outcome = Result<(Option<String>, Vec<Chunk>), Failure>;

/// `None` when there is nothing to read any more.
async fn read(state: &AppState, extractor: &Extractor, claimed: &Document) -> io::Result<Option<Outcome>> {
    let (org, id, format) = (claimed.org, claimed.id, claimed.format);
    let load = move |conn: &mut PgConnection| Ok::<_, db::Error>(documents::content(conn, org, id)?);
    let Some(content) = state.db.tenant(org).tx(load).await.map_err(io::Error::other)? else { return Ok(None) };
    let extracted = match extractor.extract(&content, format).await? {
        Ok(extracted) => extracted,
        Err(refused) => return Ok(Some(Err(refused.into()))),
    };
    let ids = state.ids.clone();
    let cut = tokio::task::spawn_blocking(move || cut(&*ids, extracted)).await?;
    // A document of headings and rules alone has blocks, and still nothing to find.
    Ok(Some(if cut.1.is_empty() { Err(Failure::NoText) } else { Ok(cut) }))
}

fn cut(ids: &dyn Ids, extracted: Extracted) -> (Option<String>, Vec<Chunk>) {
    let pieces = chunk::chunks(&extracted.blocks, Sizes::default(), &chunk::estimate_tokens);
    let chunk = |(position, piece): (i64, chunk::Chunk)| Chunk {
        id: ids.new::<ChunkId>(),
        position,
        heading_path: piece.heading_path,
        text: piece.text,
    };
    (extracted.title, (0..).zip(pieces).map(chunk).collect())
}

/// Puts the new chunks in the place of the old ones, all at once.
async fn store(state: &AppState, claimed: Document, title: Option<String>, found: Vec<Chunk>) -> Result<(), Error> {
    let (ids, now, org) = (state.ids.clone(), state.clock.now(), claimed.org);
    let store = move |conn: &mut PgConnection| {
        let Some(document) = still(conn, &claimed)? else { return Ok::<_, Error>(false) };
        let count = i32::try_from(found.len()).unwrap_or(i32::MAX);
        let (document, event) = document.indexed(title, count, now);
        forget_chunks(conn, document.org, &[document.id], now)?;
        for batch in found.chunks(BATCH) {
            chunks::insert_all(conn, document.org, document.id, batch)?;
            let entries: Vec<Entry> = batch.iter().map(|chunk| document.entry(chunk)).collect();
            entries::put(conn, &entries.iter().collect::<Vec<_>>())?;
        }
        documents::update(conn, &document)?;
        let origin = Origin { actor: None, org: Some(document.org), traceparent: None, at: now };
        outbox::append(conn, &*ids, &origin, document.version, &event)?;
        Ok(true)
    };
    if state.db.tenant(org).tx(store).await? {
        metrics::document("indexed");
        state.signals.entries_changed();
    }
    Ok(())
}

async fn fail(state: &AppState, claimed: Document, why: Failure) -> Result<(), Error> {
    let (now, org) = (state.clock.now(), claimed.org);
    let fail = move |conn: &mut PgConnection| {
        let Some(document) = still(conn, &claimed)? else { return Ok::<_, Error>(()) };
        Ok(documents::update(conn, &document.failed(why, now))?)
    };
    metrics::document(why.as_str());
    state.db.tenant(org).tx(fail).await
}

async fn postpone(state: &AppState, claimed: Document) -> Result<(), Error> {
    let (now, org) = (state.clock.now(), claimed.org);
    let pause = PAUSE * 2_u32.saturating_pow(claimed.attempts.unsigned_abs().saturating_sub(1));
    let postpone = move |conn: &mut PgConnection| {
        let Some(document) = still(conn, &claimed)? else { return Ok::<_, Error>(()) };
        Ok(documents::enqueue(conn, &document.postponed(now), pause)?)
    };
    state.db.tenant(org).tx(postpone).await
}

/// The document, locked, unless it was forgotten or is somebody else's to index by now.
fn still(conn: &mut PgConnection, claimed: &Document) -> Result<Option<Document>, Error> {
    let document = documents::lock_in_org(conn, claimed.org, claimed.id)?;
    Ok(document.filter(|document| document.is_still(claimed)))
}

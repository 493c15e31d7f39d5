//! What was found is remembered, and the job is over.

use std::{collections::BTreeSet, sync::Arc};

use contracts::{MemoryId, Origin};
use db::diesel::PgConnection;
use kit::Ids;

use super::{Claim, Work, propose::Proposal};
use crate::{
    app::add_memory::{add, replace},
    domain::memory::text_hash,
    error::Error,
    metrics,
    state::AppState,
    store::{extraction_jobs, extractions, memories, messages, sessions},
};

/// How a job ends.
enum End {
    Found(Vec<Proposal>),
    GivenUp,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    added: usize,
    known: usize,
    superseded: usize,
}

/// All of it or nothing. Nothing when what it is from was forgotten meanwhile, or is somebody else's to deal with by now.
pub(super) async fn finish(state: &AppState, work: &Arc<Work>, proposals: Vec<Proposal>) -> Result<(), Error> {
    let counts = end(state, work, End::Found(proposals)).await?;
    metrics::extraction("done");
    metrics::facts("added", counts.added);
    metrics::facts("known", counts.known);
    metrics::facts("superseded", counts.superseded);
    if counts.added > 0 {
        state.signals.entries_changed();
    }
    Ok(())
}

/// Nothing comes of these turns.
pub(super) async fn give_up(state: &AppState, work: &Arc<Work>) -> Result<(), Error> {
    end(state, work, End::GivenUp).await.map(drop)
}

async fn end(state: &AppState, work: &Arc<Work>, how: End) -> Result<Counts, Error> {
    let (ids, held) = (state.ids.clone(), Arc::clone(work));
    let origin = Origin { actor: None, org: Some(work.org), traceparent: None, at: state.clock.now() };
    state
        .db
        .tenant(work.org)
        .tx(move |conn| match &held.claim {
            Claim::Session(job) => of_session(conn, &*ids, &origin, &held, *job, how),
            Claim::Given(job) => of_given(conn, &*ids, &origin, &held, job, how),
        })
        .await
}

fn of_session(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    origin: &Origin,
    work: &Work,
    job: extraction_jobs::Job,
    how: End,
) -> Result<Counts, Error> {
    // With the session in our hands no turn comes and none goes.
    let Some(session) = sessions::lock_in_org(conn, work.org, job.session)? else { return Ok(Counts::default()) };
    if !extraction_jobs::advance(conn, job, work.to, session.next_position)? {
        return Ok(Counts::default());
    }
    let End::Found(mut proposals) = how else { return Ok(Counts::default()) };
    let asked: Vec<_> = work.messages.iter().map(|message| message.uuid()).collect();
    let there = messages::find_all(conn, work.org, &asked)?;
    proposals.retain(|proposal| proposal.messages.iter().all(|message| there.contains_key(&message.uuid())));
    remember(conn, ids, origin, work, proposals).map(|(counts, _)| counts)
}

fn of_given(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    origin: &Origin,
    work: &Work,
    job: &extractions::Job,
    how: End,
) -> Result<Counts, Error> {
    let failed = matches!(how, End::GivenUp);
    if !extractions::advance(conn, job, work.to, failed, origin.at)? {
        return Ok(Counts::default());
    }
    let End::Found(proposals) = how else { return Ok(Counts::default()) };
    let (counts, remembered) = remember(conn, ids, origin, work, proposals)?;
    extractions::add_memories(conn, job, &remembered)?;
    Ok(counts)
}

fn remember(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    origin: &Origin,
    work: &Work,
    proposals: Vec<Proposal>,
) -> Result<(Counts, Vec<MemoryId>), Error> {
    // In one order for everybody, so that nobody waits for somebody who waits.
    for hash in proposals.iter().map(|proposal| text_hash(&proposal.memory.text)).collect::<BTreeSet<_>>() {
        memories::lock_same(conn, work.org, hash)?;
    }
    let (mut counts, mut remembered) = (Counts::default(), Vec::new());
    for Proposal { mut memory, replaces, .. } in proposals {
        let old = match replaces {
            Some(id) => memories::lock_in_org(conn, work.org, id)?,
            None => None,
        };
        let old = old.filter(|old| old.valid_to.is_none() && old.belonging == work.frame.belonging);
        // What was said before the memory held was true until then.
        let newer =
            old.as_ref().map(|old| old.valid_from).filter(|from| memory.valid_from.is_some_and(|at| at < *from));
        memory.valid_to = newer;
        let added = add(conn, ids, work.org, work.by, origin, memory)?;
        if !added.is_new {
            counts.known += 1;
            continue;
        }
        remembered.push(added.memory.id);
        counts.added += 1;
        if let Some(old) = old.filter(|_| newer.is_none()) {
            replace(conn, ids, origin, old, &added.memory)?;
            counts.superseded += 1;
        }
    }
    Ok((counts, remembered))
}

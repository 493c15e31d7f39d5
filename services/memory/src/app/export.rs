//! Somebody takes what they reach with them.

use contracts::MemorySessionId;

use crate::{
    domain::{
        access::{Allowed, Read},
        transfer::{Item, Wanted},
    },
    error::Error,
    state::AppState,
    store::{memories, messages, sessions},
};

/// Items of one page.
const PAGE: usize = 250;

/// Where an export is: after the last item of one of its three parts.
#[derive(Clone, Debug)]
pub enum Place {
    Sessions(Option<sessions::After>),
    Messages(Option<(MemorySessionId, i64)>),
    Memories(Option<memories::After>),
}

impl Place {
    /// Sessions come before turns and turns before memories, so that what is referred to is there when it is imported.
    pub const START: Self = Self::Sessions(None);
}

/// A page, and where the next begins; `None` after the last. What is stored meanwhile may be in it or not.
pub async fn export(
    state: &AppState,
    allowed: &Allowed<Read>,
    wanted: Wanted,
    place: Place,
) -> Result<(Vec<Item>, Option<Place>), Error> {
    let (org, reach, now) = (allowed.org, allowed.reach, state.clock.now());
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
    state
        .db
        .tenant(org)
        .tx(move |conn| match place {
            Place::Sessions(after) => {
                let found = sessions::export(conn, org, reach, &wanted, after, limit)?;
                let next = more(&found, |last| Place::Sessions(Some((last.created_at, last.id))));
                Ok((items(found, Item::Session), Some(next.unwrap_or(Place::Messages(None)))))
            }
            Place::Messages(after) => {
                let found = messages::export(conn, org, reach, &wanted, after, limit)?;
                let next = more(&found, |last| Place::Messages(Some((last.session, last.position))));
                Ok((items(found, Item::Message), Some(next.unwrap_or(Place::Memories(None)))))
            }
            Place::Memories(after) => {
                let found = memories::export(conn, org, reach, &wanted, (now, after), limit)?;
                let next = more(&found, |last| Place::Memories(Some((last.created_at, last.id))));
                Ok((items(found, Item::Memory), next))
            }
        })
        .await
}

fn more<T>(page: &[T], after: impl FnOnce(&T) -> Place) -> Option<Place> {
    page.last().filter(|_| page.len() == PAGE).map(after)
}

fn items<T>(page: Vec<T>, item: fn(T) -> Item) -> Vec<Item> {
    page.into_iter().map(item).collect()
}

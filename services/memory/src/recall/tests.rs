//! Recall as a whole, over made-up entries.

mod filters;
mod history;
mod ranking;
mod scoring;
mod texts;

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use contracts::{OrgId, UserId};
use uuid::Uuid;

use super::{lexicon::Lexicon, question::Question, score::Scored};
use crate::domain::{
    entry::{Attributes, Entry, EntryId, Kind},
    filter::{Filter, Reach},
};

fn org(n: u128) -> OrgId {
    OrgId::from_uuid(Uuid::from_u128(n))
}

fn member(n: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(n))
}

fn id(n: u128) -> EntryId {
    EntryId(Uuid::from_u128(n))
}

/// Days after the eighth of May 2023.
fn day(days: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_683_540_000, 0).expect("a time") + TimeDelta::days(days)
}

/// A turn of a session, which has its number times 100 as its first position's id.
fn turn(session: u128, position: i64, author: &str, text: &str) -> Entry {
    let at = day(i64::try_from(session).expect("small")) + TimeDelta::minutes(position);
    Entry {
        id: id(session * 100 + u128::try_from(position).expect("from 0")),
        attributes: Attributes {
            org: org(1),
            kind: Kind::Message,
            subject: None,
            agent: None,
            session: Some(Uuid::from_u128(session)),
            project: None,
            collection: None,
            document: None,
            labels: Vec::new(),
            occurred_at: at,
            valid_from: at,
            valid_to: None,
            expires_at: None,
        },
        author: Some(author.to_owned()),
        position,
        pinned: false,
        text: text.to_owned(),
        reply_to: String::new(),
    }
}

/// Everything of the organization.
fn anything() -> Filter {
    Filter {
        org: org(1),
        reach: Reach::Applications(member(1)),
        kinds: Vec::new(),
        subject: None,
        shared: false,
        agent: None,
        session: None,
        project: None,
        collections: Vec::new(),
        labels: Vec::new(),
        occurred_from: None,
        occurred_to: None,
        valid_at: day(1000),
        now: day(1000),
    }
}

fn lexicon<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Lexicon {
    let mut lexicon = Lexicon::default();
    entries.into_iter().for_each(|entry| lexicon.upsert(entry));
    lexicon
}

/// A conversation about a dog and a boat.
fn conversation() -> Vec<Entry> {
    let mut answer = turn(1, 2, "Bo", "Three years! We adopted Rex from a shelter.");
    answer.reply_to = "How long have you had your dog?".to_owned();
    vec![
        turn(1, 0, "Ann", "Good morning. I saw you walking in the park."),
        turn(1, 1, "Ann", "He is lovely! How long have you had your dog?"),
        answer,
        turn(1, 3, "Ann", "A shelter is the best place to find one."),
        turn(2, 0, "Bo", "I bought a boat last week."),
        turn(2, 1, "Ann", "A boat? Where will it be kept?"),
        turn(2, 2, "Bo", "In the harbour of the old town."),
    ]
}

/// All entries by the words alone, as a search without vectors finds them.
fn by_words(lexicon: &Lexicon, filter: &Filter, text: &str) -> Vec<Scored> {
    let scope = lexicon.scope(filter);
    let question = Question::new(&scope, text);
    let found = lexicon.with_neighbours(filter, &scope.best_by_words(&question, 200), 2);
    lexicon.score(filter, &question, &HashMap::new(), &found)
}

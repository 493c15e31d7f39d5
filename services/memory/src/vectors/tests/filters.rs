//! Filters as every engine understands them, against [`Filter::accepts`].

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use proptest::{
    collection::vec,
    prelude::*,
    sample::{select, subsequence},
    test_runner::{Config, TestRunner},
};
use uuid::Uuid;

use super::{
    World,
    oracle::Oracle,
    samples::{at_us, entry, exactly, member, org, rng, space, vector},
};
use crate::{
    domain::{
        entry::{Attributes, Kind},
        filter::{Filter, Reach},
    },
    vectors::{Change, Hit},
};

const DIMENSION: usize = 8;

fn label() -> impl Strategy<Value = String> + Clone {
    select(vec!["tag:a", "tag:b", "meta:größe=3", "meta:path=a/b\"c", ""]).prop_map(str::to_owned)
}

/// Members under both spellings of their ids, and what an application may call its users.
fn subject() -> impl Strategy<Value = String> {
    let upper = member(1).to_string().to_uppercase();
    let of = |number| member(number).to_string();
    let names = ["", "shared", "application", "Zoë", "*"].map(str::to_owned);
    select([vec![of(1), of(2), upper], names.to_vec()].concat())
}

fn id() -> impl Strategy<Value = Uuid> {
    (1..4_u128).prop_map(Uuid::from_u128)
}

fn entry_time() -> impl Strategy<Value = chrono::DateTime<chrono::Utc>> {
    prop_oneof![10 => (-3..4_i64).prop_map(at_us), 1 => Just(chrono::DateTime::UNIX_EPOCH), 1 => Just(chrono::DateTime::<chrono::Utc>::MAX_UTC)]
}

fn question_time() -> impl Strategy<Value = chrono::DateTime<chrono::Utc>> {
    (-4..5_i64, 0..3_i64).prop_map(|(us, ns)| at_us(us) + chrono::TimeDelta::nanoseconds(ns * 499))
}

prop_compose! {
    fn any_attributes()(
        org in (1..3_u128).prop_map(org),
        kind in select(Kind::ALL.to_vec()),
        subject in proptest::option::of(subject()),
        agent in proptest::option::of(label()),
        ids in [proptest::option::of(id()), proptest::option::of(id()), proptest::option::of(id())],
        labels in vec(label(), 0..4),
        (occurred_at, valid_from) in ((-3..4_i64).prop_map(at_us), prop_oneof![3 => Just(at_us(-3)), 1 => (-3..4_i64).prop_map(at_us)]),
        (valid_to, expires_at) in (proptest::option::weighted(0.3, entry_time()), proptest::option::weighted(0.3, entry_time())),
    ) -> Attributes {
        let [session, project, collection] = ids;
        Attributes { org, kind, subject, agent, session, project, collection, document: None, labels, occurred_at, valid_from, valid_to, expires_at }
    }
}

prop_compose! {
    fn any_filter()(
        org in (1..3_u128).prop_map(org),
        reach in prop_oneof![(1..4_u128).prop_map(|n| Reach::Own(member(n))), (1..4_u128).prop_map(|n| Reach::Applications(member(n)))],
        kinds in subsequence(Kind::ALL.to_vec(), 0..=3),
        (subject, shared) in (proptest::option::weighted(0.2, subject()), any::<bool>()),
        agent in proptest::option::weighted(0.2, label()),
        ids in [proptest::option::weighted(0.15, id()), proptest::option::weighted(0.15, id())],
        collections in prop_oneof![3 => Just(Vec::new()), 1 => vec(id(), 1..3)],
        labels in prop_oneof![3 => Just(Vec::new()), 1 => vec(label(), 1..3)],
        occurred in [proptest::option::weighted(0.3, question_time()), proptest::option::weighted(0.3, question_time())],
        (valid_at, now) in (question_time(), question_time()),
    ) -> Filter {
        let [session, project] = ids;
        let [occurred_from, occurred_to] = occurred;
        Filter { org, reach, kinds, subject, shared, agent, session, project, collections, labels, occurred_from, occurred_to, valid_at, now }
    }
}

pub(super) async fn a_filter_means_what_accepts_says(world: &mut impl World) {
    let index = world.start().await;
    let runtime = tokio::runtime::Handle::current();
    let spaces = AtomicUsize::new(100);
    let searching = Arc::clone(&index);
    let run = move || {
        let hits = AtomicUsize::new(0);
        let cases = Config { cases: 6, failure_persistence: None, ..Config::default() };
        let outcome =
            TestRunner::new(cases).run(&(vec(any_attributes(), 150), vec(any_filter(), 150)), |(entries, filters)| {
                let space = space(i32::try_from(spaces.fetch_add(1, Ordering::Relaxed)).unwrap(), DIMENSION);
                let mut rng = rng(3);
                let changes: Vec<_> = (0..)
                    .zip(entries)
                    .map(|(number, attributes)| Change::Upsert {
                        id: entry(number),
                        attributes,
                        vector: vector(&mut rng, DIMENSION),
                    })
                    .collect();
                let mut oracle = Oracle::default();
                oracle.apply(&changes);
                runtime.block_on(async {
                    searching.open(space).await.unwrap();
                    searching.apply(space, changes).await.unwrap();
                });
                for filter in filters {
                    let question = exactly(vector(&mut rng, DIMENSION), filter, 200);
                    let found = runtime.block_on(searching.search(space, question.clone())).unwrap();
                    let expected = oracle.search(&question);
                    let set = |hits: &[Hit]| hits.iter().map(|hit| hit.id).collect::<HashSet<_>>();
                    prop_assert_eq!(set(&found), set(&expected), "{:?}", question.filter);
                    hits.fetch_add(found.len(), Ordering::Relaxed);
                }
                runtime.block_on(searching.drop_space(space)).unwrap();
                Ok(())
            });
        outcome.unwrap();
        hits.into_inner()
    };
    let hits = tokio::task::spawn_blocking(run).await.unwrap();
    assert!(hits > 1000, "the filters let only {hits} entries pass: they test little");
}

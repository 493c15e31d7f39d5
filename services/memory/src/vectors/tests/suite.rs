//! What every adapter does, in any world.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rand::RngExt as _;

use super::{
    World,
    oracle::{Oracle, assert_same, cosine},
    samples::{all_of, attributes, delete, entry, exactly, member, near, org, rng, space, upsert, vector},
};
use crate::{
    domain::{
        entry::Kind,
        filter::{Filter, Reach},
    },
    vectors::{Change, Hit, Query, Space, VectorError, VectorIndex, Watermark},
};

const SPACE: i32 = 7;
const DIMENSION: usize = 8;

fn usual() -> Space {
    space(SPACE, DIMENSION)
}

async fn opened(world: &mut impl World) -> Arc<dyn VectorIndex> {
    let index = world.start().await;
    assert_eq!(index.open(usual()).await.unwrap(), Watermark(0));
    index
}

/// Everything of organization 1.
async fn all(index: &dyn VectorIndex, space: Space) -> Vec<Hit> {
    let question = vec![1.0; space.dimension.get()];
    index.search(space, exactly(question, all_of(org(1)), 10_000)).await.unwrap()
}

async fn ids(index: &dyn VectorIndex) -> Vec<usize> {
    let mut ids: Vec<_> = all(index, usual()).await.into_iter().map(|hit| hit.id).collect();
    ids.sort_unstable();
    ids.into_iter().map(|id| (0..1000).find(|&number| entry(number) == id).unwrap()).collect()
}

fn some(range: std::ops::Range<usize>, seed: u64) -> Vec<Change> {
    let mut rng = rng(seed);
    range.map(|number| upsert(number, org(1), vector(&mut rng, DIMENSION))).collect()
}

pub(super) use super::filters::a_filter_means_what_accepts_says;

pub(super) async fn an_entry_is_found_replaced_and_deleted(world: &mut impl World) {
    let index = opened(world).await;
    let east = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let north = [0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let question = exactly(east.to_vec(), all_of(org(1)), 10);
    assert_eq!(index.search(usual(), question.clone()).await.unwrap(), []);

    index.apply(usual(), vec![upsert(1, org(1), east.to_vec()), upsert(2, org(1), north.to_vec())]).await.unwrap();
    let found = index.search(usual(), question.clone()).await.unwrap();
    assert_same(&found, &[Hit { id: entry(1), cosine: 1.0 }, Hit { id: entry(2), cosine: 0.0 }]);
    assert!(found[0].cosine <= 1.0);
    let best = index.search(usual(), Query { limit: 1, ..question.clone() }).await.unwrap();
    assert_eq!(best[0].id, entry(1));
    assert_eq!(best.len(), 1);
    assert_eq!(index.search(usual(), Query { limit: 0, ..question.clone() }).await.unwrap(), []);

    // Both the vector and the attributes are replaced.
    let mut moved = attributes(org(1));
    moved.labels = vec!["tag:moved".to_owned()];
    index
        .apply(usual(), vec![Change::Upsert { id: entry(1), attributes: moved, vector: north.to_vec() }])
        .await
        .unwrap();
    let found = index.search(usual(), question.clone()).await.unwrap();
    assert_same(&found, &[Hit { id: entry(1), cosine: 0.0 }, Hit { id: entry(2), cosine: 0.0 }]);
    let labelled = Filter { labels: vec!["tag:moved".to_owned()], ..all_of(org(1)) };
    let found = index.search(usual(), exactly(north.to_vec(), labelled, 10)).await.unwrap();
    assert_eq!(found.iter().map(|hit| hit.id).collect::<Vec<_>>(), [entry(1)]);

    index.apply(usual(), vec![delete(1, org(1)), delete(77, org(1))]).await.unwrap();
    assert_eq!(ids(&*index).await, [2]);
    assert_eq!(index.stats(usual()).await.unwrap().points, 1);
}

pub(super) async fn to_tell_twice_changes_nothing(world: &mut impl World) {
    let index = opened(world).await;
    let mut told = some(0..300, 1);
    told.extend((0..300).step_by(3).map(|number| delete(number, org(1))));
    let mut oracle = Oracle::default();
    oracle.apply(&told);
    let question = exactly(vec![0.3; DIMENSION], all_of(org(1)), 500);
    for _ in 0..2 {
        index.apply(usual(), told.clone()).await.unwrap();
        assert_same(&index.search(usual(), question.clone()).await.unwrap(), &oracle.search(&question));
    }
    assert_eq!(index.stats(usual()).await.unwrap().points, 200);
}

pub(super) async fn the_last_word_on_an_entry_counts(world: &mut impl World) {
    let index = opened(world).await;
    let mut rng = rng(2);
    let mut oracle = Oracle::default();
    for _ in 0..20 {
        let batch: Vec<_> = (0..40)
            .map(|_| {
                let number = rng.random_range(0..12);
                let vector = vector(&mut rng, DIMENSION);
                if rng.random_bool(0.4) { delete(number, org(1)) } else { upsert(number, org(1), vector) }
            })
            .collect();
        index.apply(usual(), batch.clone()).await.unwrap();
        oracle.apply(&batch);
        let question = exactly(vector(&mut rng, DIMENSION), all_of(org(1)), 50);
        assert_same(&index.search(usual(), question.clone()).await.unwrap(), &oracle.search(&question));
    }
}

pub(super) async fn organizations_never_see_each_other(world: &mut impl World) {
    let index = opened(world).await;
    let same = vec![0.5; DIMENSION];
    let told = (0..40).map(|number| upsert(number, org(1 + number as u128 % 2), same.clone())).collect();
    index.apply(usual(), told).await.unwrap();
    for number in [1, 2, 3] {
        let filter = Filter { reach: Reach::Applications(member(1)), ..all_of(org(number)) };
        for exact in [true, false] {
            let question = Query { exact, ..exactly(same.clone(), filter.clone(), 100) };
            let found = index.search(usual(), question).await.unwrap();
            assert_eq!(found.len(), if number == 3 { 0 } else { 20 });
            let own = (0..40).filter(|number_of| 1 + *number_of as u128 % 2 == number).map(entry);
            let own: HashSet<_> = own.collect();
            assert!(found.iter().all(|hit| own.contains(&hit.id)));
        }
    }
    // To delete what belongs to somebody else deletes nothing.
    index.apply(usual(), (0..40).map(|number| delete(number, org(2))).collect()).await.unwrap();
    assert_eq!(ids(&*index).await, (0..40).step_by(2).collect::<Vec<_>>());
}

pub(super) async fn cosines_leave_out_the_foreign_and_the_unknown(world: &mut impl World) {
    let index = opened(world).await;
    let mut rng = rng(4);
    let vectors: Vec<_> = (0..30).map(|_| vector(&mut rng, DIMENSION)).collect();
    let told = vectors.iter().enumerate();
    let told = told.map(|(number, vector)| upsert(number, org(1 + u128::from(number >= 20)), vector.clone())).collect();
    index.apply(usual(), told).await.unwrap();
    let question = vector(&mut rng, DIMENSION);
    let asked: Vec<_> = [0, 5, 19, 5, 20, 29, 500].map(entry).to_vec();
    let cosines = index.cosines(usual(), org(1), question.clone(), asked).await.unwrap();
    assert_eq!(cosines.keys().copied().collect::<HashSet<_>>(), HashSet::from([entry(0), entry(5), entry(19)]));
    for number in [0, 5, 19] {
        assert!((cosines[&entry(number)] - cosine(&vectors[number], &question)).abs() < 1e-4);
    }
    assert!(index.cosines(usual(), org(1), question, Vec::new()).await.unwrap().is_empty());
}

pub(super) async fn what_does_not_fit_is_refused_as_a_whole(world: &mut impl World) {
    let index = opened(world).await;
    let mut with_nan = vec![1.0; DIMENSION];
    with_nan[3] = f32::NAN;
    let mut endless = vec![1.0; DIMENSION];
    endless[7] = f32::INFINITY;
    let unfit = [vec![1.0; DIMENSION - 1], vec![1.0; DIMENSION + 1], Vec::new(), with_nan, endless];
    for vector in unfit {
        let mut told = some(0..3, 5);
        told.push(upsert(99, org(1), vector.clone()));
        let refused = index.apply(usual(), told).await.unwrap_err();
        assert!(
            matches!(refused, VectorError::Unfit { id: Some(id), expected: DIMENSION } if id == entry(99)),
            "{refused:?}"
        );
        let question = exactly(vector.clone(), all_of(org(1)), 3);
        let refused = index.search(usual(), question).await.unwrap_err();
        assert!(matches!(refused, VectorError::Unfit { id: None, expected: DIMENSION }), "{refused:?}");
        let refused = index.cosines(usual(), org(1), vector, vec![entry(1)]).await.unwrap_err();
        assert!(matches!(refused, VectorError::Unfit { id: None, expected: DIMENSION }), "{refused:?}");
    }
    assert_eq!(all(&*index, usual()).await, []);
    assert_eq!(index.stats(usual()).await.unwrap().points, 0);
}

pub(super) async fn extreme_lengths_do_not_matter(world: &mut impl World) {
    let index = opened(world).await;
    let scaled = |by: f32| (1_u8..=8).map(|number| f32::from(number) / 8.0 * by).collect::<Vec<_>>();
    let lengths = [1.0, 3e38, 1e-30, 1e-38];
    let told = lengths.iter().enumerate().map(|(number, &by)| upsert(number, org(1), scaled(by))).collect();
    index.apply(usual(), told).await.unwrap();
    index.apply(usual(), vec![upsert(4, org(1), vec![0.0; DIMENSION])]).await.unwrap();
    for by in lengths {
        let found = index.search(usual(), exactly(scaled(by), all_of(org(1)), 10)).await.unwrap();
        let cosines: Vec<_> = found.iter().map(|hit| hit.cosine).collect();
        assert!(cosines[..4].iter().all(|cosine| (cosine - 1.0).abs() < 1e-4 && *cosine <= 1.0), "{cosines:?}");
        assert_eq!((cosines[4], cosines.len()), (0.0, 5));
    }
}

pub(super) async fn a_watermark_stands_for_what_was_committed(world: &mut impl World) {
    let index = opened(world).await;
    index.apply(usual(), some(0..10, 6)).await.unwrap();
    assert_eq!(index.open(usual()).await.unwrap(), Watermark(0), "nothing was committed");
    index.commit(usual(), Watermark(11)).await.unwrap();
    assert_eq!(index.open(usual()).await.unwrap(), Watermark(11));
    index.apply(usual(), vec![delete(3, org(1))]).await.unwrap();
    drop(index);
    let index = world.start().await;
    assert_eq!(index.open(usual()).await.unwrap(), Watermark(11));
    index.apply(usual(), vec![delete(3, org(1))]).await.unwrap();
    index.commit(usual(), Watermark(u64::MAX)).await.unwrap();
    drop(index);
    let index = world.start().await;
    assert_eq!(index.open(usual()).await.unwrap(), Watermark(u64::MAX));
    assert_eq!(ids(&*index).await, [0, 1, 2, 4, 5, 6, 7, 8, 9]);
}

pub(super) async fn what_was_not_committed_is_told_again(world: &mut impl World) {
    let index = opened(world).await;
    let mut oracle = Oracle::default();
    let first = some(0..200, 7);
    oracle.apply(&first);
    index.apply(usual(), first).await.unwrap();
    index.commit(usual(), Watermark(200)).await.unwrap();
    let mut second = some(100..260, 8);
    second.extend((0..50).map(|number| delete(number, org(1))));
    index.apply(usual(), second.clone()).await.unwrap();
    drop(index);
    let index = world.start_after_kill().await;
    assert_eq!(index.open(usual()).await.unwrap(), Watermark(200));
    oracle.apply(&second);
    index.apply(usual(), second).await.unwrap();
    index.commit(usual(), Watermark(300)).await.unwrap();
    let question = exactly(vec![0.7; DIMENSION], all_of(org(1)), 500);
    assert_same(&index.search(usual(), question.clone()).await.unwrap(), &oracle.search(&question));
    assert_eq!(index.stats(usual()).await.unwrap().points, 210);
}

pub(super) async fn another_dimension_begins_anew(world: &mut impl World) {
    let index = opened(world).await;
    index.apply(usual(), some(0..10, 9)).await.unwrap();
    index.commit(usual(), Watermark(5)).await.unwrap();
    let wider = space(SPACE, DIMENSION + 4);
    let refused = index.search(wider, exactly(vec![1.0; DIMENSION + 4], all_of(org(1)), 5)).await.unwrap_err();
    assert!(matches!(refused, VectorError::Closed), "{refused:?}");
    assert_eq!(index.open(wider).await.unwrap(), Watermark(0));
    assert_eq!(all(&*index, wider).await, []);
    index.apply(wider, vec![upsert(1, org(1), vec![1.0; DIMENSION + 4])]).await.unwrap();
    index.commit(wider, Watermark(6)).await.unwrap();
    drop(index);
    let index = world.start().await;
    assert_eq!(index.open(usual()).await.unwrap(), Watermark(0));
    assert_eq!(all(&*index, usual()).await, []);
}

pub(super) async fn a_rebuild_takes_over_while_others_search(world: &mut impl World) {
    let index = opened(world).await;
    // Three of each thirty are not told to the new generation: so its answers can be told from the old one's.
    let told = some(0..300, 10);
    index.apply(usual(), told.clone()).await.unwrap();
    index.commit(usual(), Watermark(1)).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let searching = {
        let (index, done) = (Arc::clone(&index), Arc::clone(&done));
        kit::tasks::spawn("searching", async move {
            let mut seen = Vec::new();
            while !done.load(Ordering::Relaxed) {
                seen.push(all(&*index, usual()).await.len());
            }
            seen
        })
    };
    index.begin_rebuild(usual()).await.unwrap();
    let mut kept = told.clone();
    kept.retain(|change| !matches!(change, Change::Upsert { id, .. } if (0..30).any(|number| entry(number) == *id)));
    for batch in kept.chunks(50) {
        index.apply(usual(), batch.to_vec()).await.unwrap();
        assert_eq!(all(&*index, usual()).await.len(), 300, "the old one answers");
    }
    index.commit(usual(), Watermark(2)).await.unwrap();
    index.publish(usual(), Watermark(3)).await.unwrap();
    assert_eq!(all(&*index, usual()).await.len(), 270, "the new one answers");
    done.store(true, Ordering::Relaxed);
    let seen = searching.await.unwrap();
    assert!(seen.iter().all(|count| [300, 270].contains(count)), "{seen:?}");
    assert!(seen.is_sorted_by(|a, b| a >= b), "{seen:?}");

    assert_eq!(index.open(usual()).await.unwrap(), Watermark(3));
    index.apply(usual(), vec![delete(299, org(1))]).await.unwrap();
    index.commit(usual(), Watermark(4)).await.unwrap();
    let refused = index.publish(usual(), Watermark(5)).await.unwrap_err();
    assert!(matches!(refused, VectorError::Closed), "{refused:?}");
    drop(index);
    let index = world.start().await;
    assert_eq!(index.open(usual()).await.unwrap(), Watermark(4));
    assert_eq!(all(&*index, usual()).await.len(), 269);
    // A rebuild may follow another.
    index.begin_rebuild(usual()).await.unwrap();
    index.begin_rebuild(usual()).await.unwrap();
    index.apply(usual(), some(0..3, 11)).await.unwrap();
    index.publish(usual(), Watermark(6)).await.unwrap();
    assert_eq!(ids(&*index).await, [0, 1, 2]);
}

pub(super) async fn a_rebuild_that_was_not_published_is_forgotten(world: &mut impl World) {
    let index = opened(world).await;
    index.apply(usual(), some(0..20, 12)).await.unwrap();
    index.commit(usual(), Watermark(20)).await.unwrap();
    index.begin_rebuild(usual()).await.unwrap();
    index.apply(usual(), some(20..30, 13)).await.unwrap();
    index.commit(usual(), Watermark(30)).await.unwrap();
    drop(index);
    let index = world.start_after_kill().await;
    assert_eq!(index.open(usual()).await.unwrap(), Watermark(30));
    assert_eq!(ids(&*index).await, (0..30).collect::<Vec<_>>());
    let refused = index.publish(usual(), Watermark(31)).await.unwrap_err();
    assert!(matches!(refused, VectorError::Closed), "{refused:?}");
}

pub(super) async fn a_new_generation_is_filled_alone(world: &mut impl World) {
    let index = opened(world).await;
    let closed = |error: VectorError| assert!(matches!(error, VectorError::Closed), "{error:?}");
    closed(index.fill(usual(), some(0..2, 15)).await.unwrap_err());
    index.apply(usual(), some(0..20, 15)).await.unwrap();
    index.begin_rebuild(usual()).await.unwrap();
    index.fill(usual(), some(0..5, 15)).await.unwrap();
    index.fill(usual(), some(40..45, 15)).await.unwrap();
    index.apply(usual(), vec![delete(1, org(1))]).await.unwrap();
    index.apply(usual(), some(30..31, 15)).await.unwrap();
    let old: Vec<_> = [0].into_iter().chain(2..20).chain([30]).collect();
    assert_eq!(ids(&*index).await, old);
    index.publish(usual(), Watermark(1)).await.unwrap();
    let new = [0, 2, 3, 4, 30, 40, 41, 42, 43, 44];
    assert_eq!(ids(&*index).await, new);
    // One that is given up leaves no trace.
    index.begin_rebuild(usual()).await.unwrap();
    index.fill(usual(), some(50..60, 15)).await.unwrap();
    for _ in 0..2 {
        index.give_up_rebuild(usual()).await.unwrap();
        closed(index.fill(usual(), some(0..2, 15)).await.unwrap_err());
        closed(index.publish(usual(), Watermark(2)).await.unwrap_err());
        assert_eq!(ids(&*index).await, new);
    }
    index.apply(usual(), vec![delete(0, org(1))]).await.unwrap();
    index.commit(usual(), Watermark(3)).await.unwrap();
    drop(index);
    let index = world.start().await;
    assert_eq!(index.open(usual()).await.unwrap(), Watermark(3));
    assert_eq!(ids(&*index).await, new[1..]);
}

pub(super) async fn a_dropped_space_is_empty(world: &mut impl World) {
    let index = opened(world).await;
    index.apply(usual(), some(0..20, 14)).await.unwrap();
    index.commit(usual(), Watermark(20)).await.unwrap();
    index.begin_rebuild(usual()).await.unwrap();
    index.drop_space(usual()).await.unwrap();
    let refused = index.search(usual(), exactly(vec![1.0; DIMENSION], all_of(org(1)), 5)).await.unwrap_err();
    assert!(matches!(refused, VectorError::Closed), "{refused:?}");
    index.drop_space(usual()).await.unwrap();
    assert_eq!(index.open(usual()).await.unwrap(), Watermark(0));
    assert_eq!(all(&*index, usual()).await, []);
    drop(index);
    let index = world.start().await;
    index.drop_space(usual()).await.unwrap();
    assert_eq!(index.open(usual()).await.unwrap(), Watermark(0));
}

pub(super) async fn spaces_do_not_mix(world: &mut impl World) {
    let index = opened(world).await;
    let other = space(SPACE + 1, 16);
    index.open(other).await.unwrap();
    index.apply(usual(), some(0..5, 15)).await.unwrap();
    index.commit(usual(), Watermark(5)).await.unwrap();
    index.apply(other, vec![upsert(1, org(1), vec![1.0; 16])]).await.unwrap();
    assert_eq!(index.open(other).await.unwrap(), Watermark(0));
    assert_eq!(all(&*index, other).await.len(), 1);
    index.drop_space(other).await.unwrap();
    assert_eq!(all(&*index, usual()).await.len(), 5);
}

pub(super) async fn nothing_works_before_it_is_open(world: &mut impl World) {
    let index = world.start().await;
    let unknown = space(404, DIMENSION);
    let closed = |error: VectorError| assert!(matches!(error, VectorError::Closed), "{error:?}");
    closed(index.apply(unknown, some(0..2, 16)).await.unwrap_err());
    closed(index.commit(unknown, Watermark(1)).await.unwrap_err());
    closed(index.begin_rebuild(unknown).await.unwrap_err());
    closed(index.publish(unknown, Watermark(1)).await.unwrap_err());
    closed(index.search(unknown, exactly(vec![1.0; DIMENSION], all_of(org(1)), 5)).await.unwrap_err());
    closed(index.cosines(unknown, org(1), vec![1.0; DIMENSION], vec![entry(1)]).await.unwrap_err());
    closed(index.stats(unknown).await.unwrap_err());
    closed(index.optimize(unknown).await.unwrap_err());
}

pub(super) async fn graphs_give_the_same_answers(world: &mut impl World) {
    const DIMENSION: usize = 32;
    const QUESTIONS: usize = 12;
    let space = space(9, DIMENSION);
    let index = world.start().await;
    index.open(space).await.unwrap();
    let mut rng = rng(17);
    let mut centres: Vec<_> = (0..40).map(|_| vector(&mut rng, DIMENSION)).collect();
    // All play is of one kind: who asks about it, and may see work only, walks to where nothing passes.
    let play = centres[28].clone();
    centres[28..].fill(play);
    // So many that there are walks through the graph.
    let told: Vec<_> = (0..16_000)
        .map(|number| {
            let mut attributes = attributes(org(1 + number as u128 % 16 / 15));
            attributes.kind = Kind::ALL[rng.random_range(0..3)];
            attributes.labels = vec![format!("tag:{}", rng.random_range(0..10))];
            let (about, centres) =
                if rng.random_bool(0.9) { ("work", &centres[..28]) } else { ("play", &centres[28..]) };
            attributes.subject = Some(about.to_owned());
            Change::Upsert { id: entry(number), attributes, vector: near(&mut rng, centres) }
        })
        .collect();
    let gone: Vec<_> = (0..16_000).step_by(4).map(|number| delete(number, org(1))).collect();
    let mut oracle = Oracle::default();
    for batch in told.chunks(500).chain([&gone[..]]) {
        oracle.apply(batch);
        index.apply(space, batch.to_vec()).await.unwrap();
    }
    index.commit(space, Watermark(1)).await.unwrap();
    let everything = all_of(org(1));
    let filters = [
        everything.clone(),
        Filter { kinds: vec![Kind::Memory], ..everything.clone() },
        Filter { labels: vec!["tag:3".to_owned()], ..everything.clone() },
        Filter { subject: Some("work".to_owned()), ..everything.clone() },
        all_of(org(2)),
    ];
    let questions: Vec<_> = filters
        .iter()
        .flat_map(|filter| {
            (0..QUESTIONS)
                .map(|number| {
                    let about = if number % 3 == 0 { &centres[28..] } else { &centres };
                    exactly(near(&mut rng, about), filter.clone(), 10)
                })
                .collect::<Vec<_>>()
        })
        .collect();
    for optimized in [false, true] {
        if optimized {
            index.optimize(space).await.unwrap();
        }
        let (mut found, mut expected) = (vec![0; filters.len()], vec![0; filters.len()]);
        for (number, question) in questions.iter().enumerate() {
            let right = oracle.search(question);
            assert_same(&index.search(space, question.clone()).await.unwrap(), &right);
            let near = index.search(space, Query { exact: false, ..question.clone() }).await.unwrap();
            found[number / QUESTIONS] +=
                right.iter().filter(|right| near.iter().any(|near| near.id == right.id)).count();
            expected[number / QUESTIONS] += right.len();
        }
        for (found, expected) in found.iter().zip(&expected) {
            assert!(found * 100 >= expected * 98, "optimized: {optimized}, found {found} of {expected}");
        }
    }
    assert_eq!(index.open(space).await.unwrap(), Watermark(1));
    assert_eq!(index.stats(space).await.unwrap().indexed, 12_000);
}

pub(super) async fn everything_may_happen_at_once(world: &mut impl World) {
    let index = opened(world).await;
    let done = Arc::new(AtomicBool::new(false));
    let running = |optimizes: bool| {
        let (index, done) = (Arc::clone(&index), Arc::clone(&done));
        kit::tasks::spawn("running", async move {
            while !done.load(Ordering::Relaxed) {
                if optimizes {
                    index.optimize(usual()).await.unwrap();
                }
                let found: Vec<_> = all(&*index, usual()).await.into_iter().map(|hit| hit.id).collect();
                assert_eq!(found.iter().collect::<HashSet<_>>().len(), found.len(), "something is found twice");
                index.stats(usual()).await.unwrap();
            }
        })
    };
    let others = [running(false), running(false), running(true)];
    let mut oracle = Oracle::default();
    for round in 0..40 {
        let mut told = some(round * 20..round * 20 + 150, round as u64);
        told.extend((round * 20..round * 20 + 30).map(|number| delete(number, org(1))));
        oracle.apply(&told);
        index.apply(usual(), told).await.unwrap();
        index.commit(usual(), Watermark(round as u64)).await.unwrap();
        if round == 20 {
            // The new generation is told all that the old one knows, which a rebuild reads from elsewhere.
            index.begin_rebuild(usual()).await.unwrap();
            for round in 0..=20 {
                let mut told = some(round * 20..round * 20 + 150, round as u64);
                told.extend((round * 20..round * 20 + 30).map(|number| delete(number, org(1))));
                index.apply(usual(), told).await.unwrap();
            }
        }
        if round == 30 {
            index.publish(usual(), Watermark(30)).await.unwrap();
        }
    }
    done.store(true, Ordering::Relaxed);
    for other in others {
        other.await.unwrap();
    }
    assert_eq!(index.open(usual()).await.unwrap(), Watermark(39));
    let question = exactly(vec![0.2; DIMENSION], all_of(org(1)), 2000);
    assert_same(&index.search(usual(), question.clone()).await.unwrap(), &oracle.search(&question));
    drop(index);
    let index = world.start().await;
    assert_eq!(index.open(usual()).await.unwrap(), Watermark(39));
    assert_same(&index.search(usual(), question.clone()).await.unwrap(), &oracle.search(&question));
}

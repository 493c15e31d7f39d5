use super::{
    super::{rank::*, score::Parts},
    *,
};

fn one(n: u128, cosine: f64, field: f64) -> Scored {
    let parts = Parts { cosine: Some(cosine), field, ..Parts::default() };
    let occurred_at = day(i64::try_from(n).expect("small"));
    Scored { id: id(n), score: parts.sum(), parts, occurred_at, pinned: false }
}

fn order(scored: &[Scored]) -> Vec<u128> {
    scored.iter().map(|one| one.id.0.as_u128()).collect()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

#[test]
fn reciprocal_ranks_look_at_places_alone() {
    let mut scored = vec![one(1, 0.9, 0.0), one(2, 0.5, 4.0), one(3, 0.6, 2.0)];
    fuse(&mut scored, Fusion::Rrf);
    assert_eq!(order(&scored), [2, 3, 1]);
    assert!(close(scored[0].score, 61.0 * (1.0 / 63.0 + 1.0 / 61.0) / 2.0));
    assert!(close(scored[2].score, 0.5));
    fuse(&mut scored, Fusion::Scores);
    assert_eq!(order(&scored), [2, 1, 3]);
}

#[test]
fn boosts_are_bounded() {
    let mut scored = vec![one(1, 0.5, 0.0), one(2, 0.1, 0.0), one(3, 0.2, 0.0)];
    scored[1].pinned = true;
    let recency = Some(Recency { weight: 0.4, half_life_days: 2.0 });
    boost(&mut scored, Boosts { recency, pinned: 9.0 }, day(3));
    assert_eq!(order(&scored), [2, 1, 3]);
    assert!(close(scored[0].score, 0.1 + 1.0 + 0.4 * 0.5_f64.sqrt()));
    assert!(close(scored[1].score, 0.5 + 0.2));
    assert!(close(scored[2].score, 0.2 + 0.4));
}

#[test]
fn a_boost_of_no_number_is_none() {
    let mut scored = vec![one(1, 0.5, 0.0)];
    for half_life_days in [0.0, -1.0, f64::NAN] {
        boost(&mut scored, Boosts { recency: Some(Recency { weight: 1.0, half_life_days }), pinned: f64::NAN }, day(1));
    }
    assert!(close(scored[0].score, 0.5));
}

#[test]
fn what_scores_less_is_left_out() {
    let mut scored = vec![one(1, 0.5, 0.0), one(2, 0.1, 0.0)];
    at_least(&mut scored, 0.5);
    assert_eq!(order(&scored), [1]);
}

#[test]
fn the_like_make_place_for_the_different() {
    let scored = vec![one(1, 0.9, 0.0), one(2, 0.8, 0.0), one(3, 0.5, 0.0)];
    let likeness = |a: EntryId, b: EntryId| f64::from(u8::from(a != id(3) && b != id(3)));
    assert_eq!(order(&diverse(scored.clone(), 0.5, 2, likeness)), [1, 3]);
    assert_eq!(order(&diverse(scored.clone(), 1.0, 9, likeness)), [1, 2, 3]);
    assert_eq!(order(&diverse(scored.clone(), 0.0, 3, likeness)), [1, 3, 2]);
    assert!(diverse(scored, 0.5, 0, likeness).is_empty());
}

#[test]
fn a_budget_takes_whole_items() {
    assert_eq!(packed(vec![5, 9, 3, 2, 1], 10, |tokens| *tokens), [5, 3, 2]);
    assert!(packed(vec![5], 4, |tokens| *tokens).is_empty());
}

//! The router against routes that do what a script says, on a clock that stands still while nothing waits.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

use contracts::{ModelId, OrgId, ProviderId, RouteId};
use kit::{Ids as _, SequenceIds};
use proptest::prelude::*;

use super::*;
use crate::domain::{
    model::Access as WhoMayUse,
    money::Prices,
    provider::{Provider, ProviderKind},
};

const SECOND: Duration = Duration::from_secs(1);

fn policy(attempts: u32) -> Policy {
    Policy {
        attempts,
        first_byte: 10 * SECOND,
        idle: SECOND,
        attempt: 20 * SECOND,
        total: 60 * SECOND,
        patience: 2 * SECOND,
    }
}

fn router(attempts: u32) -> Router {
    Router::new(policy(attempts), Dice::new(11))
}

/// A model with routes of (name, weight, rank).
fn model(routes: &[(&str, u32, u32)]) -> Arc<Model> {
    let ids = SequenceIds::default();
    let routes = routes.iter().map(|(name, weight, fallback)| Route {
        id: RouteId::from_uuid(ids.uuid()),
        provider: Arc::new(Provider {
            id: ProviderId::from_uuid(ids.uuid()),
            org: None,
            name: (*name).to_owned(),
            kind: ProviderKind::Openai,
            base_url: "http://127.0.0.1:9/v1".parse().unwrap(),
            key: None,
            trusted: true,
        }),
        upstream_model: (*name).to_owned(),
        weight: *weight,
        fallback: *fallback,
        region: None,
        prices: None,
    });
    Arc::new(Model {
        id: ModelId::from_uuid(ids.uuid()),
        org: Some(OrgId::from_uuid(ids.uuid())),
        alias: "m".into(),
        display_name: None,
        context_window: 1_000,
        max_output_tokens: None,
        capabilities: Vec::new(),
        prices: Prices::default(),
        enabled: true,
        access: WhoMayUse::default(),
        routes: routes.collect(),
        created_at: chrono::DateTime::UNIX_EPOCH,
    })
}

#[derive(Clone, Debug)]
enum Act {
    Answer(Duration),
    Fail(Kind),
    FailAfter(Kind, Duration),
    Later(Kind, Duration),
    Hang,
}

/// Routes by name; each does the next of its acts, and its last for ever.
#[derive(Default)]
struct Script {
    acts: Mutex<HashMap<String, VecDeque<Act>>>,
    calls: Mutex<Vec<String>>,
}

impl Script {
    fn of(acts: &[(&str, &[Act])]) -> Self {
        let acts = acts.iter().map(|(name, acts)| ((*name).to_owned(), acts.iter().cloned().collect())).collect();
        Self { acts: Mutex::new(acts), ..Self::default() }
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    fn next(&self, name: &str) -> Act {
        self.calls.lock().unwrap().push(name.to_owned());
        let mut acts = self.acts.lock().unwrap();
        let acts = acts.get_mut(name).expect("a scripted route");
        if acts.len() > 1 { acts.pop_front().unwrap() } else { acts[0].clone() }
    }
}

impl Ask for Script {
    type Answer = String;
    const OPERATION: &'static str = "chat";

    async fn ask(&self, attempt: Attempt<'_>) -> Result<String, Failure> {
        match self.next(attempt.model) {
            Act::Answer(after) => {
                tokio::time::sleep(after).await;
                Ok(attempt.model.to_owned())
            }
            Act::Fail(kind) => Err(Failure::new(kind)),
            Act::FailAfter(kind, after) => {
                tokio::time::sleep(after).await;
                Err(Failure::new(kind))
            }
            Act::Later(kind, wait) => {
                let mut failure = Failure::new(kind);
                failure.retry_after = Some(wait);
                Err(failure)
            }
            Act::Hang => std::future::pending().await,
        }
    }
}

async fn run(router: &Router, model: &Arc<Model>, script: &Script) -> Result<String, Exhausted> {
    let Routed { answer, lease, .. } = router.run(model, Mode::Stream, script).await?;
    lease.succeeded(Instant::now());
    Ok(answer)
}

const NOW: Act = Act::Answer(Duration::ZERO);

#[tokio::test(start_paused = true)]
async fn a_transient_failure_is_tried_again_and_then_the_next_rank_takes_over() {
    let model = model(&[("a", 1, 0), ("b", 1, 1)]);
    let script = Script::of(&[("a", &[Act::Fail(Kind::ServerError)]), ("b", &[NOW])]);
    let routed = router(3).run(&model, Mode::Whole, &script).await.unwrap();
    assert_eq!((routed.answer.as_str(), routed.attempts), ("b", 3));
    assert_eq!(script.calls(), ["a", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn every_rank_gets_its_turn_before_anything_is_tried_twice() {
    let model = model(&[("a", 1, 0), ("b", 1, 1), ("c", 1, 2)]);
    let script =
        Script::of(&[("a", &[Act::Fail(Kind::Unreachable)]), ("b", &[Act::Fail(Kind::Overloaded)]), ("c", &[NOW])]);
    assert_eq!(run(&router(3), &model, &script).await.unwrap(), "c");
    assert_eq!(script.calls(), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn an_equal_route_is_tried_before_the_same_again() {
    let model = model(&[("a", 1, 0), ("b", 1, 0)]);
    let script = Script::of(&[("a", &[Act::Fail(Kind::ServerError)]), ("b", &[Act::Fail(Kind::ServerError)])]);
    let exhausted = run(&router(3), &model, &script).await.unwrap_err();
    assert_eq!((exhausted.failure.kind, exhausted.attempts), (Kind::ServerError, 3));
    let calls = script.calls();
    assert_ne!(calls[0], calls[1]);
}

#[tokio::test(start_paused = true)]
async fn what_is_the_requests_own_fault_is_not_tried_elsewhere() {
    for kind in [Kind::BadRequest, Kind::ContextTooLong, Kind::ContentFiltered] {
        let model = model(&[("a", 1, 0), ("b", 1, 1)]);
        let script = Script::of(&[("a", &[Act::Fail(kind)]), ("b", &[NOW])]);
        assert_eq!(run(&router(3), &model, &script).await.unwrap_err().failure.kind, kind);
        assert_eq!(script.calls(), ["a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_is_not_tried_twice_but_another_provider_is() {
    let model = model(&[("a", 1, 0), ("b", 1, 1)]);
    let script = Script::of(&[("a", &[Act::Fail(Kind::Unauthenticated)]), ("b", &[NOW])]);
    assert_eq!(run(&router(5), &model, &script).await.unwrap(), "b");
    assert_eq!(script.calls(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_asked_for_time_is_passed_over_until_then() {
    let model = model(&[("a", 1, 0), ("b", 1, 1)]);
    let router = router(3);
    let script = Script::of(&[("a", &[Act::Later(Kind::RateLimited, 20 * SECOND), NOW]), ("b", &[NOW])]);
    assert_eq!(run(&router, &model, &script).await.unwrap(), "b");
    tokio::time::sleep(19 * SECOND).await;
    assert_eq!(run(&router, &model, &script).await.unwrap(), "b");
    tokio::time::sleep(SECOND).await;
    assert_eq!(run(&router, &model, &script).await.unwrap(), "a");
    assert_eq!(script.calls(), ["a", "b", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_short_wait_is_waited_and_a_long_one_is_passed_on() {
    let model = model(&[("a", 1, 0)]);
    let script = Script::of(&[("a", &[Act::Later(Kind::RateLimited, SECOND), NOW])]);
    let begun = Instant::now();
    assert_eq!(run(&router(3), &model, &script).await.unwrap(), "a");
    assert!((SECOND..2 * SECOND).contains(&begun.elapsed()), "{:?}", begun.elapsed());

    let router = router(3);
    let script = Script::of(&[("a", &[Act::Later(Kind::RateLimited, 30 * SECOND)])]);
    for attempts in [1, 0] {
        let exhausted = run(&router, &model, &script).await.unwrap_err();
        assert_eq!((exhausted.failure.kind, exhausted.attempts), (Kind::RateLimited, attempts));
        assert_eq!(exhausted.retry_after, Some(30 * SECOND));
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_that_says_not_so_fast_gets_a_second_and_is_not_taken_for_dead() {
    let model = model(&[("a", 1, 0)]);
    let router = router(3);
    let script = Script::of(&[("a", &[Act::Fail(Kind::RateLimited)])]);
    for _ in 0..5 {
        let begun = Instant::now();
        let exhausted = run(&router, &model, &script).await.unwrap_err();
        assert_eq!(exhausted.failure.kind, Kind::RateLimited);
        assert!(begun.elapsed() >= SECOND, "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_route_is_left_alone_and_found_again() {
    let model = model(&[("a", 1, 0)]);
    let router = router(1);
    let script = Script::of(&[("a", &[Act::Fail(Kind::Unreachable)])]);
    for _ in 0..5 {
        assert_eq!(run(&router, &model, &script).await.unwrap_err().attempts, 1);
    }
    let exhausted = run(&router, &model, &script).await.unwrap_err();
    assert_eq!((exhausted.attempts, exhausted.failure.kind), (0, Kind::Unreachable));
    assert_eq!(exhausted.retry_after, Some(5 * SECOND));
    tokio::time::sleep(5 * SECOND).await;
    let well = Script::of(&[("a", &[NOW])]);
    assert_eq!(run(&router, &model, &well).await.unwrap(), "a");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_during_the_probe_leaves_the_probe_to_the_next() {
    let model = model(&[("a", 1, 0)]);
    let router = router(1);
    let script = Script::of(&[("a", &[Act::Fail(Kind::Timeout)])]);
    for _ in 0..5 {
        run(&router, &model, &script).await.unwrap_err();
    }
    tokio::time::sleep(5 * SECOND).await;
    let hanging = Script::of(&[("a", &[Act::Hang])]);
    tokio::time::timeout(SECOND, run(&router, &model, &hanging)).await.unwrap_err();
    assert_eq!(hanging.calls(), ["a"]);
    assert_eq!(run(&router, &model, &Script::of(&[("a", &[NOW])])).await.unwrap(), "a");
}

#[tokio::test(start_paused = true)]
async fn the_whole_call_has_an_end() {
    let model = model(&[("a", 1, 0), ("b", 1, 1)]);
    let begun = Instant::now();
    let script = Script::of(&[("a", &[Act::Hang]), ("b", &[NOW])]);
    let exhausted = run(&router(3), &model, &script).await.unwrap_err();
    assert_eq!(exhausted.failure.kind, Kind::Timeout);
    assert_eq!(begun.elapsed(), 60 * SECOND);
    assert_eq!(exhausted.away, 60 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_faster_of_two_gets_more() {
    let model = model(&[("a", 1, 0), ("b", 1, 0)]);
    let router = router(1);
    let script = Script::of(&[("a", &[Act::Answer(SECOND)]), ("b", &[Act::Answer(SECOND / 4)])]);
    for _ in 0..500 {
        run(&router, &model, &script).await.unwrap();
    }
    let fast = script.calls().iter().filter(|name| *name == "b").count();
    assert!((360..440).contains(&fast), "{fast} of 500, 400 were to be expected");
}

#[tokio::test(start_paused = true)]
async fn without_a_route_there_is_no_answer() {
    for routes in [&[][..], &[("a", 0, 0)][..]] {
        let exhausted = run(&router(3), &model(routes), &Script::of(&[("a", &[NOW])])).await.unwrap_err();
        assert_eq!((exhausted.attempts, exhausted.retry_after), (0, None));
    }
}

fn act() -> impl Strategy<Value = Act> {
    let kind = prop_oneof![
        Just(Kind::Unreachable),
        Just(Kind::Timeout),
        Just(Kind::RateLimited),
        Just(Kind::ServerError),
        Just(Kind::Unauthenticated),
        Just(Kind::ModelNotFound),
        Just(Kind::BadRequest),
        Just(Kind::ContentFiltered),
        Just(Kind::Malformed),
    ];
    prop_oneof![
        2 => (0_u64..3_000).prop_map(|ms| Act::Answer(Duration::from_millis(ms))),
        4 => kind.clone().prop_map(Act::Fail),
        2 => (kind.clone(), 0_u64..30_000).prop_map(|(kind, ms)| Act::FailAfter(kind, Duration::from_millis(ms))),
        1 => (kind, 0_u64..10_000).prop_map(|(kind, ms)| Act::Later(kind, Duration::from_millis(ms))),
        1 => Just(Act::Hang),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever routes do: never more attempts than allowed, none after an answer, none after the request's own fault,
    /// none at a route without weight, none past the deadline, and an answer is never lost.
    #[test]
    fn the_router_keeps_its_promises(
        routes in proptest::collection::vec((0_u32..4, 0_u32..3, proptest::collection::vec(act(), 1..4)), 1..5),
        attempts in 1_u32..6,
        seed: u64,
        calls in 1_usize..8,
    ) {
        const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
        let named: Vec<_> = routes.iter().zip(NAMES).map(|((weight, rank, _), name)| (name, *weight, *rank)).collect();
        let acts: Vec<_> = routes.iter().zip(NAMES).map(|((.., acts), name)| (name, acts.as_slice())).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (model, script) = (model(&named), Script::of(&acts));
            let router = Router::new(policy(attempts), Dice::new(seed));
            for _ in 0..calls {
                let begun = Instant::now();
                let outcome = router.run(&model, Mode::Stream, &script).await;
                let made = script.calls();
                prop_assert!(made.len() <= attempts as usize, "{made:?}");
                prop_assert!(begun.elapsed() <= policy(attempts).total + CROWD);
                let weightless = |name: &String| named.iter().any(|(known, weight, _)| known == name && *weight == 0);
                prop_assert!(!made.iter().any(weightless), "{made:?}");
                let told = match outcome {
                    Ok(routed) => {
                        prop_assert_eq!(Some(&routed.answer), made.last());
                        routed.lease.succeeded(Instant::now());
                        routed.attempts
                    }
                    Err(exhausted) => {
                        if !exhausted.failure.kind.may_fall_back() {
                            prop_assert!(!made.is_empty());
                        }
                        exhausted.attempts
                    }
                };
                prop_assert_eq!(told as usize, made.len());
            }
            Ok(())
        })?;
    }
}

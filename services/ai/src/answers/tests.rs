use futures_util::FutureExt;
use serde_json::{Map, json};

use super::*;
use crate::domain::{
    chat::{Choice, ToolCall},
    warnings::Warnings,
};
use crate::protocol::ApiError;

const KEY: Key = Key([7; 32]);

fn produced() -> Arc<Produced> {
    let choice = Choice { parts: vec![Part::text("Hi")], stop: StopReason::End, stop_sequence: None, logprobs: None };
    let completion = Completion {
        id: None,
        model: None,
        choices: vec![choice],
        usage: None,
        extra: Map::new(),
        warnings: Warnings::default(),
    };
    let (provider, upstream_model) = ("fake".into(), "fake-1".into());
    Arc::new(Produced { completion, cost: NanoUsd(9), provider, upstream_model, attempts: 1, away: Duration::ZERO })
}

fn answers() -> Answers {
    Answers::new(1 << 20, Duration::from_mins(1))
}

#[test]
fn everything_that_a_provider_can_make_long_has_weight() {
    let long = || "x".repeat(100_000);
    let extend: [fn(&mut Completion, String); 9] = [
        |answer, long| answer.id = Some(long),
        |answer, long| answer.model = Some(long),
        |answer, long| drop(answer.extra.insert("more".into(), json!([{"deep": long}]))),
        |answer, long| drop(answer.extra.insert(long, json!(1))),
        |answer, long| answer.warnings.dropped(long),
        |answer, long| answer.choices[0].stop_sequence = Some(long),
        |answer, long| answer.choices[0].logprobs = Some(json!([long])),
        |answer, long| answer.choices[0].parts.push(Part::Other(json!({"type": "custom", "input": long}))),
        |answer, long| answer.choices[0].parts.push(Part::Thinking { text: String::new(), signature: Some(long) }),
    ];
    assert!(weight(&produced().completion) < 10_000);
    for (case, extend) in extend.into_iter().enumerate() {
        let mut answer = produced().completion.clone();
        extend(&mut answer, long());
        assert!(weight(&answer) >= 100_000, "case {case}: {}", weight(&answer));
    }
    let mut answer = produced().completion.clone();
    let call = ToolCall { id: String::new(), name: String::new(), arguments: long() };
    answer.choices[0].parts.push(Part::ToolCall(call));
    assert!(weight(&answer) >= 100_000);
}

#[tokio::test]
async fn who_missed_the_flight_that_has_landed_gets_its_answer() {
    let answers = answers();
    assert!(answers.get(&KEY).is_none(), "both look into the cache before the first one flies");
    let first = {
        let answers = answers.clone();
        answers.clone().join(KEY, move || {
            let work = async move {
                let made = produced();
                answers.keep(KEY, &made);
                Ok(made)
            };
            work.boxed()
        })
    };
    let Joined::Flight { flight, own: true } = first else { panic!("nobody else flies") };
    let second = answers.join(KEY, || panic!("there is a flight"));
    assert!(matches!(second, Joined::Flight { own: false, .. }));
    let made = flight.await.unwrap();
    match answers.join(KEY, || panic!("it would be paid twice")) {
        Joined::Kept(kept) => assert!(Arc::ptr_eq(&kept, &made)),
        Joined::Flight { .. } => panic!("the flight has landed"),
    }
}

#[tokio::test]
async fn a_flight_without_an_answer_is_flown_again() {
    let answers = answers();
    for _ in 0..2 {
        let failed = || async { Err(ApiError::invalid("invalid_value", "model", "No.")) }.boxed();
        let Joined::Flight { flight, own: true } = answers.join(KEY, failed) else { panic!("nothing is kept") };
        assert!(flight.await.is_err());
    }
}

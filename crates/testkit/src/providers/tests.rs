//! The fake itself: that it sees what is wrong, and that it counts.

use serde_json::json;

use super::*;

async fn post(fake: &FakeProvider, path: &str, headers: &[(&str, &str)], body: Value) -> (u16, Value) {
    let mut request = kit::outbound::plain_client().post(format!("{}{path}", fake.url())).json(&body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("a JSON document"))
}

fn bearer() -> String {
    format!("Bearer {}", FakeProvider::KEY)
}

#[tokio::test]
async fn what_is_wrong_is_answered_and_remembered() {
    let fake = FakeProvider::start().await;
    let ask = |more: Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "?"}]});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    };
    let bearer = bearer();
    let key = [("authorization", bearer.as_str())];
    let (status, answer) = post(&fake, "/v1/chat/completions", &key, ask(json!({}))).await;
    assert_eq!((status, answer["choices"][0]["message"]["content"].as_str()), (200, Some("You said: ?")));
    fake.assert_clean();

    for (more, wrong) in [
        (json!({"unheard_of": 1}), "unheard_of: unknown field"),
        (json!({"n": 0}), "n: 0 is not Int(1, 128)"),
        (json!({"temperature": "hot"}), "temperature: \"hot\" is not Num(0.0, 2.0)"),
        (json!({"stream_options": {"include_usage": true}}), "stream_options: only with stream"),
        (json!({"messages": [{"role": "tool", "content": "x", "tool_call_id": "a"}]}), "messages[0]: answers no call"),
    ] {
        let (status, _) = post(&fake, "/v1/chat/completions", &key, ask(more)).await;
        assert_eq!(status, 400);
        let violations = fake.violations();
        assert!(violations.iter().any(|violation| violation.contains(wrong)), "{wrong} in {violations:?}");
    }
    assert_eq!(post(&fake, "/v1/chat/completions", &[], ask(json!({}))).await.0, 401);
    assert_eq!(
        fake.violations().last().map(String::as_str),
        Some("POST /v1/chat/completions: no key where it belongs")
    );
    assert_eq!(post(&fake, "/v1/elsewhere", &key, json!({})).await.0, 400);
    assert_eq!(fake.requests().len(), 8);
    assert!(std::panic::catch_unwind(|| fake.assert_clean()).is_err());
}

#[tokio::test]
async fn for_load_it_answers_and_keeps_nothing() {
    let fake = FakeProvider::bind((Ipv4Addr::LOCALHOST, 0).into()).await.expect("a free port");
    fake.always(Reply::text("one two"));
    for _ in 0..3 {
        let (status, answer) = post(&fake, "/v1/chat/completions", &[], json!({"model": "m"})).await;
        assert_eq!((status, &answer["choices"][0]["message"]["content"]), (200, &json!("one two")));
    }
    let stream = kit::outbound::plain_client().post(format!("{}/v1/chat/completions", fake.url()));
    let stream = stream.json(&json!({"model": "m", "stream": true})).send().await.expect("an answer");
    assert!(stream.text().await.expect("a body").ends_with("data: [DONE]\n\n"));
    assert_eq!((fake.requests().len(), fake.violations().len(), fake.active()), (0, 0, 0));
}

#[tokio::test]
async fn a_gate_holds_an_answer_and_a_leaver_is_counted() {
    let fake = FakeProvider::start().await;
    let gate = Gate::new();
    let bearer = bearer();
    let headers = [("authorization", bearer.as_str())];
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "?"}]});
    fake.next(Reply::text("late").held(&gate));
    let held = post(&fake, "/v1/chat/completions", &headers, body.clone());
    let watch = async {
        assert_eq!(fake.wait_for_request().await.body["model"], "m");
        assert_eq!(fake.active(), 1);
        gate.open();
    };
    let ((status, _), ()) = tokio::join!(held, watch);
    assert_eq!((status, fake.cancelled()), (200, 0));

    fake.next(Reply::text("never").held(&Gate::new()));
    tokio::select! {
        _ = post(&fake, "/v1/chat/completions", &headers, body) => panic!("the gate is closed"),
        _ = fake.wait_for_request() => {}
    }
    fake.wait_for_cancelled(1).await;
    fake.wait_until_idle().await;
}

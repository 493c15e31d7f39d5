//! More calls than the service works on at once.

use serde_json::{Value, json};
use testkit::providers::{FakeProvider, Gate, Reply};

use crate::world::{CHAT, builder, chat, member, model, open, streamed};

#[tokio::test(flavor = "multi_thread")]
async fn one_call_too_many_is_503_and_places_come_back() {
    let fake = FakeProvider::start().await;
    let app = builder().env("BRAINOPS_AI_MAX_CALLS", "2").env("BRAINOPS_AI_IDLE_TIMEOUT_MS", "9000").start().await;
    model(&[(&fake, "openai", 0)]).add(&app).await;
    let gate = Gate::new();
    fake.always(Reply::text("one two three").held_after(2, &gate));
    let who = member();
    let streams = [open(&app, &who, CHAT, &streamed("a")).await, open(&app, &who, CHAT, &streamed("b")).await];
    let answer = app.post(CHAT, &who, &chat("c")).await;
    assert_eq!(answer.json::<Value>(503)["error"]["code"], "too_many_calls");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let count = json!({"model": "m", "messages": [{"role": "user", "content": "c"}]});
    let counted = app.post("/v1/messages/count_tokens", &who, &count).await;
    assert_eq!(counted.json::<Value>(503)["error"]["type"], "overloaded_error");
    assert_eq!(fake.requests().len(), 2);

    // One that ends, and one that is left.
    gate.open();
    let [first, second] = streams;
    drop(second);
    first.text().await.unwrap();
    fake.wait_until_idle().await;
    for _ in 0..3 {
        app.post(CHAT, &who, &chat("c")).await.json::<Value>(200);
        app.post("/v1/messages/count_tokens", &who, &count).await.json::<Value>(200);
    }
}

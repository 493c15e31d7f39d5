//! What is sent for one rich request, from every dialect to every provider, and what is said to be lost.

use serde_json::json;
use testkit::providers::{FakeProvider, check};

use super::*;
use crate::clients::openai;

async fn sent(dialect: Dialect, kind: ProviderKind) -> Value {
    let fake = FakeProvider::start().await;
    let provider = provider(&fake, kind);
    let stream = providers().stream(attempt(&provider, PATIENT), &rich(dialect)).await.unwrap();
    let started = assemble(events(stream).await);
    fake.assert_clean();
    let seen = fake.last_request();
    let headers: Map<_, _> = seen
        .headers
        .into_iter()
        .filter(|(name, _)| !["host", "content-length", "user-agent"].contains(&name.as_str()))
        .map(|(name, value)| (name, value.replace(FakeProvider::KEY, "[key]").into()))
        .collect();
    let target = format!("{} {} {}", seen.method, seen.path, seen.query);
    json!({"target": target, "headers": headers, "body": seen.body, "warnings": started.warnings.fields()})
}

macro_rules! golden {
    ($($name:ident: $dialect:ident to $kind:ident;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let sent = sent(Dialect::$dialect, ProviderKind::$kind).await;
            insta::with_settings!({sort_maps => true}, { insta::assert_json_snapshot!(sent) });
        }
    )*};
}

golden! {
    chat_completions_to_openai: ChatCompletions to Openai;
    chat_completions_to_anthropic: ChatCompletions to Anthropic;
    chat_completions_to_gemini: ChatCompletions to Gemini;
    responses_to_openai: Responses to Openai;
    responses_to_anthropic: Responses to Anthropic;
    responses_to_gemini: Responses to Gemini;
    messages_to_openai: Messages to Openai;
    messages_to_anthropic: Messages to Anthropic;
    messages_to_gemini: Messages to Gemini;
}

#[test]
fn openai_itself_is_spoken_to_in_its_newest_words() {
    let (body, warnings) = openai::encode_for("https://api.openai.com/v1", "gpt-5", &rich(Dialect::ChatCompletions));
    assert_eq!(check::openai(&body), Vec::<String>::new());
    assert_eq!((&body["max_completion_tokens"], body.get("max_tokens")), (&json!(20_000), None));
    assert_eq!((body.get("top_k"), &body["messages"][1]["role"]), (None, &json!("developer")));
    assert!(warnings.fields().contains(&"top_k".to_owned()));
    // Not everything that ends so is OpenAI's.
    let (body, _) = openai::encode_for("https://notopenai.com/v1", "gpt-5", &rich(Dialect::ChatCompletions));
    assert_eq!((&body["max_tokens"], &body["top_k"]), (&json!(20_000), &json!(40)));
}

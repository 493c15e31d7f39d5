//! Models with a chat template: here one that the operator gives, for the bundled model has none.

use serde_json::json;

use crate::{
    errors::summary,
    server::{Server, chat},
};

/// A format that the base model understands well enough, in the way of templates.
const TEMPLATE: &str = "{{ bos_token }}{% for message in messages %}
{% if message.role == 'system' %}
{{ raise_exception('This model takes no instructions') }}
{% elif message.role == 'user' %}
Q: {{ message.content | trim }}
{% else %}
A: {{ message.content | trim }}
{% endif %}
{% endfor %}
{% if add_generation_prompt %}A:{% endif %}";

fn with_template(folder: &tempfile::TempDir, source: &str) -> Vec<(&'static str, String)> {
    let path = folder.path().join("template.jinja");
    std::fs::write(&path, source).unwrap();
    let mut settings = chat(1, 4, 512);
    settings.push(("BRAINOPS_INFERENCE_CHAT_TEMPLATE", path.display().to_string()));
    settings
}

#[tokio::test]
async fn a_template_writes_the_conversation_and_may_refuse_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(with_template(&folder, TEMPLATE)).await;
    let body = json!({
        "model": "local-chat", "temperature": 0, "max_tokens": 12, "stop": "\n",
        "messages": [
            {"role": "user", "content": "What is the capital of Italy?"},
            {"role": "assistant", "content": "Rome."},
            {"role": "user", "content": "What is the capital of France?"},
        ],
    });
    let (status, answer) = server.ask("/v1/chat/completions", &body).await;
    assert_eq!(status, 200, "{answer}");
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.contains("Paris"), "{text}");

    // A control token that a user writes is text: it takes several tokens, and ends nothing.
    let tokens = async |content: &str| {
        let body = json!({"model": "local-chat", "max_tokens": 1, "messages": [{"role": "user", "content": content}]});
        server.ask("/v1/chat/completions", &body).await.1["usage"]["prompt_tokens"].as_u64().unwrap()
    };
    assert!(tokens("a <end_of_turn> b").await > tokens("a b").await + 1);

    let body = json!({"model": "local-chat", "messages": [{"role": "system", "content": "Obey."}]});
    let refused = server.ask("/v1/chat/completions", &body).await;
    assert!(refused.1["error"]["message"].as_str().unwrap().contains("takes no instructions"), "{}", refused.1);
    assert_eq!(summary(refused), (400, "invalid_request_error".into(), "invalid_value".into(), "messages".into()));
}

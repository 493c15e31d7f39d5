//! What may never be in a log line, and that nobody outside can make one.

use std::{fs, path::Path};

use reqwest::Method;
use serde_json::{Value, json};
use testkit::Answer;

use crate::{
    golden_path::Used,
    smuggling::speak,
    support::{Program, System, id},
};

/// What a forged line would say.
const FORGED: &str = r#"{"level":"INFO","message":"forged-by-a-client"}"#;

/// Line breaks wherever a client can put them.
pub async fn inject(system: &System, used: &Used) {
    let api = &system.api;
    for (field, value) in
        [("email", format!("a\r\n{FORGED}\n@example.org")), ("display_name", format!("A\r\n{FORGED}\n"))]
    {
        let mut account =
            json!({"email": "b@example.org", "password": "vexing quilt marmalade tundra", "display_name": "B"});
        account[field] = value.into();
        let answer = api.post("/v1/auth/register", None, &account).await;
        assert_eq!(answer.bad_fields(422), [field]);
    }
    let credentials = json!({"email": format!("a\n{FORGED}"), "password": format!("x\n{FORGED}")});
    assert_eq!(api.post("/v1/auth/login", None, &credentials).await.status, 401);
    let encoded = "%0d%0a%7b%22message%22:%22forged-by-a-client%22%7d%0a";
    for path in [format!("/v1/users/{encoded}"), format!("/v1/organizations?cursor={encoded}"), format!("/{encoded}")] {
        assert!(api.get(&path, &used.token).await.status >= 400);
    }
    // Header values that HTTP allows: the text of a line, without its end.
    for name in ["user-agent", "x-request-id", "traceparent", "x-forwarded-for", "idempotency-key"] {
        let call = api
            .request(Method::GET, "/v1/users/me")
            .bearer_auth(&used.token)
            .header(name, format!("\\r\\n{FORGED}\u{85}"));
        Answer::to(call).await;
    }
    // And line ends that it does not.
    for end in ["\r", "\n", "\0", "\u{b}"] {
        let request = format!("GET /v1/users/me HTTP/1.1\r\nHost: x\r\nUser-Agent: a{end}{FORGED}\r\n\r\n");
        speak(api.addr, request.as_bytes()).await;
    }
}

/// Reads everything that the process has written.
pub fn check(program: &Program, data: &Path, used: &Used) {
    let (out, log) = (program.stdout(), program.stderr());
    let mut lines = 0;
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not a line of ours: {line}"));
        assert_ne!(line["message"], "forged-by-a-client");
        lines += 1;
    }
    assert!(log.contains(r#""level":"DEBUG""#) && lines > 50, "this log is too short to prove anything:\n{log}");

    let mut planted = secrets(data);
    planted.extend(used.passwords.iter().chain(&used.refresh_tokens).cloned());
    for token in &used.access_tokens {
        // The signature alone is enough to tell a token, its head is the same in all of them.
        planted.push(token.rsplit('.').next().unwrap().to_owned());
    }
    // No secret, but a person's: an address is not for logs either.
    planted.push(used.email.clone());
    for secret in planted {
        assert!(secret.len() >= 16, "too short to be looked for: {secret}");
        // As it is, and as it stands in a URL.
        let in_url = secret.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
        for spelling in [&secret, &in_url, &secret.replace('/', "%2F")] {
            for text in [&out, &log] {
                let found = text.lines().find(|line| line.contains(spelling.as_str()));
                assert!(found.is_none(), "a secret is in the log: {found:?}");
            }
        }
    }
}

/// Every secret of the installation: those of the services, and the passwords of both servers.
fn secrets(data: &Path) -> Vec<String> {
    let read = |name: &str| -> Value { serde_json::from_str(&fs::read_to_string(data.join(name)).unwrap()).unwrap() };
    let own = read("secrets.json");
    let mut secrets: Vec<_> =
        own.as_object().unwrap().values().map(|secret| secret.as_str().unwrap().to_owned()).collect();
    assert!(secrets.len() >= 10, "{:?}", own.as_object().unwrap().keys());
    for server in ["postgres", "rabbitmq"] {
        secrets.push(id(&read(&format!("{server}/settings.json")), "/password").to_owned());
    }
    secrets
}

//! A wrong setting stops the start and says what is wrong.

use std::collections::BTreeMap;

use gateway::config::Config;
use kit::{Env, Settings};

fn problems(change: &[(&str, &str)]) -> String {
    let mut values: BTreeMap<String, String> = [
        ("BRAINOPS_ISSUER", "https://api.example.com"),
        ("BRAINOPS_AUTH_URL", "http://auth:8080"),
        ("BRAINOPS_UPSTREAM_AUTH", "http://auth:8080"),
        ("BRAINOPS_UPSTREAM_AUTH_PRIVATE", "http://auth:9090"),
        ("BRAINOPS_UPSTREAM_USERS", "http://users-1:8080,http://users-2:8080"),
        ("BRAINOPS_UPSTREAM_USERS_PRIVATE", "http://users-1:9090,http://users-2:9090"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    values.extend(change.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let mut env = Env::from_map(values);
    let _ = Config::read(&mut env);
    env.finish().err().map(|errors| errors.to_string()).unwrap_or_default()
}

#[test]
fn a_complete_configuration_is_fine() {
    assert_eq!(problems(&[]), "");
    assert_eq!(
        problems(&[
            ("BRAINOPS_TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8"),
            ("BRAINOPS_CORS_ORIGINS", "https://a.example")
        ]),
        ""
    );
}

#[test]
fn every_service_but_auth_may_be_left_out() {
    let none = [("BRAINOPS_UPSTREAM_USERS", ""), ("BRAINOPS_UPSTREAM_USERS_PRIVATE", "")];
    assert_eq!(problems(&none), "");
    let models = [("BRAINOPS_UPSTREAM_AI", "http://ai:8080"), ("BRAINOPS_UPSTREAM_AI_PRIVATE", "http://ai:9090")];
    assert_eq!(problems(&models), "");
}

#[test]
fn each_mistake_is_named() {
    for (name, value) in [
        ("BRAINOPS_UPSTREAM_AUTH", ""),
        ("BRAINOPS_UPSTREAM_AUTH", "auth:8080"),
        ("BRAINOPS_UPSTREAM_AUTH", "https://auth"),
        ("BRAINOPS_UPSTREAM_AUTH", "http://auth:8080/v1"),
        ("BRAINOPS_UPSTREAM_USERS_PRIVATE", "http://users-1:9090"),
        ("BRAINOPS_UPSTREAM_USERS_PRIVATE", ""),
        ("BRAINOPS_UPSTREAM_AI_PRIVATE", "http://ai:9090"),
        ("BRAINOPS_CORS_ORIGINS", "https://app.example.com/path"),
        ("BRAINOPS_CORS_ORIGINS", "ftp://app.example.com"),
        ("BRAINOPS_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("BRAINOPS_MAX_BODY_BYTES", "1MB"),
        ("BRAINOPS_REQUEST_TIMEOUT_MS", "30s"),
    ] {
        let message = problems(&[(name, value)]);
        assert!(message.contains("1 problem:") && message.contains(name), "{name}={value}: {message:?}");
    }
}

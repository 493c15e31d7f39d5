use std::net::SocketAddr;

use super::*;

fn env(values: &[(&str, &str)]) -> Env {
    Env::from_map(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

#[test]
fn values_are_read_and_defaults_apply() {
    let mut env = env(&[("A", "127.0.0.1:1"), ("LIST", " 1, 2,,3 "), ("EMPTY", ""), ("WAIT_MS", "1500")]);
    assert_eq!(env.required::<SocketAddr>("A", "", "x"), SocketAddr::from(([127, 0, 0, 1], 1)));
    assert_eq!(env.or::<u16>("MISSING", "", "7"), 7);
    assert_eq!(env.or::<Vec<u16>>("LIST", "", ""), [1, 2, 3]);
    assert_eq!(env.optional::<bool>("EMPTY", ""), None, "empty is absent");
    assert_eq!(env.or::<Millis>("WAIT_MS", "", "0").0.as_millis(), 1_500);
    env.finish().unwrap();
}

#[test]
fn every_problem_is_in_one_message() {
    let mut env = env(&[("PORT", "many"), ("KEYS", "hunter2"), ("URL", "localhost:80")]);
    env.or::<u16>("PORT", "", "1");
    env.secret("PASSWORD", "");
    env.secret_of::<crate::seal::Keyring>("KEYS", "");
    env.required::<url::Url>("URL", "", "http://a");
    env.required::<String>("NAME", "", "auth");
    env.or::<u16>("BROKEN_DEFAULT", "", "x");
    env.refuse("MODE", "\"fast\"", "slow in production");
    let errors = env.finish().unwrap_err();
    assert_eq!(
        errors.names().collect::<Vec<_>>(),
        ["PORT", "PASSWORD", "KEYS", "URL", "NAME", "BROKEN_DEFAULT", "MODE"]
    );
    let message = errors.to_string();
    assert!(message.starts_with("The configuration has 7 problems:\n"), "{message}");
    assert!(message.contains("PORT: found \"many\"; expected a whole number from 0 to 65535"), "{message}");
    assert!(message.contains("NAME: found nothing; expected a text, for example auth"), "{message}");
    assert!(!format!("{message} {errors:?}").contains("hunter2"), "{message}");
}

#[test]
fn a_secret_is_not_shown_by_the_environment() {
    let env = env(&[("BRAINOPS_X", "hunter2")]);
    assert!(!format!("{env:?}").contains("hunter2"));
}

#[test]
fn a_file_adds_what_is_not_set() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("env");
    std::fs::write(&path, "# comment\nA=file\nB=\"two words\"\n").unwrap();
    let mut from_both = env(&[("A", "from process")]);
    from_both.add_file(path.to_str().unwrap());
    assert_eq!(from_both.values()["A"], "from process");
    assert_eq!(from_both.values()["B"], "two words");
    from_both.finish().unwrap();

    std::fs::write(&path, "A=ok\nSECRET=hunter2 and more\n").unwrap();
    let mut broken = env(&[]);
    broken.add_file(path.to_str().unwrap());
    let message = broken.finish().unwrap_err().to_string();
    assert!(message.contains("lines of NAME=value") && !message.contains("hunter2"), "{message}");

    let mut absent = env(&[]);
    absent.add_file("/nowhere/.env");
    absent.finish().unwrap();
}

#[test]
fn telemetry_is_checked_before_it_starts() {
    let mut bad =
        env(&[("BRAINOPS_LOG", "a=b=c"), ("OTEL_TRACES_SAMPLER_ARG", "2"), ("SENTRY_DSN", "https://hunter2")]);
    TelemetrySettings::read(&mut bad);
    let errors = bad.finish().unwrap_err();
    assert_eq!(errors.names().collect::<Vec<_>>(), ["BRAINOPS_LOG", "OTEL_TRACES_SAMPLER_ARG", "SENTRY_DSN"]);
    assert!(!errors.to_string().contains("hunter2"));

    let mut good = env(&[("BRAINOPS_LOG", "warn,auth=debug"), ("SENTRY_DSN", "https://key@sentry.example.com/1")]);
    assert!(TelemetrySettings::read(&mut good).sentry_dsn.is_some());
    good.finish().unwrap();
}

#[test]
fn what_stands_in_for_a_wrong_value_can_be_made() {
    // The one placeholder that could fail.
    assert_eq!(<url::Url as Value>::placeholder().host_str(), Some("placeholder.invalid"));
}

#[test]
fn the_table_has_a_row_for_each_variable() {
    let rows = |reads: fn(&mut Env)| {
        let mut env = env(&[]);
        reads(&mut env);
        env.asked
    };
    let one = rows(|env| {
        HttpSettings::read(env);
        env.secret("KEY", "A | B.");
    });
    let two = rows(|env| {
        HttpSettings::read(env);
    });
    let table = table(&[("one", one), ("two", two)]);
    assert!(table.contains("| `BRAINOPS_HTTP_ADDR` | all | "), "{table}");
    assert!(table.contains("| `KEY` | one | A \\| B. (a text) *Secret.* | **required** |"), "{table}");
    assert_eq!(table.matches("BRAINOPS_HTTP_ADDR").count(), 1);
}

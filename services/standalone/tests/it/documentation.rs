//! What is written about the configuration is what there is.

use std::{collections::BTreeSet, fs, path::PathBuf};

use crate::support::{Program, brainops};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

async fn printed() -> String {
    let mut configuration = Program::start(brainops().arg("configuration"));
    assert!(configuration.ended().await.success(), "{}", configuration.stderr());
    configuration.stdout()
}

#[tokio::test]
async fn the_page_on_configuration_is_what_the_program_prints() {
    let committed = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let printed = printed().await;
    assert!(
        committed.trim_end() == printed,
        "run `cargo run -q -- configuration > docs/configuration.md`; it prints\n{printed}"
    );
}

#[tokio::test]
async fn the_example_of_dotenv_names_every_variable() {
    let example = fs::read_to_string(root().join(".env.example")).unwrap();
    let exemplified: BTreeSet<&str> = example
        .lines()
        .filter_map(|line| line.trim_start_matches("# ").split_once('='))
        .map(|(name, _)| name)
        .collect();
    let printed = printed().await;
    let documented: BTreeSet<&str> =
        printed.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(name, _)| name).collect();
    assert!(documented.len() > 20, "{documented:?}");
    assert_eq!(exemplified, documented);
}

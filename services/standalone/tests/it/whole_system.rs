//! One running system, walked through from the first registration to the last log line. Its parts share the system because
//! starting one takes most of the time.

use crate::{
    commands, golden_path, log_lines, smuggling,
    support::{Installation, Tail},
};

#[tokio::test]
async fn everything_works_on_one_running_system() {
    let installation = Installation::new();
    let system = installation.up(&[("BRAINOPS_LOG", "debug")]).await;
    let mut tail = Tail::open(&installation).await;

    let used = golden_path::walk(&system, &mut tail).await;
    smuggling::try_all(&system, &used).await;
    commands::try_all(&installation, &system).await;
    log_lines::inject(&system, &used).await;

    tail.close().await;
    let data = system.data().to_owned();
    let program = system.stop().await;
    log_lines::check(&program, &data, &used);
}

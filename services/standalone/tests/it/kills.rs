//! `kill -9`: no server stays behind, and no acknowledged write is lost.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::support::{Installation, Program, eventually, id, new_email};

#[tokio::test]
async fn after_kill_9_nothing_runs_and_nothing_is_lost() {
    let installation = Installation::new();
    let mut system = installation.up(&[]).await;
    let (email, password) = (new_email(), "vexing quilt marmalade tundra");
    let registered = system.api.register(&email, password).await;
    let asked = json!({"name": "Analytical Engines"});
    let token = id(&registered, "/access_token");
    let created: Value = system.api.post("/v1/organizations", Some(token), &asked).await.json(201);

    // The same data are nobody else's meanwhile.
    let elsewhere = ["up", "--http", "127.0.0.1:0"];
    let mut second = Program::start(&mut installation.command(&elsewhere));
    assert!(!second.ended().await.success());
    assert!(second.stderr().contains("in use by another process"), "{}", second.stderr());

    let marks = marks(&installation.data());
    assert!(running(&marks).len() >= 3, "PostgreSQL, RabbitMQ and epmd: {:?}", running(&marks));
    system.program.kill().await;
    drop(system);
    eventually("the end of all servers", async || running(&marks).is_empty().then_some(())).await;

    let system = installation.up(&[]).await;
    let credentials = json!({"email": email, "password": password});
    let answer: Value = system.api.post("/v1/auth/login", None, &credentials).await.json(200);
    let token = id(&answer, "/access_token");
    let organization = format!("/v1/organizations/{}", id(&created, "/id"));
    let found: Value = system.api.get(&organization, token).await.json(200);
    assert_eq!(found["name"], "Analytical Engines");
    // The token of before is as good as it was: the keys are the same.
    assert_eq!(system.api.get("/v1/users/me", id(&registered, "/access_token")).await.status, 200);

    system.stop().await;
    assert!(running(&marks).is_empty(), "{:?}", running(&marks));
}

/// What only the command lines of this installation's servers have in them: its folder, the broker's name, epmd's port.
fn marks(data: &Path) -> Vec<String> {
    let read = |server: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(data.join(server).join("settings.json")).unwrap()).unwrap()
    };
    let (postgres, rabbit) = (read("postgres"), read("rabbitmq"));
    vec![
        data.display().to_string(),
        id(&postgres, "/token").to_owned(),
        id(&rabbit, "/token").to_owned(),
        format!("-port {} -address", rabbit["ports"][2]),
    ]
}

/// The processes whose command line has one of the marks.
fn running(marks: &[String]) -> Vec<String> {
    let listed = Command::new("ps").args(["-axww", "-o", "pid=,stat=,args="]).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let ours = |line: &&str| marks.iter().any(|mark| line.contains(mark.as_str())) && !line.contains("brainops up");
    listed.lines().filter(ours).map(str::to_owned).collect()
}

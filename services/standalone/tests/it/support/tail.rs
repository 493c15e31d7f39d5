//! `brainops events tail --json` on a running system.

use serde_json::Value;

use super::{Installation, Program};

pub struct Tail(Program);

impl Tail {
    /// From the moment this returns no event is missed.
    pub async fn open(installation: &Installation) -> Self {
        let mut program = Program::start(&mut installation.command(&["events", "tail", "--json"]));
        program.wait_err("word that it waits", |line| line.starts_with("Waiting for")).await;
        Self(program)
    }

    /// Waits for the event of this type (without `brainops.`) whose envelope or data say `value` at `pointer`.
    pub async fn wait(&mut self, kind: &str, pointer: &str, value: &str) -> Value {
        let kind = format!("brainops.{kind}");
        let read = |line: &str| -> Value { serde_json::from_str(line).expect("one JSON document a line") };
        let what = format!("{kind} with {pointer} = {value}");
        let line = self.0.wait_out(&what, |line| {
            let event = read(line);
            event["type"] == *kind && event.pointer(pointer).is_some_and(|found| found == value)
        });
        read(&line.await)
    }

    /// Ends it; Ctrl-C is the ordinary end.
    pub async fn close(mut self) {
        self.0.terminate().await;
        assert!(self.0.ended().await.success());
    }
}

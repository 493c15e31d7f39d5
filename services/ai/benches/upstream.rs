//! Not a bench by itself: the provider behind every contestant of scripts/bench/ai.sh.
//!
//! `cargo bench -p ai --bench upstream -- ADDRESS [PACE_MS]` answers OpenAI's protocol with ready-made answers; with a
//! pace it streams one word every so many milliseconds.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measuring tool talks to its terminal")]

use std::{future::pending, net::SocketAddr, time::Duration};

use testkit::providers::{FakeProvider, Reply};

/// An answer of the usual length of a short chat turn.
const WORDS: usize = 64;

fn main() {
    // Cargo adds `--bench`.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let Some(address) = args.first().and_then(|address| address.parse::<SocketAddr>().ok()) else {
        println!("usage: upstream ADDRESS [PACE_MS]");
        return;
    };
    let pace = args.get(1).map(|pace| Duration::from_millis(pace.parse().expect("milliseconds")));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let provider = FakeProvider::bind(address).await.expect("a free port");
        let reply = Reply::text("word ".repeat(WORDS).trim_end());
        provider.always(match pace {
            Some(pace) => reply.every(pace),
            None => reply,
        });
        println!("listening on {}", provider.url());
        pending::<()>().await;
    });
}

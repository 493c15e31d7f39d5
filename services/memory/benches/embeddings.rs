//! Not a bench by itself: the embedding server of scripts/bench/memory.sh for what a model on two cores would take hours for.
//!
//! `cargo bench -p memory --bench embeddings -- ADDRESS` answers OpenAI's protocol. A text's vector is the sum of those of
//! its words, which are drawn from the word itself: alike texts are alike, the same text is always the same.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measuring tool talks to its terminal")]

use std::net::SocketAddr;

use actix_web::{App, HttpResponse, HttpServer, web};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use serde::Deserialize;
use serde_json::json;

const DIMENSION: usize = 384;
const BODY_BYTES: usize = 16 << 20;

#[derive(Deserialize)]
struct Request {
    input: Vec<String>,
}

fn main() -> std::io::Result<()> {
    // Cargo adds `--bench`.
    let address = std::env::args().skip(1).find_map(|arg| arg.parse::<SocketAddr>().ok());
    let Some(address) = address else {
        println!("usage: embeddings ADDRESS");
        return Ok(());
    };
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(|| {
            let limit = web::JsonConfig::default().limit(BODY_BYTES);
            App::new().app_data(limit).route("/v1/embeddings", web::post().to(embed))
        });
        server.workers(1).bind(address).expect("a free port").run().await
    })
}

async fn embed(asked: web::Json<Request>) -> HttpResponse {
    let item = |(index, text): (usize, &String)| json!({"index": index, "embedding": STANDARD.encode(vector(text))});
    let data: Vec<_> = asked.input.iter().enumerate().map(item).collect();
    HttpResponse::Ok().json(json!({ "data": data }))
}

/// 32-bit floats, little-endian.
fn vector(text: &str) -> Vec<u8> {
    let mut sum = [0.0_f32; DIMENSION];
    for word in text.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = word.to_lowercase();
        let hash = blake3::hash(word.as_bytes());
        let mut rng =
            SmallRng::seed_from_u64(hash.as_bytes().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
        // Short words say little.
        let weight = if word.len() < 4 { 0.2 } else { 1.0 };
        for number in &mut sum {
            *number += weight * rng.random_range(-1.0_f32..1.0);
        }
    }
    // Nothing has no direction.
    sum[0] += f32::EPSILON;
    sum.iter().flat_map(|number| number.to_le_bytes()).collect()
}

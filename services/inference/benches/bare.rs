//! Not a bench by itself: the libraries without the service, for scripts/bench/inference.sh to compare with.
//!
//! `cargo bench -p inference --bench bare -- chat MODEL THREADS PROMPTS MAX_TOKENS` answers prompts one after the other with
//! llama.cpp, `… -- embed FOLDER THREADS TEXTS BATCH` embeds texts with candle as its own example does: so many texts at
//! a time, as they come. PROMPTS and TEXTS are JSON arrays of strings. Prints what was done and how long it took; reading the
//! model's file does not count.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measuring tool talks to its terminal")]

use std::{fs, num::NonZeroU32, path::Path, time::Instant};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use llama_cpp_2::{
    context::params::LlamaContextParams,
    llama_backend::LlamaBackend,
    llama_batch::LlamaBatch,
    model::{LlamaModel, params::LlamaModelParams},
    sampling::LlamaSampler,
};
use rayon::ThreadPoolBuilder;
use serde_json::json;
use tokenizers::{PaddingParams, Tokenizer, TruncationParams};

/// Tokens of prompt and answer together, and those that are computed at once: the service's own defaults.
const CONTEXT: NonZeroU32 = NonZeroU32::new(4096).unwrap();
const BATCH: u32 = 256;
/// Tokens of a text that the embedding model reads.
const MAX_TOKENS: usize = 256;

fn main() {
    // Cargo adds `--bench`.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [what, model, threads, texts, size] = args.as_slice() else {
        println!("usage: bare chat MODEL THREADS PROMPTS MAX_TOKENS | bare embed FOLDER THREADS TEXTS BATCH");
        return;
    };
    let threads = threads.parse().expect("a number of threads");
    let size = size.parse().expect("a number");
    let texts: Vec<String> = serde_json::from_slice(&fs::read(texts).expect("the texts")).expect("an array of strings");
    match what.as_str() {
        "chat" => chat(Path::new(model), threads, &texts, size),
        _ => embed(Path::new(model), threads, &texts, size),
    }
}

fn chat(path: &Path, threads: u16, prompts: &[String], max_tokens: usize) {
    let mut backend = LlamaBackend::init().expect("llama.cpp");
    backend.void_logs();
    let model = LlamaModel::load_from_file(&backend, path, &LlamaModelParams::default()).expect("a GGUF file");
    let params = LlamaContextParams::default()
        .with_n_ctx(Some(CONTEXT))
        .with_n_batch(BATCH)
        .with_n_ubatch(BATCH)
        .with_n_threads(threads.into())
        .with_n_threads_batch(threads.into());
    let mut context = model.new_context(&backend, params).expect("a context");
    let vocab = model.vocab();
    let mut batch = LlamaBatch::new(BATCH as usize, 1);
    let mut sampler = LlamaSampler::greedy();
    let (mut read, mut written) = (0, 0);
    let begun = Instant::now();
    for prompt in prompts {
        context.clear_kv_cache();
        let mut tokens = vec![vocab.bos()];
        vocab.tokenize_into(prompt.as_bytes(), &mut tokens, false, false);
        read += tokens.len();
        let mut position = 0;
        let mut answer = 0;
        loop {
            for (index, part) in tokens.chunks(BATCH as usize).enumerate() {
                let last = (index + 1) * BATCH as usize >= tokens.len();
                batch.clear();
                for (at, token) in part.iter().enumerate() {
                    batch.add(*token, position, &[0], last && at + 1 == part.len()).expect("room in the batch");
                    position += 1;
                }
                context.decode(&mut batch).expect("a batch");
            }
            let next = sampler.sample(&context, batch.n_tokens() - 1);
            if vocab.is_eog(next) {
                break;
            }
            answer += 1;
            if answer == max_tokens {
                break;
            }
            tokens = vec![next];
        }
        written += answer;
    }
    report(&[("prompt_tokens", read), ("completion_tokens", written)], begun);
}

fn embed(folder: &Path, threads: u16, texts: &[String], batch: usize) {
    let config = fs::read_to_string(folder.join("config.json")).expect("config.json");
    let config: Config = serde_json::from_str(&config).expect("a BERT's config.json");
    let mut tokenizer = Tokenizer::from_file(folder.join("tokenizer.json")).expect("tokenizer.json");
    tokenizer.with_padding(Some(PaddingParams::default()));
    let truncation = TruncationParams { max_length: MAX_TOKENS, ..TruncationParams::default() };
    tokenizer.with_truncation(Some(truncation)).expect("a limit");
    let weights = fs::read(folder.join("model.safetensors")).expect("model.safetensors");
    let weights = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu).expect("weights");
    let model = BertModel::load(weights, &config).expect("a BERT");
    let pool = ThreadPoolBuilder::new().num_threads(threads.into()).build().expect("threads");
    let begun = Instant::now();
    pool.install(|| {
        for texts in texts.chunks(batch) {
            forward(&model, &tokenizer, texts).expect("vectors");
        }
    });
    report(&[("texts", texts.len())], begun);
}

fn forward(model: &BertModel, tokenizer: &Tokenizer, texts: &[String]) -> candle_core::Result<Vec<Vec<f32>>> {
    let encodings = tokenizer.encode_batch(texts.to_vec(), true).expect("tokens");
    let stacked = |row: &dyn Fn(&tokenizers::Encoding) -> Vec<u32>| {
        let rows = encodings.iter().map(|encoding| Tensor::new(row(encoding), &Device::Cpu));
        Tensor::stack(&rows.collect::<candle_core::Result<Vec<_>>>()?, 0)
    };
    let ids = stacked(&|encoding| encoding.get_ids().to_vec())?;
    let mask = stacked(&|encoding| encoding.get_attention_mask().to_vec())?;
    let hidden = model.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
    let mask = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
    let mean = hidden.broadcast_mul(&mask)?.sum(1)?.broadcast_div(&mask.sum(1)?)?;
    mean.broadcast_div(&mean.sqr()?.sum_keepdim(1)?.sqrt()?)?.to_vec2()
}

fn report(counts: &[(&str, usize)], begun: Instant) {
    let mut line = json!({"seconds": begun.elapsed().as_secs_f64()});
    for (name, count) in counts {
        line[*name] = json!(count);
    }
    println!("{line}");
}

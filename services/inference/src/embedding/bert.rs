//! Sentence embeddings of a BERT: the mean of the token vectors, scaled to length 1 (Reimers & Gurevych, "Sentence-BERT",
//! 2019; <https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2>).

use std::{fs, num::NonZeroUsize, path::Path, sync::Arc};

use anyhow::{Context as _, anyhow, ensure};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokenizers::Tokenizer;

/// What a model consists of.
pub const FILES: [&str; 3] = ["model.safetensors", "tokenizer.json", "config.json"];

/// Tokens of a text that are read, the two at its ends included. all-MiniLM-L6-v2 was trained on no longer ones.
pub const MAX_TOKENS: usize = 256;

/// Texts in a batch at most.
pub const BATCH: usize = 64;

/// Tokens in a batch at most, padding included: memory for attention grows with them.
const BATCH_TOKENS: usize = 4096;

/// A model in memory.
pub struct Bert {
    model: BertModel,
    tokenizer: Tokenizer,
    /// candle computes on the threads of the pool that it is called from.
    pool: ThreadPool,
    dimensions: usize,
    padding: u32,
}

/// A text as the model reads it.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub ids: Vec<u32>,
    /// Tokens that were left out.
    pub cut: u32,
}

impl Bert {
    /// Loads the three files from `folder`.
    pub fn open(folder: &Path, threads: NonZeroUsize) -> anyhow::Result<Self> {
        let [weights, tokenizer, config] = FILES.map(|file| folder.join(file));
        let text = fs::read_to_string(&config).with_context(|| config.display().to_string())?;
        let config: Config =
            serde_json::from_str(&text).with_context(|| format!("{} is no BERT's", config.display()))?;
        ensure!(
            config.max_position_embeddings >= MAX_TOKENS,
            "the model reads {} tokens and needs to read {MAX_TOKENS}",
            config.max_position_embeddings
        );
        let mut tokenizer = Tokenizer::from_file(&tokenizer)
            .map_err(|error| anyhow!("{error}"))
            .with_context(|| tokenizer.display().to_string())?;
        // The file's own limits are those of its training; ours are counted and told.
        tokenizer.with_truncation(None).map_err(|error| anyhow!("{error}"))?;
        tokenizer.with_padding(None);
        let data = fs::read(&weights).with_context(|| weights.display().to_string())?;
        let weights = VarBuilder::from_buffered_safetensors(data, DType::F32, &Device::Cpu)?;
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .thread_name(|index| format!("inference-embedding-{index}"))
            .build()?;
        Ok(Self {
            model: BertModel::load(weights, &config)?,
            tokenizer,
            pool,
            dimensions: config.hidden_size,
            padding: u32::try_from(config.pad_token_id)?,
        })
    }

    /// Numbers in a vector.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Splits a text. What is past [`MAX_TOKENS`] is left out; the last token, which ends every text, stays.
    pub fn tokens(&self, text: &str) -> Result<Tokens, String> {
        let encoding = self.tokenizer.encode_fast(text, true).map_err(|error| error.to_string())?;
        let mut ids = encoding.get_ids().to_vec();
        let cut = ids.len().saturating_sub(MAX_TOKENS);
        if cut > 0 {
            ids.drain(MAX_TOKENS - 1..ids.len() - 1);
        }
        Ok(Tokens { ids, cut: cut.try_into().unwrap_or(u32::MAX) })
    }

    /// The vectors of texts, in their order. Texts of like lengths are computed together, so that little is padding.
    pub fn embed(&self, texts: &[&Tokens]) -> Result<Vec<Arc<[f32]>>, String> {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&index| texts[index].ids.len());
        let mut vectors = vec![Arc::from([]); texts.len()];
        let mut rest = &order[..];
        while !rest.is_empty() {
            // Longest last: how many fit is decided by the last of them.
            let fits = |count: &usize| texts[rest[count - 1]].ids.len() * count <= BATCH_TOKENS;
            let count = (1..=rest.len()).take_while(fits).last().unwrap_or(1);
            let (batch, later) = rest.split_at(count);
            let ids: Vec<&[u32]> = batch.iter().map(|&index| &texts[index].ids[..]).collect();
            let rows = self.pool.install(|| self.forward(&ids)).map_err(|error| error.to_string())?;
            for (&index, row) in batch.iter().zip(rows) {
                vectors[index] = Arc::from(row);
            }
            rest = later;
        }
        Ok(vectors)
    }

    fn forward(&self, texts: &[&[u32]]) -> candle_core::Result<Vec<Vec<f32>>> {
        let longest = texts.iter().map(|ids| ids.len()).max().unwrap_or_default();
        let shape = (texts.len(), longest);
        let padded = |value: &dyn Fn(&[u32], usize) -> u32| -> Vec<u32> {
            texts.iter().flat_map(|ids| (0..longest).map(|at| value(ids, at))).collect()
        };
        let ids = padded(&|ids, at| ids.get(at).copied().unwrap_or(self.padding));
        let mask = padded(&|ids, at| u32::from(at < ids.len()));
        let ids = Tensor::from_vec(ids, shape, &Device::Cpu)?;
        let mask = Tensor::from_vec(mask, shape, &Device::Cpu)?;
        let hidden = self.model.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
        // The mean over the tokens that are no padding.
        let mask = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
        let mean = hidden.broadcast_mul(&mask)?.sum(1)?.broadcast_div(&mask.sum(1)?)?;
        let length = mean.sqr()?.sum_keepdim(1)?.sqrt()?;
        mean.broadcast_div(&length)?.to_vec2()
    }
}

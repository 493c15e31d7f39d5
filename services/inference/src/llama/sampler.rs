//! Choosing the next token.

use llama_cpp_2::{
    context::LlamaContext,
    model::LlamaModel,
    sampling::LlamaSampler,
    token::{LlamaToken, data::LlamaTokenData, data_array::LlamaTokenDataArray},
};

use crate::domain::generation::Sampling;

/// Only so many of the likeliest tokens are looked at when the choice is random: the rest of a vocabulary of a quarter of
/// a million has no share in the probability worth the time, and a small model's tail is noise.
const CANDIDATES: i32 = 256;

/// One sequence's way of choosing.
pub struct Sampler {
    chain: LlamaSampler,
    /// What the answer must look like.
    grammar: Option<LlamaSampler>,
}

/// The grammar allows nothing, or was broken by what it allowed.
#[derive(Debug, thiserror::Error)]
#[error("the grammar of the answer came to no end")]
pub struct Stuck;

impl Sampler {
    pub fn new(
        model: &LlamaModel,
        sampling: &Sampling,
        temperature: f32,
        context: u32,
        grammar: Option<LlamaSampler>,
    ) -> Self {
        let mut chain = Vec::new();
        if sampling.frequency_penalty != 0.0 || sampling.presence_penalty != 0.0 {
            chain.push(LlamaSampler::penalties(
                model.n_vocab(),
                context.try_into().unwrap_or(i32::MAX),
                1.0,
                sampling.frequency_penalty,
                sampling.presence_penalty,
            ));
        }
        if temperature <= 0.0 {
            chain.push(LlamaSampler::greedy());
        } else {
            chain.push(LlamaSampler::top_k(CANDIDATES));
            chain.push(LlamaSampler::temp(temperature));
            if sampling.top_p < 1.0 {
                chain.push(LlamaSampler::top_p(sampling.top_p, 1));
            }
            chain.push(LlamaSampler::dist(sampling.seed));
        }
        Self { chain: LlamaSampler::chain(chain, true), grammar }
    }

    /// Chooses from the logits at `output` of the last batch.
    ///
    /// With a grammar the model's own choice is tried first, since it mostly fits, and to ask the grammar about every
    /// token of the vocabulary takes longer than the model itself.
    pub fn next(&mut self, context: &LlamaContext<'_>, output: i32) -> Result<LlamaToken, Stuck> {
        let mut candidates = context.token_data_array_ith(output);
        let Some(grammar) = &mut self.grammar else {
            let token = choose(&mut self.chain, &mut candidates).ok_or(Stuck)?;
            self.chain.accept(token);
            return Ok(token);
        };
        let token = choose(&mut self.chain, &mut candidates).ok_or(Stuck)?;
        let token = if allows(grammar, token) {
            token
        } else {
            let mut candidates = context.token_data_array_ith(output);
            candidates.apply_sampler(grammar);
            candidates.data.retain(|candidate| candidate.logit() > f32::NEG_INFINITY);
            choose(&mut self.chain, &mut candidates).ok_or(Stuck)?
        };
        grammar.try_accept(token).map_err(|_| Stuck)?;
        self.chain.accept(token);
        Ok(token)
    }
}

fn choose(chain: &mut LlamaSampler, candidates: &mut LlamaTokenDataArray) -> Option<LlamaToken> {
    if candidates.data.is_empty() {
        return None;
    }
    candidates.apply_sampler(chain);
    candidates.selected_token()
}

fn allows(grammar: &mut LlamaSampler, token: LlamaToken) -> bool {
    let mut one = LlamaTokenDataArray::new(vec![LlamaTokenData::new(token, 1.0, 0.0)], false);
    one.apply_sampler(grammar);
    one.data.first().is_some_and(|candidate| candidate.logit() > f32::NEG_INFINITY)
}

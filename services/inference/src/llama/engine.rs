//! The loop that computes. One batch after the other holds the next token of every sequence that writes and some tokens
//! of every prompt that is being read (continuous batching: Yu et al., "Orca", OSDI 2022).

use std::{collections::VecDeque, num::NonZeroU32, sync::mpsc, time::Instant};

use anyhow::Context as _;
use llama_cpp_2::{
    context::{LlamaContext, params::LlamaContextParams},
    llama_batch::LlamaBatch,
    token::LlamaToken,
};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    Place, backend,
    model::{LoadedModel, Prepared},
};
use crate::{
    config::ChatSettings,
    domain::{
        generation::{Event, FinishReason, Usage},
        output::Pushed,
        schedule::{self, Need, Room},
    },
    metrics::{self, TokenKind},
};

/// Tokens that llama.cpp computes at once. More would read prompts a little faster and hold everybody up for longer.
const BATCH: u32 = 256;
/// Of those, tokens of prompts while others write: an eighth of a second on a small machine at worst.
const BESIDE: usize = 48;

/// What reaches the engine's thread.
pub enum Message {
    Job(Box<Job>),
    /// End; whatever is unfinished is dropped.
    Stop,
}

/// One accepted request.
pub struct Job {
    pub prepared: Prepared,
    /// When it came.
    pub asked: Instant,
    pub events: UnboundedSender<Result<Event, String>>,
    pub _place: Place,
}

/// A request that has a sequence of the context.
struct Active {
    job: Job,
    /// Tokens of the prompt that the context holds.
    read: usize,
    /// Chosen and not yet in the context.
    last: Option<LlamaToken>,
    /// Tokens that were chosen, ends not counted.
    written: u32,
}

struct Engine<'a> {
    model: &'a LoadedModel,
    context: LlamaContext<'a>,
    batch: LlamaBatch<'a>,
    name: &'a str,
    room: Room,
    queue: VecDeque<Job>,
    /// One place for each sequence of the context.
    active: Vec<Option<Active>>,
}

/// Works until [`Message::Stop`] or until nobody can send any more. `ready` is called when the first job can come.
pub fn run(
    model: &LoadedModel,
    settings: &ChatSettings,
    messages: &mpsc::Receiver<Message>,
    ready: impl FnOnce(),
) -> anyhow::Result<()> {
    let threads = i32::try_from(settings.threads.get()).unwrap_or(i32::MAX);
    let batch = BATCH.max(settings.parallel);
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(model.context.saturating_mul(settings.parallel)))
        .with_n_seq_max(settings.parallel)
        // Each sequence has its own part of the memory: none can crowd another out.
        .with_kv_unified(false)
        // Layers with a sliding window keep the window and not the whole context: nothing here goes back in a sequence.
        .with_swa_full(false)
        .with_n_batch(batch)
        .with_n_ubatch(batch)
        .with_n_threads(threads)
        .with_n_threads_batch(threads);
    let context = model.llama.new_context(backend::get()?, params).context("there is no memory for the context")?;
    let batch = batch as usize;
    let mut engine = Engine {
        model,
        context,
        batch: LlamaBatch::new(batch, 1),
        name: &settings.name,
        room: Room { batch, beside: BESIDE },
        queue: VecDeque::new(),
        active: (0..settings.parallel).map(|_| None).collect(),
    };
    ready();
    while engine.receive(messages) {
        engine.drop_abandoned();
        engine.admit();
        engine.report();
        engine.step();
        engine.report();
    }
    Ok(())
}

impl Engine<'_> {
    /// Takes what has come, and waits for it when there is nothing else to do. False at the end.
    fn receive(&mut self, messages: &mpsc::Receiver<Message>) -> bool {
        if self.queue.is_empty() && self.active.iter().all(Option::is_none) {
            match messages.recv() {
                Ok(Message::Job(job)) => self.queue.push_back(*job),
                Ok(Message::Stop) | Err(_) => return false,
            }
        }
        loop {
            match messages.try_recv() {
                Ok(Message::Job(job)) => self.queue.push_back(*job),
                Ok(Message::Stop) | Err(mpsc::TryRecvError::Disconnected) => return false,
                Err(mpsc::TryRecvError::Empty) => return true,
            }
        }
    }

    /// Forgets requests whose client has left, in the queue and in the middle of an answer.
    fn drop_abandoned(&mut self) {
        let waiting = self.queue.len();
        self.queue.retain(|job| !job.events.is_closed());
        for _ in self.queue.len()..waiting {
            metrics::completed(self.name, None);
        }
        for sequence in 0..self.active.len() {
            if self.active[sequence].as_ref().is_some_and(|active| active.job.events.is_closed()) {
                metrics::completed(self.name, None);
                self.free(sequence);
            }
        }
    }

    /// Gives free sequences to those who have waited longest.
    fn admit(&mut self) {
        for place in self.active.iter_mut().filter(|place| place.is_none()) {
            let Some(job) = self.queue.pop_front() else { break };
            metrics::tokens(self.name, TokenKind::Prompt, job.prepared.prompt.len() as u64);
            *place = Some(Active { job, read: 0, last: None, written: 0 });
        }
    }

    fn report(&self) {
        metrics::waiting(self.name, self.queue.len());
        metrics::active(self.name, self.active.iter().flatten().count());
    }

    /// Computes one batch and hands out what it gave.
    fn step(&mut self) {
        let outputs = self.fill();
        if self.batch.n_tokens() == 0 {
            return;
        }
        if let Err(error) = self.context.decode(&mut self.batch) {
            tracing::error!(model.name = self.name, error.chain = %error, "llama.cpp refused a batch");
            for sequence in 0..self.active.len() {
                self.fail(sequence, "llama.cpp refused a batch");
            }
            self.context.clear_kv_cache();
            return;
        }
        for (sequence, output) in outputs {
            self.advance(sequence, output);
        }
    }

    /// Fills the batch. Answers which sequences get a token from it, and at which of its places.
    fn fill(&mut self) -> Vec<(usize, i32)> {
        self.batch.clear();
        let busy: Vec<usize> = (0..self.active.len()).filter(|&sequence| self.active[sequence].is_some()).collect();
        let needs: Vec<Need> = self.active.iter().flatten().map(Active::need).collect();
        let mut outputs = Vec::new();
        for (sequence, share) in busy.into_iter().zip(schedule::share(&needs, self.room)) {
            let Some(active) = &mut self.active[sequence] else { continue };
            for _ in 0..share {
                let Some((token, position, output)) = active.next_input() else { break };
                let place = self.batch.n_tokens();
                // The shares fit the batch and a sequence is no longer than the context, so neither can fail.
                let (Ok(id), Ok(position)) = (i32::try_from(sequence), i32::try_from(position)) else { continue };
                if self.batch.add(token, position, &[id], output).is_ok() && output {
                    outputs.push((sequence, place));
                }
            }
        }
        outputs
    }

    /// Chooses the next token of a sequence and sends its text.
    fn advance(&mut self, sequence: usize, output: i32) {
        let Some(active) = &mut self.active[sequence] else { return };
        let token = match active.job.prepared.sampler.next(&self.context, output) {
            Ok(token) => token,
            Err(stuck) => return self.fail(sequence, &stuck.to_string()),
        };
        if active.written == 0 {
            metrics::first_token(self.name, active.job.asked.elapsed());
        }
        let vocab = self.model.llama.vocab();
        if vocab.is_eog(token) {
            let text = active.job.prepared.output.finish();
            active.send(text);
            return self.finish(sequence, FinishReason::Stop);
        }
        active.written += 1;
        match active.job.prepared.output.push(&vocab.token_to_piece(token, false, None)) {
            Pushed::Stopped(text) => {
                active.send(text);
                self.finish(sequence, FinishReason::Stop);
            }
            Pushed::Text(mut text) => {
                let full = active.written >= active.job.prepared.max_tokens;
                if full {
                    text.push_str(&active.job.prepared.output.finish());
                }
                active.send(text);
                if full {
                    self.finish(sequence, FinishReason::Length);
                } else {
                    active.last = Some(token);
                }
            }
        }
    }

    fn finish(&mut self, sequence: usize, reason: FinishReason) {
        if let Some(active) = &self.active[sequence] {
            let prompt_tokens = active.job.prepared.prompt.len().try_into().unwrap_or(u32::MAX);
            let usage = Usage { prompt_tokens, completion_tokens: active.written };
            metrics::completed(self.name, Some(reason));
            let _ = active.job.events.send(Ok(Event::Finished { reason, usage }));
        }
        self.free(sequence);
    }

    fn fail(&mut self, sequence: usize, why: &str) {
        if let Some(active) = &self.active[sequence] {
            metrics::failed(self.name);
            let _ = active.job.events.send(Err(why.to_owned()));
        }
        self.free(sequence);
    }

    fn free(&mut self, sequence: usize) {
        if let Some(active) = self.active[sequence].take() {
            metrics::tokens(self.name, TokenKind::Completion, active.written.into());
            // Removing a whole sequence never fails.
            let _ = self.context.clear_kv_cache_seq(u32::try_from(sequence).ok(), None, None);
        }
    }
}

impl Active {
    fn need(&self) -> Need {
        match self.job.prepared.prompt.len() - self.read {
            0 => Need::Writing,
            unread => Need::Reading(unread),
        }
    }

    /// The next token for the context, its position, and whether the one after it is to be chosen from the result.
    fn next_input(&mut self) -> Option<(LlamaToken, usize, bool)> {
        let prompt = &self.job.prepared.prompt;
        if let Some(token) = prompt.get(self.read) {
            self.read += 1;
            return Some((*token, self.read - 1, self.read == prompt.len()));
        }
        let position = prompt.len() + self.written as usize - 1;
        self.last.take().map(|token| (token, position, true))
    }

    fn send(&self, text: String) {
        if !text.is_empty() {
            // A client that has left is noticed before the next batch.
            let _ = self.job.events.send(Ok(Event::Text(text)));
        }
    }
}

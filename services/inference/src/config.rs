//! The only place that reads the environment.

use std::{num::NonZeroUsize, path::PathBuf, thread};

use kit::{
    Env, Secret, Settings,
    config::{HttpSettings, Value},
};

#[derive(Debug)]
pub struct Config {
    pub chat: Option<ChatSettings>,
    pub embedding: Option<EmbeddingSettings>,
    pub api_key: Option<Secret<String>>,
}

#[derive(Clone, Debug)]
pub struct ChatSettings {
    /// A GGUF file.
    pub path: PathBuf,
    /// As requests name it.
    pub name: String,
    /// A Jinja file that replaces the model's own chat template.
    pub template: Option<PathBuf>,
    /// Tokens of prompt and answer together that one sequence can hold.
    pub context: u32,
    /// Sequences that are worked on at the same time.
    pub parallel: u32,
    /// Requests that may wait beside them.
    pub queue: usize,
    pub threads: NonZeroUsize,
}

#[derive(Clone, Debug)]
pub struct EmbeddingSettings {
    /// A folder with `config.json`, `tokenizer.json` and `model.safetensors`.
    pub path: PathBuf,
    /// As requests name it.
    pub name: String,
    /// Texts that may wait, of all requests together.
    pub queue: usize,
    pub threads: NonZeroUsize,
    /// Bytes of vectors to remember.
    pub cache_bytes: u64,
}

/// Sequences that llama.cpp can hold in one context (`LLAMA_MAX_SEQ` is 256; memory ends long before).
const MAX_PARALLEL: u32 = 64;
/// llama.cpp rounds contexts up to this many tokens.
const MIN_CONTEXT: u32 = 256;
/// A key shorter than this can be guessed.
const MIN_KEY: usize = 16;

impl Settings for Config {
    fn read(env: &mut Env) -> Self {
        let config = Self {
            chat: ChatSettings::read(env),
            embedding: EmbeddingSettings::read(env),
            api_key: env.optional_secret(
                "BRAINOPS_INFERENCE_API_KEY",
                "What callers must send as `Authorization: Bearer …`. Required unless only this machine can reach the port.",
            ),
        };
        let http = HttpSettings::read(env);
        match &config.api_key {
            None if !http.addr.ip().is_loopback() => env.refuse(
                "BRAINOPS_INFERENCE_API_KEY",
                format!("nothing, while {} is {}", HttpSettings::ADDR, http.addr),
                "a key, or an address that only this machine reaches, like 127.0.0.1",
            ),
            Some(key) if key.expose().len() < MIN_KEY => env.refuse(
                "BRAINOPS_INFERENCE_API_KEY",
                "a short key (not shown)",
                format!("at least {MIN_KEY} characters"),
            ),
            _ => {}
        }
        if let (Some(chat), Some(embedding)) = (&config.chat, &config.embedding)
            && chat.name == embedding.name
        {
            env.refuse(
                "BRAINOPS_INFERENCE_EMBEDDING_NAME",
                format!("{:?}", embedding.name),
                "another name than the chat model's",
            );
        }
        config
    }
}

impl ChatSettings {
    fn read(env: &mut Env) -> Option<Self> {
        let path = env.optional(
            "BRAINOPS_INFERENCE_CHAT_MODEL",
            "The chat model, a GGUF file. Without it the chat routes answer 404. `scripts/fetch-models.sh` fetches one.",
        );
        let settings = Self {
            path: PathBuf::new(),
            name: env.or(
                "BRAINOPS_INFERENCE_CHAT_NAME",
                "The name under which the chat model is served.",
                "local-chat",
            ),
            template: env.optional(
                "BRAINOPS_INFERENCE_CHAT_TEMPLATE",
                "A file with a chat template (Jinja) to use instead of the one in the model.",
            ),
            context: env.or(
                "BRAINOPS_INFERENCE_CONTEXT",
                "Tokens of prompt and answer together, for each request. More take more memory.",
                "4096",
            ),
            parallel: env.or("BRAINOPS_INFERENCE_PARALLEL", "Requests that are answered at the same time.", "4"),
            queue: env.or(
                "BRAINOPS_INFERENCE_QUEUE",
                "Requests that wait when as many as possible are being answered. Further ones get a 503.",
                "32",
            ),
            threads: env
                .or::<Threads>("BRAINOPS_INFERENCE_THREADS", "Threads that compute chat answers.", "auto")
                .or_cores(1),
        };
        if !(MIN_CONTEXT..=1 << 20).contains(&settings.context) {
            env.refuse("BRAINOPS_INFERENCE_CONTEXT", settings.context.to_string(), "a number from 256 to 1048576");
        }
        if !(1..=MAX_PARALLEL).contains(&settings.parallel) {
            env.refuse("BRAINOPS_INFERENCE_PARALLEL", settings.parallel.to_string(), "a number from 1 to 64");
        }
        path.map(|path| Self { path, ..settings })
    }
}

impl EmbeddingSettings {
    fn read(env: &mut Env) -> Option<Self> {
        let path = env.optional(
            "BRAINOPS_INFERENCE_EMBEDDING_MODEL",
            "The embedding model, a folder with `config.json`, `tokenizer.json` and `model.safetensors` of a BERT. Without \
             it `/v1/embeddings` answers 404.",
        );
        let settings = Self {
            path: PathBuf::new(),
            name: env.or(
                "BRAINOPS_INFERENCE_EMBEDDING_NAME",
                "The name under which the embedding model is served.",
                "local-embedding",
            ),
            queue: env.or(
                "BRAINOPS_INFERENCE_EMBEDDING_QUEUE",
                "Texts that may wait to be embedded, of all requests together. Further requests get a 503.",
                "8192",
            ),
            threads: env
                .or::<Threads>(
                    "BRAINOPS_INFERENCE_EMBEDDING_THREADS",
                    "Threads that compute embeddings; `auto` is half of the cores.",
                    "auto",
                )
                .or_cores(2),
            cache_bytes: env.or(
                "BRAINOPS_INFERENCE_EMBEDDING_CACHE_BYTES",
                "Memory for the vectors of texts that were embedded before.",
                "67108864",
            ),
        };
        path.map(|path| Self { path, ..settings })
    }
}

/// A number of threads; `auto` follows the cores.
struct Threads(Option<NonZeroUsize>);

impl Threads {
    /// The number, or one thread for each `share` cores.
    fn or_cores(self, share: usize) -> NonZeroUsize {
        let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN).get();
        self.0.or(NonZeroUsize::new(cores / share)).unwrap_or(NonZeroUsize::MIN)
    }
}

impl Value for Threads {
    const EXPECTED: &'static str = "auto, or a whole number from 1 to 512";

    fn parse(raw: &str) -> Result<Self, String> {
        if raw == "auto" {
            return Ok(Self(None));
        }
        let threads = raw.parse().ok().filter(|threads: &NonZeroUsize| threads.get() <= 512);
        threads.map(|threads| Self(Some(threads))).ok_or_else(|| Self::EXPECTED.to_owned())
    }

    fn placeholder() -> Self {
        Self(None)
    }
}

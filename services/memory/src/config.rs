//! The only place that reads the environment.

use std::{num::NonZeroUsize, path::PathBuf, thread, time::Duration};

use kit::{
    Env, Secret, Settings,
    config::{IdentitySettings, Millis},
};
use url::Url;

use crate::{
    clients::server::Server,
    vectors::{EdgeSettings, QdrantSettings},
};

#[derive(Debug)]
pub struct Config {
    pub db: db::Settings,
    pub migrate: db::MigrateSettings,
    pub events: events::Settings,
    pub identity: IdentitySettings,
    pub embedding: Option<EmbeddingSettings>,
    pub language: Option<LanguageSettings>,
    pub reranking: Option<RerankSettings>,
    pub vectors: VectorSettings,
    /// Where turns of chats are fetched from; without it none are kept.
    pub ai: Option<Url>,
    /// The program that reads documents; this one when there is none.
    pub extractor: Option<PathBuf>,
}

/// How texts become vectors. Without it, recall goes by words alone.
#[derive(Clone, Debug)]
pub struct EmbeddingSettings {
    pub server: Server,
    /// As the server calls it.
    pub model: String,
    /// How long a search waits for the vector of its question before it goes by words alone.
    pub question_deadline: Duration,
}

/// What takes facts from turns and sums conversations up. Without it, nothing takes facts, and what conversations were about is
/// said in their own sentences.
#[derive(Clone, Debug)]
pub struct LanguageSettings {
    pub server: Server,
    /// As the server calls it.
    pub model: String,
    /// Of one organization, on a day of UTC.
    pub tokens_per_day: i64,
}

/// What compares hits with the question once more, for searches that ask for it.
#[derive(Clone, Debug)]
pub struct RerankSettings {
    pub server: Server,
    /// As the server calls it.
    pub model: String,
}

/// Where vectors are indexed.
#[derive(Clone, Debug)]
pub struct VectorSettings {
    /// Of the embedded engine; one process alone uses it.
    pub directory: PathBuf,
    /// Searches of the embedded engine that may run at once.
    pub searches: NonZeroUsize,
    /// Instead of the embedded engine.
    pub qdrant: Option<Qdrant>,
    /// Between two moments at which what was applied is made durable.
    pub commit_interval: Duration,
    /// Between two times at which graphs are built.
    pub optimize_interval: Duration,
}

impl VectorSettings {
    /// Of the embedded engine.
    pub fn edge(&self) -> EdgeSettings {
        EdgeSettings {
            root: self.directory.clone(),
            searches: self.searches,
            build_threads: BUILD_THREADS,
            scan_kb: SCAN_KB,
        }
    }
}

impl From<Qdrant> for QdrantSettings {
    fn from(server: Qdrant) -> Self {
        Self { url: server.url, api_key: server.key, prefix: server.prefix, deadline: QDRANT_DEADLINE }
    }
}

/// For one call of a Qdrant server.
const QDRANT_DEADLINE: Duration = Duration::from_secs(10);
/// Building graphs may take its time, and searches need the other cores.
const BUILD_THREADS: NonZeroUsize = NonZeroUsize::MIN;
/// About 6,600 vectors of 384 numbers, which are compared one by one in a millisecond or two.
const SCAN_KB: usize = 10_000;

/// A Qdrant server.
#[derive(Clone, Debug)]
pub struct Qdrant {
    /// Of its gRPC port.
    pub url: Url,
    pub key: Option<Secret<String>>,
    /// Of the names of collections.
    pub prefix: String,
}

impl Settings for Config {
    fn read(env: &mut Env) -> Self {
        Self {
            db: Settings::read(env),
            migrate: Settings::read(env),
            events: Settings::read(env),
            identity: Settings::read(env),
            embedding: embedding(env),
            language: language(env),
            reranking: reranking(env),
            vectors: Settings::read(env),
            ai: env.optional(
                "BRAINOPS_AI_URL",
                "Base URL of the ai service, whose chats are kept when they ask for it. Without it none are.",
            ),
            extractor: env.optional(
                "BRAINOPS_MEMORY_EXTRACTOR",
                "Program that is started to read a document, with `extract-document` as its only argument; the running one when absent.",
            ),
        }
    }
}

fn embedding(env: &mut Env) -> Option<EmbeddingSettings> {
    let server = server(
        env.optional(
            "BRAINOPS_EMBEDDINGS_URL",
            "Base URL, with its version segment, of a server that embeds by OpenAI's protocol; the bundled inference when absent. Without either, recall goes by words alone.",
        ),
        env.optional_secret("BRAINOPS_EMBEDDINGS_KEY", "The key that this server asks for, if any."),
    );
    let local = server_of_this_installation(env);
    let model = env.or::<String>(
        "BRAINOPS_EMBEDDINGS_MODEL",
        "The model that embeds. With another one everything is embedded again in the background, and searches change over when that is done.",
        "local-embedding",
    );
    let question_deadline = env
        .or::<Millis>(
            "BRAINOPS_EMBEDDINGS_DEADLINE_MS",
            "How long a search waits for the vector of its question before it goes by words alone.",
            "2000",
        )
        .0;
    server.or(local).map(|server| EmbeddingSettings { server, model, question_deadline })
}

fn language(env: &mut Env) -> Option<LanguageSettings> {
    let server = server(
        env.optional(
            "BRAINOPS_EXTRACTION_URL",
            "Base URL, with its version segment, of a server of language models that speaks OpenAI's protocol, answers in JSON of a given schema included; the bundled inference when absent.",
        ),
        env.optional_secret("BRAINOPS_EXTRACTION_KEY", "The key that this server asks for, if any."),
    );
    let local = server_of_this_installation(env);
    let model = env.optional::<String>(
        "BRAINOPS_EXTRACTION_MODEL",
        "The language model that takes facts from conversations and sums them up. Without one, no facts are taken.",
    );
    let tokens_per_day = env
        .or::<NonZeroUsize>(
            "BRAINOPS_EXTRACTION_TOKENS_PER_DAY",
            "Tokens that this model may cost an organization on a day of UTC; conversations wait for the next day then. One call costs up to about 4000.",
            "200000",
        )
        .get();
    let tokens_per_day = i64::try_from(tokens_per_day).unwrap_or(i64::MAX);
    server.or(local).zip(model).map(|(server, model)| LanguageSettings { server, model, tokens_per_day })
}

fn reranking(env: &mut Env) -> Option<RerankSettings> {
    let server = server(
        env.optional(
            "BRAINOPS_RERANK_URL",
            "Base URL, with its version segment, of a server that reranks by the protocol of Cohere, Jina and vLLM. Without one, no search can ask for it.",
        ),
        env.optional_secret("BRAINOPS_RERANK_KEY", "The key that this server asks for, if any."),
    );
    let model = env.optional::<String>("BRAINOPS_RERANK_MODEL", "The model that reranks, as its server calls it.");
    server.zip(model).map(|(server, model)| RerankSettings { server, model })
}

fn server_of_this_installation(env: &mut Env) -> Option<Server> {
    server(
        env.optional("BRAINOPS_LOCAL_INFERENCE_URL", "Base URL of the bundled inference, which needs no account."),
        env.optional_secret("BRAINOPS_LOCAL_INFERENCE_KEY", "The key that the bundled inference asks for, if any."),
    )
}

fn server(base_url: Option<Url>, key: Option<Secret<String>>) -> Option<Server> {
    base_url.map(|base_url| Server { base_url, key })
}

impl Settings for VectorSettings {
    fn read(env: &mut Env) -> Self {
        Self {
            directory: env.or(
                "BRAINOPS_VECTORS_DIR",
                "Directory of the embedded vector index. It is made again from the database when it is lost.",
                "/var/lib/brainops/vectors",
            ),
            searches: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            qdrant: qdrant(env),
            commit_interval: env
                .or::<Millis>(
                    "BRAINOPS_VECTORS_COMMIT_INTERVAL_MS",
                    "Between two moments at which the vector index is made durable.",
                    "5000",
                )
                .0,
            optimize_interval: env
                .or::<Millis>(
                    "BRAINOPS_VECTORS_OPTIMIZE_INTERVAL_MS",
                    "Between two times at which the graphs of the embedded vector index are built.",
                    "60000",
                )
                .0,
        }
    }
}

fn qdrant(env: &mut Env) -> Option<Qdrant> {
    let url: Option<Url> = env.optional(
        "BRAINOPS_QDRANT_URL",
        "gRPC URL of a Qdrant server; without one, vectors are indexed in the process.",
    );
    let key = env.optional_secret("BRAINOPS_QDRANT_KEY", "API key of the Qdrant server, if it asks for one.");
    let prefix = env.or::<String>(
        "BRAINOPS_QDRANT_PREFIX",
        "Begins the names of all collections, for several installations on one server.",
        "brainops_memory_",
    );
    url.map(|url| Qdrant { url, key, prefix })
}

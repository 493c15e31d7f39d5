//! The only place that reads the environment.

use std::{num::NonZeroUsize, path::PathBuf, thread, time::Duration};

use kit::{
    Env, Secret, Settings,
    config::{IdentitySettings, Millis},
};
use url::Url;

use crate::{
    clients::embeddings::Server,
    vectors::{EdgeSettings, QdrantSettings},
};

#[derive(Debug)]
pub struct Config {
    pub db: db::Settings,
    pub migrate: db::MigrateSettings,
    pub events: events::Settings,
    pub identity: IdentitySettings,
    pub embedding: Option<EmbeddingSettings>,
    pub vectors: VectorSettings,
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
            vectors: Settings::read(env),
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

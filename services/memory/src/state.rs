//! What every use case can reach.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use db::Db;
use kit::{Clock, Ids};
use moka::sync::Cache;
use tokio::sync::Notify;

use crate::{
    clients::{
        embeddings::{self, Embeddings},
        language_model::LanguageModel,
        reranker::Reranker,
        server::CallError,
    },
    domain::space::EmbeddingModel,
    lexicons::Lexicons,
    vectors::VectorIndex,
};

#[derive(Clone)]
pub struct AppState {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub lexicons: Lexicons,
    pub vectors: Arc<dyn VectorIndex>,
    /// `None` when the installation embeds nothing.
    pub embedding: Option<Embedding>,
    /// `None` when the installation has none for memory.
    pub language: Option<Language>,
    /// `None` when nothing compares hits with the question once more.
    pub reranking: Option<Reranking>,
    pub signals: Arc<Signals>,
}

/// The model that takes facts from turns and sums conversations up.
#[derive(Clone)]
pub struct Language {
    pub client: LanguageModel,
    pub model: String,
    /// Of one organization, on a day of UTC.
    pub tokens_per_day: i64,
}

/// The model that compares hits with the question once more.
#[derive(Clone)]
pub struct Reranking {
    pub client: Reranker,
    pub model: String,
}

/// How texts become vectors.
#[derive(Clone)]
pub struct Embedding {
    pub client: Embeddings,
    /// The model that is wanted; until everything is embedded with it, the one before it is active.
    pub model: String,
    /// How long a search waits for the vector of its question.
    pub question_deadline: Duration,
    /// By space and text.
    pub questions: Cache<(i32, String), Arc<[f32]>>,
    /// The server gave vectors of another length than the wanted model had: what it serves has to be found out again.
    pub outdated: Arc<AtomicBool>,
}

impl Embedding {
    /// One vector for each text, as long as the model's.
    ///
    /// # Errors
    /// As the client's, and [`CallError::Malformed`] when the server has another model of the same name by now.
    pub async fn vectors(
        &self,
        model: &EmbeddingModel,
        texts: &[String],
        deadline: Duration,
    ) -> Result<Vec<Vec<f32>>, CallError> {
        let vectors = self.client.embed(&model.name, texts, deadline).await?;
        let dimension = model.space.dimension.get();
        if vectors.iter().all(|vector| vector.len() == dimension) {
            return Ok(vectors);
        }
        if model.name == self.model {
            self.outdated.store(true, Ordering::Relaxed);
        }
        Err(CallError::Malformed(embeddings::SERVER, "vectors of another length than the model's"))
    }

    /// The vector of a question. The same question asked again soon has the same one.
    ///
    /// # Errors
    /// As the client's, within the deadline for questions.
    pub async fn question(&self, model: &EmbeddingModel, text: &str) -> Result<Vec<f32>, CallError> {
        let key = (model.space.id, text.to_owned());
        if let Some(known) = self.questions.get(&key) {
            return Ok(known.to_vec());
        }
        let texts = [text.to_owned()];
        let vector = self.vectors(model, &texts, self.question_deadline).await?.swap_remove(0);
        self.questions.insert(key, vector.as_slice().into());
        Ok(vector)
    }
}

/// What background work and searches tell each other. Whoever misses a signal finds out a moment later by looking.
#[derive(Default)]
pub struct Signals {
    /// Texts wait to be embedded.
    pub texts: Notify,
    /// Entries changed, or got their vectors.
    pub entries: Notify,
    /// Documents wait to be read.
    pub documents: Notify,
    active: RwLock<Option<EmbeddingModel>>,
}

impl Signals {
    /// The model whose vectors are searched; `None` until its index is open.
    pub fn active(&self) -> Option<EmbeddingModel> {
        self.active.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_active(&self, model: Option<EmbeddingModel>) {
        *self.active.write().unwrap_or_else(PoisonError::into_inner) = model;
    }

    /// After a commit that changed entries.
    pub fn entries_changed(&self) {
        self.texts.notify_one();
        self.entries.notify_one();
    }
}

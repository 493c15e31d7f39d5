//! Texts as vectors.

use crate::{embedding::Embedding, error::Error, state::AppState};

/// The vectors of `texts`, in their order. `dimensions` is what the caller expects of each.
pub async fn embed(
    state: &AppState,
    model: &str,
    texts: Vec<String>,
    dimensions: Option<i64>,
) -> Result<Vec<Embedding>, Error> {
    let embedding = state.embedding_model(model)?;
    let has = embedding.dimensions()?;
    if dimensions.is_some_and(|wanted| usize::try_from(wanted).ok() != Some(has)) {
        let message = format!("must be {has}, which this model's vectors have, or be left out");
        return Err(Error::invalid("dimensions", message));
    }
    embedding.embed(texts).await
}

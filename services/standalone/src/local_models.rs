//! The bundled inference: whether this installation runs models of its own, and where they are.

use std::{collections::BTreeMap, path::Path};

use clap::ValueEnum;
use kit::Env;

/// Which local models the bundled inference serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LocalModels {
    /// The chat model when the environment configures no provider, the embedding model when it names no server for memory
    Auto,
    /// Both, beside other providers, too
    Always,
    Never,
}

/// A variable and the path that it has.
pub type Model = (&'static str, String);

/// The variables of inference and what they point at below the models' directory.
const CHAT: (&str, &str) = ("BRAINOPS_INFERENCE_CHAT_MODEL", "chat.gguf");
const EMBEDDING: (&str, &str) = ("BRAINOPS_INFERENCE_EMBEDDING_MODEL", "embedding");

impl LocalModels {
    /// The models that are wanted beside what the environment configures: those that are there, and those that are missing.
    pub fn look(self, given: &BTreeMap<String, String>, models: &Path) -> (Vec<Model>, Vec<Model>) {
        let path = |file| models.join(file).display().to_string();
        let wanted = self.wanted(given).into_iter().map(|(variable, file)| (variable, path(file)));
        wanted.partition(|(_, path)| Path::new(path).exists())
    }

    fn wanted(self, given: &BTreeMap<String, String>) -> Vec<(&'static str, &'static str)> {
        let provider = !ai::configured_providers(&mut Env::from_map(given.clone())).is_empty();
        let embeds = given.get("BRAINOPS_EMBEDDINGS_URL").is_some_and(|url| !url.is_empty());
        let (chat, embedding) = match self {
            Self::Auto => (!provider, !embeds),
            Self::Always => (true, true),
            Self::Never => (false, false),
        };
        chat.then_some(CHAT).into_iter().chain(embedding.then_some(EMBEDDING)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_provider_makes_the_chat_model_unnecessary_and_another_server_the_one_that_embeds() {
        let none = given("OPENAI_API_KEY", "");
        let provider = given("ANTHROPIC_API_KEY", "key");
        let embeds = given("BRAINOPS_EMBEDDINGS_URL", "http://127.0.0.1:1/v1");
        assert_eq!(LocalModels::Auto.wanted(&none), [CHAT, EMBEDDING]);
        assert_eq!(LocalModels::Auto.wanted(&provider), [EMBEDDING]);
        assert_eq!(LocalModels::Auto.wanted(&embeds), [CHAT]);
        assert_eq!(LocalModels::Always.wanted(&provider), [CHAT, EMBEDDING]);
        assert_eq!(LocalModels::Never.wanted(&none), []);
    }
}

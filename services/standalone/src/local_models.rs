//! The bundled inference: whether this installation runs models of its own, and where they are.

use std::{collections::BTreeMap, path::Path};

use clap::ValueEnum;

/// When the bundled inference runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LocalModels {
    /// When the environment configures no provider
    Auto,
    /// Beside other providers, too
    Always,
    Never,
}

/// What names a provider of language models in the environment.
const PROVIDERS: [&str; 5] =
    ["OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "BRAINOPS_LOCAL_INFERENCE_URL"];

/// The variables of inference and what they point at below the models' directory.
const FILES: [(&str, &str); 2] =
    [("BRAINOPS_INFERENCE_CHAT_MODEL", "chat.gguf"), ("BRAINOPS_INFERENCE_EMBEDDING_MODEL", "embedding")];

impl LocalModels {
    /// Whether they are wanted beside what the environment configures.
    pub fn wanted(self, given: &BTreeMap<String, String>) -> bool {
        let provided = PROVIDERS.iter().any(|name| given.get(*name).is_some_and(|value| !value.is_empty()));
        match self {
            Self::Auto => !provided,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// The variables for the models that are there.
pub fn found(models: &Path) -> Vec<(&'static str, String)> {
    let there = FILES.iter().map(|(variable, file)| (*variable, models.join(file))).filter(|(_, path)| path.exists());
    there.map(|(variable, path)| (variable, path.display().to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_makes_local_models_unnecessary() {
        let none = BTreeMap::from([("OPENAI_API_KEY".to_owned(), String::new())]);
        let one = BTreeMap::from([("ANTHROPIC_API_KEY".to_owned(), "key".to_owned())]);
        assert!(LocalModels::Auto.wanted(&none) && !LocalModels::Auto.wanted(&one));
        assert!(LocalModels::Always.wanted(&one) && !LocalModels::Never.wanted(&none));
    }
}

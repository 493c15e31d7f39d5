//! The bundled inference: whether this installation runs models of its own, and where they are.

use std::{collections::BTreeMap, path::Path};

use clap::ValueEnum;
use kit::Env;

/// When the bundled inference runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LocalModels {
    /// When the environment configures no provider
    Auto,
    /// Beside other providers, too
    Always,
    Never,
}

/// The variables of inference and what they point at below the models' directory.
const FILES: [(&str, &str); 2] =
    [("BRAINOPS_INFERENCE_CHAT_MODEL", "chat.gguf"), ("BRAINOPS_INFERENCE_EMBEDDING_MODEL", "embedding")];

impl LocalModels {
    /// Whether they are wanted beside what the environment configures.
    pub fn wanted(self, given: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Auto => ai::configured_providers(&mut Env::from_map(given.clone())).is_empty(),
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

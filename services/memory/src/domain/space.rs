//! Embedding models that are in use.

use crate::vectors::Space;

/// A model, and the space that its vectors make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingModel {
    pub space: Space,
    /// As the provider calls it.
    pub name: String,
}

/// What a space is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpaceState {
    /// It is being filled, to take over.
    Building,
    /// Searches use it.
    Active,
    /// It was used once. Its vectors are kept, so that going back is quick.
    Retired,
}

impl SpaceState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Building, Self::Active, Self::Retired];

    /// The word in columns.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }
}

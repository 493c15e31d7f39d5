//! How long a text is for a language model, roughly.

/// About how many tokens a text has: four bytes each, as in English prose with the usual vocabularies; at least one unless it
/// is empty. Every model counts differently, so budgets are kept with this to within about a fifth.
pub fn estimate(text: &str) -> usize {
    text.len().div_ceil(4)
}

//! Which way to what is most alike is shorter: to compare with every vector that passes a filter, or to walk through the
//! graph of all vectors and keep of what is found there what passes.
//!
//! Walks that leave out on their way what does not pass are not used. They begin at a few fixed points; where none of
//! those passes, as may be with any filter and after any deletion, such a walk finds nothing and does not say so
//! (ADR 0017).

/// Twice as many are found as should do: what passes may be rarer near the question than elsewhere.
const SPARE: usize = 2;
/// Fewer are never kept in view: a narrow walk ends beside what it looks for.
const NARROWEST: usize = 200;
/// Vectors in a row that are compared in the time that one found by a walk takes (measured).
const COST: usize = 45;

/// How many vectors a walk has to find, of which enough should pass. `None` when comparing takes less time.
///
/// Both counts may be estimates. A walk after which fewer than `limit` passed must be followed by comparing.
pub(super) fn width(stored: usize, passing: usize, limit: usize) -> Option<usize> {
    let enough = limit.saturating_mul(SPARE).saturating_mul(stored) / passing.max(1);
    let width = enough.max(NARROWEST);
    (width.saturating_mul(COST) < passing).then_some(width)
}

#[cfg(test)]
mod tests {
    use super::width;

    #[test]
    fn few_are_compared_and_many_are_walked_through() {
        assert_eq!(width(1_000_000, 0, 10), None);
        assert_eq!(width(1_000_000, 1_000, 10), None);
        assert_eq!(width(1_000_000, 500_000, 10), Some(200));
        assert_eq!(width(1_000_000, 500_000, 200), Some(800));
        assert_eq!(width(1_000_000, 1_000_000, 1_000_000), None);
    }
}

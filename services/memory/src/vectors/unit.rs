//! Vectors of length 1, whose product is the cosine.

use super::{Space, VectorError};
use crate::domain::entry::EntryId;

/// Checks that `vector`, that of `id` if it is an entry's, fits into `space` and scales it to length 1. The zero vector
/// stays: it is like nothing.
///
/// The engines would do it too, but in 32 bits, where squares of very small and very large numbers are lost.
#[expect(clippy::cast_possible_truncation, reason = "parts of a vector of length 1")]
pub(super) fn unit(space: Space, id: Option<EntryId>, mut vector: Vec<f32>) -> Result<Vec<f32>, VectorError> {
    let expected = space.dimension.get();
    if vector.len() != expected || !vector.iter().all(|number| number.is_finite()) {
        return Err(VectorError::Unfit { id, expected });
    }
    let length = vector.iter().map(|&number| f64::from(number).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        for number in &mut vector {
            *number = (f64::from(*number) / length) as f32;
        }
    }
    Ok(vector)
}

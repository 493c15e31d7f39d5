//! Ids and randomness are asked for, like time: production gets `UUIDv7` (RFC 9562) and the operating system's random
//! bytes, a test gets a sequence it can write down.

use std::sync::atomic::{AtomicU64, Ordering};

use contracts::Id;
use rand::Rng;
use uuid::Uuid;

/// Makes ids and random bytes.
pub trait Ids: Send + Sync + 'static {
    /// A new `UUIDv7`. Ids made later by the same process sort later.
    fn uuid(&self) -> Uuid;

    /// Fills `bytes` with random bytes fit for secrets.
    fn random(&self, bytes: &mut [u8]);
}

/// The typed way to ask: `ids.new::<UserId>()`. Implemented for every [`Ids`], `dyn` included.
pub trait NewId: Ids {
    /// A new id of type `T`.
    #[expect(
        clippy::new_ret_no_self,
        clippy::wrong_self_convention,
        reason = "reads as what it does: `ids.new::<UserId>()`"
    )]
    fn new<T: Id>(&self) -> T {
        T::from_uuid(self.uuid())
    }
}

impl<I: Ids + ?Sized> NewId for I {}

/// `UUIDv7` from the machine's clock, random bytes from a generator seeded by the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl Ids for RandomIds {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that makes ids")]
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn random(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

/// Ids 1, 2, 3, … in `UUIDv7` form and predictable bytes; for tests only, there is nothing secret in it.
#[derive(Debug, Default)]
pub struct SequenceIds(AtomicU64);

impl SequenceIds {
    /// Starts after `last`: the first id is number `last + 1`.
    pub fn after(last: u64) -> Self {
        Self(AtomicU64::new(last))
    }

    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Ids for SequenceIds {
    fn uuid(&self) -> Uuid {
        // The number sits in the time (48 bits) as well as in the tail, so that the ids sort in order.
        let n = self.next();
        let mut tail = [0_u8; 10];
        tail[2..].copy_from_slice(&n.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(n & 0xffff_ffff_ffff, &tail).into_uuid()
    }

    fn random(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(blake3::OUT_LEN) {
            let block = blake3::hash(&self.next().to_be_bytes());
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_seven_and_sort_by_age() {
        for ids in [&RandomIds as &dyn Ids, &SequenceIds::default()] {
            let made: Vec<Uuid> = (0..1_000).map(|_| ids.uuid()).collect();
            assert!(made.is_sorted_by(|a, b| a < b));
            assert!(made.iter().all(|id| id.get_version_num() == 7));
        }
    }

    #[test]
    fn a_sequence_is_reproducible() {
        let (a, b) = (SequenceIds::default(), SequenceIds::default());
        let (mut x, mut y) = ([0; 70], [0; 70]);
        a.random(&mut x);
        b.random(&mut y);
        assert_eq!(x, y);
        assert_ne!(x[..32], x[32..64]);
        assert_eq!(a.uuid(), b.uuid());
        assert_eq!(SequenceIds::after(6).uuid().to_string(), "00000000-0007-7000-8000-000000000007");
    }

    #[test]
    fn random_bytes_differ() {
        let (mut x, mut y) = ([0; 32], [0; 32]);
        RandomIds.random(&mut x);
        RandomIds.random(&mut y);
        assert_ne!(x, y);
    }
}

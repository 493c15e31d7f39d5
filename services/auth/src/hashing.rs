//! Argon2id with a bound: at most so many hashes at once, so that a rush of logins takes neither all cores nor all
//! memory (19 MiB each) from everything else. Who waits too long is told to come back.

use std::sync::Arc;
use std::time::Duration;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use kit::{Ids, Secret};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// OWASP's first choice for Argon2id: 19 MiB, two passes, one lane.
pub const MEMORY_KIB: u32 = 19 * 1024;
pub const PASSES: u32 = 2;
pub const LANES: u32 = 1;
const SALT_BYTES: usize = 16;

/// Hashes and verifies passwords on a bounded number of blocking threads. Cheap to clone.
#[derive(Clone)]
pub struct Hashing {
    permits: Arc<Semaphore>,
    max_wait: Duration,
    params: Params,
    /// Compared against when there is no account, so that there being none takes as long.
    decoy: Arc<str>,
}

#[derive(Debug, thiserror::Error)]
pub enum HashingError {
    #[error("all hashing threads stayed busy")]
    Busy,
    #[error("Argon2 failed: {0}")]
    Argon2(String),
    #[error("the hashing thread ended")]
    Gone(#[source] tokio::task::JoinError),
}

/// What comparing a password found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    /// `outdated`: made with other parameters than today's, so hash it anew while the password is at hand.
    Right {
        outdated: bool,
    },
}

impl Hashing {
    /// `concurrency` hashes at once; a caller waits `max_wait` for a turn.
    pub fn new(concurrency: usize, max_wait: Duration, ids: &dyn Ids) -> Result<Self, HashingError> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(argon2_error)?;
        let (mut password, mut salt) = ([0; 32], [0; SALT_BYTES]);
        ids.random(&mut password);
        ids.random(&mut salt);
        let decoy = argon2(&params).hash_password_with_salt(&password, &salt).map_err(argon2_error)?.to_string().into();
        Ok(Self { permits: Arc::new(Semaphore::new(concurrency)), max_wait, params, decoy })
    }

    /// The PHC string of a password under today's parameters and a fresh salt.
    pub async fn hash(&self, password: Secret<String>, ids: &dyn Ids) -> Result<String, HashingError> {
        let mut salt = [0; SALT_BYTES];
        ids.random(&mut salt);
        let params = self.params.clone();
        self.run(move || {
            let hash = argon2(&params).hash_password_with_salt(password.expose().as_bytes(), &salt);
            hash.map(|hash| hash.to_string()).map_err(argon2_error)
        })
        .await?
    }

    /// Compares a password with the stored PHC string; with `None` it does the same work and finds it wrong.
    pub async fn verify(&self, password: Secret<String>, stored: Option<String>) -> Result<Verdict, HashingError> {
        let today = self.params.clone();
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.decoy.to_string());
        self.run(move || {
            let hash = PasswordHash::new(&stored).map_err(argon2_error)?;
            let right = argon2(&today).verify_password(password.expose().as_bytes(), &hash).is_ok();
            if !(right && known) {
                return Ok(Verdict::Wrong);
            }
            let params = Params::try_from(&hash).map_err(argon2_error)?;
            let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
            Ok(Verdict::Right { outdated: costs(&params) != costs(&today) })
        })
        .await?
    }

    /// Runs other work of some milliseconds of CPU time under the same bound.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HashingError> {
        let permit = self.turn().await?;
        // The permit goes along: a client that leaves must not let another hash start beside the one it left behind.
        tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        })
        .await
        .map_err(HashingError::Gone)
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, HashingError> {
        let turn = Arc::clone(&self.permits).acquire_owned();
        // The semaphore is never closed, so the only failure is the time.
        tokio::time::timeout(self.max_wait, turn).await.ok().and_then(Result::ok).ok_or(HashingError::Busy)
    }
}

fn argon2(params: &Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
}

fn argon2_error(error: impl std::fmt::Display) -> HashingError {
    HashingError::Argon2(error.to_string())
}

#[cfg(test)]
mod tests {
    use kit::RandomIds;

    use super::*;

    fn hashing(concurrency: usize, wait_ms: u64) -> Hashing {
        Hashing::new(concurrency, Duration::from_millis(wait_ms), &RandomIds).unwrap()
    }

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_verifies_and_another_does_not() {
        let hashing = hashing(2, 5_000);
        let stored = hashing.hash(secret("vexing quilt"), &RandomIds).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        let verify = |text: &str| hashing.verify(secret(text), Some(stored.clone()));
        assert_eq!(verify("vexing quilt").await.unwrap(), Verdict::Right { outdated: false });
        assert_eq!(verify("vexing quilT").await.unwrap(), Verdict::Wrong);
        assert_eq!(hashing.verify(secret("vexing quilt"), None).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_of_other_parameters_is_right_and_outdated() {
        let weak = Params::new(8 * 1024, 1, 1, None).unwrap();
        let stored = argon2(&weak).hash_password_with_salt(b"vexing quilt", b"0123456789abcdef").unwrap().to_string();
        let verdict = hashing(1, 5_000).verify(secret("vexing quilt"), Some(stored)).await.unwrap();
        assert_eq!(verdict, Verdict::Right { outdated: true });
    }

    #[tokio::test]
    async fn who_finds_no_turn_is_told_so() {
        let hashing = hashing(1, 20);
        let (started, wait) = tokio::sync::oneshot::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let busy = {
            let hashing = hashing.clone();
            kit::tasks::spawn("busy", async move {
                hashing.run(move || (started.send(()), released.recv())).await.map(drop)
            })
        };
        wait.await.unwrap();
        assert!(matches!(hashing.verify(secret("x"), None).await, Err(HashingError::Busy)));
        release.send(()).unwrap();
        busy.await.unwrap().unwrap();
        assert_eq!(hashing.verify(secret("x"), None).await.unwrap(), Verdict::Wrong);
    }
}

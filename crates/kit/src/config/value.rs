//! What a variable can hold.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

/// A type that an environment variable can be read as.
pub trait Value: Sized {
    /// What is expected, as a noun phrase: `a whole number from 0 to 65535`.
    const EXPECTED: &'static str;

    /// Reads `raw`. The error says what is expected; it must not repeat `raw`, which may be a secret.
    fn parse(raw: &str) -> Result<Self, String>;

    /// Stands in for a value that could not be read, so that reading goes on to the next problem.
    /// No service ever sees it: the start stops at [`Env::finish`](super::Env::finish).
    fn placeholder() -> Self;
}

impl Value for String {
    const EXPECTED: &'static str = "a text";

    fn parse(raw: &str) -> Result<Self, String> {
        Ok(raw.to_owned())
    }

    fn placeholder() -> Self {
        Self::new()
    }
}

impl Value for PathBuf {
    const EXPECTED: &'static str = "a path";

    fn parse(raw: &str) -> Result<Self, String> {
        Ok(raw.into())
    }

    fn placeholder() -> Self {
        Self::new()
    }
}

/// Types whose own parser is enough.
macro_rules! parsed {
    ($($type:ty, $expected:literal, $placeholder:expr;)+) => {$(
        impl Value for $type {
            const EXPECTED: &'static str = $expected;

            fn parse(raw: &str) -> Result<Self, String> {
                raw.trim().parse().map_err(|_| Self::EXPECTED.to_owned())
            }

            fn placeholder() -> Self {
                $placeholder
            }
        }
    )+};
}

parsed! {
    bool, "true or false", false;
    u16, "a whole number from 0 to 65535", 0;
    u32, "a whole number from 0 to 4294967295", 0;
    u64, "a whole number, 0 or more", 0;
    usize, "a whole number, 0 or more", 0;
    std::num::NonZeroUsize, "a whole number, 1 or more", std::num::NonZeroUsize::MIN;
    f64, "a number", 0.0;
    SocketAddr, "an IP address and port, like 127.0.0.1:8080 or [::1]:8080", SocketAddr::from(([127, 0, 0, 1], 0));
}

impl Value for Url {
    const EXPECTED: &'static str = "an absolute URL, like http://127.0.0.1:8080";

    fn parse(raw: &str) -> Result<Self, String> {
        // A URL of ours always names a server; `localhost:8080` parses as scheme `localhost` otherwise.
        Url::parse(raw.trim()).ok().filter(Url::has_host).ok_or_else(|| Self::EXPECTED.to_owned())
    }

    #[expect(clippy::expect_used, reason = "a constant, parsed by a test")]
    fn placeholder() -> Self {
        Url::parse("http://placeholder.invalid").expect("a constant URL")
    }
}

/// Comma separated; spaces around an entry and empty entries are ignored.
impl<T: Value> Value for Vec<T> {
    const EXPECTED: &'static str = "a comma-separated list";

    fn parse(raw: &str) -> Result<Self, String> {
        raw.split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(T::parse)
            .collect::<Result<_, _>>()
            .map_err(|expected| format!("a comma-separated list; each entry {expected}"))
    }

    fn placeholder() -> Self {
        Self::new()
    }
}

/// A length of time in milliseconds, for variables whose name ends in `_MS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub Duration);

impl Value for Millis {
    const EXPECTED: &'static str = "a whole number of milliseconds";

    fn parse(raw: &str) -> Result<Self, String> {
        raw.trim().parse().map(|ms| Self(Duration::from_millis(ms))).map_err(|_| Self::EXPECTED.to_owned())
    }

    fn placeholder() -> Self {
        Self(Duration::ZERO)
    }
}

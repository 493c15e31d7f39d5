//! A request to make the vector index anew, and how far it is.

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuild {
    pub id: i64,
    pub state: RebuildState,
    pub vectors_done: i64,
    /// When it was taken up; more may have come since.
    pub vectors_total: i64,
    /// Why it failed.
    pub error: Option<String>,
}

/// Where a rebuild stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebuildState {
    /// Nobody has taken it up.
    Waiting,
    /// A process is at it. If that ends, the next one begins it anew.
    Running,
    /// The new index answers.
    Done,
    /// The index is as it was.
    Failed,
}

impl RebuildState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Running, Self::Done, Self::Failed];

    /// The word in columns.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

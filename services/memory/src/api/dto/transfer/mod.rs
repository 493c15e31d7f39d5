//! Exports and imports on the wire: one JSON object a line.

mod item;
mod line;

use chrono::{DateTime, Utc};
use contracts::MemorySessionId;
use kit::http::{Problem, codes};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::{Validate, ValidationErrors};

pub use self::line::TransferLine;
use super::{a_label, named};
use crate::{
    app::import::{Line, Refusal, Report, Tally},
    domain::{
        access::{Allowed, Read, Write},
        transfer::Wanted,
    },
    error::Error,
};

/// Lines of one import.
const LINES: usize = 10_000;
/// Bytes of one line; six for each of the longest turn, and some.
const LINE_BYTES: usize = 1 << 20;
/// Nesting of lists and objects in a line.
const DEPTH: usize = 32;
/// Characters of what a parser says.
const COMPLAINT_CHARS: usize = 200;

/// Which part is exported; everything that you reach when nothing is given.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// Only what belongs to this user; `me` is you.
    #[validate(custom(function = "a_label"))]
    #[param(max_length = 128)]
    pub user: Option<String>,
    /// Only what belongs to this agent.
    #[validate(custom(function = "a_label"))]
    #[param(max_length = 128)]
    pub agent: Option<String>,
    /// Only this session, its turns, its memories and those that were taken from its turns.
    pub session_id: Option<Uuid>,
    /// Only what belongs to this project.
    pub project_id: Option<Uuid>,
}

impl ExportQuery {
    pub fn into_wanted(self, allowed: &Allowed<Read>) -> Result<Wanted, Error> {
        Ok(Wanted {
            subject: named(self.user.as_deref(), allowed)?,
            agent: self.agent,
            session: self.session_id.map(MemorySessionId::from_uuid),
            project: self.project_id,
        })
    }
}

/// How an import is read.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// Whose all of it will be, whatever the lines say; `me` is you.
    #[validate(custom(function = "a_label"))]
    #[param(max_length = 128)]
    pub user: Option<String>,
}

impl ImportQuery {
    pub fn owner(self, allowed: &Allowed<Write>) -> Result<Option<String>, Error> {
        named(self.user.as_deref(), allowed)
    }
}

/// What became of an import.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportView {
    /// Lines with a conversation.
    pub sessions: TallyView,
    /// Lines with a turn.
    pub messages: TallyView,
    /// Lines with a memory.
    pub memories: TallyView,
    /// Lines that were refused.
    #[schema(example = 0)]
    pub refused: usize,
    /// The first hundred of them.
    pub errors: Vec<ImportErrorView>,
}

/// What became of the lines of one type.
#[derive(Debug, Serialize, ToSchema)]
pub struct TallyView {
    /// They are there now.
    #[schema(example = 40)]
    pub imported: usize,
    /// They were there already.
    #[schema(example = 2)]
    pub skipped: usize,
}

/// A line that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportErrorView {
    /// Its number, from 1.
    #[schema(example = 17)]
    pub line: usize,
    /// Why, for machines: `malformed_json`, `too_long`, `validation_failed`, `not_yours`, `session_not_found`,
    /// `session_exists`, `position_taken` or `different`.
    #[schema(example = "different")]
    pub code: &'static str,
    /// Why, for people.
    #[schema(example = "Something else has this id.")]
    pub message: String,
}

impl From<Report> for ImportView {
    fn from(report: Report) -> Self {
        let tally = |tally: Tally| TallyView { imported: tally.imported, skipped: tally.skipped };
        let error =
            |(line, refusal): (usize, Refusal)| ImportErrorView { line, code: refusal.code, message: refusal.message };
        Self {
            sessions: tally(report.sessions),
            messages: tally(report.messages),
            memories: tally(report.memories),
            refused: report.refused,
            errors: report.errors.into_iter().map(error).collect(),
        }
    }
}

/// Reads a file. Everything becomes `subject`'s when one is given.
///
/// # Errors
/// `payload_too_large` when there are too many lines. What is wrong with a line is in the line.
pub fn lines(
    file: &[u8],
    allowed: &Allowed<Write>,
    subject: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Vec<Line>, Problem> {
    let mut lines = Vec::new();
    for (index, text) in file.split(|byte| *byte == b'\n').enumerate() {
        let text = text.trim_ascii();
        if text.is_empty() {
            continue;
        }
        if lines.len() == LINES {
            return Err(Problem::new(&codes::PAYLOAD_TOO_LARGE).detail(format!("Send at most {LINES} lines at once")));
        }
        let item = read(text).and_then(|line| line.into_item(allowed, subject, now));
        lines.push(Line { number: index + 1, item });
    }
    Ok(lines)
}

fn read(text: &[u8]) -> Result<TransferLine, Refusal> {
    let invalid = |message: String| Refusal::new("validation_failed", message);
    if text.len() > LINE_BYTES {
        return Err(Refusal::new("too_long", "A line has at most 1 MiB."));
    }
    let value: Value = serde_json::from_slice(text).map_err(|e| Refusal::new("malformed_json", short(&e)))?;
    if !is_plain(&value, DEPTH) {
        return Err(invalid("Must not nest deeper than 32 levels, nor contain the character U+0000.".to_owned()));
    }
    let line: TransferLine = serde_json::from_value(value).map_err(|e| invalid(short(&e)))?;
    let checked = match &line {
        TransferLine::Session(session) => session.validate(),
        TransferLine::Message(message) => message.validate(),
        TransferLine::Memory(memory) => memory.validate(),
    };
    checked.map_err(|errors: ValidationErrors| invalid(errors.to_string().replace('\n', " ")))?;
    Ok(line)
}

fn short(error: &serde_json::Error) -> String {
    error.to_string().chars().take(COMPLAINT_CHARS).collect()
}

fn is_plain(value: &Value, depth: usize) -> bool {
    let plain = |text: &str| !text.contains('\0');
    match value {
        Value::String(text) => plain(text),
        Value::Array(items) => depth > 0 && items.iter().all(|item| is_plain(item, depth - 1)),
        Value::Object(fields) => {
            depth > 0 && fields.iter().all(|(key, value)| plain(key) && is_plain(value, depth - 1))
        }
        _ => true,
    }
}

//! Every way in which this service refuses, once for machines and once for people.

use std::time::Duration;

use contracts::{CollectionId, DocumentId, ExtractionId, MemoryId, MemorySessionId};
use events::Failure;
use kit::{Coded, ErrorCode, FieldError, VersionMismatch, http::codes};

use crate::{
    documents,
    domain::{access::Refused, memory::EndsBeforeItBegins},
};

kit::error_codes! {
    /// The codes that this service adds to those of kit and db.
    pub static CODES;

    FORGET_UNSCOPED = "forget_unscoped", 400, "It must be said what is to be forgotten";
    NOT_YOURS = "not_yours", 403, "This belongs to somebody else";
    COLLECTION_NOT_FOUND = "collection_not_found", 404, "There is no such collection";
    DOCUMENT_NOT_FOUND = "document_not_found", 404, "There is no such document";
    EXTRACTION_NOT_FOUND = "extraction_not_found", 404, "There is no such extraction";
    MEMORY_NOT_FOUND = "memory_not_found", 404, "There is no such memory";
    SESSION_NOT_FOUND = "session_not_found", 404, "There is no such session";
    COLLECTION_EXISTS = "collection_exists", 409, "There is a collection of this name";
    LIMIT_REACHED = "limit_reached", 409, "There are as many of these as may be";
    SESSION_EXISTS = "session_exists", 409, "There is a session of this external id";
    DOCUMENT_TOO_LARGE = "document_too_large", 413, "The document is too large";
    DOCUMENT_ENCRYPTED = "document_encrypted", 422, "The document is encrypted";
    DOCUMENT_MISMATCH = "document_mismatch", 422, "The document is not what it is declared as";
    DOCUMENT_UNSUPPORTED = "document_unsupported", 422, "This kind of document is not supported";
    EXTRACTION_UNAVAILABLE = "extraction_unavailable", 422, "Nothing takes facts from what is said";
    RERANK_UNAVAILABLE = "rerank_unavailable", 422, "Nothing compares hits with the question once more";
    SCOPE_REQUIRED = "scope_required", 422, "It must be said whose memories are meant";
}

/// Why a use case gives up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("session {0} is unknown or not the caller's to see")]
    SessionNotFound(MemorySessionId),
    #[error("memory {0} is unknown or not the caller's to see")]
    MemoryNotFound(MemoryId),
    #[error("collection {0} is unknown or not the caller's to see")]
    CollectionNotFound(CollectionId),
    #[error("document {0} is unknown or not the caller's to see")]
    DocumentNotFound(DocumentId),
    #[error("extraction {0} is unknown or not the caller's to see")]
    ExtractionNotFound(ExtractionId),
    #[error("there is no model that reranks")]
    RerankUnavailable,
    #[error("there is no language model")]
    ExtractionUnavailable,
    #[error("the subject has a session of this external id")]
    SessionExists,
    #[error("the subject has a collection of this name")]
    CollectionExists,
    #[error("there are {limit} already")]
    LimitReached { limit: i64 },
    #[error("the document is not taken")]
    Document(#[from] documents::Refused),
    #[error("no scope was given")]
    ScopeRequired,
    #[error("nothing says what is to be forgotten")]
    ForgetUnscoped,
    #[error("the caller may not do this")]
    Refused(#[from] Refused),
    #[error("{} fields are not acceptable", .0.len())]
    Fields(Vec<FieldError>),
    #[error(transparent)]
    VersionMismatch(#[from] VersionMismatch),
    #[error("the database failed")]
    Db(#[from] db::Error),
}

impl Error {
    /// One field that is not acceptable.
    pub fn field(name: &str, code: &'static str, message: &'static str) -> Self {
        Self::Fields(vec![FieldError::new(name, code, message)])
    }

    /// Of one item of many: its fields are named from outside.
    #[must_use]
    pub fn within(mut self, item: &str) -> Self {
        if let Self::Fields(fields) = &mut self {
            for field in fields {
                field.field = format!("{item}.{}", field.field);
            }
        }
        self
    }
}

impl Coded for Error {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::SessionNotFound(_) => &SESSION_NOT_FOUND,
            Self::MemoryNotFound(_) => &MEMORY_NOT_FOUND,
            Self::CollectionNotFound(_) => &COLLECTION_NOT_FOUND,
            Self::DocumentNotFound(_) => &DOCUMENT_NOT_FOUND,
            Self::ExtractionNotFound(_) => &EXTRACTION_NOT_FOUND,
            Self::ExtractionUnavailable => &EXTRACTION_UNAVAILABLE,
            Self::RerankUnavailable => &RERANK_UNAVAILABLE,
            Self::SessionExists => &SESSION_EXISTS,
            Self::CollectionExists => &COLLECTION_EXISTS,
            Self::LimitReached { .. } => &LIMIT_REACHED,
            Self::Document(documents::Refused::TooLarge) => &DOCUMENT_TOO_LARGE,
            Self::Document(documents::Refused::Encrypted) => &DOCUMENT_ENCRYPTED,
            Self::Document(documents::Refused::Mismatch { .. }) => &DOCUMENT_MISMATCH,
            // Whatever else there is shows only when it is read.
            Self::Document(_) => &DOCUMENT_UNSUPPORTED,
            Self::ScopeRequired => &SCOPE_REQUIRED,
            Self::ForgetUnscoped => &FORGET_UNSCOPED,
            Self::Refused(Refused::Scope(_)) => &codes::INSUFFICIENT_SCOPE,
            Self::Refused(Refused::Subject) => &NOT_YOURS,
            Self::Fields(_) => &codes::VALIDATION_FAILED,
            Self::VersionMismatch(_) => &codes::PRECONDITION_FAILED,
            Self::Db(e) => e.code(),
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Refused(Refused::Scope(scope)) => Some(format!("This needs the scope {scope}")),
            Self::Refused(Refused::Subject) => {
                Some("Members reach their own memories and what the organization shares; admins also those of an application's users.".to_owned())
            }
            Self::ExtractionUnavailable => {
                Some("No language model is set up for this. Give the sentences to be remembered, without infer.".to_owned())
            }
            Self::RerankUnavailable => Some("No model is set up for this. Search without rerank.".to_owned()),
            Self::SessionExists => Some("Use that session, or another external_id.".to_owned()),
            Self::CollectionExists => Some("Use that collection, or another name.".to_owned()),
            Self::LimitReached { limit } => Some(format!("There are {limit} already, and no more may be made.")),
            Self::Document(documents::Refused::Mismatch { declared }) => {
                Some(format!("It is declared as {declared}, which it is not."))
            }
            Self::Document(documents::Refused::TooLarge) => Some("A document may have at most 20 MiB.".to_owned()),
            Self::ScopeRequired => Some(
                "Name at least one of user, agent, session_id, project_id and collections, or say organization: true for everything that you reach.".to_owned(),
            ),
            Self::ForgetUnscoped => Some(
                "Give at least one of user, agent, session_id, project_id, tags, metadata, occurred_from and occurred_to.".to_owned(),
            ),
            Self::VersionMismatch(mismatch) => Some(mismatch.to_string()),
            Self::Db(e) => e.detail(),
            _ => None,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Fields(fields) => fields.clone(),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Db(e) => e.retry_after(),
            _ => None,
        }
    }
}

impl From<EndsBeforeItBegins> for Error {
    fn from(_: EndsBeforeItBegins) -> Self {
        Self::field("valid_to", "before_valid_from", "Must not be before valid_from.")
    }
}

impl From<db::diesel::result::Error> for Error {
    fn from(error: db::diesel::result::Error) -> Self {
        match db::Error::from(error) {
            db::Error::Conflict { constraint } if constraint == "sessions_external_key" => Self::SessionExists,
            db::Error::Conflict { constraint } if constraint == "collections_name_key" => Self::CollectionExists,
            other => Self::Db(other),
        }
    }
}

/// A consumer waits for a database that is down; everything else concerns the one message.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Db(error) => error.into(),
            other => Self::retry(other),
        }
    }
}

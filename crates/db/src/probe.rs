//! Sits in every connection: makes a span of each statement and remembers what its transaction went through.

use diesel::{
    connection::{Connection, Instrumentation, InstrumentationEvent},
    pg::PgConnection,
    result::{DatabaseErrorKind, Error as DieselError},
};
use tracing::{Level, Span, field};

/// What diesel appends to the text of a statement; the values behind it are nobody's business.
const BINDS: &str = " -- binds: ";

pub(crate) struct Probe {
    schema: &'static str,
    /// The span of the statement that runs.
    statement: Span,
    facts: Facts,
}

/// What happened in a transaction that its result does not tell.
#[derive(Clone, Copy, Default)]
pub(crate) struct Facts {
    /// Events were appended to the outbox.
    pub events_appended: bool,
    /// It lost against another transaction and would do as well in another attempt.
    pub lost_race: bool,
}

impl Probe {
    pub fn new(schema: &'static str) -> Self {
        Self { schema, statement: Span::none(), facts: Facts::default() }
    }

    /// Gives and forgets what happened since the last call.
    pub fn take_facts(conn: &mut PgConnection) -> Facts {
        Self::of(conn).map(|probe| std::mem::take(&mut probe.facts)).unwrap_or_default()
    }

    /// Notes that the transaction appended events.
    pub fn note_events(conn: &mut PgConnection) {
        if let Some(probe) = Self::of(conn) {
            probe.facts.events_appended = true;
        }
    }

    fn of(conn: &mut PgConnection) -> Option<&mut Self> {
        conn.instrumentation().downcast_mut::<Self>()
    }
}

impl Instrumentation for Probe {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { query, .. } if tracing::enabled!(Level::DEBUG) => {
                let text = query.to_string();
                let text = text.split(BINDS).next().unwrap_or_default();
                // OpenTelemetry semantic conventions for database client spans.
                self.statement = tracing::debug_span!(
                    "db.query",
                    otel.kind = "client",
                    db.system.name = "postgresql",
                    db.namespace = self.schema,
                    db.query.text = text,
                    error.type = field::Empty,
                );
            }
            InstrumentationEvent::FinishQuery { error, .. } => {
                if let Some(error) = error {
                    self.statement.record("error.type", kind(error));
                    self.facts.lost_race |= lost_race(error);
                }
                self.statement = Span::none();
            }
            _ => {}
        }
    }
}

fn kind(error: &DieselError) -> &'static str {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => "unique_violation",
        DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => "foreign_key_violation",
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => "serialization_failure",
        DieselError::DatabaseError(..) => "database_error",
        _ => "client_error",
    }
}

/// Serialization failures (SQLSTATE 40001) and deadlocks (40P01, which diesel does not tell from others).
pub(crate) fn lost_race(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        DieselError::DatabaseError(_, info) => info.message().starts_with("deadlock detected"),
        _ => false,
    }
}

//! The tables that every service's schema has; see `migrations/`.

diesel::table! {
    outbox_events (position) {
        position -> BigInt,
        id -> Uuid,
        aggregate_type -> Text,
        aggregate_id -> Text,
        sequence -> BigInt,
        #[sql_name = "type"]
        event_type -> Text,
        org_id -> Nullable<Uuid>,
        payload -> Json,
        headers -> Json,
        occurred_at -> Timestamptz,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    inbox_events (event_id, consumer) {
        event_id -> Uuid,
        consumer -> Text,
        received_at -> Timestamptz,
    }
}

diesel::table! {
    idempotency_keys (scope) {
        scope -> Binary,
        org_id -> Nullable<Uuid>,
        user_id -> Nullable<Uuid>,
        route -> Text,
        body_hash -> Binary,
        status -> SmallInt,
        headers -> Json,
        body -> Binary,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    audit_log (at, id) {
        id -> Uuid,
        at -> Timestamptz,
        org_id -> Nullable<Uuid>,
        actor_id -> Nullable<Uuid>,
        action -> Text,
        subject_type -> Text,
        subject_id -> Text,
        address -> Nullable<Text>,
        trace_id -> Nullable<Text>,
        details -> Jsonb,
    }
}

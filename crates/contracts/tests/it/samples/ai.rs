//! Events of ai.

use contracts::ai::v1 as ai;

use super::{ORG, Sample, USER, at, s, sample};

const COMPLETION: &str = "01890a5d-ac99-7000-8000-0000000000a1";
const API_KEY: &str = "01890a5d-ac99-7000-8000-0000000000a2";
const QUOTA: &str = "01890a5d-ac99-7000-8000-0000000000a3";
const MODEL: &str = "01890a5d-ac99-7000-8000-0000000000a4";

pub fn all() -> Vec<Sample> {
    vec![
        sample(&ai::CompletionFinished {
            completion_id: s(COMPLETION),
            organization_id: s(ORG),
            user_id: s(USER),
            api_key_id: Some(s(API_KEY)),
            model: s("gpt-5-mini"),
            provider: Some(s("openai")),
            dialect: s("chat_completions"),
            outcome: s("completed"),
            stop_reason: Some(s("end")),
            streamed: true,
            time_to_first_token_ms: Some(180),
            duration_ms: 2_400,
            finished_at: at(8),
            session_id: Some(s("support-4711")),
        }),
        sample(&ai::TurnFinished {
            completion_id: s(COMPLETION),
            organization_id: s(ORG),
            user_id: s(USER),
            session_id: s("support-4711"),
            finished_at: at(8),
        }),
        sample(&ai::UsageRecorded {
            completion_id: s(COMPLETION),
            organization_id: s(ORG),
            user_id: s(USER),
            api_key_id: Some(s(API_KEY)),
            model: s("gpt-5-mini"),
            provider: Some(s("openai")),
            operation: s("chat"),
            input_tokens: 1_200,
            cached_input_tokens: 1_024,
            output_tokens: 300,
            cost_nano_usd: 669_600,
            estimated: true,
            recorded_at: at(8),
        }),
        sample(&ai::QuotaThresholdReached {
            quota_id: s(QUOTA),
            organization_id: s(ORG),
            threshold_percent: 80,
            metric: s("tokens"),
            limit: 1_000_000,
            used: 800_250,
            window_started_at: at(0),
            window_ends_at: at(59),
            reached_at: at(8),
        }),
        sample(&ai::QuotaExceeded {
            quota_id: s(QUOTA),
            organization_id: s(ORG),
            metric: s("tokens"),
            limit: 1_000_000,
            used: 999_400,
            window_started_at: at(0),
            window_ends_at: at(59),
            exceeded_at: at(8),
        }),
        sample(&ai::ModelChanged {
            model_id: s(MODEL),
            organization_id: Some(s(ORG)),
            alias: s("fast"),
            change: s("updated"),
            version: 2,
            changed_at: at(8),
        }),
    ]
}

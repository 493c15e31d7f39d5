//! The health endpoints of the private port.
use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde::Serialize;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use crate::{HealthCheck, Lifecycle, Phase};

/// How long one check may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer is kept: many probes cost one round of checks.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// Runs a service's checks for `/readyz`.
pub struct Health {
    checks: Vec<Arc<dyn HealthCheck>>,
    lifecycle: Lifecycle,
    /// Held while checking: whoever waits gets the same answer.
    last: Mutex<Option<(Instant, Vec<CheckReport>)>>,
}

/// What `/readyz` answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReadyReport {
    /// `ready`, `starting`, `draining`, or `unavailable` when a check fails.
    pub status: &'static str,
    /// Every dependency.
    pub checks: Vec<CheckReport>,
}

/// One dependency.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// Its name.
    pub name: String,
    /// Whether it works.
    pub ok: bool,
    /// Whether the service gets no requests while it does not.
    pub required: bool,
    /// How long the check took, in milliseconds.
    pub latency_ms: f64,
    /// What failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Health {
    /// Checks in the order they are shown.
    pub fn new(checks: Vec<Arc<dyn HealthCheck>>, lifecycle: Lifecycle) -> Self {
        Self { checks, lifecycle, last: Mutex::new(None) }
    }

    /// Whether the service has started; it may be draining by now.
    pub fn started(&self) -> bool {
        self.lifecycle.phase() != Phase::Starting
    }

    /// Whether the service should get requests, and why not.
    pub async fn ready(&self) -> ReadyReport {
        let checks = self.run().await;
        let status = match self.lifecycle.phase() {
            Phase::Starting => "starting",
            Phase::Draining => "draining",
            Phase::Ready if checks.iter().all(|check| check.ok || !check.required) => "ready",
            Phase::Ready => "unavailable",
        };
        ReadyReport { status, checks }
    }

    async fn run(&self) -> Vec<CheckReport> {
        let mut last = self.last.lock().await;
        if let Some((at, checks)) = &*last
            && at.elapsed() < KEPT_FOR
        {
            return checks.clone();
        }
        let checks = join_all(self.checks.iter().map(|check| run_one(&**check))).await;
        *last = Some((Instant::now(), checks.clone()));
        checks
    }
}

async fn run_one(check: &dyn HealthCheck) -> CheckReport {
    let started = Instant::now();
    let outcome = timeout(CHECK_TIMEOUT, check.check())
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", CHECK_TIMEOUT.as_secs())));
    CheckReport {
        name: check.name().to_owned(),
        ok: outcome.is_ok(),
        required: check.required(),
        latency_ms: (started.elapsed().as_secs_f64() * 1e5).round() / 100.0,
        error: outcome.err(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::BoxFuture;

    use super::*;

    struct Counted {
        calls: AtomicU32,
        outcome: Result<(), String>,
        takes: Duration,
        required: bool,
    }

    impl Counted {
        fn new(outcome: Result<(), &str>, takes: Duration) -> Arc<Self> {
            Arc::new(Self { calls: AtomicU32::new(0), outcome: outcome.map_err(str::to_owned), takes, required: true })
        }
    }

    impl HealthCheck for Counted {
        fn name(&self) -> &'static str {
            "database"
        }
        fn required(&self) -> bool {
            self.required
        }
        fn check(&self) -> BoxFuture<'_, Result<(), String>> {
            Box::pin(async {
                self.calls.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(self.takes).await;
                self.outcome.clone()
            })
        }
    }

    fn health(check: &Arc<Counted>, phase: Phase) -> Health {
        let lifecycle = Lifecycle::default();
        lifecycle.enter(phase);
        Health::new(vec![Arc::clone(check) as _], lifecycle)
    }

    #[tokio::test(start_paused = true)]
    async fn many_probes_cost_one_check_a_second() {
        let check = Counted::new(Ok(()), Duration::from_millis(50));
        let health = health(&check, Phase::Ready);
        let reports = join_all((0..20).map(|_| health.ready())).await;
        assert!(reports.iter().all(|report| report.status == "ready" && report.checks[0].latency_ms >= 50.0));
        assert_eq!(check.calls.load(Ordering::Relaxed), 1);
        tokio::time::sleep(KEPT_FOR).await;
        health.ready().await;
        assert_eq!(check.calls.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_service_can_do_without_is_shown_but_keeps_nobody_away() {
        let check = Counted { required: false, ..Arc::into_inner(Counted::new(Err("down"), Duration::ZERO)).unwrap() };
        let report = health(&Arc::new(check), Phase::Ready).ready().await;
        assert_eq!((report.status, report.checks[0].ok, report.checks[0].required), ("ready", false, false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_or_hanging_dependency_is_named() {
        let failing = health(&Counted::new(Err("refused"), Duration::ZERO), Phase::Ready).ready().await;
        assert_eq!((failing.status, failing.checks[0].error.as_deref()), ("unavailable", Some("refused")));
        let hanging = health(&Counted::new(Ok(()), Duration::from_mins(1)), Phase::Ready).ready().await;
        assert_eq!(hanging.checks[0].error.as_deref(), Some("no answer within 2 s"));
    }

    #[tokio::test]
    async fn a_service_that_starts_or_drains_is_not_ready_although_all_works() {
        let check = Counted::new(Ok(()), Duration::ZERO);
        assert_eq!(health(&check, Phase::Starting).ready().await.status, "starting");
        assert_eq!(health(&check, Phase::Draining).ready().await.status, "draining");
        assert!(health(&check, Phase::Draining).started());
        assert!(!health(&check, Phase::Starting).started());
    }
}

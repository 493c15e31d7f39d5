//! Start, health, drain and failure of services that share a process.

use std::time::{Duration, Instant};

use kit::{Env, Ports, Started};

use crate::tiny::{Tiny, values};

async fn start(more: &[(&str, &str)]) -> anyhow::Result<Started> {
    kit::start::<Tiny>(Env::from_map(values(more)), Ports::real()).await
}

fn client() -> reqwest::Client {
    kit::outbound::plain_client_of(&"http://127.0.0.1".parse().unwrap())
}

async fn get(addr: std::net::SocketAddr, path: &str) -> (u16, String) {
    let answer = client().get(format!("http://{addr}{path}")).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_started_service_serves_on_both_ports() {
    let started = start(&[]).await.unwrap();
    let (public, private) = (started.addr, started.private_addr);
    assert_eq!(get(public, "/v1/hello").await, (200, "hello".into()));
    for path in ["/livez", "/readyz", "/startupz"] {
        assert_eq!(get(private, path).await.0, 200, "{path}");
        assert_eq!(get(public, path).await.0, 404, "{path} belongs to the private port");
    }
    let metrics = get(private, "/metrics").await.1;
    assert!(metrics.contains("brainops_build_info{service=\"tiny\""), "{metrics}");
    assert!(get(private, "/openapi.json").await.1.contains("Tiny"));
    assert_eq!(get(private, "/v1/hello").await.0, 404);
    assert!(started.stop().await);
}

#[tokio::test]
async fn several_services_share_a_process() {
    let one = start(&[("TINY_GREETING", "one")]).await.unwrap();
    let two = start(&[("TINY_GREETING", "two")]).await.unwrap();
    assert_eq!(get(one.addr, "/v1/hello").await.1, "one");
    assert_eq!(get(two.addr, "/v1/hello").await.1, "two");
    assert!(one.stop().await);
    assert_eq!(get(two.addr, "/v1/hello").await.1, "two", "the end of one is no matter to the other");
    assert!(two.stop().await);
}

#[tokio::test]
async fn it_drains() {
    let mut started = start(&[("BRAINOPS_DRAIN_DELAY_MS", "1000"), ("TINY_TASK", "last")]).await.unwrap();
    let (public, private) = (started.addr, started.private_addr);
    let begun = Instant::now();
    let slow = kit::tasks::spawn("test.slow", async move { get(public, "/v1/slow").await });
    // A request that was begun is counted; this one is only reached when the slow one is.
    let running = "http_requests_in_flight{service=\"tiny\"} 1";
    let reached = async {
        while !get(private, "/metrics").await.1.contains(running) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), reached).await.unwrap();

    let no_failure = tokio::time::timeout(Duration::from_millis(1), started.failed()).await;
    assert!(no_failure.is_err());
    let stopped = kit::tasks::spawn("test.stop", started.stop());
    tokio::task::yield_now().await;
    assert_eq!(get(private, "/readyz").await.0, 503, "load balancers are told first");
    assert_eq!(get(private, "/livez").await.0, 200, "nobody should kill it");
    assert_eq!(get(public, "/v1/hello").await.0, 200, "and until they noticed, all goes on");
    assert!(begun.elapsed() < Duration::from_secs(1), "too slow to see it");

    assert_eq!(slow.await.unwrap(), (200, "at last".into()), "what was begun is finished");
    assert!(client().get(format!("http://{public}/v1/hello")).send().await.is_err(), "but nothing new is accepted");
    assert!(stopped.await.unwrap(), "nothing was cut off");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(client().get(format!("http://{private}/livez")).send().await.is_err());
}

#[tokio::test]
async fn a_failing_task_is_the_services_failure() {
    for (task, message) in [
        ("fail", "the task tiny.task of tiny failed: on purpose"),
        ("panic", "the task tiny.task of tiny panicked: with a bang"),
    ] {
        let mut started = start(&[("TINY_TASK", task)]).await.unwrap();
        let failure = tokio::time::timeout(Duration::from_secs(5), started.failed()).await.unwrap();
        assert_eq!(format!("{failure:#}"), message);
        assert!(started.stop().await);
    }
}

#[tokio::test]
async fn a_task_may_end_when_it_is_done() {
    let mut started = start(&[("TINY_TASK", "end")]).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(100), started.failed()).await.is_err());
    assert_eq!(get(started.addr, "/v1/hello").await.0, 200);
    assert!(started.stop().await);
}

#[tokio::test]
async fn every_wrong_variable_is_named_at_once() {
    let refused = start(&[
        ("BRAINOPS_HTTP_ADDR", "nowhere"),
        ("BRAINOPS_HTTP_WORKERS", "0"),
        ("BRAINOPS_ENVIRONMENT", "prod"),
        ("TINY_GREETING", ""),
    ])
    .await
    .unwrap_err();
    let errors: &kit::ConfigErrors = refused.downcast_ref().unwrap();
    let names: Vec<_> = errors.names().collect();
    assert_eq!(names, ["BRAINOPS_ENVIRONMENT", "BRAINOPS_HTTP_ADDR", "BRAINOPS_HTTP_WORKERS", "TINY_GREETING"]);
    assert!(!refused.to_string().contains("a-planted-secret"));
}

#[tokio::test]
async fn a_port_in_use_is_named_with_its_variable() {
    let first = start(&[]).await.unwrap();
    let taken = first.addr.to_string();
    for variable in ["BRAINOPS_HTTP_ADDR", "BRAINOPS_PRIVATE_ADDR"] {
        let refused = start(&[(variable, &taken)]).await.unwrap_err();
        let message = refused.to_string();
        assert_eq!(
            message,
            format!(
                "tiny cannot listen on {taken}: another process uses this port. Set {variable} to another address."
            )
        );
    }
    let elsewhere = start(&[("BRAINOPS_HTTP_ADDR", "192.0.2.1:80")]).await.unwrap_err().to_string();
    assert!(elsewhere.contains("this machine has no such address"), "{elsewhere}");
    assert!(first.stop().await);
}

#[tokio::test]
async fn a_service_that_refuses_to_start_frees_its_ports() {
    let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = probe.local_addr().unwrap().to_string();
    drop(probe);
    let refused = start(&[("TINY_KEY", "unfit"), ("BRAINOPS_HTTP_ADDR", &addr)]).await.unwrap_err();
    assert_eq!(format!("{refused:#}"), "tiny could not start: the key does not open anything");
    let second = start(&[("BRAINOPS_HTTP_ADDR", &addr)]).await.unwrap();
    assert!(second.stop().await);
}

#[tokio::test]
async fn dropping_it_ends_it() {
    let started = start(&[("TINY_TASK", "ignore")]).await.unwrap();
    let public = started.addr;
    drop(started);
    let gone = async {
        while client().get(format!("http://{public}/v1/hello")).send().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.unwrap();
}

#[test]
fn the_configuration_is_described() {
    let rows = kit::config::describe::<Tiny>();
    let row = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
    assert!(row("TINY_GREETING").required && row("TINY_KEY").secret && row("TINY_KEY").required);
    assert_eq!(row("TINY_TASK").default, Some("wait"));
    let table = kit::config::table(&[("tiny", rows.clone())]);
    assert!(rows.iter().all(|row| table.contains(row.name)));
}

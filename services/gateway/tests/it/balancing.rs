//! Several replicas of one service.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use testkit::Answer;

use crate::support::{App, Backend};

#[tokio::test]
async fn replicas_share_the_work() {
    let (one, two) = (Backend::start(), Backend::start());
    let app = App::builder().users(&[&one, &two]).start().await;
    for _ in 0..60 {
        assert_eq!(app.get("/v1/users/me").await.status, 200);
    }
    let (a, b) = (one.seen().len(), two.seen().len());
    assert_eq!(a + b, 60);
    assert!(a >= 15 && b >= 15, "{a} and {b}");
}

#[tokio::test]
async fn the_busy_one_gets_less() {
    let (one, two) = (Backend::start(), Backend::start());
    let app = App::builder().users(&[&one, &two]).start().await;
    let hanging: Vec<_> = (0..10)
        .map(|_| {
            let request = app.request(Method::GET, "/v1/users/hang");
            kit::tasks::spawn("test.hanging", async { request.send().await.is_ok() })
        })
        .collect();
    while one.seen().len() + two.seen().len() < 10 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((one.seen().len(), two.seen().len()), (5, 5));
    for task in hanging {
        task.abort();
    }
}

#[tokio::test]
async fn a_replica_that_dies_is_not_noticed_by_clients() {
    let (one, two) = (Backend::start(), Backend::start());
    // No check will notice it in time: only the requests themselves.
    let app = App::builder().users(&[&one, &two]).env("BRAINOPS_HEALTH_INTERVAL_MS", "60000").start().await;
    for _ in 0..20 {
        assert_eq!(app.get("/v1/users/me").await.status, 200);
    }
    one.stop().await;
    let posts = join_all((0..40).map(|_| Answer::to(app.request(Method::POST, "/v1/users/me").body("{}")))).await;
    for answer in posts {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[tokio::test]
async fn a_replica_that_is_not_ready_is_left_alone_until_it_is() {
    let (one, two) = (Backend::start(), Backend::start());
    let app = App::builder().users(&[&one, &two]).start().await;
    one.set_ready(false);
    let served = |backend: &Backend| backend.seen().len();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = served(&one);
    for _ in 0..20 {
        assert_eq!(app.get("/v1/users/me").await.status, 200);
    }
    assert_eq!(served(&one), before);
    one.set_ready(true);
    let back = async {
        while served(&one) == before {
            assert_eq!(app.get("/v1/users/me").await.status, 200);
        }
    };
    tokio::time::timeout(Duration::from_secs(10), back).await.expect("it gets requests again");
}

#[tokio::test]
async fn when_no_replica_is_ready_they_are_tried_all_the_same() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    backend.set_ready(false);
    app.ready_without(&["auth", "users"]).await;
    assert_eq!(app.get("/v1/users/me").await.status, 200);
}

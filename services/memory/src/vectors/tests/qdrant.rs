//! The Qdrant adapter passes the suite, against the server in `BRAINOPS_TEST_QDRANT_URL` or one of our own; and it is
//! patient with a server that fails now and then.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use kit::Secret;
use tonic::Code;
use url::Url;

use super::{
    World,
    fake_qdrant::{FakeQdrant, Fault},
    samples::{all_of, delete, exactly, org, space, upsert},
};
use crate::vectors::{QdrantIndex, QdrantSettings, Space, VectorError, VectorIndex, Watermark};

#[expect(clippy::disallowed_methods, reason = "a server to test with is named by the environment")]
fn real_server() -> Option<Url> {
    std::env::var("BRAINOPS_TEST_QDRANT_URL").ok().map(|url| url.parse().unwrap())
}

fn settings(url: Url) -> QdrantSettings {
    QdrantSettings { url, api_key: None, prefix: "test_".to_owned(), deadline: Duration::from_secs(5) }
}

async fn faked() -> (FakeQdrant, QdrantSettings) {
    let fake = FakeQdrant::default();
    let url = format!("http://{}", fake.serve().await).parse().unwrap();
    (fake, settings(url))
}

struct QdrantWorld(QdrantSettings);

impl QdrantWorld {
    async fn new() -> Self {
        match real_server() {
            None => Self(faked().await.1),
            Some(url) => {
                let prefix = format!("test_{}_", rand::random::<u64>());
                Self(QdrantSettings { prefix, ..settings(url) })
            }
        }
    }
}

impl World for QdrantWorld {
    fn start(&mut self) -> BoxFuture<'_, Arc<dyn VectorIndex>> {
        Box::pin(async { Arc::new(QdrantIndex::new(&self.0).unwrap()) as Arc<dyn VectorIndex> })
    }

    fn start_after_kill(&mut self) -> BoxFuture<'_, Arc<dyn VectorIndex>> {
        self.start()
    }
}

suite!(QdrantWorld::new());

fn usual() -> Space {
    space(5, 4)
}

async fn found(index: &QdrantIndex) -> Result<usize, VectorError> {
    Ok(index.search(usual(), exactly(vec![1.0; 4], all_of(org(1)), 10)).await?.len())
}

#[tokio::test]
async fn passing_failures_are_survived() {
    let (fake, settings) = faked().await;
    let index = QdrantIndex::new(&settings).unwrap();
    let passing = [Code::Unavailable, Code::ResourceExhausted, Code::DeadlineExceeded, Code::Aborted, Code::Internal];
    let faults = passing.map(Fault::Refuse).into_iter().chain([Fault::LoseAnswer]);
    for (number, fault) in faults.enumerate() {
        // Whichever call it hits: creating a collection, an index, the alias, a change, the watermark, or a search.
        for position in [0, 2, 4] {
            index.drop_space(usual()).await.unwrap();
            fake.state().faults = std::iter::repeat_n(Fault::Sleep(Duration::ZERO), position).chain([fault]).collect();
            assert_eq!(index.open(usual()).await.unwrap(), Watermark(0), "{fault:?}");
            for change in [upsert(number, org(1), vec![1.0; 4]), delete(77, org(1))] {
                fake.state().faults = [fault].into();
                index.apply(usual(), vec![change]).await.unwrap();
            }
            fake.state().faults = [fault].into();
            index.commit(usual(), Watermark(9)).await.unwrap();
            fake.state().faults = [fault].into();
            assert_eq!(found(&index).await.unwrap(), 1);
            assert_eq!(fake.state().names(), ["test_5_1", "test_5"]);
        }
    }
}

#[tokio::test]
async fn a_change_counts_when_it_is_completed() {
    let (fake, settings) = faked().await;
    let index = QdrantIndex::new(&settings).unwrap();
    index.open(usual()).await.unwrap();
    fake.state().faults = [Fault::Acknowledge].into();
    index.apply(usual(), vec![upsert(1, org(1), vec![1.0; 4])]).await.unwrap();
    fake.state().faults = std::iter::repeat_n(Fault::Acknowledge, 4).collect();
    let refused = index.apply(usual(), vec![upsert(1, org(1), vec![1.0; 4])]).await.unwrap_err();
    assert!(matches!(refused, VectorError::Unavailable(_)), "{refused:?}");
}

#[tokio::test]
async fn patience_ends() {
    let (fake, settings) = faked().await;
    let index = QdrantIndex::new(&QdrantSettings { deadline: Duration::from_millis(100), ..settings }).unwrap();
    index.open(usual()).await.unwrap();
    for fault in [Fault::Refuse(Code::Unavailable), Fault::Sleep(Duration::from_secs(3))] {
        fake.state().faults = std::iter::repeat_n(fault, 20).collect();
        let started = std::time::Instant::now();
        let refused = found(&index).await.unwrap_err();
        assert!(matches!(refused, VectorError::Unavailable(_)), "{refused:?}");
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        fake.state().faults.clear();
        // It was no more than that.
        assert_eq!(found(&index).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn lasting_failures_are_not_repeated() {
    let (fake, settings) = faked().await;
    let index = QdrantIndex::new(&settings).unwrap();
    index.open(usual()).await.unwrap();
    for code in [Code::InvalidArgument, Code::PermissionDenied, Code::FailedPrecondition, Code::Unimplemented] {
        fake.state().calls.clear();
        fake.state().faults = [Fault::Refuse(code)].into();
        let refused = found(&index).await.unwrap_err();
        assert!(matches!(refused, VectorError::Unavailable(_)), "{refused:?}");
        assert_eq!(fake.state().calls, ["query"]);
    }
}

#[tokio::test]
async fn no_server_is_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let refused = QdrantIndex::new(&settings(url)).unwrap().open(usual()).await.unwrap_err();
    assert!(matches!(refused, VectorError::Unavailable(_)), "{refused:?}");
}

#[tokio::test]
async fn the_key_is_sent_and_never_shown() {
    let (fake, settings) = faked().await;
    fake.state().api_key = Some("open-sesame".to_owned());
    let with = |key: &str| QdrantSettings { api_key: Some(Secret::new(key.to_owned())), ..settings.clone() };
    let index = QdrantIndex::new(&with("open-sesame")).unwrap();
    assert_eq!(index.open(usual()).await.unwrap(), Watermark(0));
    let refused = QdrantIndex::new(&with("wrong-sesame")).unwrap().open(usual()).await.unwrap_err();
    let malformed = QdrantIndex::new(&with("new\nline-sesame")).err().unwrap();
    let shown = format!("{refused:?} {malformed:?} {:?}", with("open-sesame"));
    assert!(!shown.contains("sesame"), "{shown}");
}

#[tokio::test]
async fn a_lost_collection_is_built_again() {
    let (fake, settings) = faked().await;
    let index = QdrantIndex::new(&settings).unwrap();
    index.open(usual()).await.unwrap();
    index.apply(usual(), vec![upsert(1, org(1), vec![1.0; 4])]).await.unwrap();
    index.commit(usual(), Watermark(3)).await.unwrap();
    fake.state().delete("test_5_1");
    let refused = found(&index).await.unwrap_err();
    assert!(matches!(refused, VectorError::Damaged(_)), "{refused:?}");
    let refused = found(&index).await.unwrap_err();
    assert!(matches!(refused, VectorError::Closed), "{refused:?}");
    assert_eq!(index.open(usual()).await.unwrap(), Watermark(0));
    assert_eq!(found(&index).await.unwrap(), 0);
}

#[tokio::test]
async fn another_process_searches_what_one_writes() {
    let (fake, settings) = faked().await;
    let (writer, reader) = (QdrantIndex::new(&settings).unwrap(), QdrantIndex::new(&settings).unwrap());
    writer.open(usual()).await.unwrap();
    assert_eq!(reader.open(usual()).await.unwrap(), Watermark(0));
    writer.apply(usual(), vec![upsert(1, org(1), vec![1.0; 4])]).await.unwrap();
    assert_eq!(found(&reader).await.unwrap(), 1);
    writer.begin_rebuild(usual()).await.unwrap();
    writer.apply(usual(), vec![upsert(2, org(1), vec![1.0; 4])]).await.unwrap();
    assert_eq!(reader.open(usual()).await.unwrap(), Watermark(0), "a rebuild is left alone");
    assert_eq!(found(&reader).await.unwrap(), 2);
    writer.publish(usual(), Watermark(8)).await.unwrap();
    assert_eq!(found(&reader).await.unwrap(), 1);
    assert_eq!(reader.open(usual()).await.unwrap(), Watermark(8));
    assert_eq!(fake.state().names(), ["test_5_2", "test_5"]);
}

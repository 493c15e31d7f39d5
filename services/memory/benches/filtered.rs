//! How much of what an exact comparison finds the embedded engine's graphs find, under filters that let many or few
//! points pass, and how fast.
//!
//! `cargo bench -p memory --bench filtered -- RESULT.json [VECTORS] [QUESTIONS]`. 384 numbers each, in clusters of uneven
//! size as texts about topics are; questions lie near points of the collection. Nine tenths belong to one organization, the
//! rest to nine others. What is exact comes from a scan of this program's own over all vectors, not from the engine.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measuring tool talks to its terminal")]

use std::{collections::HashSet, fs, num::NonZeroUsize, time::Instant};

use chrono::{DateTime, TimeDelta, Utc};
use contracts::{OrgId, UserId};
use memory::{
    domain::{
        entry::{Attributes, EntryId, Kind},
        filter::{Filter, Reach},
    },
    vectors::{Change, EdgeIndex, EdgeSettings, Query, Space, VectorIndex, Watermark},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use uuid::Uuid;

const SEED: u64 = 20_261_123;
const DIMENSION: NonZeroUsize = NonZeroUsize::new(384).unwrap();
const SPACE: Space = Space { id: 1, dimension: DIMENSION };
const TOPICS: usize = 500;
const HITS: usize = 10;
const BATCH: usize = 1_000;

/// Vectors of length 1, one after the other, and what they can be selected by.
struct Collection {
    numbers: Vec<f32>,
    attributes: Vec<Attributes>,
    topics: Vec<usize>,
}

fn main() {
    // Cargo adds `--bench`.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let Some(result) = args.first() else {
        println!("usage: filtered RESULT.json [VECTORS] [QUESTIONS]");
        return;
    };
    let count = |place: usize, usual: usize| args.get(place).map_or(usual, |arg| arg.parse().expect("a number"));
    let (vectors, questions) = (count(1, 100_000), count(2, 200));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let measured = runtime.block_on(measure(vectors, questions));
    fs::write(result, format!("{measured:#}\n")).expect("the result can be written");
}

async fn measure(vectors: usize, questions: usize) -> Value {
    let mut rng = StdRng::seed_from_u64(SEED);
    let collection = Collection::new(vectors, &mut rng);
    let directory = tempfile::tempdir().expect("a directory");
    let index = EdgeIndex::new(EdgeSettings {
        root: directory.path().to_owned(),
        searches: NonZeroUsize::MIN,
        build_threads: NonZeroUsize::MIN,
        scan_kb: 10_000,
    });
    index.open(SPACE).await.expect("a new index");
    let (before, begun) = (resident_mb(), Instant::now());
    for start in (0..vectors).step_by(BATCH) {
        let changes = (start..(start + BATCH).min(vectors)).map(|at| collection.change(at)).collect();
        index.apply(SPACE, changes).await.expect("vectors that fit");
    }
    index.commit(SPACE, Watermark(1)).await.expect("room on the disk");
    let told = begun.elapsed();
    let begun = Instant::now();
    index.optimize(SPACE).await.expect("graphs");
    let (built, after) = (begun.elapsed(), resident_mb());
    let stats = index.stats(SPACE).await.expect("an open index");
    let mut rows = Vec::new();
    for (name, filter) in filters() {
        rows.push(collection.ask(&index, name, &filter, questions, &mut rng).await);
    }
    json!({
        "vectors": vectors,
        "dimension": DIMENSION,
        "questions_each": questions,
        "told_per_second": per_second(vectors, told.as_secs_f64()),
        "graphs_built_s": (built.as_secs_f64() * 10.0).round() / 10.0,
        "in_graph": stats.indexed,
        "resident_mb": after - before,
        "filters": rows,
    })
}

impl Collection {
    fn new(vectors: usize, rng: &mut StdRng) -> Self {
        let centres: Vec<Vec<f32>> = (0..TOPICS).map(|_| unit(noise(rng))).collect();
        let (mut numbers, mut attributes, mut topics) = (Vec::new(), Vec::new(), Vec::new());
        for at in 0..vectors {
            // The first topics have many, the last ones few.
            let topic = uneven(rng, TOPICS);
            let near = centres[topic].iter().zip(noise(rng)).map(|(centre, noise)| centre + 0.8 * noise);
            numbers.extend(unit(near.collect()));
            attributes.push(attributes_of(at, topic, rng));
            topics.push(topic);
        }
        Self { numbers, attributes, topics }
    }

    fn vector(&self, at: usize) -> &[f32] {
        let dimension = DIMENSION.get();
        &self.numbers[at * dimension..][..dimension]
    }

    fn change(&self, at: usize) -> Change {
        let (attributes, vector) = (self.attributes[at].clone(), self.vector(at).to_vec());
        Change::Upsert { id: entry(at), attributes, vector }
    }

    /// Half of the questions are near what passes, half near anything.
    async fn ask(&self, index: &EdgeIndex, name: &str, filter: &Filter, questions: usize, rng: &mut StdRng) -> Value {
        let passing: Vec<usize> =
            (0..self.attributes.len()).filter(|&at| filter.accepts(&self.attributes[at])).collect();
        let (mut found_share, mut times, mut exact_times) = (Vec::new(), Vec::new(), Vec::new());
        let mut exact_found = 0;
        for number in 0..questions {
            let near = if number % 2 == 0 {
                passing[rng.random_range(0..passing.len())]
            } else {
                rng.random_range(0..self.attributes.len())
            };
            let question = self.vector(near).iter().zip(noise(rng)).map(|(point, noise)| point + 0.6 * noise);
            let question = unit(question.collect());
            let exact = self.best(&question, &passing);
            let asked = Query { vector: question, filter: filter.clone(), limit: HITS, exact: false };
            let begun = Instant::now();
            let hits = index.search(SPACE, asked.clone()).await.expect("hits");
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
            let begun = Instant::now();
            let compared = index.search(SPACE, Query { exact: true, ..asked }).await.expect("hits");
            exact_times.push(begun.elapsed().as_secs_f64() * 1000.0);
            exact_found += compared.iter().filter(|hit| exact.contains(&hit.id)).count();
            let found = hits.iter().filter(|hit| exact.contains(&hit.id)).count();
            found_share.push(ratio(found, exact.len()));
        }
        times.sort_by(f64::total_cmp);
        exact_times.sort_by(f64::total_cmp);
        let recall = found_share.iter().sum::<f64>() / ratio(found_share.len(), 1);
        let topics: HashSet<usize> = passing.iter().map(|&at| self.topics[at]).collect();
        let row = json!({
            "filter": name,
            "passing": passing.len(),
            "topics": topics.len(),
            "recall_at_10": round(recall, 4),
            "worst": found_share.iter().copied().fold(1.0, f64::min),
            "p50_ms": round(times[times.len() / 2], 2),
            "p99_ms": round(times[times.len() * 99 / 100], 2),
            "compared_with_all": {
                "recall_at_10": round(ratio(exact_found, questions * HITS.min(passing.len())), 4),
                "p50_ms": round(exact_times[questions / 2], 2),
                "p99_ms": round(exact_times[questions * 99 / 100], 2),
            },
        });
        println!(
            "{name:34} {:>7} pass  recall@10 {recall:.4}  p50 {} ms  p99 {} ms; all compared {}",
            passing.len(),
            row["p50_ms"],
            row["p99_ms"],
            row["compared_with_all"]
        );
        row
    }

    /// The entries most alike among these, by comparing with every one of them.
    fn best(&self, question: &[f32], among: &[usize]) -> HashSet<EntryId> {
        let mut scored: Vec<(f32, usize)> = among.iter().map(|&at| (dot(question, self.vector(at)), at)).collect();
        scored.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        scored.into_iter().take(HITS).map(|(_, at)| entry(at)).collect()
    }
}

/// Who owns it, and what it is about: tags and subjects fall as they will, sessions keep to a few topics.
fn attributes_of(at: usize, topic: usize, rng: &mut StdRng) -> Attributes {
    let others = 1 + at % 9;
    let mut labels = Vec::new();
    for (tag, share) in [("half", 0.5), ("tenth", 0.1), ("hundredth", 0.01)] {
        if rng.random_bool(share) {
            labels.push(format!("tag:{tag}"));
        }
    }
    let subject = match rng.random_range(0..100) {
        0..50 => Some("half"),
        50..60 => Some("tenth"),
        60 => Some("hundredth"),
        _ => None,
    };
    let session = (topic % 10 == 3).then(|| session(if topic % 100 == 3 { 2 } else { 1 }));
    Attributes {
        org: org(if at.is_multiple_of(10) { others } else { 0 }),
        kind: Kind::Memory,
        subject: subject.map(str::to_owned),
        agent: None,
        session,
        project: None,
        collection: None,
        document: None,
        labels,
        occurred_at: moment() + TimeDelta::seconds(i64::try_from(at).unwrap_or_default()),
        valid_from: moment(),
        valid_to: None,
        expires_at: None,
    }
}

fn filters() -> Vec<(&'static str, Filter)> {
    let all = all_of(0);
    let tag = |tag: &str| Filter { labels: vec![format!("tag:{tag}")], ..all.clone() };
    let subject = |subject: &str| Filter { subject: Some(subject.to_owned()), ..all.clone() };
    let both = Filter { labels: vec!["tag:tenth".to_owned()], ..subject("half") };
    vec![
        ("organization, nine tenths of all", all.clone()),
        ("organization, one of the others", all_of(3)),
        ("tag, 50 %", tag("half")),
        ("tag, 10 %", tag("tenth")),
        ("tag, 1 %", tag("hundredth")),
        ("subject, 50 %", subject("half")),
        ("subject, 10 %", subject("tenth")),
        ("subject, 1 %", subject("hundredth")),
        ("subject 50 % and tag 10 %", both),
        ("session about some topics", Filter { session: Some(session(1)), ..all.clone() }),
        ("session about few topics", Filter { session: Some(session(2)), ..all.clone() }),
        ("what one member may see, 39 %", Filter { reach: Reach::Own(member()), ..all.clone() }),
        ("later half", Filter { occurred_from: Some(moment() + TimeDelta::seconds(50_000)), ..all.clone() }),
        ("last hundredth", Filter { occurred_from: Some(moment() + TimeDelta::seconds(99_000)), ..all }),
    ]
}

fn all_of(number: usize) -> Filter {
    Filter {
        org: org(number),
        reach: Reach::Applications(member()),
        kinds: Vec::new(),
        subject: None,
        shared: false,
        agent: None,
        session: None,
        project: None,
        collections: Vec::new(),
        labels: Vec::new(),
        occurred_from: None,
        occurred_to: None,
        valid_at: moment() + TimeDelta::days(30),
        now: moment() + TimeDelta::days(30),
    }
}

fn id(kind: u128, number: usize) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + (kind << 40) + number as u128)
}

fn entry(number: usize) -> EntryId {
    // Ids that come in order would lie about locality.
    EntryId(Uuid::from_u128(id(0, number).as_u128().rotate_right(7)))
}

fn org(number: usize) -> OrgId {
    OrgId::from_uuid(id(1, number))
}

fn member() -> UserId {
    UserId::from_uuid(id(2, 0))
}

fn session(number: usize) -> Uuid {
    id(3, number)
}

fn moment() -> DateTime<Utc> {
    DateTime::from_timestamp_secs(1_790_000_000).expect("a moment")
}

/// A number below `below`; small ones are likely.
fn uneven(rng: &mut StdRng, below: usize) -> usize {
    let share: f64 = rng.random::<f64>().powi(2);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
    let number = (share * below as f64) as usize;
    number.min(below - 1)
}

/// Of about length 1, in any direction.
fn noise(rng: &mut StdRng) -> Vec<f32> {
    unit((0..DIMENSION.get()).map(|_| (0..4).map(|_| rng.random_range(-1.0_f32..1.0)).sum()).collect())
}

fn unit(vector: Vec<f32>) -> Vec<f32> {
    let length = dot(&vector, &vector).sqrt();
    vector.into_iter().map(|number| number / length).collect()
}

/// In sixteen sums, which the compiler keeps in wide registers.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let (a, b) = (a.as_chunks::<16>().0, b.as_chunks::<16>().0);
    for (a, b) in a.iter().zip(b) {
        for lane in 0..16 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}

fn resident_mb() -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<i64>().ok()).unwrap_or_default() / 1024
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bench")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

fn per_second(count: usize, seconds: f64) -> f64 {
    (ratio(count, 1) / seconds).round()
}

fn round(number: f64, digits: i32) -> f64 {
    let scale = 10.0_f64.powi(digits);
    (number * scale).round() / scale
}

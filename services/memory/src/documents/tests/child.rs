//! The child is this very test program, told to run the one test that is not a test.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Extracted, Format, Limits, Refused, lines};
use crate::documents::child::{Bounds, extract_in_child, run_child};

const PATIENCE: Duration = Duration::from_mins(1);

/// The arguments with which the test program runs only the test of this name.
fn arguments(name: &str) -> Vec<String> {
    let (_, module) = module_path!().split_once("::").unwrap();
    ["--ignored", "--exact", "--nocapture", "--test-threads=1"]
        .into_iter()
        .map(str::to_owned)
        .chain([format!("{module}::{name}")])
        .collect()
}

async fn run(name: &str, document: &[u8], format: Format, limits: &Limits) -> io::Result<Result<Extracted, Refused>> {
    let program: PathBuf = std::env::current_exe()?;
    let arguments = arguments(name);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    extract_in_child(&program, &arguments, document, format, limits, PATIENCE).await
}

/// Ends this process as the sub-command would, before the test program says anything more. Without a request on its
/// input, as when somebody runs all ignored tests, it is an ordinary test that passes.
fn serve(bounds: Bounds) {
    use std::io::IsTerminal as _;
    if !io::stdin().is_terminal() && run_child(bounds, io::stdin().lock(), io::stdout().lock()).is_ok() {
        std::process::exit(0);
    }
}

#[test]
#[ignore = "the child of the other tests"]
fn child() {
    serve(Bounds { memory_bytes: 1 << 30, cpu_seconds: 20 });
}

#[test]
#[ignore = "a child of the other tests, with little time"]
fn hurried_child() {
    serve(Bounds { memory_bytes: 1 << 30, cpu_seconds: 1 });
}

#[test]
#[ignore = "a child of the other tests, with little memory"]
fn starved_child() {
    serve(Bounds { memory_bytes: mapped_bytes() + (64 << 20), cpu_seconds: 20 });
}

#[test]
#[ignore = "a child of the other tests, without memory for the document itself"]
fn starving_child() {
    serve(Bounds { memory_bytes: mapped_bytes(), cpu_seconds: 20 });
}

/// The address space that this process has already: its program, and what the allocator keeps.
fn mapped_bytes() -> u64 {
    const PAGE: u64 = 4096;
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').next().unwrap().parse::<u64>().unwrap() * PAGE
}

#[test]
#[ignore = "a child of the other tests, which may open nothing"]
fn bound_child() {
    let bound = run_child(Bounds::default(), io::empty(), io::sink()).is_err();
    let closed = std::fs::File::open("/").is_err() && std::net::TcpListener::bind("127.0.0.1:0").is_err();
    std::process::exit(if bound && closed { 7 } else { 8 });
}

#[tokio::test]
async fn a_document_is_read_in_a_child() {
    let text = "# Übung\nEin \"Absatz\".\n\n".to_owned() + &"日本 ".repeat(300_000);
    let extracted = run("child", text.as_bytes(), Format::Markdown, &Limits::default()).await.unwrap().unwrap();
    assert_eq!(extracted.title.as_deref(), Some("Übung"));
    assert_eq!(lines(&extracted)[0], "p [Übung] Ein \"Absatz\".");
    assert_eq!(extracted.blocks[1].text.len(), 300_000 * 7 - 1);
}

#[tokio::test]
async fn a_refusal_comes_back_as_it_is() {
    for (document, format, refused) in [
        (b"{".as_slice(), Format::Json, Refused::Malformed(Format::Json)),
        (b" ", Format::Text, Refused::NoText),
        (b"%PDF-1.7", Format::Pdf, Refused::Malformed(Format::Pdf)),
    ] {
        assert_eq!(run("child", document, format, &Limits::default()).await.unwrap(), Err(refused));
    }
    let limits = Limits { input_bytes: 10, ..Limits::default() };
    assert_eq!(run("child", b"more than that", Format::Text, &limits).await.unwrap(), Err(Refused::TooLarge));
}

#[tokio::test]
async fn a_document_that_takes_all_memory_or_time_costs_only_its_child() {
    let limits = Limits { time: PATIENCE, ..Limits::default() };
    let large = "large ".repeat(4 << 20);
    // The time that a tag takes grows with the square of its attributes.
    let slow: Vec<_> = (0..1_000_000).map(|n| format!(" a{n}=1")).collect();
    let slow = format!("<p{}>x", slow.concat());
    for (child, document) in [("starved_child", &large), ("starving_child", &large), ("hurried_child", &slow)] {
        let started = Instant::now();
        let refused = run(child, document.as_bytes(), Format::Html, &limits).await.unwrap();
        assert_eq!(refused, Err(Refused::TooDemanding), "{child}");
        assert!(started.elapsed() < PATIENCE / 2);
    }
}

#[tokio::test]
async fn patience_ends() {
    let (program, patience) = (PathBuf::from("/bin/sleep"), Duration::from_millis(100));
    let limits = Limits::default();
    let refused = extract_in_child(&program, &["60"], b"x", Format::Text, &limits, patience).await.unwrap();
    assert_eq!(refused, Err(Refused::TimedOut));
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let limits = Limits { text_bytes: 10, blocks: 1, ..Limits::default() };
    let refused = extract_in_child(&PathBuf::from("/usr/bin/yes"), &[], b"x", Format::Text, &limits, PATIENCE).await;
    assert_eq!(refused.unwrap(), Err(Refused::TooLarge));
}

#[tokio::test]
async fn a_wrong_program_is_not_the_fault_of_the_document() {
    let limits = Limits::default();
    for (program, arguments) in
        [("/bin/false", vec![]), ("/bin/true", vec![]), ("/does/not/exist", vec![]), ("/bin/echo", vec!["{}"])]
    {
        let failed = extract_in_child(&PathBuf::from(program), &arguments, b"x", Format::Text, &limits, PATIENCE).await;
        assert!(failed.is_err(), "{program}: {failed:?}");
    }
    let ended = run("bound_child", b"x", Format::Text, &limits).await.unwrap_err();
    assert!(ended.to_string().ends_with("code 7"), "{ended}");
}

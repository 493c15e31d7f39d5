//! The one program also reads documents, within the bounds that it sets itself.

use std::{path::PathBuf, time::Instant};

use memory::{
    Extractor,
    documents::{Format, Refused},
};

#[tokio::test]
async fn the_program_reads_a_document_and_ends() {
    let extractor = Extractor::new(Some(PathBuf::from(env!("CARGO_BIN_EXE_brainops")))).unwrap();
    let text = "# Press\n\n".to_owned() + &"Oil the piston each week. ".repeat(400_000);
    let extracted = extractor.extract(text.as_bytes(), Format::Markdown).await.unwrap().unwrap();
    assert_eq!(extracted.title.as_deref(), Some("Press"));
    assert_eq!(extracted.blocks.iter().map(|block| block.text.len()).sum::<usize>(), 400_000 * 26 - 1);
    let refused = extractor.extract(b"%PDF-1.7\n", Format::Pdf).await.unwrap();
    assert_eq!(refused, Err(Refused::Malformed(Format::Pdf)));
}

#[tokio::test]
async fn a_document_that_takes_too_much_is_refused_and_nobody_else_notices() {
    let extractor = Extractor::new(Some(PathBuf::from(env!("CARGO_BIN_EXE_brainops")))).unwrap();
    // Each item of a list is some nodes of a tree that is held whole.
    let hungry = "- a\n".repeat(5 << 20);
    let begun = Instant::now();
    let refused = extractor.extract(hungry.as_bytes(), Format::Markdown).await.unwrap();
    assert_eq!(refused, Err(Refused::TooDemanding));
    assert!(begun.elapsed().as_secs() < 60);
}

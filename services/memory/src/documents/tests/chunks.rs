use proptest::prelude::*;

use super::{Block, BlockKind};
use crate::documents::chunk::{Chunk, Sizes, chunks, estimate_tokens};

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn block(path: &[&str], kind: BlockKind, text: &str) -> Block {
    Block { heading_path: path.iter().map(ToString::to_string).collect(), kind, text: text.to_owned() }
}

fn cut(blocks: &[Block], budget_tokens: usize, overlap: f64) -> Vec<Chunk> {
    chunks(blocks, Sizes { budget_tokens, overlap }, &words)
}

fn texts(chunks: &[Chunk]) -> Vec<&str> {
    chunks.iter().map(|chunk| chunk.text.as_str()).collect()
}

#[test]
fn blocks_are_packed_under_their_headings() {
    let blocks = [
        block(&["A"], BlockKind::Paragraph, "one two three"),
        block(&["A"], BlockKind::ListItem, "four"),
        block(&["A"], BlockKind::Paragraph, "five six"),
        block(&["A", "B"], BlockKind::Paragraph, "seven"),
        block(&[], BlockKind::Paragraph, "eight"),
    ];
    let cut = cut(&blocks, 16, 0.15);
    assert_eq!(texts(&cut), ["A\none two three\nfour\n\nfive six", "A > B\nseven", "eight"]);
    let places: Vec<_> = cut.iter().map(|chunk| (chunk.position, chunk.first_block, chunk.last_block)).collect();
    assert_eq!(places, [(0, 0, 2), (1, 3, 3), (2, 4, 4)]);
    assert_eq!(cut[1].heading_path, ["A", "B"]);
}

#[test]
fn a_block_that_fits_is_kept_whole() {
    let code = "let a = 1;\n    let b = 2;\nlet c = 3;";
    let blocks = [block(&[], BlockKind::Paragraph, &"x ".repeat(10)), block(&[], BlockKind::Code, code)];
    let cut = cut(&blocks, 16, 0.15);
    assert_eq!(cut.len(), 2);
    assert_eq!(cut[1].text, code);
}

#[test]
fn long_blocks_are_cut_at_sentences_and_overlap() {
    let text = "A b c d e. F g h i j! “K l m n o?” P q r s t. U v w x y.";
    let cut = cut(&[block(&["H"], BlockKind::Paragraph, text)], 16, 0.34);
    assert_eq!(texts(&cut), ["H\nA b c d e. F g h i j! “K l m n o?”", "H\n“K l m n o?” P q r s t. U v w x y."]);
    assert!(cut.iter().all(|chunk| (chunk.first_block, chunk.last_block) == (0, 0)));
}

#[test]
fn lines_end_sentences_unless_the_next_goes_on() {
    let text = "Is\na wrapped line\nof ten words it\nis here\nA b c d\nE f g h i j";
    assert_eq!(
        texts(&cut(&[block(&[], BlockKind::Paragraph, text)], 16, 0.0)),
        ["Is\na wrapped line\nof ten words it\nis here\nA b c d", "E f g h i j"]
    );
    let code = "if a {\n    one();\n}\n".repeat(8);
    let cut = cut(&[block(&[], BlockKind::Code, &code)], 16, 0.0);
    assert!(cut.iter().all(|chunk| chunk.text.lines().all(|line| code.contains(line))), "{cut:?}");
}

#[test]
fn scripts_without_spaces_are_cut_at_their_full_stops() {
    let text = "東京は日本の首都です。大阪は西にあります。京都は古い町です。";
    let cut =
        chunks(&[block(&[], BlockKind::Paragraph, text)], Sizes { budget_tokens: 22, overlap: 0.0 }, &estimate_tokens);
    assert_eq!(texts(&cut), ["東京は日本の首都です。大阪は西にあります。", "京都は古い町です。"]);
}

#[test]
fn rows_keep_the_header_of_their_table() {
    let mut blocks = vec![block(&[], BlockKind::TableHeader, "Name | Ort")];
    blocks.extend((0..6).map(|n| block(&[], BlockKind::TableRow, &format!("n{n} | o{n} a b"))));
    blocks.push(block(&[], BlockKind::Paragraph, "after it all comes a paragraph that is long"));
    let cut = cut(&blocks, 16, 0.15);
    assert_eq!(
        texts(&cut),
        [
            "Name | Ort\nn0 | o0 a b\nn1 | o1 a b",
            "Name | Ort\nn2 | o2 a b\nn3 | o3 a b",
            "Name | Ort\nn4 | o4 a b\nn5 | o5 a b",
            "after it all comes a paragraph that is long",
        ]
    );
}

#[test]
fn long_headings_leave_room_for_the_text() {
    let long = "w ".repeat(50);
    let blocks =
        [block(&["outer", &long, "inner one"], BlockKind::Paragraph, "x"), block(&[&long], BlockKind::Paragraph, "y")];
    assert_eq!(texts(&cut(&blocks, 16, 0.15)), ["inner one\nx", "w w w w\ny"]);
}

#[test]
fn a_huge_text_without_spaces_is_cut_quickly() {
    let started = std::time::Instant::now();
    let text = "x".repeat(10 << 20);
    let cut = chunks(&[block(&[], BlockKind::Paragraph, &text)], Sizes::default(), &estimate_tokens);
    assert!(cut.len() > 1000);
    assert!(cut.iter().all(|chunk| estimate_tokens(&chunk.text) <= 200));
    assert!(started.elapsed().as_secs() < 20);
}

#[test]
fn tokens_are_estimated() {
    for (text, tokens) in [
        ("", 0),
        ("the cat", 2),
        ("extraordinarily", 3),
        ("12345", 3),
        ("a-b", 3),
        ("日本", 2),
        ("größe", 1),
        ("да", 2),
    ] {
        assert_eq!(estimate_tokens(text), tokens, "{text}");
    }
}

fn any_block() -> impl Strategy<Value = Block> {
    let path = prop::collection::vec("[A-Z]{1,3}( [a-z]{1,9}){0,6}", 0..3);
    let kind = prop::sample::select(vec![
        BlockKind::Paragraph,
        BlockKind::ListItem,
        BlockKind::Code,
        BlockKind::TableHeader,
        BlockKind::TableRow,
        BlockKind::Record,
    ]);
    let text = prop_oneof!["[a-z0-9.!?。ü日 \n\"]{1,400}", "[a-z]{1,300}", "([a-z]{1,9}[.]? ){1,80}"];
    (path, kind, text).prop_filter_map("blocks have text", |(heading_path, kind, text)| {
        let text = text.trim().to_owned();
        (!text.is_empty()).then_some(Block { heading_path, kind, text })
    })
}

proptest! {
    #[test]
    fn nothing_is_lost_and_the_budget_holds(
        blocks in prop::collection::vec(any_block(), 1..12), budget in 16_usize..120, overlap in 0.0..0.6_f64,
    ) {
        let sizes = Sizes { budget_tokens: budget, overlap };
        let cut = chunks(&blocks, sizes, &estimate_tokens);
        prop_assert_eq!(&cut, &chunks(&blocks, sizes, &estimate_tokens));
        for (n, chunk) in cut.iter().enumerate() {
            prop_assert_eq!(chunk.position, n);
            prop_assert!(estimate_tokens(&chunk.text) <= budget, "{} > {budget}: {:?}", estimate_tokens(&chunk.text), chunk);
            prop_assert!(blocks[chunk.first_block..=chunk.last_block].iter().all(|block| block.heading_path == chunk.heading_path));
        }
        for (at, block) in blocks.iter().enumerate() {
            let holding: Vec<_> = cut.iter().filter(|chunk| (chunk.first_block..=chunk.last_block).contains(&at)).collect();
            prop_assert!(!holding.is_empty());
            // Each word, or each part that a word had to be cut into, is in one of its chunks, in order.
            let dense = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            let (mut rest, wanted) = (dense(&block.text), dense(&block.text));
            for chunk in holding {
                let text = dense(&chunk.text);
                let most = (1..=rest.chars().count()).rev().map(|chars| rest.char_indices().nth(chars).map_or(rest.len(), |(at, _)| at));
                let taken = most.into_iter().find(|end| text.contains(&rest[..*end])).unwrap_or(0);
                rest.drain(..taken);
            }
            prop_assert!(rest.is_empty(), "{rest:?} of {wanted:?} is lost");
        }
    }

    #[test]
    fn the_estimate_of_a_whole_is_at_most_that_of_its_parts(a in "[a-z0-9ü日.\\- ]{0,30}", b in "[a-z0-9ü日.\\- ]{0,30}") {
        let whole = [a.as_str(), b.as_str()].concat();
        prop_assert!(estimate_tokens(&whole) <= estimate_tokens(&a) + estimate_tokens(&b));
    }
}

//! Text, Markdown, HTML, CSV and JSON.

use super::{Format, Refused, extract, lines, read, refusal, small};

#[test]
fn paragraphs_of_text_are_parted_by_empty_lines() {
    let given = "Erste Zeile,\r\nzweite   Zeile.\r\n \r\n\tДругой абзац.\u{0}\n\n\n三つ目の段落。\n";
    let extracted = read(given.as_bytes(), Format::Text);
    assert_eq!(lines(&extracted), ["p [] Erste Zeile,\nzweite Zeile.", "p [] Другой абзац.", "p [] 三つ目の段落。"]);
    assert_eq!(extracted.title, None);
}

#[test]
fn text_may_be_in_other_encodings() {
    let wide: Vec<u8> = "\u{feff}größer".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(lines(&read(&wide, Format::Text)), ["p [] größer"]);
    let wide: Vec<u8> = "\u{feff}größer".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(lines(&read(&wide, Format::Text)), ["p [] größer"]);
    assert_eq!(lines(&read(b"gr\xf6\xdfer \x80", Format::Text)), ["p [] größer €"]);
    assert_eq!(lines(&read(b"\xef\xbb\xbfbom", Format::Text)), ["p [] bom"]);
    let page = b"<meta charset=\"koi8-r\"><p>\xed\xc9\xd2";
    assert_eq!(lines(&read(page, Format::Html)), ["p [] Мир"]);
}

#[test]
fn what_has_no_text_is_refused() {
    for format in [Format::Text, Format::Markdown, Format::Html, Format::Csv] {
        assert_eq!(refusal(b" \n\t ", format), Refused::NoText, "{format}");
    }
    assert_eq!(refusal(b"<script>let x = '</div>'</script>", Format::Html), Refused::NoText);
    assert_eq!(refusal(b"{\"a\":[null,{}]}", Format::Json), Refused::NoText);
}

#[test]
fn markdown_keeps_its_structure() {
    let given = "---\ntitle: \"Le café\"\n---\n# Guide\nIntro *with* `code`\nand more.\n\n## Lists\n- one\n  - nested **a**\n  - nested b\n\n  still one\n- two\n\n\
        ## Empty\n# Tables\n|Name|Größe|\n|-|-|\n|Ann|1|\n|Bob|2|\n\n```rust\nfn main() {\n    run();\n}\n```\n> quoted\n\n<div>in <b>HTML</b></div>\n";
    let extracted = read(given.as_bytes(), Format::Markdown);
    assert_eq!(extracted.title.as_deref(), Some("Le café"));
    assert_eq!(
        lines(&extracted),
        [
            "p [Guide] Intro with code and more.",
            "li [Guide > Lists] one",
            "li [Guide > Lists] nested a",
            "li [Guide > Lists] nested b",
            "li [Guide > Lists] still one",
            "li [Guide > Lists] two",
            "p [Guide] Empty",
            "th [Tables] Name | Größe",
            "tr [Tables] Ann | 1",
            "tr [Tables] Bob | 2",
            "code [Tables] fn main() {\n    run();\n}",
            "p [Tables] quoted",
            "p [Tables] in HTML",
        ]
    );
}

#[test]
fn html_keeps_its_structure() {
    let given = "<!DOCTYPE html><html><head><title>Über &amp; uns</title><style>p{}</style></head><body><nav>Menu</nav>\
        <h1>Wir</h1><p>Eins\nund <b>zwei</b>.<br>Drei<script>if (a</b>) '</p>'</script></p><h2>Liste</h2>\
        <ul><li>a<ul><li>a1</li></ul></li><li>b</li></ul>\
        <table><tr><th>Name<th>Ort</tr><tr><td><p>Ann</p><td>Bern</tr></table><table><tr><td>layout</td></tr></table>\
        <pre>x = 1\n  y</pre><h3>Ende</h3><h1>日本";
    let extracted = read(given.as_bytes(), Format::Html);
    assert_eq!(extracted.title.as_deref(), Some("Über & uns"));
    assert_eq!(
        lines(&extracted),
        [
            "p [] Menu",
            "p [Wir] Eins und zwei.\nDrei",
            "li [Wir > Liste] a",
            "li [Wir > Liste] a1",
            "li [Wir > Liste] b",
            "th [Wir > Liste] Name | Ort",
            "tr [Wir > Liste] Ann | Bern",
            "p [Wir > Liste] layout",
            "code [Wir > Liste] x = 1\n  y",
            "p [Wir > Liste] Ende",
            "p [] 日本",
        ]
    );
}

#[test]
fn rows_of_csv_say_what_they_are() {
    let given = "name;city;note\nAnn;Zürich;\"a; \"\"b\"\"\nc\"\nBob;;\nCem;İzmir;x;extra\n";
    assert_eq!(
        lines(&read(given.as_bytes(), Format::Csv)),
        [
            "record [] name: Ann; city: Zürich; note: a; \"b\"\nc",
            "record [] name: Bob",
            "record [] name: Cem; city: İzmir; note: x; extra",
        ]
    );
    assert_eq!(lines(&read(b"a\tb\n1\t2,3\n", Format::Csv)), ["record [] a: 1; b: 2,3"]);
    assert_eq!(lines(&read(b"only,names", Format::Csv)), ["record [] only; names"]);
}

#[test]
fn objects_of_json_are_records_under_their_keys() {
    let given = "\u{feff}{\"name\":\"Ann\",\"home\":{\"city\":\"Köln\",\"zip\":50667,\"x\":{}},\"old\":false,\"tags\":[\"a\",1.5,null,\"\"],\
        \"jobs\":[{\"at\":\"X\"},{\"at\":\"Y\"}]}";
    assert_eq!(
        lines(&read(given.as_bytes(), Format::Json)),
        [
            "record [] name: Ann",
            "record [home] city: Köln\nzip: 50667",
            "record [] old: false",
            "record [tags] a\n1.5",
            "record [jobs] at: X",
            "record [jobs] at: Y",
        ]
    );
    assert_eq!(lines(&read(b"{\"n\":1}\n{\"n\":2}\n\n", Format::Json)), ["record [] n: 1", "record [] n: 2"]);
    for broken in ["", "{", "{\"a\":1}}", "nope", "[1,]"] {
        assert_eq!(refusal(broken.as_bytes(), Format::Json), Refused::Malformed(Format::Json), "{broken}");
    }
}

#[test]
fn limits_hold_for_texts() {
    let limits = small();
    let refused = |bytes: &[u8], format| extract(bytes, format, &limits).unwrap_err();
    assert_eq!(refused(&vec![b'a'; limits.input_bytes + 1], Format::Text), Refused::TooLarge);
    let long = "a ".repeat(limits.text_bytes * 3 / 4);
    for format in [Format::Text, Format::Markdown, Format::Html, Format::Csv] {
        assert_eq!(refused(long.as_bytes(), format), Refused::TooLarge, "{format}");
    }
    assert_eq!(refused(format!("\"{long}\"").as_bytes(), Format::Json), Refused::TooLarge);
    assert_eq!(refused("a\n\n".repeat(limits.blocks + 1).as_bytes(), Format::Text), Refused::TooLarge);
    assert_eq!(refused(",".repeat(limits.columns).as_bytes(), Format::Csv), Refused::TooLarge);
    let hurried = super::Limits { time: std::time::Duration::ZERO, ..limits.clone() };
    assert_eq!(extract(b"# a\nb", Format::Markdown, &hurried).unwrap_err(), Refused::TimedOut);
}

use super::{Format, Refused, docx_of, extract, lines, read, refusal, small, zip};

fn p(style: &str, text: &str) -> String {
    let style = if style.is_empty() { String::new() } else { format!("<w:pPr><w:pStyle w:val=\"{style}\"/></w:pPr>") };
    format!("<w:p>{style}<w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r></w:p>")
}

#[test]
fn headings_are_found_by_the_names_of_styles() {
    let body = [
        p("Titel", "Bericht"),
        p("", "Vorwort &amp; Dank &#228;&undefined;"),
        p("berschrift1", "Teil eins"),
        p("berschrift2", "Ab<w:x/>schnitt"),
        p("Kapitel", "Kapitel"),
        p("unbekannt", "ein Satz"),
        "<w:p><w:pPr><w:numPr><w:ilvl w:val=\"1\"/></w:numPr></w:pPr><w:r><w:t>Punkt</w:t><w:br/><w:t>weiter</w:t></w:r></w:p>".into(),
        p("berschrift1", "Часть два"),
        "<w:p><w:r><w:t>neu</w:t><w:tab/><w:t>hier</w:t></w:r><w:del><w:r><w:delText>alt</w:delText></w:r></w:del>\
         <w:moveFrom><w:r><w:t>weg</w:t></w:r></w:moveFrom><w:instrText>PAGE</w:instrText></w:p>"
            .into(),
    ];
    let extracted = read(&docx_of(&body.concat()), Format::Docx);
    assert_eq!(extracted.title.as_deref(), Some("Bericht"));
    assert_eq!(
        lines(&extracted),
        [
            "p [Bericht] Vorwort & Dank ä",
            "p [Bericht > Teil eins > Abschnitt > Kapitel] ein Satz",
            "li [Bericht > Teil eins > Abschnitt > Kapitel] Punkt\nweiter",
            "p [Bericht > Часть два] neu hier",
        ]
    );
}

#[test]
fn tables_are_rows_also_in_tables() {
    let cell = |text: &str| format!("<w:tc>{}{}</w:tc>", p("berschrift1", text), p("", ""));
    let row = |cells: &[&str]| format!("<w:tr>{}</w:tr>", cells.iter().map(|text| cell(text)).collect::<String>());
    let inner = format!("<w:tbl>{}{}</w:tbl>", row(&["a", "b"]), row(&["c", "d"]));
    let body = format!(
        "{}<w:tbl>{}{}<w:tr><w:tc>{inner}{}</w:tc>{}</w:tr></w:tbl>{}",
        p("", "before"),
        row(&["Name", "Ort"]),
        row(&["Ann", "Köln"]),
        p("", "e"),
        cell("f"),
        p("", "after"),
    );
    assert_eq!(
        lines(&read(&docx_of(&body), Format::Docx)),
        ["p [] before", "th [] Name | Ort", "tr [] Ann | Köln", "tr [] a | b c | d e | f", "p [] after"]
    );
}

#[test]
fn text_boxes_are_read_once() {
    let alternatives = format!(
        "<w:p><w:r><w:t>around</w:t><mc:AlternateContent><mc:Choice>{0}</mc:Choice><mc:Fallback>{0}</mc:Fallback></mc:AlternateContent><w:t> it</w:t></w:r></w:p>",
        p("", "in the box")
    );
    assert_eq!(lines(&read(&docx_of(&alternatives), Format::Docx)), ["p [] in the box", "p [] around it"]);
}

#[test]
fn the_title_comes_from_the_properties() {
    let file = zip(&[
        ("docProps/core.xml", b"<c:core xmlns:dc=\"d\"><dc:title>Q&amp;A</dc:title></c:core>"),
        ("word/document.xml", p("", "x").as_bytes()),
    ]);
    assert_eq!(read(&file, Format::Docx).title.as_deref(), Some("Q&A"));
}

#[test]
fn bombs_are_refused() {
    let limits = small();
    let bomb = docx_of(&" ".repeat(50 << 20));
    assert!(bomb.len() < limits.input_bytes);
    assert_eq!(extract(&bomb, Format::Docx, &limits).unwrap_err(), Refused::ExpandsTooMuch);

    // The directory and the file's own header say that it is small; whatever comes of it, it is not read to the end.
    let mut lying = bomb;
    let size = u32::try_from((50 << 20) + 152).unwrap();
    let places: Vec<_> = (0..lying.len() - 4).filter(|at| lying[*at..*at + 3] == size.to_le_bytes()[..3]).collect();
    for at in places {
        lying[at..at + 4].copy_from_slice(&100_u32.to_le_bytes());
    }
    extract(&lying, Format::Docx, &limits).unwrap_err();

    let nested = docx_of(&"<w:tbl><w:tr><w:tc>".repeat(3000));
    extract(&nested, Format::Docx, &limits).unwrap_err();
    let nested = docx_of(&format!(
        "{}{}",
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>x</w:t></w:r></w:p>".repeat(500),
        "</w:tc></w:tr></w:tbl>".repeat(500)
    ));
    let refused = extract(&nested, Format::Docx, &limits).map(|extracted| extracted.blocks.len());
    assert_eq!(refused, Err(Refused::TooLarge));
}

#[test]
fn entities_of_a_document_type_are_refused() {
    let laughs = "<!DOCTYPE lolz [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><w:p><w:r><w:t>&b;</w:t></w:r></w:p>";
    let file = zip(&[("word/document.xml", laughs.as_bytes())]);
    assert_eq!(refusal(&file, Format::Docx), Refused::Malformed(Format::Docx));
    let file = zip(&[("word/styles.xml", laughs.as_bytes()), ("word/document.xml", b"<w:p/>")]);
    assert_eq!(refusal(&file, Format::Docx), Refused::Malformed(Format::Docx));
}

#[test]
fn what_is_no_document_is_malformed() {
    let malformed = Refused::Malformed(Format::Docx);
    assert_eq!(refusal(b"PK\x03\x04word/document.xml", Format::Docx), malformed);
    assert_eq!(refusal(&zip(&[("word/other.xml", b"")]), Format::Docx), malformed);
    assert_eq!(refusal(&zip(&[("word/document.xml", b"<w:p><w:t>x</w:p>")]), Format::Docx), malformed);
    assert_eq!(refusal(&zip(&[("word/document.xml", b"\0\xff\xfe\0")]), Format::Docx), malformed);
    assert_eq!(refusal(&docx_of(""), Format::Docx), Refused::NoText);
    // With the bit for encryption set in the file's header and in the directory.
    let mut locked = zip(&[("word/document.xml", b"<w:p/>")]);
    let directory = locked.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    locked[6] |= 1;
    locked[directory + 8] |= 1;
    assert_eq!(refusal(&locked, Format::Docx), Refused::Encrypted);
}

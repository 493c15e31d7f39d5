use super::{Format, Refused, extract, lines, pages, pdf_of, read, refusal, small, stream};

#[test]
fn lines_and_paragraphs_are_what_lies_together() {
    let first = b"BT /F1 12 Tf 72 720 Td (Die Gr\\366\\337e der Ver-) Tj 0 -14 Td (pflichtung.) Tj 0 -40 Td [(Zwei) -300 (ter) 20 (n)] TJ \
        14 TL (Absatz) ' ET BT /F1 12 Tf 1 0 0 1 72 500 Tm (H) Tj 1 0 0 1 79 500 Tm (allo) Tj 1 0 0 1 300 500 Tm (rechts) Tj ET";
    let second = b"q BT /F1 1 Tf 12 0 0 12 72 700 Tm (noch) Tj 0 -1.2 TD (eine) Tj T* (Seite) Tj ET Q";
    let file = pdf_of(&pages(&[first, second], ""), "/Info<</Title<FEFF00DC0062006500720031>>>");
    let extracted = read(&file, Format::Pdf);
    assert_eq!(extracted.title.as_deref(), Some("Über1"));
    assert_eq!(
        lines(&extracted),
        ["p [] Die Größe der Verpflichtung.", "p [] Zwei tern\nAbsatz", "p [] Hallo rechts", "p [] noch\neine\nSeite"]
    );
}

/// A page that shows `codes` with a font with this map to Unicode and what else `font` says.
fn mapped(font: &str, map: &[u8], codes: &str) -> Vec<u8> {
    let mut objects = pages(&[format!("BT /F1 12 Tf <{codes}> Tj ET").as_bytes()], "");
    objects[2] = format!("<</Type/Font/BaseFont/X/ToUnicode 6 0 R{font}>>").into_bytes();
    objects.push(stream("", map));
    pdf_of(&objects, "")
}

#[test]
fn fonts_with_a_map_to_unicode_are_read() {
    let map = b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CIDSystemInfo <</Registry(Adobe)>> def % note <\n\
        1 begincodespacerange <0000> <FFFF> endcodespacerange 2 beginbfchar <0001> <041F> <0002> <0440> endbfchar\n\
        3 beginbfrange <0003> <0005> <0438> <0006> <0007> [<00660069> <D83DDE42>] <0010><FFFFFFFF><00e4> endbfrange\n\
        endcmap CMapName currentdict /CMap defineresource pop end end";
    let file = mapped("/Subtype/Type0/Encoding/Identity-H", map, "0001000200030006000700100f");
    assert_eq!(lines(&read(&file, Format::Pdf)), ["p [] Приfi🙂ä"]);
    // One byte a code; what the map does not know, the encoding does.
    let map = b"begincmap 1 beginbfchar <01> <0110> endbfchar endcmap";
    let file = mapped("/Subtype/TrueType/Encoding/WinAnsiEncoding", map, "0141fc");
    assert_eq!(lines(&read(&file, Format::Pdf)), ["p [] ĐAü"]);
}

#[test]
fn the_outline_gives_the_headings_even_if_it_is_a_loop() {
    let page = |text: &str| format!("BT /F1 12 Tf ({text}) Tj ET").into_bytes();
    let contents = [page("eins"), page("zwei"), page("drei")];
    let contents: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
    let mut objects = pages(&contents, "/Outlines 10 0 R");
    objects.push(b"<</First 11 0 R/Last 13 0 R>>".to_vec());
    objects.push(b"<</Title(Teil A)/Dest[4 0 R/Fit]/First 12 0 R/Next 13 0 R>>".to_vec());
    objects.push(b"<</Title(Kapitel)/A<</S/GoTo/D[6 0 R/Fit]>>/First 11 0 R/Next 12 0 R>>".to_vec());
    objects.push(b"<</Title(Teil B)/Dest[8 0 R/Fit]/Next 11 0 R>>".to_vec());
    assert_eq!(
        lines(&read(&pdf_of(&objects, ""), Format::Pdf)),
        ["p [Teil A] eins", "p [Teil A > Kapitel] zwei", "p [Teil B] drei"]
    );
}

#[test]
fn forms_are_part_of_the_page() {
    let mut objects = pages(&[b"BT /F1 12 Tf (before) Tj ET /X1 Do BT 0 -40 Td (after) Tj ET"], "");
    let page = "<</Type/Page/Parent 2 0 R/Resources<</Font<</F1 3 0 R>>/XObject<</X1 6 0 R>>>>/Contents 5 0 R>>";
    objects[3] = page.as_bytes().to_vec();
    // The first has fonts of its own, the second uses those around it and draws itself.
    let fonts = "/Resources<</Font<</G 3 0 R/F1 3 0 R>>/XObject<</X2 7 0 R>>>>";
    objects.push(stream(&format!("/Subtype/Form{fonts}"), b"BT /G 12 Tf 0 -20 Td (in) Tj ET /X2 Do"));
    objects.push(stream("/Subtype/Form", b"BT /F1 12 Tf 0 -30 Td (deep) Tj ET /X2 Do"));
    assert_eq!(lines(&read(&pdf_of(&objects, ""), Format::Pdf)), ["p [] before\nin\ndeepdeepdeep\nafter"]);
    let many = "/X1 Do ".repeat(1000);
    objects[4] = stream("", many.as_bytes());
    assert_eq!(extract(&pdf_of(&objects, ""), Format::Pdf, &small()).unwrap_err(), Refused::ExpandsTooMuch);
}

#[test]
fn a_scanned_document_has_no_text() {
    let mut objects = pages(&[b"q 612 0 0 792 0 0 cm /Im1 Do Q"], "");
    objects
        .push(stream("/Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray", b"\x80"));
    assert_eq!(refusal(&pdf_of(&objects, ""), Format::Pdf), Refused::NoText);
}

#[test]
fn an_encrypted_document_is_refused() {
    let plain = pdf_of(&pages(&[b"BT /F1 12 Tf (secret) Tj ET"], ""), "/ID[<00><00>]");
    let encrypted = |user_password| {
        let mut document = lopdf::Document::load_mem(&plain).unwrap();
        let version = lopdf::EncryptionVersion::V2 {
            document: &document,
            owner_password: "owner",
            user_password,
            key_length: 128,
            permissions: lopdf::Permissions::all(),
        };
        let state = lopdf::EncryptionState::try_from(version).unwrap();
        document.encrypt(&state).unwrap();
        let mut file = Vec::new();
        document.save_to(&mut file).unwrap();
        file
    };
    assert_eq!(refusal(&encrypted("user"), Format::Pdf), Refused::Encrypted);
    // Without a password to read, only some programs keep others from changing it.
    assert_eq!(lines(&read(&encrypted(""), Format::Pdf)), ["p [] secret"]);
}

#[test]
fn loops_end() {
    let mut objects = pages(&[b"BT /F1 12 Tf (once) Tj ET"], "");
    objects[1] = b"<</Type/Pages/Count 9/Kids[2 0 R 4 0 R 2 0 R]/Parent 2 0 R>>".to_vec();
    extract(&pdf_of(&objects, ""), Format::Pdf, &small()).ok();
    let mut objects = pages(&[b""], "");
    objects[3] = b"<</Type/Page/Parent 4 0 R/Contents 4 0 R/Resources 4 0 R/Font 4 0 R>>".to_vec();
    assert_eq!(refusal(&pdf_of(&objects, ""), Format::Pdf), Refused::NoText);
    objects[4] = b"5 0 R".to_vec();
    objects[3] = b"<</Type/Page/Parent 2 0 R/Contents[5 0 R 5 0 R]>>".to_vec();
    extract(&pdf_of(&objects, ""), Format::Pdf, &small()).unwrap_err();
    let previous = String::from_utf8(pdf_of(&pages(&[b"BT /F1 1 Tf (x) Tj ET"], ""), "/Prev 9")).unwrap();
    extract(previous.as_bytes(), Format::Pdf, &small()).ok();
}

#[test]
fn bombs_are_refused() {
    let mut packed = lopdf::Stream::new(lopdf::Dictionary::new(), vec![b' '; 20 << 20]);
    packed.compress().unwrap();
    let mut objects = pages(&[b""], "");
    objects[4] = stream("/Filter/FlateDecode", &packed.content);
    let file = pdf_of(&objects, "");
    assert_eq!(extract(&file, Format::Pdf, &small()).unwrap_err(), Refused::ExpandsTooMuch);
    // The same page again and again: what all pages expand to counts.
    let content = [b"BT /F1 12 Tf (x) Tj ET ".as_slice(), &vec![b' '; 10_000]].concat();
    let contents = vec![content.as_slice(); 5];
    let mut objects = pages(&contents, "");
    objects[1] = format!("<</Type/Pages/Count 100/Kids[{}]>>", "4 0 R 6 0 R ".repeat(5)).into_bytes();
    let limits = crate::documents::Limits { expanded_bytes: 50_000, ..small() };
    assert_eq!(extract(&pdf_of(&objects, ""), Format::Pdf, &limits).unwrap_err(), Refused::ExpandsTooMuch);
}

#[test]
fn garbage_is_malformed() {
    for garbage in [b"%PDF-1.7\n".as_slice(), b"%PDF-1.4\n\0\xff\xfe garbage %%EOF", b"nothing of the kind", b""] {
        assert_eq!(refusal(garbage, Format::Pdf), Refused::Malformed(Format::Pdf));
    }
}

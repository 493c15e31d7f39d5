//! Documents from the upload to the hit.

use contracts::{
    Role,
    memory::v1::{DocumentIndexed, MemoryForgotten},
};
use serde_json::{Value, json};
use testkit::Actor;

use crate::support::{Stage, strings};

const MANUAL: &str = "# Press\n\nIt presses.\n\n## Maintenance\n\nOil the piston with two drops each week.\n\n## Safety\n\n\
     Never reach below the plate while the lamp is red.\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_found_by_a_question_with_its_place() {
    let stage = Stage::start().await;
    let events = stage.app.record().await;
    let ada = Actor::new(Role::Member);
    let collection = stage.collection(&ada, "Handbooks", &json!({})).await;
    let more = json!({"tags": ["press"], "metadata": {"floor": 2}});
    let answer = stage.upload(&ada, &collection, "press.md", MANUAL.as_bytes(), &more).await;
    let accepted: Value = answer.json(202);
    let path = answer.header("location").unwrap().to_owned();
    assert_eq!(path, format!("/v1/memory/documents/{}", accepted["operation_id"].as_str().unwrap()));
    assert_eq!(accepted["document"]["id"], accepted["operation_id"]);

    let document = stage.indexed(&ada, &path).await;
    assert_eq!((&document["status"], &document["error"]), (&json!("indexed"), &Value::Null));
    assert_eq!((&document["title"], &document["format"]), (&json!("Press"), &json!("markdown")));
    assert_eq!((&document["revision"], &document["chunk_count"]), (&json!(1), &json!(3)));
    assert_eq!(document["user"], json!(ada.user));
    let (envelope, event) = events.wait::<DocumentIndexed>(|_| true).await;
    assert_eq!((json!(event.document_id), event.chunks), (document["id"].clone(), 3));
    assert_eq!((json!(envelope.sequence), envelope.org), (document["version"].clone(), Some(ada.org)));

    let chunks: Value = stage.app.get(&format!("{path}/chunks?limit=2"), &ada).await.json(200);
    assert_eq!(chunks["items"][1]["heading_path"], json!(["Press", "Maintenance"]));
    let oil = "Press > Maintenance\nOil the piston with two drops each week.";
    assert_eq!(chunks["items"][1]["text"], oil);
    let next = format!("{path}/chunks?limit=2&cursor={}", chunks["next_cursor"].as_str().unwrap());
    let rest: Value = stage.app.get(&next, &ada).await.json(200);
    assert_eq!((&rest["items"][0]["position"], &rest["next_cursor"]), (&json!(2), &Value::Null));

    for _ in 0..2 {
        let asked = json!({"scope": {"collections": [collection]}, "top_k": 1, "neighbours": 1});
        let found = stage.search_with(&ada, "How often must the piston get oil?", &asked).await;
        let hit = &found["hits"][0];
        assert_eq!((&hit["kind"], &hit["text"], &hit["position"]), (&json!("chunk"), &json!(oil), &json!(1)));
        assert_eq!((&hit["document_id"], &hit["collection_id"]), (&document["id"], &json!(collection)));
        assert_eq!(hit["id"], chunks["items"][1]["id"]);
        assert_eq!(hit["neighbours"].as_array().unwrap().len(), 2);
        // Once by words alone, once with vectors.
        stage.embedded(&ada, &[oil]).await;
    }
    for (filter, hits) in [
        (json!({"tags": ["press"], "metadata": {"floor": 2}}), 3),
        (json!({"tags": ["lathe"]}), 0),
        (json!({"kinds": ["message"]}), 0),
    ] {
        let found = stage.search_with(&ada, "press", &json!({"filter": filter})).await;
        assert_eq!(found["hits"].as_array().unwrap().len(), hits, "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_keeps_to_its_collections() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let mut collections = Vec::new();
    for n in 0..3 {
        let collection = stage.collection(&ada, &format!("Shelf {n}"), &json!({})).await;
        stage.indexed_text(&ada, &collection, &format!("The lamp on shelf {n}")).await;
        collections.push(collection);
    }
    stage.remember(&ada, "The lamp of nobody", &json!({})).await;
    for (of, expected) in
        [(vec![1], vec!["The lamp on shelf 1"]), (vec![0, 2], vec!["The lamp on shelf 0", "The lamp on shelf 2"])]
    {
        let ids: Vec<_> = of.iter().map(|n: &usize| &collections[*n]).collect();
        let found = stage.search_with(&ada, "lamp", &json!({"scope": {"collections": ids}})).await;
        let mut texts = strings(&found["hits"], "text");
        texts.sort();
        assert_eq!(texts, expected);
    }
    assert_eq!(stage.found(&ada, "lamp").await.len(), 4);
    let path = format!("/v1/memory/documents?collection_id={}&status=indexed", collections[1]);
    let list: Value = stage.app.get(&path, &ada).await.json(200);
    assert_eq!(strings(&list["items"], "collection_id"), [collections[1].clone()]);
    let none: Value = stage.app.get("/v1/memory/documents?status=failed", &ada).await.json(200);
    assert_eq!(none["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_their_users_and_their_organizations() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let (boss, eve) = (ada.colleague(Role::Owner), Actor::new(Role::Owner));
    let own = stage.collection(&ada, "Mine", &json!({})).await;
    let shared = stage.collection(&ada, "Ours", &json!({"user": null})).await;
    let secret = stage.indexed_text(&ada, &own, "The salary of Ada").await;
    let public = stage.indexed_text(&ada, &shared, "The salary of the mayor").await;
    stage.embedded(&ada, &["The salary of Ada", "The salary of the mayor"]).await;
    for (who, found) in [(&boss, vec!["The salary of the mayor"]), (&eve, vec![])] {
        assert_eq!(stage.found(who, "salary").await, found);
        let asked = json!({"scope": {"collections": [own]}});
        assert_eq!(stage.search_with(who, "salary", &asked).await["hits"], json!([]));
        for path in [format!("/v1/memory/collections/{own}"), secret.clone(), format!("{secret}/chunks")] {
            assert_eq!(stage.app.get(&path, who).await.status, 404, "{path}");
        }
        let reindex = stage.app.post(&format!("{secret}/reindex"), who, &json!({})).await;
        assert_eq!(reindex.problem(404), "document_not_found");
        let planted = stage.upload(who, &own, "x.txt", b"Ada owes me money", &json!({})).await;
        assert_eq!(planted.problem(404), "collection_not_found");
        assert_eq!(stage.delete(&secret, who).await.status, 204);
        assert_eq!(stage.delete(&format!("/v1/memory/collections/{own}"), who).await.status, 204);
    }
    let seen = async |who: &Actor, list: &str| -> usize {
        stage.app.get(list, who).await.json::<Value>(200)["items"].as_array().unwrap().len()
    };
    for list in ["/v1/memory/documents", "/v1/memory/collections"] {
        assert_eq!((seen(&ada, list).await, seen(&boss, list).await, seen(&eve, list).await), (2, 1, 0), "{list}");
    }
    assert_eq!(stage.app.get(&secret, &ada).await.status, 200, "nobody else's to forget");
    assert_eq!(stage.app.get(&public, &boss).await.status, 200);
    assert_eq!(stage.app.get(&public, &eve).await.problem(404), "document_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused_at_once() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let collection = stage.collection(&ada, "Odds", &json!({})).await;
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01".as_slice();
    let mut locked = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    locked.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
    for (name, content, status, code) in [
        ("cat", png, 422, "document_unsupported"),
        ("cat.txt", png, 422, "document_mismatch"),
        ("list.csv", b"%PDF-1.7\n", 422, "document_mismatch"),
        ("letter.pdf", b"Dear Ada,", 422, "document_mismatch"),
        ("letter.docx", &locked, 422, "document_encrypted"),
    ] {
        let answer = stage.upload(&ada, &collection, name, content, &json!({})).await;
        assert_eq!(answer.problem(status), code, "{name}");
    }
    let mismatch = json!({"media_type": "application/pdf"});
    let answer = stage.upload(&ada, &collection, "letter", b"Dear Ada,", &mismatch).await;
    assert!(answer.text().contains("PDF"), "{}", answer.text());
    let large = vec![b'x'; (20 << 20) + 1];
    let answer = stage.upload(&ada, &collection, "large.txt", &large, &json!({})).await;
    assert_eq!(answer.problem(413), "document_too_large");
    let larger = vec![b'x'; 24 << 20];
    let answer = stage.upload(&ada, &collection, "larger.txt", &larger, &json!({})).await;
    assert_eq!(answer.problem(413), "payload_too_large");
    let list: Value = stage.app.get("/v1/memory/documents", &ada).await.json(200);
    assert_eq!(list["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let collection = stage.collection(&ada, "Odds", &json!({})).await;
    let good = json!({"collection_id": collection, "name": "a.txt", "text": "x"});
    for (more, field) in [
        (json!({"collection_id": "none"}), "collection_id"),
        (json!({"name": ""}), "name"),
        (json!({"name": "x".repeat(201)}), "name"),
        (json!({"text": ""}), "text"),
        (json!({"text": "a\u{0}b"}), "text"),
        (json!({"text": null}), "text"),
        (json!({"content_base64": "eA=="}), "text"),
        (json!({"text": null, "content_base64": "not base64"}), "content_base64"),
        (json!({"media_type": "markdown"}), "media_type"),
        (json!({"tags": [""]}), "tags"),
        (json!({"metadata": {"a": "x".repeat(9000)}}), "metadata"),
        (json!({"path": "/etc"}), "path"),
    ] {
        let body = crate::support::merged(&good, &more);
        assert_eq!(stage.app.post("/v1/memory/documents", &ada, &body).await.bad_fields(422), [field], "{more}");
    }
    for query in ["status=lost", "collection_id=none", "q=x"] {
        let path = format!("/v1/memory/documents?{query}");
        assert_eq!(stage.app.get(&path, &ada).await.problem(400), "invalid_parameter", "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_are_one_document_of_a_collection() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let (one, two) = (stage.collection(&ada, "One", &json!({})).await, stage.collection(&ada, "Two", &json!({})).await);
    let first = stage.indexed_text(&ada, &one, "{\"lamp\": \"red\"}").await;
    let again = stage.upload(&ada, &one, "other-name.txt", b"{\"lamp\": \"red\"}", &json!({})).await;
    assert_eq!(again.json::<Value>(200)["document"]["status"], "indexed");
    assert_eq!(again.header("location"), Some(first.as_str()));
    for (collection, name) in [(&two, "note.txt"), (&one, "note.json")] {
        let answer = stage.upload(&ada, collection, name, b"{\"lamp\": \"red\"}", &json!({})).await;
        answer.json::<Value>(202);
        assert_ne!(answer.header("location"), Some(first.as_str()), "{name}");
    }
    let none = json!({});
    let both = [0; 4].map(|_| stage.upload(&ada, &two, "b.txt", b"twice", &none));
    let both = futures_util::future::join_all(both).await;
    assert!(both.iter().all(|answer| answer.header("location") == both[0].header("location")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_upload_with_one_key_gets_the_first_answer() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let collection = stage.collection(&ada, "Odds", &json!({})).await;
    let post = async |path: &str, body: Value| stage.post_once(path, &ada, &body).await;
    let body = |text: &str| json!({"collection_id": collection, "name": "a.txt", "text": text});
    let first = post("/v1/memory/documents", body("lamp")).await;
    let path = first.header("location").unwrap().to_owned();
    stage.indexed(&ada, &path).await;
    let again = post("/v1/memory/documents", body("lamp")).await;
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!((&first.body, again.header("idempotency-replayed")), (&again.body, Some("true")));
    assert_eq!(post("/v1/memory/documents", body("other")).await.problem(422), "idempotency_mismatch");
    let reindex = format!("{path}/reindex");
    for _ in 0..2 {
        assert_eq!(post(&reindex, json!({})).await.json::<Value>(202)["document"]["revision"], 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_is_nowhere() {
    let stage = Stage::start().await;
    let events = stage.app.record().await;
    let ada = Actor::new(Role::Member);
    let collection = stage.collection(&ada, "Zoo", &json!({})).await;
    let one = stage.indexed_text(&ada, &collection, "Quokkas smile").await;
    let two = stage.indexed_text(&ada, &collection, "Quokkas sleep").await;
    stage.embedded(&ada, &["Quokkas smile", "Quokkas sleep"]).await;
    assert_eq!(stage.rows_of_documents().await, [2, 2, 2, 2, 2]);
    assert_eq!(stage.delete(&one, &ada).await.status, 204);
    assert_eq!(stage.found(&ada, "quokkas").await, ["Quokkas sleep"]);
    assert_eq!(stage.rows_of_documents().await, [1, 1, 1, 1, 1]);
    let (_, event) = events.wait::<MemoryForgotten>(|event| event.kind == "document").await;
    assert_eq!((one.ends_with(&event.memory_id), event.entries), (true, 1));
    for path in [one.clone(), format!("{one}/chunks")] {
        assert_eq!(stage.app.get(&path, &ada).await.problem(404), "document_not_found");
    }
    let path = format!("/v1/memory/collections/{collection}");
    assert_eq!(stage.delete(&path, &ada).await.status, 204);
    assert_eq!(stage.found(&ada, "quokkas").await, [""; 0]);
    assert_eq!(stage.rows_of_documents().await, [0; 5]);
    assert_eq!(stage.app.get(&two, &ada).await.problem(404), "document_not_found");
    let (_, event) = events.wait::<MemoryForgotten>(|event| event.kind == "collection").await;
    assert_eq!((event.memory_id, event.entries), (collection, 1));
    for path in [&one, &path] {
        assert_eq!(stage.delete(path, &ada).await.status, 204, "as often as you like");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_of_text_are_indexed() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let collection = stage.collection(&ada, "Novels", &json!({})).await;
    let mut text = String::new();
    let mut n = 0;
    while text.len() < 10_000_000 {
        n += 1;
        text.push_str("The captain looked out at the grey sea and said nothing for a long while. ");
        if n % 10 == 0 {
            text.push_str("\n\n");
        }
        if n == 50_000 {
            text.push_str("Then the quokka sang. ");
        }
    }
    let answer = stage.upload(&ada, &collection, "novel.txt", text.as_bytes(), &json!({})).await;
    answer.json::<Value>(202);
    let path = answer.header("location").unwrap();
    let document = stage.indexed(&ada, path).await;
    assert_eq!((&document["status"], &document["bytes"]), (&json!("indexed"), &json!(text.len())));
    assert!(document["chunk_count"].as_i64().unwrap() > 8_000, "{document}");
    let found = stage.found(&ada, "Who is the quokka?").await;
    assert!(found[0].contains("the quokka sang"), "{}", found[0]);
    assert_eq!(stage.delete(path, &ada).await.status, 204);
    assert_eq!(stage.found(&ada, "Who is the quokka?").await, [""; 0]);
}

/// A DOCX whose text is `bytes` of nothing.
fn bomb(bytes: usize) -> Vec<u8> {
    use std::io::Write as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("word/document.xml", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(b"<w:document xmlns:w=\"urn:w\"><w:body><w:p><w:r><w:t>").unwrap();
    let piece = vec![b' '; 1 << 20];
    for _ in 0..bytes >> 20 {
        zip.write_all(&piece).unwrap();
    }
    zip.write_all(b"</w:t></w:r></w:p></w:body></w:document>").unwrap();
    zip.finish().unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_turns_out_unreadable_fails_with_a_reason() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let collection = stage.collection(&ada, "Odds", &json!({})).await;
    let garbage = [b"%PDF-1.7\n".as_slice(), &[7; 5000]].concat();
    let bomb = bomb(100 << 20);
    assert!(bomb.len() < 1 << 20, "small as it comes");
    for (name, content, error) in [
        ("garbage.pdf", garbage.as_slice(), "malformed"),
        ("bomb.docx", &bomb, "too_demanding"),
        ("nothing.txt", b" \n\n\t ", "no_text"),
        ("half.json", b"{\"lamp\": ", "malformed"),
    ] {
        let answer = stage.upload(&ada, &collection, name, content, &json!({})).await;
        answer.json::<Value>(202);
        let path = answer.header("location").unwrap();
        let document = stage.indexed(&ada, path).await;
        assert_eq!((&document["status"], &document["error"]), (&json!("failed"), &json!(error)), "{name}");
        assert_eq!(document["chunk_count"], 0);
        let again: Value = stage.app.post(&format!("{path}/reindex"), &ada, &json!({})).await.json(202);
        assert_eq!((&again["document"]["status"], &again["document"]["error"]), (&json!("pending"), &Value::Null));
        assert_eq!(stage.indexed(&ada, path).await["error"], error);
    }
    // And nobody was hurt.
    stage.indexed_text(&ada, &collection, "The lamp is red").await;
    assert_eq!(stage.found(&ada, "lamp").await, ["The lamp is red"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_is_read() {
    let stage = Stage::start().await;
    let ada = Actor::new(Role::Member);
    let collection = stage.collection(&ada, "Odds", &json!({})).await;
    let docx = {
        use std::io::Write as _;
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("word/document.xml", zip::write::SimpleFileOptions::default()).unwrap();
        let text =
            "<w:document xmlns:w=\"urn:w\"><w:body><w:p><w:r><w:t>A docx lamp</w:t></w:r></w:p></w:body></w:document>";
        zip.write_all(text.as_bytes()).unwrap();
        zip.finish().unwrap().into_inner()
    };
    for (name, content, format) in [
        ("a.txt", b"A plain lamp".as_slice(), "text"),
        ("a.html", b"<html><body><p>An html lamp</p></body></html>", "html"),
        ("a.csv", b"name,colour\nlamp,red\n", "csv"),
        ("a.json", b"{\"lamp\": \"json\"}", "json"),
        ("a.docx", &docx, "docx"),
    ] {
        let answer = stage.upload(&ada, &collection, name, content, &json!({})).await;
        answer.json::<Value>(202);
        let document = stage.indexed(&ada, answer.header("location").unwrap()).await;
        assert_eq!((&document["status"], &document["format"]), (&json!("indexed"), &json!(format)), "{document}");
    }
    assert_eq!(stage.found(&ada, "lamp").await.len(), 5);
}

//! What is compressed on its way to the client.

use std::io::Read;

use reqwest::Method;
use testkit::Answer;

use crate::support::{App, Backend};

async fn get(app: &App, path: &str, accept: &str) -> Answer {
    Answer::to(app.request(Method::GET, path).header("accept-encoding", accept)).await
}

#[tokio::test]
async fn text_from_one_kibibyte_on_is_compressed_as_asked() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    let plain = get(&app, "/v1/users/large", "identity").await;
    assert_eq!((plain.header("content-encoding"), plain.body.len()), (None, 20_002));
    for (accept, coding) in [
        ("br", "br"),
        ("gzip", "gzip"),
        ("gzip, deflate, br", "br"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("br;q=0, gzip", "gzip"),
    ] {
        let packed = get(&app, "/v1/users/large", accept).await;
        assert_eq!(packed.header("content-encoding"), Some(coding), "{accept}");
        assert!(packed.body.len() < 2_000, "{accept}: {}", packed.body.len());
        assert!(packed.headers.get_all("vary").iter().any(|value| value == "Accept-Encoding"), "{accept}");
        assert_eq!(packed.header("content-type"), Some("application/json"));
        assert_eq!(packed.header("content-length"), None);
        if coding == "gzip" {
            let mut text = Vec::new();
            flate2::read::GzDecoder::new(&*packed.body).read_to_end(&mut text).unwrap();
            assert_eq!(text, plain.body);
        }
    }
}

#[tokio::test]
async fn what_does_not_pay_or_must_not_is_left_alone() {
    let backend = Backend::start();
    let app = App::before(&backend).await;
    for path in ["/v1/users/small", "/v1/users/picture", "/v1/users/chunked"] {
        let answer = get(&app, path, "br, gzip").await;
        assert_eq!(answer.header("content-encoding"), None, "{path}");
        assert_eq!(answer.status, 200);
    }
    let encoded = get(&app, "/v1/users/encoded", "br, gzip").await;
    assert_eq!((encoded.header("content-encoding"), encoded.body.len()), (Some("zstd"), 20_000));
    let head = Answer::to(app.request(Method::HEAD, "/v1/users/large").header("accept-encoding", "br")).await;
    assert_eq!((head.header("content-encoding"), head.header("content-length")), (None, Some("20002")));
}

//! `services/<name>/openapi.json`: the HTTP contract of each service, committed so that a change of it shows in review.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use serde_json::Value;

use crate::{drift::Files, services};

/// The documents of all services.
pub fn generate(root: &Path) -> anyhow::Result<Files> {
    documents(&services::ask(root, "openapi")?)
}

fn documents(answers: &BTreeMap<String, Vec<u8>>) -> anyhow::Result<Files> {
    let document = |(name, answer): (&String, &Vec<u8>)| {
        let mut json: Value =
            serde_json::from_slice(answer).with_context(|| format!("`{name} openapi` did not print JSON"))?;
        // The order in which code declares things makes no difference.
        json.sort_all_objects();
        Ok((format!("services/{name}/openapi.json"), serde_json::to_string_pretty(&json)? + "\n"))
    };
    answers.iter().map(document).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_pretty_and_do_not_depend_on_the_order_of_keys() {
        let answer = |text: &str| documents(&BTreeMap::from([("auth".to_owned(), text.as_bytes().to_vec())]));
        let files = answer(r#"{"paths":{"/b":1,"/a":2},"openapi":"3.1.0"}"#).unwrap();
        assert_eq!(files, answer(r#"{"openapi":"3.1.0","paths":{"/a":2,"/b":1}}"#).unwrap());
        let text = &files["services/auth/openapi.json"];
        assert_eq!(text, "{\n  \"openapi\": \"3.1.0\",\n  \"paths\": {\n    \"/a\": 2,\n    \"/b\": 1\n  }\n}\n");
    }

    #[test]
    fn an_answer_that_is_not_json_names_its_service() {
        let error = documents(&BTreeMap::from([("auth".to_owned(), b"oops".to_vec())])).unwrap_err();
        assert!(format!("{error:#}").contains("`auth openapi`"));
    }
}

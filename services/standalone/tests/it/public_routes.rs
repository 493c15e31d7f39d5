//! The gateway asks for a token exactly where the services do.

use std::collections::BTreeSet;

use ai::Ai;
use auth::Auth;
use gateway::domain::route;
use kit::Service;
use serde_json::{Value, json};
use users::Users;

#[test]
fn what_a_service_answers_without_a_token_the_gateway_lets_through() {
    let mut open = BTreeSet::new();
    let mut closed = 0;
    for document in [Auth::openapi(), Users::openapi(), Ai::openapi()] {
        let document = serde_json::to_value(document).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            if route::find(path).is_none() {
                continue;
            }
            for (method, operation) in item.as_object().unwrap() {
                let security = operation.get("security").or(document.get("security"));
                // No requirement, or an empty one among them: OpenAPI 3.1, security requirement object.
                if security.and_then(Value::as_array).is_none_or(|any| any.is_empty() || any.contains(&json!({}))) {
                    open.insert((method.to_uppercase(), path.clone()));
                } else {
                    closed += 1;
                }
            }
        }
    }
    let public = route::PUBLIC.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(open, public);
    assert!(closed > 5, "{closed}");
}

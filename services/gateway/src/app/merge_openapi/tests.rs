use super::*;

fn own() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": { "title": "BrainOps", "version": "0" },
        "paths": { "/": { "get": { "operationId": "welcome", "responses": {} } } },
        "components": { "schemas": { "Problem": { "type": "object" } } },
    })
}

fn operation(id: &str, schema: &str) -> Value {
    json!({ "operationId": id, "tags": ["sessions", "users"], "responses": { "200": { "content": { "application/json": {
        "schema": { "$ref": format!("#/components/schemas/{schema}") } } } } } })
}

fn auth() -> Value {
    json!({
        "paths": {
            "/v1/auth/sessions": { "get": operation("list", "Session") },
            "/internal/token": { "post": { "security": [{ "of_services": [] }], "responses": operation("", "Secret")["responses"] } },
            "/v1/users/me": { "get": operation("stolen", "Session") },
        },
        "components": {
            "schemas": {
                "Problem": { "type": "object" },
                "Session": { "properties": { "owner": { "$ref": "#/components/schemas/Owner" } } },
                "Owner": { "type": "string" },
                "Secret": { "type": "string" },
            },
            "securitySchemes": { "bearer": { "type": "http" }, "of_services": { "type": "http" } },
        },
        "security": [{ "bearer": [] }],
        "tags": [{ "name": "sessions" }, { "name": "inside" }],
    })
}

fn users() -> Value {
    json!({
        "paths": { "/v1/users/me": { "get": operation("list", "Session"), "patch": { "operationId": "update", "security": [] } } },
        "components": { "schemas": {
            "Session": { "properties": { "owner": { "$ref": "#/components/schemas/Owner" } } },
            "Owner": { "oneOf": [{ "$ref": "#/components/schemas/Person" }],
                       "discriminator": { "propertyName": "kind", "mapping": { "person": "#/components/schemas/Person" } } },
            "Person": { "type": "integer" },
        } },
        "tags": [{ "name": "sessions" }, { "name": "users" }],
    })
}

fn merged() -> Value {
    let (auth, users) = (auth(), users());
    merge(own(), [(Service::Auth, &auth), (Service::Users, &users)].into_iter(), "https://api.example.com")
}

#[test]
fn only_what_is_routed_to_a_service_is_described_by_it() {
    let paths: Vec<String> = merged()["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(paths, ["/", "/v1/auth/sessions", "/v1/users/me"]);
    assert_eq!(merged()["paths"]["/v1/users/me"]["get"]["operationId"], "users_list");
    assert_eq!(merged()["servers"], json!([{ "url": "https://api.example.com" }]));
}

#[test]
fn what_only_internal_routes_use_is_left_out() {
    assert_eq!(merged().pointer("/components/schemas/Secret"), None);
    assert_eq!(merged()["components"]["securitySchemes"], json!({ "bearer": { "type": "http" } }));
}

#[test]
fn one_name_for_two_things_becomes_two_names_with_all_that_refers_to_them() {
    let merged = merged();
    let schemas = &merged["components"]["schemas"];
    assert_eq!(schemas["Owner"], json!({ "type": "string" }));
    // The text of Session is the same in both, its meaning is not.
    assert_eq!(schemas["UsersSession"]["properties"]["owner"]["$ref"], "#/components/schemas/UsersOwner");
    assert_eq!(schemas["Session"]["properties"]["owner"]["$ref"], "#/components/schemas/Owner");
    assert_eq!(schemas["UsersOwner"]["discriminator"]["mapping"]["person"], "#/components/schemas/Person");
    let used = merged.pointer("/paths/~1v1~1users~1me/get/responses/200/content/application~1json/schema/$ref");
    assert_eq!(used.unwrap(), "#/components/schemas/UsersSession");
}

#[test]
fn no_reference_leads_nowhere() {
    let mut document = merged();
    let known = document.clone();
    each_reference(&mut document, &mut |reference| assert!(at(&known, reference).is_some(), "{reference}"));
}

#[test]
fn a_requirement_for_a_whole_document_stays_with_its_operations() {
    let merged = merged();
    assert_eq!(merged.get("security"), None);
    assert_eq!(merged["paths"]["/v1/auth/sessions"]["get"]["security"], json!([{ "bearer": [] }]));
    assert_eq!(merged["paths"]["/v1/users/me"]["patch"]["security"], json!([]));
    assert_eq!(merged["paths"]["/"]["get"].get("security"), None);
}

#[test]
fn tags_are_listed_once() {
    assert_eq!(merged()["tags"], json!([{ "name": "sessions" }, { "name": "users" }]));
}

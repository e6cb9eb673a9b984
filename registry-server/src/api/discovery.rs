//! `GET /api/v1/discovery` and `/api/v1/openapi.json`: what the API says of itself, made from the register.

use axum::{Extension, Json};
use serde_json::{Map, Value, json};

use super::operation::{Description, Operation, Parameter, Scope};
use super::operations;
use super::routes::Asked;
use super::schema::{Dialect, REFUSAL, Schema};
use super::scopes::told;
use crate::origin::Origin;

/// What every operation may answer besides.
const REFUSALS: [(u16, &str); 7] = [
    (400, "Bad Request"),
    (401, "Session required"),
    (403, "Unauthorized access"),
    (404, "Not found"),
    (429, "Too many requests, or a wrong password before"),
    (503, "Try again"),
    (507, "Storage is full"),
];
/// The same of operations that read a body.
const REFUSALS_OF_BODIES: [(u16, &str); 2] = [(413, "The body is too large"), (415, "The body is not JSON")];

/// The same of operations below a repository: a name without a namespace takes the next word of the path for its own, and
/// the path is another's, which may answer other methods and read a body.
const REFUSALS_BELOW_REPOSITORIES: [(u16, &str); 3] =
    [(405, "Another path, which answers other methods"), REFUSALS_OF_BODIES[0], REFUSALS_OF_BODIES[1]];

const INTERNAL: &[Parameter] =
    &[("internal", Schema::Flag, "Whether to show what the API's own pages call as well.")];

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    vec![
        Operation::get("/api/v1/discovery", "discovery", swagger, "Describes the API in Swagger 2.0.")
            .query(INTERNAL)
            .gives(Schema::Open),
        Operation::get("/api/v1/openapi.json", "openapi", openapi, "Describes the API in OpenAPI 3.1.")
            .query(INTERNAL)
            .gives(Schema::Open),
    ]
}

/// `GET /api/v1/discovery`.
async fn swagger(Extension(origin): Extension<Origin>, asked: Asked) -> Json<Value> {
    let mut definitions = Map::new();
    let paths = paths(&shown(&asked), Dialect::Swagger2, &mut definitions);
    let authorize = format!("{}://{}/oauth/authorize", origin.scheme, origin.host);
    let oauth = json!({
        "type": "oauth2", "flow": "implicit", "authorizationUrl": authorize, "scopes": scopes(),
    });
    let document = json!({
        "swagger": "2.0",
        "info": info(),
        "host": origin.host,
        "basePath": "/",
        "schemes": [origin.scheme],
        "securityDefinitions": { "oauth2_implicit": oauth },
        "paths": paths,
        "definitions": definitions,
    });
    Json(document)
}

/// `GET /api/v1/openapi.json`.
async fn openapi(Extension(origin): Extension<Origin>, asked: Asked) -> Json<Value> {
    let mut definitions = Map::new();
    let paths = paths(&shown(&asked), Dialect::OpenApi31, &mut definitions);
    let server = format!("{}://{}", origin.scheme, origin.host);
    let implicit = json!({ "authorizationUrl": format!("{server}/oauth/authorize"), "scopes": scopes() });
    let oauth = json!({ "type": "oauth2", "flows": { "implicit": implicit } });
    let document = json!({
        "openapi": "3.1.0",
        "info": info(),
        "servers": [{ "url": server }],
        "paths": paths,
        "components": { "schemas": definitions, "securitySchemes": { "oauth2_implicit": oauth } },
    });
    Json(document)
}

fn info() -> Value {
    let description = "Manages repositories, users and organizations, as Quay's API does.";
    json!({ "version": "v1", "title": "Registry API", "description": description })
}

fn scopes() -> Map<String, Value> {
    let titles = Scope::ALL.iter().map(|scope| (scope.name().to_owned(), json!(told(*scope).0)));
    titles.collect()
}

fn shown(asked: &Asked) -> Vec<Description> {
    let shows_internal = asked.flag("internal");
    let described = operations().iter().copied();
    described.filter(|operation| shows_internal || !operation.is_internal).collect()
}

fn paths(shown: &[Description], dialect: Dialect, definitions: &mut Map<String, Value>) -> Value {
    let mut paths = Map::new();
    for operation in shown {
        let path = paths.entry(operation.path).or_insert_with(
            || json!({ "parameters": path_parameters(operation.path, dialect), "x-path": operation.path }),
        );
        path[operation.method.to_ascii_lowercase()] = described(operation, dialect, definitions);
    }
    Value::Object(paths)
}

fn path_parameters(path: &'static str, dialect: Dialect) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let describe = |name| match name {
        "repository" => "The full path of the repository, such as namespace/name",
        _ => "A name",
    };
    let text = |name| parameter((name, Schema::Text, describe(name)), "path", dialect);
    names.map(text).collect()
}

fn parameter((name, schema, text): Parameter, place: &str, dialect: Dialect) -> Value {
    let schema = schema.json(dialect, &mut Map::new());
    let mut parameter = match dialect {
        Dialect::Swagger2 => schema,
        Dialect::OpenApi31 => json!({ "schema": schema }),
    };
    for (key, value) in [
        ("name", json!(name)),
        ("in", json!(place)),
        ("description", json!(text)),
        ("required", json!(place == "path")),
    ] {
        parameter[key] = value;
    }
    parameter
}

fn described(operation: &Description, dialect: Dialect, definitions: &mut Map<String, Value>) -> Value {
    let query = operation.query.iter().map(|asked| parameter(*asked, "query", dialect));
    let mut parameters: Vec<Value> = query.collect();
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "description": operation.summary,
        "tags": [tag(operation.path)],
        "responses": answers(operation, dialect, definitions),
    });
    if let Some((body, is_required)) = &operation.body {
        let schema = body.json(dialect, definitions);
        match dialect {
            Dialect::Swagger2 => parameters.push(json!({
                "name": "body", "in": "body", "description": "Request body contents.",
                "required": is_required, "schema": schema,
            })),
            Dialect::OpenApi31 => {
                let content = json!({ "application/json": { "schema": schema } });
                described["requestBody"] = json!({ "required": is_required, "content": content });
            }
        }
    }
    described["parameters"] = parameters.into();
    if let Some(scope) = operation.scope {
        described["security"] = json!([{ "oauth2_implicit": [scope.name()] }]);
    }
    for (key, holds) in
        [("x-internal", operation.is_internal), ("x-requires-fresh-login", operation.needs_fresh_login)]
    {
        if holds {
            described[key] = json!(true);
        }
    }
    described
}

/// The noun that an operation is about: the first word of its path.
fn tag(path: &str) -> &str {
    path.split('/').nth(3).unwrap_or_default()
}

fn answers(operation: &Description, dialect: Dialect, definitions: &mut Map<String, Value>) -> Value {
    let mut answers = Map::new();
    let (status, success) = operation.success;
    let mut answer = |status: u16, text: &str, media_types: &[&str], schema: Option<Schema>| {
        let mut answer = json!({ "description": text });
        if let Some(schema) = schema {
            let schema = schema.json(dialect, definitions);
            match dialect {
                Dialect::Swagger2 => answer["schema"] = schema,
                Dialect::OpenApi31 => {
                    let content = media_types.iter().map(|name| {
                        // What is no JSON has no shape either.
                        let is_json = *name != "text/plain";
                        ((*name).to_owned(), if is_json { json!({ "schema": schema }) } else { json!({}) })
                    });
                    answer["content"] = Value::Object(content.collect());
                }
            }
        }
        answers.insert(status.to_string(), answer);
    };
    answer(status, "Successful invocation", &["application/json"], success);
    if operation.may_be_null {
        answer(200, "Nothing of that name", &["application/json"], Some(Schema::Null));
    }
    let bodies = if operation.body.is_some() { REFUSALS_OF_BODIES.as_slice() } else { &[] };
    let is_below = operation.path.contains("{repository}/");
    let below = if is_below { REFUSALS_BELOW_REPOSITORIES.as_slice() } else { &[] };
    for (status, text) in REFUSALS.iter().chain(bodies).chain(below) {
        let media_types: &[&str] = match status {
            403 => &["application/json", "text/html"],
            429 => &["application/json", "text/plain"],
            _ => &["application/json"],
        };
        answer(*status, text, media_types, Some(REFUSAL));
    }
    Value::Object(answers)
}

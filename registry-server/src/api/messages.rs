//! `/api/v1/messages`: what superusers show to everybody.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use registry_core::{Error, MessageId, MessageInfo, Severity};
use serde_json::{Value, json};

use super::body::Fields;
use super::caller::Caller;
use super::error::ApiError;
use super::operation::{Operation, Scope};
use super::routes::Named;
use super::schema::Schema;
use crate::app::App;

/// The longest message, in bytes.
const CONTENT_MAX_BYTES: usize = 16 << 10;

const MEDIA_TYPES: &[&str] = &["text/plain", "text/markdown"];
const SEVERITIES: &[&str] = &["info", "warning", "error"];
const NEW: Schema = Schema::Named(
    "CreateMessage",
    &Schema::Object(
        &[(
            "message",
            Schema::Object(
                &[
                    ("content", Schema::Text),
                    ("media_type", Schema::OneOf(MEDIA_TYPES)),
                    ("severity", Schema::OneOf(SEVERITIES)),
                ],
                &[],
            ),
        )],
        &[],
    ),
);
const MESSAGE: Schema = Schema::Named(
    "Message",
    &Schema::Object(
        &[
            ("uuid", Schema::Text),
            ("content", Schema::Text),
            ("severity", Schema::OneOf(SEVERITIES)),
            ("media_type", Schema::OneOf(MEDIA_TYPES)),
        ],
        &[],
    ),
);
const MESSAGES: Schema = Schema::Object(&[("messages", Schema::List(&MESSAGE))], &[]);

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    const ALL: &str = "/api/v1/messages";
    vec![
        Operation::get(ALL, "getGlobalMessages", list, "What superusers tell everybody.").gives(MESSAGES),
        Operation::post(ALL, "createGlobalMessage", create, "Tells everybody something.")
            .scope(Scope::Superuser)
            .takes(NEW)
            .status(201)
            .fresh(),
        Operation::delete("/api/v1/message/{uuid}", "deleteGlobalMessage", delete, "Takes a message away.")
            .scope(Scope::Superuser)
            .fresh(),
    ]
}

fn view(message: &MessageInfo) -> Value {
    json!({
        "uuid": message.id.to_string(),
        "content": message.content,
        "severity": message.severity.name(),
        "media_type": if message.is_markdown { "text/markdown" } else { "text/plain" },
    })
}

/// Here Quay refuses in its plain shape.
fn plainly(error: Error) -> ApiError {
    match error {
        Error::NotForCredential => ApiError::plain(StatusCode::FORBIDDEN, "Only superusers may do that."),
        other => other.into(),
    }
}

/// `GET /api/v1/messages`: to everybody, signed in or not.
async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let messages = app.ask(|registry| registry.messages()).await?;
    Ok(Json(json!({ "messages": messages.iter().map(view).collect::<Vec<_>>() })))
}

/// `POST /api/v1/messages`.
async fn create(State(app): State<Arc<App>>, caller: Caller, fields: Fields) -> Result<StatusCode, ApiError> {
    caller.freshly_signed_in()?;
    let message = fields.object("message")?;
    let content = message.text("content")?.to_owned();
    if content.len() > CONTENT_MAX_BYTES {
        return Err(ApiError::invalid(format!("content is longer than {CONTENT_MAX_BYTES} bytes")));
    }
    let is_markdown = message.choice("media_type", MEDIA_TYPES)? == "text/markdown";
    let named = message.choice("severity", SEVERITIES)?;
    let severity = Severity::ALL.into_iter().find(|severity| severity.name() == named);
    let severity = severity.unwrap_or(Severity::Info);
    let actor = caller.actor();
    let posted =
        app.call(move |registry| registry.post_message(&actor, &content, is_markdown, severity)).await;
    posted.map_err(plainly)?;
    Ok(StatusCode::CREATED)
}

/// `DELETE /api/v1/message/<uuid>`: also one that is not there.
async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Response, ApiError> {
    caller.freshly_signed_in()?;
    let (actor, id) = (caller.actor(), MessageId::parse(&id).unwrap_or_default());
    app.call(move |registry| registry.delete_message(&actor, id)).await.map_err(plainly)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

//! `/api/v1/superuser`: what superusers see and change of users and organizations. None of it needs full access.

mod organizations;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::StatusCode;
use registry_core::{AccountAction, AccountInfo, Error, NewUser, PrincipalId, UserChange};
use serde_json::{Value, json};

use super::account::{email, new_name, new_password};
use super::avatar::Avatar;
use super::body::{Fields, MaybeFields};
use super::caller::Caller;
use super::error::{ApiError, Problem};
use super::operation::{NEXT_PAGE, Operation, Parameter, Scope};
use super::routes::{Asked, Named};
use super::schema::{AVATAR, Schema};
use crate::admission::Client;
use crate::app::App;
use crate::wire::secret::Secret;

/// The most rows of a page that can be asked for (Quay).
const PAGE_MAX: usize = 100;
/// What people read of the versions.
const CHANGELOG: &str = include_str!("../../../CHANGELOG.md");

const USER: Schema = Schema::Named(
    "SuperuserUser",
    &Schema::Object(
        &[
            ("kind", Schema::OneOf(&["user"])),
            ("name", Schema::Text),
            ("username", Schema::Text),
            ("email", Schema::Text),
            ("verified", Schema::Flag),
            ("avatar", AVATAR),
            ("super_user", Schema::Flag),
            ("global_readonly_super_user", Schema::Flag),
            ("enabled", Schema::Flag),
        ],
        &[("encrypted_password", Schema::Text)],
    ),
);
const USERS: Schema = Schema::Object(&[("users", Schema::List(&USER))], &[("next_page", Schema::Text)]);
const NEW_USER: Schema = Schema::Named(
    "CreateInstallUser",
    &Schema::Object(&[("username", Schema::Text)], &[("email", Schema::Text)]),
);
const CREATED: Schema = Schema::Object(
    &[
        ("username", Schema::Text),
        ("email", Schema::OrNull(&Schema::Text)),
        ("password", Schema::Text),
        ("encrypted_password", Schema::Text),
    ],
    &[],
);
const CHANGE: Schema = Schema::Named(
    "SuperuserUpdateUser",
    &Schema::Object(&[], &[("password", Schema::Text), ("email", Schema::Text), ("enabled", Schema::Flag)]),
);
const SIZE: Schema = Schema::Object(
    &[
        ("size_bytes", Schema::Whole),
        ("last_ran", Schema::OrNull(&Schema::Whole)),
        ("queued", Schema::Flag),
        ("running", Schema::Flag),
    ],
    &[],
);
const PAGED: &[Parameter] =
    &[("limit", Schema::Whole, "Rows of a page, at most 100; without it all are listed."), NEXT_PAGE];
const USERS_PAGED: &[Parameter] = &[
    ("disabled", Schema::Flag, "Whether disabled users are listed; they are unless this is false."),
    PAGED[0],
    PAGED[1],
];

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    const ALL: &str = "/api/v1/superuser/users";
    const ONE: &str = "/api/v1/superuser/users/{username}";
    const SIZE_AT: &str = "/api/v1/superuser/registrysize";
    let operations = vec![
        Operation::get(ALL, "listAllUsers", list_users, "Every user.").query(USERS_PAGED).gives(USERS),
        Operation::post(ALL, "createInstallUser", create_user, "Creates a user, with a password of its own.")
            .takes(NEW_USER)
            .gives(CREATED),
        Operation::get(ONE, "getInstallUser", get_user, "A user.").gives(USER),
        Operation::put(ONE, "changeInstallUser", change_user, "Changes a user.").takes(CHANGE).gives(USER),
        Operation::delete(ONE, "deleteInstallUser", delete_user, "Deletes a user."),
        Operation::get(SIZE_AT, "getRegistrySize", size, "The bytes of all blobs.").gives(SIZE),
        Operation::post(SIZE_AT, "queueRegistrySizeCalculation", recount, "Asks for the size anew.")
            .status(201)
            .gives(Schema::OneOf(&[""])),
        Operation::get("/api/v1/superuser/changelog", "getChangeLog", changelog, "What changed when.")
            .gives(Schema::Object(&[("log", Schema::Text)], &[])),
    ];
    let operations = operations.into_iter().chain(organizations::registered());
    operations.map(|operation| operation.scope(Scope::Superuser).fresh()).collect()
}

/// A page that was asked for: after what, and how many rows; all of them if no number was asked for.
struct Page {
    after: Option<String>,
    limit: usize,
    is_whole: bool,
}

impl Page {
    fn of(asked: &Asked) -> Result<Self, ApiError> {
        let Some(limit) = asked.text("limit") else {
            return Ok(Self { after: None, limit: usize::MAX - 1, is_whole: true });
        };
        let limit = limit.parse::<usize>().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
        let limit = limit.ok_or_else(|| ApiError::invalid("limit must be between 1 and 100"))?;
        Ok(Self { after: asked.text("next_page").map(str::to_owned), limit, is_whole: false })
    }

    /// The answer: the rows of the page, of which one more than wanted says that there is a next one.
    fn answer<T>(&self, key: &str, rows: &[T], view: fn(&T) -> Value, token: fn(&T) -> String) -> Response {
        let shown = &rows[..rows.len().min(self.limit)];
        let mut answer = json!({ key: shown.iter().map(view).collect::<Vec<Value>>() });
        if let Some(last) = shown.last().filter(|_| !self.is_whole && rows.len() > self.limit) {
            answer["next_page"] = token(last).into();
        }
        Json(answer).into_response()
    }
}

fn user_view(account: &AccountInfo) -> Value {
    json!({
        "kind": "user",
        "name": account.name,
        "username": account.name,
        "email": account.email,
        "verified": true,
        "avatar": Avatar::of_user(account),
        "super_user": account.is_superuser,
        "global_readonly_super_user": account.is_reader,
        "enabled": !account.is_disabled,
    })
}

/// Who is not there is missing here, and not only unknown.
fn missing(error: Error) -> ApiError {
    match error {
        Error::PrincipalUnknown(_) => ApiError::problem(Problem::NotFound, "Not Found"),
        other => other.into(),
    }
}

/// Whether the caller may do this, asked before anything costly is done for them.
async fn check(app: &Arc<App>, caller: &Caller, action: AccountAction) -> Result<(), ApiError> {
    let actor = caller.actor();
    Ok(app.ask(move |registry| registry.check_account(&actor, action)).await?)
}

/// `GET /api/v1/superuser/users`.
async fn list_users(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.freshly_signed_in()?;
    let (actor, page) = (caller.actor(), Page::of(&asked)?);
    let with_disabled = asked.text("disabled").is_none_or(|text| !text.eq_ignore_ascii_case("false"));
    let mut after = page.after.as_deref().and_then(|after| after.parse().ok()).map(PrincipalId);
    let wanted = page.limit + 1;
    let users = app.call(move |registry| {
        let mut users = Vec::new();
        while users.len() < wanted {
            let some = registry.every_user(&actor, after, wanted.min(PAGE_MAX + 1))?;
            let Some(last) = some.last() else { break };
            after = Some(last.id);
            users.extend(some.into_iter().filter(|user| with_disabled || !user.is_disabled));
        }
        Ok(users)
    });
    Ok(page.answer("users", &users.await?, user_view, |user| user.id.0.to_string()))
}

/// `POST /api/v1/superuser/users`: the server invents the password (Quay).
async fn create_user(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    caller: Caller,
    fields: Fields,
) -> Result<Response, ApiError> {
    caller.freshly_signed_in()?;
    check(&app, &caller, AccountAction::Rule).await?;
    let (name, email) = (new_name(fields.text("username")?)?, email(&fields)?);
    let password = STANDARD.encode(app.registry.random::<24>()?);
    let password_hash = app.auth.hash(&app, client, Secret::new(password.as_str())).await?;
    let answer = json!({
        "username": name.as_str(),
        "email": email,
        "password": password,
        "encrypted_password": password,
    });
    let (actor, email) = (caller.actor(), email.unwrap_or_default());
    let user = NewUser { name, email, password_hash, is_superuser: false };
    app.call(move |registry| registry.add_user(&actor, &user)).await?;
    Ok(Json(answer).into_response())
}

/// `GET /api/v1/superuser/users/<name>`.
async fn get_user(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Response, ApiError> {
    caller.freshly_signed_in()?;
    let actor = caller.actor();
    let user = app.ask(move |registry| registry.user(&actor, &name)).await.map_err(missing)?;
    Ok(Json(user_view(&user)).into_response())
}

/// `PUT /api/v1/superuser/users/<name>`.
async fn change_user(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    caller: Caller,
    Named(name): Named<String>,
    fields: Fields,
) -> Result<Response, ApiError> {
    caller.freshly_signed_in()?;
    check(&app, &caller, AccountAction::Rule).await?;
    let change = UserChange {
        password_hash: new_password(&app, client, &fields).await?,
        email: email(&fields)?,
        is_disabled: fields.optional_flag("enabled")?.map(|enabled| !enabled),
    };
    let actor = caller.actor();
    let user = app.call(move |registry| registry.govern_user(&actor, &name, &change)).await;
    let mut view = user_view(&user.map_err(missing)?);
    // Quay sends it with a new password; here it is the password itself, which clients use in the same places.
    if let Some(password) = fields.optional_text("password")? {
        view["encrypted_password"] = password.into();
    }
    Ok(Json(view).into_response())
}

/// `DELETE /api/v1/superuser/users/<name>`.
async fn delete_user(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Response, ApiError> {
    caller.freshly_signed_in()?;
    let actor = caller.actor();
    app.call(move |registry| registry.delete_user(&actor, &name)).await.map_err(missing)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /api/v1/superuser/registrysize`: counted with every change, and so always that of now.
async fn size(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, ApiError> {
    caller.freshly_signed_in()?;
    let actor = caller.actor();
    let stored = app.call(move |registry| {
        registry.check_account(&actor, AccountAction::Inspect)?;
        registry.stored()
    });
    let size_bytes = stored.await?.blob_bytes;
    let now_ms = app.registry.now_ms();
    let answer = json!({ "size_bytes": size_bytes, "last_ran": now_ms, "queued": false, "running": false });
    Ok(Json(answer).into_response())
}

/// `POST /api/v1/superuser/registrysize`: there is nothing to be done.
async fn recount(
    State(app): State<Arc<App>>,
    caller: Caller,
    _body: MaybeFields,
) -> Result<Response, ApiError> {
    check(&app, &caller, AccountAction::Rule).await?;
    Ok((StatusCode::CREATED, Json("")).into_response())
}

/// `GET /api/v1/superuser/changelog`.
async fn changelog(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, ApiError> {
    caller.freshly_signed_in()?;
    check(&app, &caller, AccountAction::Inspect).await?;
    Ok(Json(json!({ "log": CHANGELOG })).into_response())
}

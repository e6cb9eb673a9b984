//! What users do with their own accounts: registering, changing, converting and deleting them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use hyper::StatusCode;
use registry_core::oci::NamespaceName;
use registry_core::{AccountAction, AccountChange, AccountInfo, Actor, Error, NewUser, Principal, SignInWay};
use serde_json::json;

use super::body::Fields;
use super::caller::Caller;
use super::error::ApiError;
use super::operation::{Operation, Scope};
use super::profile::{Whose, profile_fields};
use super::schema::{SUCCESS, Schema};
use super::session;
use super::user::{USER, UserView};
use crate::admission::Client;
use crate::app::App;
use crate::auth::password;
use crate::origin::Origin;

/// The longest e-mail address, in bytes (RFC 5321, section 4.5.3.1.3, without the brackets).
const EMAIL_MAX_BYTES: usize = 254;

const NEW: Schema = Schema::Named(
    "NewUser",
    &Schema::Object(&[("username", Schema::Text), ("password", Schema::Text)], &[("email", Schema::Text)]),
);
const CHANGE: Schema = Schema::Named(
    "UpdateUser",
    &Schema::Object(
        &[],
        &[
            ("password", Schema::Text),
            ("email", Schema::Text),
            ("username", Schema::Text),
            ("invoice_email", Schema::Flag),
            ("invoice_email_address", Schema::OrNull(&Schema::Text)),
            ("given_name", Schema::Text),
            ("family_name", Schema::Text),
            ("company", Schema::Text),
            ("location", Schema::Text),
        ],
    ),
);
const CONVERSION: Schema = Schema::Named(
    "ConvertUser",
    &Schema::Object(&[("adminUser", Schema::Text), ("adminPassword", Schema::Text)], &[]),
);

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    const OWN: &str = "/api/v1/user";
    vec![
        Operation::post(OWN, "createNewUser", register, "Registers a user.")
            .takes(NEW)
            .gives(USER)
            .internal(),
        Operation::put(OWN, "changeUserDetails", change, "Changes the caller's account.")
            .scope(Scope::UserAdmin)
            .takes(CHANGE)
            .gives(USER)
            .internal()
            .fresh(),
        Operation::delete(OWN, "deleteCurrentUser", delete, "Deletes the caller's account.")
            .scope(Scope::UserAdmin)
            .internal()
            .fresh(),
        Operation::post(
            "/api/v1/user/convert",
            "convertUserToOrganization",
            convert,
            "Makes an organization of the caller's account.",
        )
        .scope(Scope::UserAdmin)
        .takes(CONVERSION)
        .gives(SUCCESS)
        .internal(),
    ]
}

/// The name that a new account is to have.
///
/// # Errors
/// 400, in Quay's `plain` shape.
pub(super) fn new_name(text: &str) -> Result<NamespaceName, ApiError> {
    text.parse().map_err(|error| ApiError::refused(format!("Invalid username: {error}")))
}

/// The e-mail address that a body sends, if it sends one.
///
/// # Errors
/// 400 for what mail cannot be sent to.
pub(super) fn email(fields: &Fields) -> Result<Option<String>, ApiError> {
    let email = fields.optional_text("email")?.map(str::trim);
    if email.is_some_and(|email| !is_email(email)) {
        return Err(ApiError::refused("Invalid email address"));
    }
    Ok(email.map(str::to_owned))
}

/// The hash of the new password that a body sends, if it sends one.
///
/// # Errors
/// 400 for one that breaks the rules; 429 while too many are computed.
pub(super) async fn new_password(
    app: &App,
    client: Client,
    fields: &Fields,
) -> Result<Option<String>, ApiError> {
    if fields.optional_text("password")?.is_none() {
        return Ok(None);
    }
    let new = fields.secret("password")?;
    let refused = |rule| ApiError::refused(format!("Invalid password, {rule}"));
    password::check_rules(new.expose()).map_err(refused)?;
    Ok(Some(app.auth.hash(app, client, new).await?))
}

/// `POST /api/v1/user`: whoever registers is signed in at once.
async fn register(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    fields: Fields,
) -> Result<Response, ApiError> {
    if !app.options.user_creation {
        return Err(ApiError::missing());
    }
    let name = new_name(fields.text("username")?)?;
    fields.text("password")?;
    let email = email(&fields)?.unwrap_or_default();
    let password_hash = new_password(&app, client, &fields).await?.unwrap_or_default();
    let user = NewUser { name: name.clone(), email, password_hash, is_superuser: false };
    let registered = app.call(move |registry| {
        let id = registry.register_user(&user)?;
        let account = registry.account(user.name.as_str())?.filter(|account| account.principal.id == id);
        account.map(|account| account.principal).ok_or(Error::CredentialRevoked)
    });
    let principal = registered.await?;
    let account = own_account(&app, name.as_str()).await?;
    let view = UserView::of_self(&app, &account, Actor::User(principal)).await?;
    session::begin(&app, &origin, &caller, principal, Json(view).into_response()).await
}

async fn own_account(app: &Arc<App>, name: &str) -> Result<AccountInfo, ApiError> {
    let name = name.to_owned();
    app.ask(move |registry| registry.find_user(&name)).await?.ok_or_else(ApiError::not_signed_in)
}

/// `PUT /api/v1/user`. A new name is ignored unless `FEATURE_USER_RENAME` is on (Quay).
async fn change(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    caller: Caller,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (account, actor) = caller.freshly_signed_in()?;
    let asking = actor.clone();
    let action = if fields.has("password") { AccountAction::SetSecrets } else { AccountAction::Administer };
    // Asked before a password is hashed for who may not set it.
    app.ask(move |registry| registry.check_account(&asking, action)).await?;
    let change = AccountChange {
        email: email(&fields)?,
        profile: profile_fields(&fields, Whose::User)?,
        password_hash: new_password(&app, client, &fields).await?,
    };
    let wanted = fields.optional_text("username")?.filter(|name| *name != account.name);
    let new_name = wanted.filter(|_| app.options.user_rename).map(new_name).transpose()?;
    let name = new_name.as_ref().map_or(account.name.as_str(), NamespaceName::as_str).to_owned();
    let session = caller.session_id().cloned();
    let changed = app.call(move |registry| {
        if let Some(new_name) = &new_name {
            registry.rename_own_account(&actor, new_name)?;
        }
        registry.change_account(&actor, session.as_ref(), &change)
    });
    changed.await?;
    let account = own_account(&app, &name).await?;
    let actor = match caller.session_principal() {
        Some(_) => Actor::User(renewed(&app, &account).await?),
        None => caller.actor(),
    };
    Ok(Json(UserView::of_self(&app, &account, actor).await?).into_response())
}

/// Who the account is now: a new password has ended what the call came with.
async fn renewed(app: &Arc<App>, account: &AccountInfo) -> Result<Principal, ApiError> {
    let name = account.name.clone();
    let account = app.ask(move |registry| registry.account(&name)).await?;
    account.map(|account| account.principal).ok_or_else(ApiError::not_signed_in)
}

/// `DELETE /api/v1/user`.
async fn delete(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, ApiError> {
    caller.freshly_signed_in()?;
    let actor = caller.actor();
    app.call(move |registry| registry.delete_own_account(&actor)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /api/v1/user/convert`: the session becomes that of the organization's administrator.
async fn convert(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    Extension(client): Extension<Client>,
    caller: Caller,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (_, actor) = caller.signed_in()?;
    let asking = actor.clone();
    // Asked before a password is checked for who may not do it.
    app.ask(move |registry| registry.check_account(&asking, AccountAction::SetSecrets)).await?;
    let invalid = || {
        let detail = "The admin user credentials are not valid";
        ApiError::invalid(detail).with("reason", "invaliduser")
    };
    let (owner, password) = (fields.text("adminUser")?, fields.secret("adminPassword")?);
    if owner.contains('+') {
        return Err(invalid());
    }
    let owner =
        app.auth.sign_in(&app, client, SignInWay::Browser, owner, &password).await.map_err(|error| {
            match error {
                crate::auth::caller::SignInError::Wrong => invalid(),
                error => error.into(),
            }
        })?;
    let converted = app.call(move |registry| registry.convert_account(&actor, &owner)).await;
    converted.map_err(|error| match error {
        Error::OwnsNamespace(_) => invalid(),
        error => error.into(),
    })?;
    session::begin(&app, &origin, &caller, owner, Json(json!({ "success": true })).into_response()).await
}

/// Whether mail could be sent there; only sending some would tell more.
fn is_email(text: &str) -> bool {
    let is_plain =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control());
    text.len() <= EMAIL_MAX_BYTES
        && text
            .split_once('@')
            .is_some_and(|(local, domain)| is_plain(local) && is_plain(domain) && !domain.contains('@'))
}

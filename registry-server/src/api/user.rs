//! `/api/v1/user` and `/api/v1/users/<name>`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use registry_core::oci::NamespaceName;
use registry_core::{AccountChange, AccountInfo, Actor, OrganizationInfo, Principal};
use serde::Serialize;
use serde_json::{Value, json};

use super::avatar::Avatar;
use super::body::Fields;
use super::caller::Caller;
use super::error::ApiError;
use super::routes::Named;
use crate::app::App;
use crate::auth::password;

/// The longest e-mail address, in bytes (RFC 5321, section 4.5.3.1.3, without the brackets).
const EMAIL_MAX_BYTES: usize = 254;

/// A user as everybody sees them.
#[derive(Debug, Serialize)]
struct UserView {
    anonymous: bool,
    username: String,
    avatar: Avatar,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    own: Option<OwnView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    super_user: Option<bool>,
}

/// What users see of themselves besides.
#[derive(Debug, Serialize)]
struct OwnView {
    can_create_repo: bool,
    is_me: bool,
    verified: bool,
    email: String,
    logins: [Value; 0],
    invoice_email: bool,
    invoice_email_address: Option<String>,
    preferred_namespace: bool,
    tag_expiration_s: u64,
    prompts: [Value; 0],
    company: Option<String>,
    family_name: Option<String>,
    given_name: Option<String>,
    location: Option<String>,
    is_free_account: bool,
    has_password_set: bool,
    organizations: Vec<Value>,
}

impl UserView {
    /// The view that `viewer` has of an account.
    fn new(
        account: &AccountInfo,
        viewer: Option<&AccountInfo>,
        organizations: &[OrganizationInfo],
        app: &App,
    ) -> Self {
        let is_own = viewer.is_some_and(|viewer| viewer.id == account.id);
        let is_superuser = viewer.is_some_and(|viewer| viewer.is_superuser);
        Self {
            anonymous: false,
            username: account.name.clone(),
            avatar: Avatar::of_user(account),
            own: is_own.then(|| OwnView::new(account, organizations, app)),
            // To others it is said only by superusers, and of oneself only where it is so.
            super_user: is_superuser.then_some(account.is_superuser),
        }
    }
}

impl OwnView {
    fn new(account: &AccountInfo, organizations: &[OrganizationInfo], app: &App) -> Self {
        Self {
            can_create_repo: true,
            is_me: true,
            verified: true,
            email: account.email.clone(),
            logins: [],
            invoice_email: false,
            invoice_email_address: None,
            preferred_namespace: false,
            tag_expiration_s: app.registry.settings().tag_window_ms / 1000,
            prompts: [],
            company: None,
            family_name: None,
            given_name: None,
            location: None,
            is_free_account: true,
            has_password_set: true,
            organizations: organizations.iter().map(in_organization).collect(),
        }
    }
}

/// `GET /api/v1/user`: the caller.
pub(super) async fn own(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, ApiError> {
    let (account, _) = caller.signed_in().map_err(|error| error.with("session_required", false))?;
    let organizations = organizations_of(&app, caller.actor()).await?;
    Ok(Json(UserView::new(account, Some(account), &organizations, &app)).into_response())
}

/// The organizations that somebody is in a team of, as they see them.
async fn organizations_of(app: &Arc<App>, actor: Actor) -> Result<Vec<OrganizationInfo>, ApiError> {
    let organizations = app.call(move |registry| {
        let names = registry.organizations_of(&actor)?;
        let names = names.iter().filter_map(|name| name.parse::<NamespaceName>().ok());
        names.map(|name| registry.organization(&actor, &name)).collect()
    });
    Ok(organizations.await?)
}

fn in_organization(info: &OrganizationInfo) -> Value {
    json!({
        "name": info.name,
        "avatar": Avatar::of("org", &info.name),
        "can_create_repo": info.can_create,
        "public": false,
        "is_org_admin": info.is_admin,
        "preferred_namespace": false,
    })
}

/// `GET /api/v1/users/<name>`: anybody, but no organization.
pub(super) async fn named(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Response, ApiError> {
    caller.check_anonymous_access(&app)?;
    let found = app.ask(move |registry| registry.find_user(&name)).await?;
    let account = found.ok_or_else(ApiError::missing)?;
    let organizations = match caller.account() {
        Some(own) if own.id == account.id => organizations_of(&app, caller.actor()).await?,
        _ => Vec::new(),
    };
    Ok(Json(UserView::new(&account, caller.account(), &organizations, &app)).into_response())
}

/// `PUT /api/v1/user`: the caller's password and e-mail address.
pub(super) async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    fields: Fields,
) -> Result<Response, ApiError> {
    caller.freshly_signed_in()?;
    let actor = caller.actor();
    let bad = |text: &str| ApiError::plain(StatusCode::BAD_REQUEST, text);
    let email = fields.optional_text("email")?.map(str::trim);
    if email.is_some_and(|email| !is_email(email)) {
        return Err(bad("Invalid email address"));
    }
    let mut change = AccountChange { email: email.map(str::to_owned), password_hash: None };
    if fields.optional_text("password")?.is_some() {
        let new = fields.secret("password")?;
        password::check_rules(new.expose()).map_err(|rule| bad(&format!("Invalid password, {rule}")))?;
        change.password_hash = Some(app.auth.hash(&app, new).await?);
    }
    let session = caller.session_id().cloned();
    let name = caller.signed_in()?.0.name.clone();
    let changed = app.call(move |registry| {
        registry.change_account(&actor, session.as_ref(), &change)?;
        registry.find_user(&name)
    });
    let account = changed.await?.ok_or_else(ApiError::not_signed_in)?;
    let organizations = organizations_of(&app, Actor::User(renewed(&app, &account).await?)).await?;
    Ok(Json(UserView::new(&account, Some(&account), &organizations, &app)).into_response())
}

/// Who the account is now: a new password has ended what the call came with.
async fn renewed(app: &Arc<App>, account: &AccountInfo) -> Result<Principal, ApiError> {
    let name = account.name.clone();
    let account = app.ask(move |registry| registry.account(&name)).await?;
    account.map(|account| account.principal).ok_or_else(ApiError::not_signed_in)
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

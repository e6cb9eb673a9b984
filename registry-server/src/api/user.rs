//! `/api/v1/user` and `/api/v1/users/<name>`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use registry_core::oci::NamespaceName;
use registry_core::{AccountAction, AccountChange, AccountInfo, Actor, Error, OrganizationInfo, Principal};
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
    organizations: Option<Vec<Value>>,
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
}

/// How much of themselves somebody is shown.
#[derive(Debug)]
struct Own {
    organizations: Vec<OrganizationInfo>,
    /// Whether it is all, and not what a token to read the account is shown.
    is_all: bool,
}

impl Own {
    async fn of(app: &Arc<App>, actor: Actor) -> Result<Self, ApiError> {
        let asked = actor.clone();
        let whole = app.ask(move |registry| registry.own_account(&asked, AccountAction::Administer)).await;
        Ok(Self { is_all: whole.is_ok(), organizations: organizations_of(app, actor).await? })
    }
}

impl UserView {
    /// The view that `viewer` has of an account, which is theirs if `own` says how much of it they see.
    fn new(account: &AccountInfo, viewer: Option<&AccountInfo>, own: Option<&Own>, app: &App) -> Self {
        let is_superuser = viewer.is_some_and(|viewer| viewer.is_superuser);
        Self {
            anonymous: false,
            username: account.name.clone(),
            avatar: Avatar::of_user(account),
            own: own.filter(|own| own.is_all).map(|_| OwnView::new(account, app)),
            organizations: own.map(|own| own.organizations.iter().map(in_organization).collect()),
            // To others it is said only by superusers, and of oneself only where it is so.
            super_user: is_superuser.then_some(account.is_superuser),
        }
    }
}

impl OwnView {
    fn new(account: &AccountInfo, app: &App) -> Self {
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
        }
    }
}

/// `GET /api/v1/user`: the caller.
pub(super) async fn own(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, ApiError> {
    let unknown = || ApiError::not_signed_in().with("session_required", false);
    let (account, actor) = caller.signed_in().map_err(|_| unknown())?;
    let asked = actor.clone();
    let read = app.ask(move |registry| registry.own_account(&asked, AccountAction::Read)).await;
    // A token that may not read its user is told that it has none (Quay).
    read.map_err(|error| if matches!(error, Error::NotForCredential) { unknown() } else { error.into() })?;
    let own = Own::of(&app, actor).await?;
    Ok(Json(UserView::new(account, Some(account), Some(&own), &app)).into_response())
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

/// What somebody sees of themselves, if their credential lets them.
async fn own_if_readable(app: &Arc<App>, actor: Actor) -> Result<Option<Own>, ApiError> {
    let asked = actor.clone();
    let read = app.ask(move |registry| registry.own_account(&asked, AccountAction::Read)).await;
    if read.is_ok() { Own::of(app, actor).await.map(Some) } else { Ok(None) }
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
    let own = match caller.account() {
        Some(own) if own.id == account.id => own_if_readable(&app, caller.actor()).await?,
        _ => None,
    };
    Ok(Json(UserView::new(&account, caller.account(), own.as_ref(), &app)).into_response())
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
    let actor = match caller.session_principal() {
        Some(_) => Actor::User(renewed(&app, &account).await?),
        None => caller.actor(),
    };
    let own = Own::of(&app, actor).await?;
    Ok(Json(UserView::new(&account, caller.account(), Some(&own), &app)).into_response())
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

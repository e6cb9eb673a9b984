//! `/api/v1/user` and `/api/v1/users/<name>`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use registry_core::oci::NamespaceName;
use registry_core::{AccountAction, AccountInfo, Actor, Error, NamespaceAction, OrganizationInfo, Profile};
use serde::Serialize;
use serde_json::{Value, json};

use super::avatar::Avatar;
use super::caller::Caller;
use super::error::ApiError;
use super::operation::{Operation, Scope};
use super::routes::Named;
use super::schema::{AVATAR, Schema};
use crate::app::App;

pub(super) const USER: Schema = Schema::Named(
    "UserView",
    &Schema::Object(
        &[("anonymous", Schema::Flag), ("username", Schema::Text), ("avatar", AVATAR)],
        &[
            ("can_create_repo", Schema::Flag),
            ("is_me", Schema::Flag),
            ("verified", Schema::Flag),
            ("email", Schema::Text),
            ("logins", Schema::List(&Schema::Open)),
            ("invoice_email", Schema::Flag),
            ("invoice_email_address", Schema::OrNull(&Schema::Text)),
            ("preferred_namespace", Schema::Flag),
            ("tag_expiration_s", Schema::Whole),
            ("prompts", Schema::List(&Schema::Text)),
            ("company", Schema::OrNull(&Schema::Text)),
            ("family_name", Schema::OrNull(&Schema::Text)),
            ("given_name", Schema::OrNull(&Schema::Text)),
            ("location", Schema::OrNull(&Schema::Text)),
            ("is_free_account", Schema::Flag),
            ("has_password_set", Schema::Flag),
            ("organizations", Schema::List(&Schema::Open)),
            ("super_user", Schema::Flag),
            ("global_readonly_super_user", Schema::Flag),
        ],
    ),
);
/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    vec![
        Operation::get("/api/v1/user", "getLoggedInUser", own, "The caller.")
            .scope(Scope::UserRead)
            .gives(USER),
        Operation::get("/api/v1/users/{username}", "getUserInformation", named, "A user.").gives(USER),
    ]
}

/// A user as everybody sees them.
#[derive(Debug, Serialize)]
pub(super) struct UserView {
    anonymous: bool,
    username: String,
    avatar: Avatar,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    own: Option<OwnView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organizations: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    super_user: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    global_readonly_super_user: Option<bool>,
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

impl UserView {
    /// An account as `viewer` sees it, if it is not the viewer's own.
    fn of_other(account: &AccountInfo, viewer: Option<&AccountInfo>) -> Self {
        Self {
            anonymous: false,
            username: account.name.clone(),
            avatar: Avatar::of_user(account),
            own: None,
            organizations: None,
            // To others it is said only by superusers, and of oneself only where it is so.
            super_user: viewer.filter(|viewer| viewer.is_superuser).map(|_| account.is_superuser),
            global_readonly_super_user: None,
        }
    }

    /// The account of `actor`, as far as they may see it themselves: a token to read it shows its organizations.
    pub(super) async fn of_self(
        app: &Arc<App>,
        account: &AccountInfo,
        actor: Actor,
    ) -> Result<Self, ApiError> {
        let asking = actor.clone();
        let may = |action| {
            let actor = actor.clone();
            app.ask(move |registry| Ok(registry.check_account(&actor, action).is_ok()))
        };
        if !may(AccountAction::Read).await? {
            return Ok(Self::of_other(account, Some(account)));
        }
        let is_all = may(AccountAction::Administer).await?;
        let organizations = organizations_of(app, actor.clone()).await?;
        let (id, own) = (account.id, account.name.parse::<NamespaceName>().ok());
        let asked = app.ask(move |registry| {
            let may_create =
                own.is_some_and(|own| registry.may_in_namespace(&asking, &own, NamespaceAction::Create));
            Ok((registry.profile(id)?, may_create))
        });
        let (profile, may_create) = asked.await?;
        Ok(Self {
            own: is_all.then(|| OwnView::new(account, profile, may_create, app)),
            organizations: Some(organizations.iter().map(in_organization).collect()),
            super_user: account.is_superuser.then_some(true),
            global_readonly_super_user: account.is_reader.then_some(true),
            ..Self::of_other(account, None)
        })
    }
}

impl OwnView {
    fn new(account: &AccountInfo, profile: Profile, can_create_repo: bool, app: &App) -> Self {
        Self {
            can_create_repo,
            is_me: true,
            verified: true,
            email: account.email.clone(),
            logins: [],
            invoice_email: profile.invoice_email,
            invoice_email_address: profile.invoice_email_address,
            preferred_namespace: false,
            tag_expiration_s: app.registry.settings().tag_window_ms / 1000,
            prompts: [],
            company: profile.company,
            family_name: profile.family_name,
            given_name: profile.given_name,
            location: profile.location,
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
    let read = app.ask(move |registry| registry.check_account(&asked, AccountAction::Read)).await;
    // A token that may not read its user is told that it has none (Quay).
    read.map_err(|error| if matches!(error, Error::NotForCredential) { unknown() } else { error.into() })?;
    Ok(Json(UserView::of_self(&app, account, actor).await?).into_response())
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
    let view = match caller.account() {
        Some(own) if own.id == account.id => UserView::of_self(&app, own, caller.actor()).await?,
        viewer => UserView::of_other(&account, viewer),
    };
    Ok(Json(view).into_response())
}

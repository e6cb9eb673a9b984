//! What superusers do with organizations.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use registry_core::{AccountAction, OrganizationRow};
use serde_json::{Value, json};

use super::{PAGE_MAX, PAGED, Page};
use crate::api::account::new_name;
use crate::api::avatar::Avatar;
use crate::api::body::{Fields, MaybeFields};
use crate::api::caller::Caller;
use crate::api::error::ApiError;
use crate::api::operation::Operation;
use crate::api::organizations::organization;
use crate::api::routes::{Asked, Named};
use crate::api::schema::{AVATAR, Schema};
use crate::app::App;

const ORGANIZATION: Schema = Schema::Named(
    "SuperuserOrganization",
    &Schema::Object(&[("name", Schema::Text), ("email", Schema::Text), ("avatar", AVATAR)], &[]),
);
const ORGANIZATIONS: Schema =
    Schema::Object(&[("organizations", Schema::List(&ORGANIZATION))], &[("next_page", Schema::Text)]);
const RENAMING: Schema = Schema::Named("UpdateOrganization", &Schema::Object(&[], &[("name", Schema::Text)]));

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    const ORGS: &str = "/api/v1/superuser/organizations";
    const ORG: &str = "/api/v1/superuser/organizations/{name}";
    vec![
        Operation::get(ORGS, "listAllOrganizations", list_organizations, "Every organization.")
            .query(PAGED)
            .gives(ORGANIZATIONS),
        Operation::put(ORG, "changeOrganization", rename_organization, "Renames an organization.")
            .takes(RENAMING)
            .gives(ORGANIZATION),
        Operation::delete(ORG, "deleteOrganization", delete_organization, "Deletes an organization."),
        Operation::post(
            "/api/v1/superuser/takeownership/{namespace}",
            "takeOwnership",
            take_ownership,
            "Makes the caller an administrator of a namespace.",
        )
        .gives(Schema::Object(&[("namespace", Schema::Text)], &[])),
    ]
}

fn organization_view(row: &OrganizationRow) -> Value {
    json!({ "name": row.name, "email": row.email, "avatar": Avatar::of("org", &row.name) })
}

/// `GET /api/v1/superuser/organizations`.
async fn list_organizations(
    State(app): State<Arc<App>>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, ApiError> {
    caller.freshly_signed_in()?;
    let (actor, page) = (caller.actor(), Page::of(&asked)?);
    let (mut after, wanted) = (page.after.clone(), page.limit + 1);
    let rows = app.call(move |registry| {
        let mut rows: Vec<OrganizationRow> = Vec::new();
        while rows.len() < wanted {
            let some = registry.every_organization(&actor, after.as_deref(), wanted.min(PAGE_MAX + 1))?;
            let Some(last) = some.last() else { break };
            after = Some(last.name.clone());
            rows.extend(some);
        }
        Ok(rows)
    });
    Ok(page.answer("organizations", &rows.await?, organization_view, |row| row.name.clone()))
}

/// `PUT /api/v1/superuser/organizations/<org>`.
async fn rename_organization(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
    fields: Fields,
) -> Result<Response, ApiError> {
    caller.freshly_signed_in()?;
    let (actor, name) = (caller.actor(), organization(&name)?);
    let new_name = fields.optional_text("name")?.map(new_name).transpose()?;
    let renamed = app.call(move |registry| {
        registry.check_account(&actor, AccountAction::Rule)?;
        let wanted = new_name.unwrap_or_else(|| name.clone());
        if wanted != name {
            registry.rename_organization(&actor, &name, &wanted)?;
        }
        registry.organization_row(&actor, &wanted)
    });
    Ok(Json(organization_view(&renamed.await?)).into_response())
}

/// `DELETE /api/v1/superuser/organizations/<org>`.
async fn delete_organization(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Response, ApiError> {
    caller.freshly_signed_in()?;
    let (actor, name) = (caller.actor(), organization(&name)?);
    let deleted = app.call(move |registry| {
        registry.check_account(&actor, AccountAction::Rule)?;
        registry.delete_organization(&actor, &name)
    });
    deleted.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /api/v1/superuser/takeownership/<namespace>`.
async fn take_ownership(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
    _body: MaybeFields,
) -> Result<Response, ApiError> {
    caller.freshly_signed_in()?;
    let (actor, namespace) = (caller.actor(), organization(&name)?);
    app.call(move |registry| registry.take_ownership(&actor, &namespace)).await?;
    Ok(Json(json!({ "namespace": name })).into_response())
}

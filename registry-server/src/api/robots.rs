//! `/api/v1/organization/<org>/robots` and `/api/v1/user/robots`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use registry_core::oci::NamespaceName;
use registry_core::{Actor, Error, NewRobot, Registry, RobotInfo, RobotLimits, RobotReach};
use serde_json::{Map, Value, json};

use super::absent::{NONE, federation};
use super::avatar::Avatar;
use super::body::{Fields, MaybeFields};
use super::caller::Caller;
use super::date;
use super::error::ApiError;
use super::operation::{Operation, Parameter, Scope};
use super::organizations::organization;
use super::robot_limits;
use super::routes::{Asked, Named};
use super::schema::{AVATAR, Schema};
use super::teams::{REPOSITORY_ROLES, repository_roles};
use crate::app::App;

/// The longest description, in characters (Quay).
const DESCRIPTION_MAX_CHARS: usize = 255;

const TEAM: Schema = Schema::Object(&[("name", Schema::Text), ("avatar", AVATAR)], &[]);
const ROBOT: Schema = Schema::Named(
    "Robot",
    &Schema::Object(
        &[
            ("name", Schema::Text),
            ("created", Schema::Text),
            ("last_accessed", Schema::OrNull(&Schema::Text)),
            ("description", Schema::Text),
        ],
        &[
            ("token", Schema::Text),
            ("teams", Schema::List(&TEAM)),
            ("repositories", Schema::OrNull(&Schema::List(&Schema::Text))),
            ("unstructured_metadata", Schema::OrNull(&Schema::Open)),
            ("usable_elsewhere", Schema::Flag),
            ("expiration", Schema::OrNull(&Schema::Text)),
            ("networks", Schema::OrNull(&Schema::List(&Schema::Text))),
        ],
    ),
);
const ROBOTS: Schema = Schema::Object(&[("robots", Schema::List(&ROBOT))], &[]);
const LISTED: &[Parameter] = &[
    ("permissions", Schema::Flag, "Whether to tell teams and repositories of each."),
    ("token", Schema::Flag, "Whether to show the tokens, as long as it is not false."),
    ("limit", Schema::Whole, "How many at most."),
];
const NEW: Schema = Schema::Named(
    "CreateRobot",
    &Schema::Object(
        &[],
        &[
            ("description", Schema::Text),
            ("unstructured_metadata", Schema::Open),
            ("usable_elsewhere", Schema::Flag),
            ("expiration", Schema::Whole),
            ("repositories", Schema::List(&Schema::Text)),
            ("networks", Schema::List(&Schema::Text)),
        ],
    ),
);
const LIMITS: Schema = Schema::Named(
    "RobotLimits",
    &Schema::Object(
        &[],
        &[
            ("expiration", Schema::OrNull(&Schema::Whole)),
            ("repositories", Schema::OrNull(&Schema::List(&Schema::Text))),
            ("networks", Schema::OrNull(&Schema::List(&Schema::Text))),
        ],
    ),
);

/// Lists the operations on robots: below organizations, and at home.
macro_rules! operations_on_robots {
    ($base:literal, $list:path, $scope:path, $($id:literal),+) => {{
        const ONE: &str = concat!($base, "/robots/{robot_shortname}");
        const GRANTED: &str = concat!($base, "/robots/{robot_shortname}/permissions");
        const FEDERATED: &str = concat!($base, "/robots/{robot_shortname}/federation");
        const RENEWED: &str = concat!($base, "/robots/{robot_shortname}/regenerate");
        let [list, one, new, bound, old, granted, federated, renewed] = [$($id),+];
        let all = vec![
            Operation::get(concat!($base, "/robots"), list, $list, "The robots.").query(LISTED).gives(ROBOTS),
            Operation::get(ONE, one, get, "A robot.").gives(ROBOT),
            Operation::put(ONE, new, create, "Creates a robot.").may_take(NEW).status(201).gives(ROBOT),
            Operation::post(ONE, bound, limit, "Changes what narrows a robot.").takes(LIMITS).gives(ROBOT),
            Operation::delete(ONE, old, delete, "Deletes a robot."),
            Operation::get(GRANTED, granted, permissions, "What a robot was granted.").gives(REPOSITORY_ROLES),
            Operation::get(FEDERATED, federated, federation, "Who else may be the robot: nobody.").gives(NONE),
            Operation::post(RENEWED, renewed, regenerate, "Gives a robot a new token.").gives(ROBOT),
        ];
        all.into_iter().map(|operation| operation.scope($scope))
    }};
}

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    let in_organizations = operations_on_robots!(
        "/api/v1/organization/{orgname}",
        list,
        Scope::OrganizationAdmin,
        "getOrgRobots",
        "getOrgRobot",
        "createOrgRobot",
        "limitOrgRobot",
        "deleteOrgRobot",
        "getOrgRobotPermissions",
        "getOrgRobotFederation",
        "regenerateOrgRobotToken"
    );
    let at_home = operations_on_robots!(
        "/api/v1/user",
        list_own,
        Scope::UserAdmin,
        "getUserRobots",
        "getUserRobot",
        "createUserRobot",
        "limitUserRobot",
        "deleteUserRobot",
        "getUserRobotPermissions",
        "getUserRobotFederation",
        "regenerateUserRobotToken"
    );
    in_organizations.chain(at_home).collect()
}

/// A robot. The token is there for those who administer the namespace.
fn view(info: &RobotInfo, app: &App) -> Map<String, Value> {
    let mut view = Map::new();
    view.insert("name".into(), json!(info.name));
    view.insert("created".into(), json!(date(info.created_ms)));
    view.insert("last_accessed".into(), json!(info.accessed_ms.map(date)));
    view.insert("description".into(), json!(info.description));
    if let Some(nonce) = &info.nonce {
        view.insert("token".into(), json!(app.auth.robots().token(nonce).expose()));
    }
    view
}

fn view_with_metadata(info: &RobotInfo, app: &App) -> Value {
    let mut view = view(info, app);
    let metadata = serde_json::from_str(&info.metadata).unwrap_or(Value::Null);
    view.insert("unstructured_metadata".into(), metadata);
    view.insert("usable_elsewhere".into(), json!(info.is_usable_elsewhere));
    view.extend(robot_limits::view(&info.limits));
    Value::Object(view)
}

/// A robot that does not exist is said to be so with 400, on which clients rely.
fn or_unknown(error: Error) -> ApiError {
    match error {
        Error::PrincipalUnknown(_) => ApiError::refused("Could not find robot with specified username"),
        Error::NameTaken(name) => ApiError::refused(format!("Existing robot with name: {name}")),
        other => other.into(),
    }
}

/// Where the robots lie: in an organization, or at home.
fn namespace(caller: &Caller, name: Option<&str>) -> Result<NamespaceName, ApiError> {
    let (account, _) = caller.signed_in()?;
    organization(name.unwrap_or(&account.name))
}

/// What the path names: an organization's robot, or the caller's own.
#[derive(Debug, serde::Deserialize)]
pub(super) struct At {
    #[serde(rename = "orgname")]
    org: Option<String>,
    #[serde(rename = "robot_shortname")]
    short: String,
}

/// `GET /api/v1/organization/<org>/robots`.
async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(org): Named<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    listed(&app, &caller, Some(&org), &asked).await
}

/// `GET /api/v1/user/robots`.
async fn list_own(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    listed(&app, &caller, None, &asked).await
}

async fn listed(
    app: &Arc<App>,
    caller: &Caller,
    org: Option<&str>,
    asked: &Asked,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), namespace(caller, org)?);
    let wants_reach = asked.flag("permissions");
    let robots = app.call(move |registry| all_of(registry, &actor, &name, wants_reach)).await?;
    let shows_token = asked.optional_flag("token").unwrap_or(true);
    let some = robots.iter().take(asked.number("limit").unwrap_or(usize::MAX));
    let views = some.map(|(robot, reach)| {
        let mut view = view(robot, app);
        if !shows_token {
            view.remove("token");
        }
        if let Some(reach) = reach {
            let team = |name: &String| json!({ "name": name, "avatar": Avatar::of("team", name) });
            view.insert("teams".into(), reach.teams.iter().map(team).collect());
            view.insert("repositories".into(), json!(reach.repositories));
        }
        Value::Object(view)
    });
    Ok(Json(json!({ "robots": views.collect::<Vec<_>>() })).into_response())
}

/// The robots of a namespace, and where they get, if that is wanted and the caller may know.
fn all_of(
    registry: &Registry,
    actor: &Actor,
    name: &NamespaceName,
    wants_reach: bool,
) -> Result<Vec<(RobotInfo, Option<RobotReach>)>, Error> {
    if wants_reach {
        match registry.robots_with_reach(actor, name) {
            // Who only belongs there is told which robots there are.
            Err(Error::DeniedInNamespace { .. }) => {}
            robots => return Ok(robots?.into_iter().map(|(robot, reach)| (robot, Some(reach))).collect()),
        }
    }
    Ok(registry.robots(actor, name)?.into_iter().map(|robot| (robot, None)).collect())
}

/// `GET …/robots/<short>`.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
) -> Result<Response, ApiError> {
    Ok(Json(view_with_metadata(&found(&app, &caller, at).await?, &app)).into_response())
}

/// The robot that a path names.
pub(super) async fn found(app: &Arc<App>, caller: &Caller, at: At) -> Result<RobotInfo, ApiError> {
    let (actor, name) = (caller.actor(), namespace(caller, at.org.as_deref())?);
    app.call(move |registry| registry.robot(&actor, &name, &at.short)).await.map_err(or_unknown)
}

/// `PUT …/robots/<short>`: creates one; the body may be absent.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
    fields: MaybeFields,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), namespace(&caller, at.org.as_deref())?);
    let short_name: NamespaceName =
        at.short.parse().map_err(|error| ApiError::refused(format!("Invalid robot name: {error}")))?;
    let new = new_robot(&app, short_name, &fields.0)?;
    let info = app.call(move |registry| registry.create_robot(&actor, &name, &new)).await;
    let info = info.map_err(or_unknown)?;
    Ok((StatusCode::CREATED, Json(view_with_metadata(&info, &app))).into_response())
}

fn new_robot(app: &App, short_name: NamespaceName, fields: &Fields) -> Result<NewRobot, ApiError> {
    let description = fields.optional_text("description")?.unwrap_or_default().to_owned();
    if description.chars().count() > DESCRIPTION_MAX_CHARS {
        return Err(ApiError::invalid(format!("description is longer than {DESCRIPTION_MAX_CHARS}")));
    }
    let metadata = fields.optional_object("unstructured_metadata")?.map(Value::to_string);
    Ok(NewRobot {
        short_name,
        description,
        metadata: metadata.unwrap_or_default(),
        is_usable_elsewhere: fields.optional_flag("usable_elsewhere")?.unwrap_or(false),
        token: app.auth.robots().stored(app.registry.random()?),
        limits: robot_limits::changed(RobotLimits::default(), fields, app.registry.now_ms())?,
    })
}

/// `POST …/robots/<short>`: changes what narrows it; what is left out stays (not a route of Quay's).
async fn limit(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), namespace(&caller, at.org.as_deref())?);
    let now_ms = app.registry.now_ms();
    // Whether it can be read does not depend on the present limits.
    robot_limits::changed(RobotLimits::default(), &fields, now_ms)?;
    let change = move |present: RobotLimits| {
        robot_limits::changed(present.clone(), &fields, now_ms).unwrap_or(present)
    };
    let changed =
        app.call(move |registry| registry.change_robot_limits(&actor, &name, &at.short, change)).await;
    Ok(Json(view_with_metadata(&changed.map_err(or_unknown)?, &app)).into_response())
}

/// `DELETE …/robots/<short>`.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), namespace(&caller, at.org.as_deref())?);
    let deleted = app.call(move |registry| registry.delete_robot(&actor, &name, &at.short)).await;
    deleted.map_err(or_unknown)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET …/robots/<short>/permissions`.
pub(super) async fn permissions(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), namespace(&caller, at.org.as_deref())?);
    let roles = app.call(move |registry| registry.robot_permissions(&actor, &name, &at.short)).await;
    let roles = repository_roles(&roles.map_err(or_unknown)?);
    Ok(Json(json!({ "permissions": roles })).into_response())
}

/// `POST …/robots/<short>/regenerate`.
pub(super) async fn regenerate(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), namespace(&caller, at.org.as_deref())?);
    let token = app.auth.robots().stored(app.registry.random()?);
    let changed = app.call(move |registry| registry.set_robot_token(&actor, &name, &at.short, &token)).await;
    Ok(Json(view(&changed.map_err(or_unknown)?, &app)).into_response())
}

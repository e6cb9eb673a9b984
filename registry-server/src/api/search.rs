//! `/api/v1/find/…` and `/api/v1/entities/<prefix>`: finding repositories, and who can be granted something.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use registry_core::oci::NamespaceName;
use registry_core::{Entity, EntityKind, EntityQuery, FoundRepository};
use serde_json::{Map, Value, json};

use super::avatar::Avatar;
use super::caller::Caller;
use super::error::ApiError;
use super::operation::{Operation, Parameter};
use super::routes::{Asked, Named};
use super::schema::{AVATAR, Schema};
use crate::app::App;

/// Repositories of a page, and pages that there are at most (Quay's `SEARCH_RESULTS_PER_PAGE` and
/// `SEARCH_MAX_RESULT_PAGE_COUNT`).
pub(super) const PAGE: usize = 10;
pub(super) const PAGES: usize = 10;
/// Of each kind of what `/find/all` finds, and of what an entity's name is completed to.
const FEW: usize = 5;
const ENTITIES: usize = 10;
/// The longest query that is looked for, in bytes: no name is longer.
const QUERY_MAX_BYTES: usize = 255;

const QUERY: Parameter = ("query", Schema::Text, "The beginnings of words.");
const OWNER: Schema = Schema::Object(
    &[
        ("title", Schema::OneOf(&["org", "user"])),
        ("kind", Schema::OneOf(&["organization", "user"])),
        ("avatar", AVATAR),
        ("name", Schema::Text),
        ("score", Schema::Whole),
        ("href", Schema::Text),
    ],
    &[],
);
const RESULT: Schema = Schema::Object(
    &[("kind", Schema::Text), ("name", Schema::Text), ("score", Schema::Whole), ("href", Schema::Text)],
    &[
        ("title", Schema::Text),
        ("namespace", OWNER),
        ("organization", OWNER),
        ("description", Schema::OrNull(&Schema::Text)),
        ("is_public", Schema::Flag),
        ("last_modified", Schema::Whole),
        ("stars", Schema::Whole),
        ("popularity", Schema::Number),
        ("avatar", Schema::OrNull(&AVATAR)),
        ("short_name", Schema::Text),
    ],
);
const RESULTS: Schema = Schema::Object(&[("results", Schema::List(&RESULT))], &[]);
const REPOSITORIES: Schema = Schema::Object(
    &[
        ("results", Schema::List(&RESULT)),
        ("has_additional", Schema::Flag),
        ("page", Schema::Whole),
        ("page_size", Schema::Whole),
        ("start_index", Schema::Whole),
    ],
    &[],
);
const ENTITY: Schema = Schema::Named(
    "Entity",
    &Schema::Object(
        &[("name", Schema::Text), ("kind", Schema::OneOf(&["user", "team", "org"])), ("avatar", AVATAR)],
        &[("is_robot", Schema::Flag), ("is_org_member", Schema::Flag)],
    ),
);
const FOUND_ENTITIES: Schema = Schema::Object(&[("results", Schema::List(&ENTITY))], &[]);

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    const PAGED: &[Parameter] = &[
        QUERY,
        ("page", Schema::Whole, "From 1 on."),
        ("includeUsage", Schema::Flag, "Whether to tell how much a repository is used."),
    ];
    const ABOUT: &[Parameter] = &[
        ("namespace", Schema::Text, "An organization whose robots and teams are wanted as well."),
        ("includeTeams", Schema::Flag, "Whether its teams are."),
        ("includeOrgs", Schema::Flag, "Whether organizations are."),
    ];
    let entities = "/api/v1/entities/{prefix}";
    vec![
        Operation::get("/api/v1/find/all", "conductSearch", find_all, "Finds what the caller sees.")
            .query(&[QUERY])
            .gives(RESULTS),
        Operation::get(
            "/api/v1/find/repositories",
            "conductRepoSearch",
            find_repositories,
            "Finds repositories.",
        )
        .query(PAGED)
        .gives(REPOSITORIES),
        Operation::get(entities, "getMatchingEntities", find_entities, "Completes a name.")
            .query(ABOUT)
            .gives(FOUND_ENTITIES),
    ]
}

fn query(asked: &Asked) -> String {
    let query = asked.text("query").unwrap_or_default();
    if query.len() > QUERY_MAX_BYTES { String::new() } else { query.to_owned() }
}

/// `GET /api/v1/find/all`.
async fn find_all(
    State(app): State<Arc<App>>,
    caller: Caller,
    asked: Asked,
) -> Result<Json<Value>, ApiError> {
    caller.check_anonymous_access(&app)?;
    let (actor, query) = (caller.actor(), query(&asked));
    if query.is_empty() {
        return Ok(Json(json!({ "results": [] })));
    }
    let wanted = query.clone();
    let (repositories, mut entities, named) = app
        .call(move |registry| {
            let exact = EntityQuery { is_exact: true, organizations: true, ..EntityQuery::default() };
            Ok((
                registry.find_repositories(&actor, &wanted, FEW)?,
                registry.find_own_entities(&actor, &wanted, FEW)?,
                registry.find_entities(&actor, &wanted, &exact, 1)?,
            ))
        })
        .await?;
    // Whoever knows the whole name knows who bears it.
    entities.extend(
        named
            .into_iter()
            .filter(|named| {
                !entities.iter().any(|known| known.kind == named.kind && known.name == named.name)
            })
            .collect::<Vec<_>>(),
    );
    let mut results: Vec<Value> = repositories.iter().map(|found| repository(found, false)).collect();
    results.extend(entities.iter().map(|found| result(found, &query)));
    results.sort_by_key(|result| std::cmp::Reverse(result["score"].as_u64()));
    Ok(Json(json!({ "results": results })))
}

/// `GET /api/v1/find/repositories`.
async fn find_repositories(
    State(app): State<Arc<App>>,
    caller: Caller,
    asked: Asked,
) -> Result<Json<Value>, ApiError> {
    caller.check_anonymous_access(&app)?;
    let page = asked.number("page").unwrap_or(1).clamp(1, PAGES);
    let (actor, query, tells_usage) = (caller.actor(), query(&asked), asked.flag("includeUsage"));
    let found = app.call(move |registry| registry.find_repositories(&actor, &query, page * PAGE + 1)).await?;
    let start = (page - 1) * PAGE;
    let has_additional = found.len() > start + PAGE && page < PAGES;
    let results = found.iter().skip(start).take(PAGE).map(|found| repository(found, tells_usage));
    Ok(Json(json!({
        "results": results.collect::<Vec<_>>(),
        "has_additional": has_additional,
        "page": page,
        "page_size": PAGE,
        "start_index": start,
    })))
}

/// The owner of what was found.
fn owner(name: &str, is_organization: bool, score: u32) -> Value {
    let (title, kind, place) =
        if is_organization { ("org", "organization", "organization") } else { ("user", "user", "user") };
    json!({
        "title": title,
        "kind": kind,
        "avatar": Avatar::of(title, name),
        "name": name,
        "score": score,
        "href": format!("/{place}/{name}"),
    })
}

fn repository(found: &FoundRepository, tells_usage: bool) -> Value {
    let info = &found.info;
    let mut result = json!({
        "kind": "repository",
        "title": "repo",
        "namespace": owner(&info.namespace, found.is_organization, 1),
        "name": info.path,
        "description": info.description,
        "is_public": info.is_public,
        "score": found.score,
        "href": format!("/repository/{}/{}", info.namespace, info.path),
    });
    if let Some(modified_ms) = info.last_modified_ms {
        result["last_modified"] = json!(modified_ms / 1000);
    }
    if tells_usage {
        result["stars"] = json!(info.stars);
        result["popularity"] = json!(0.0);
    }
    result
}

fn result(found: &Entity, query: &str) -> Value {
    let score = if found.name == query { 4 } else { 2 };
    let organization = found.organization.as_deref().unwrap_or_default();
    match found.kind {
        EntityKind::Organization => owner(&found.name, true, score),
        EntityKind::User => owner(&found.name, false, score),
        EntityKind::Team => json!({
            "kind": "team",
            "name": found.name,
            "organization": owner(organization, true, 1),
            "avatar": Avatar::of("team", &found.name),
            "score": score,
            "href": format!("/organization/{organization}/teams/{}", found.name),
        }),
        EntityKind::Robot => {
            let (namespace, short_name) = found.name.split_once('+').unwrap_or_default();
            json!({
                "title": "robot",
                "kind": "robot",
                "avatar": null,
                "name": found.name,
                "score": score,
                "href": format!("/organization/{namespace}?tab=robots&showRobot={}", found.name),
                "short_name": short_name,
            })
        }
    }
}

/// `GET /api/v1/entities/<prefix>`.
async fn find_entities(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(prefix): Named<String>,
    asked: Asked,
) -> Result<Json<Value>, ApiError> {
    caller.check_anonymous_access(&app)?;
    let namespace = asked.text("namespace").and_then(|name| name.parse::<NamespaceName>().ok());
    let (teams, organizations) = (asked.flag("includeTeams"), asked.flag("includeOrgs"));
    let completes = caller
        .account()
        .is_some_and(|account| account.is_superuser || app.options.api.partial_user_autocomplete);
    let actor = caller.actor();
    let found = app.call(move |registry| {
        let query = EntityQuery { namespace: namespace.as_ref(), teams, organizations, is_exact: !completes };
        registry.find_entities(&actor, &prefix, &query, ENTITIES)
    });
    let results: Vec<Value> = found.await?.iter().map(entity).collect();
    Ok(Json(json!({ "results": results })))
}

fn entity(found: &Entity) -> Value {
    let mut view = Map::new();
    view.insert("name".into(), json!(found.name));
    let (kind, avatar) = match found.kind {
        EntityKind::User => ("user", Avatar::of("user", &found.name)),
        EntityKind::Robot => ("user", Avatar::of("robot", &found.name)),
        EntityKind::Team => ("team", Avatar::of("team", &found.name)),
        EntityKind::Organization => ("org", Avatar::of("org", &found.name)),
    };
    view.insert("kind".into(), json!(kind));
    if kind == "user" {
        view.insert("is_robot".into(), json!(found.kind == EntityKind::Robot));
    }
    view.insert("avatar".into(), json!(avatar));
    if let Some(is_member) = found.is_member {
        view.insert("is_org_member".into(), json!(is_member));
    }
    Value::Object(view)
}

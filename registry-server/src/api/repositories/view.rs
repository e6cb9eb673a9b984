//! `GET /api/v1/repository/<repository>`: a repository with its tags, and how much it is used.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use registry_core::oci::RepositoryName;
use registry_core::{Action, Actor, Error, EventQuery, EventScope, Registry, RepositoryInfo, TagInfo};
use serde_json::{Map, Value, json};

use super::super::caller::Caller;
use super::super::date;
use super::super::error::ApiError;
use super::super::operation::Parameter;
use super::super::routes::{Asked, Named};
use super::super::schema::Schema;
use super::{STATE, repository, row};
use crate::app::App;

/// Tags of an answer (Quay).
const TAGS_MAX: usize = 500;
/// Days of the statistics (Quay), today among them.
const DAYS: u64 = 91;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// The kinds of events that count as use.
const USE: [&str; 2] = ["pull_repo", "push_repo"];

const TAG: Schema = Schema::Object(
    &[
        ("name", Schema::Text),
        ("size", Schema::OrNull(&Schema::Whole)),
        ("last_modified", Schema::Text),
        ("manifest_digest", Schema::Text),
    ],
    &[],
);
const COUNT: Schema = Schema::Object(&[("date", Schema::Text), ("count", Schema::Whole)], &[]);
pub(super) const VIEW: Schema = Schema::Named(
    "RepositoryView",
    &Schema::Object(
        &[
            ("namespace", Schema::Text),
            ("name", Schema::Text),
            ("description", Schema::OrNull(&Schema::Text)),
            ("is_public", Schema::Flag),
            ("kind", Schema::OneOf(&["image"])),
            ("state", STATE),
            ("is_organization", Schema::Flag),
            ("is_starred", Schema::Flag),
            ("status_token", Schema::Text),
            ("trust_enabled", Schema::Flag),
            ("tag_expiration_s", Schema::Whole),
            ("is_free_account", Schema::Flag),
            ("can_write", Schema::Flag),
            ("can_admin", Schema::Flag),
        ],
        &[("tags", Schema::MapOf(&TAG)), ("stats", Schema::List(&COUNT))],
    ),
);
pub(super) const SHOWN: &[Parameter] = &[
    ("includeTags", Schema::Flag, "Whether to show tags, at most 500, as long as it is not false."),
    ("includeStats", Schema::Flag, "Whether to count the pulls and pushes of each of the last 91 days."),
];

/// What is shown of a repository.
struct Found {
    info: RepositoryInfo,
    can_write: bool,
    can_admin: bool,
    is_organization: bool,
    tags: Option<Vec<TagInfo>>,
    stats: Option<Vec<Value>>,
}

impl Found {
    fn of(registry: &Registry, actor: &Actor, name: &RepositoryName, asked: &Asked) -> Result<Self, Error> {
        let info = registry.repository(actor, name)?;
        let namespace = info.namespace.parse().map_err(|_| Error::RepositoryUnknown(name.clone()))?;
        let shows_tags = asked.optional_flag("includeTags").unwrap_or(true);
        let shows_stats = asked.flag("includeStats");
        Ok(Self {
            can_write: registry.may(actor, name, Action::Push),
            can_admin: registry.may(actor, name, Action::Administer),
            is_organization: registry.organization(&Actor::Anonymous, &namespace).is_ok(),
            tags: shows_tags.then(|| registry.tag_infos(actor, name, TAGS_MAX)).transpose()?,
            stats: shows_stats.then(|| stats(registry, name)).transpose()?,
            info,
        })
    }
}

/// `GET /api/v1/repository/<repository>`.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
    asked: Asked,
) -> Result<Json<Value>, ApiError> {
    let (actor, name) = (caller.actor(), repository(&app, &name)?);
    let found = app.call(move |registry| Found::of(registry, &actor, &name, &asked)).await?;
    let mut view = row(&found.info);
    for (key, value) in [
        ("is_organization", json!(found.is_organization)),
        ("is_starred", json!(found.info.is_starred.unwrap_or(false))),
        ("status_token", json!("")),
        ("trust_enabled", json!(false)),
        ("tag_expiration_s", json!(app.registry.settings().tag_window_ms / 1000)),
        ("is_free_account", json!(true)),
        ("can_write", json!(found.can_write)),
        ("can_admin", json!(found.can_admin)),
    ] {
        view[key] = value;
    }
    if let Some(tags) = found.tags {
        view["tags"] = tags.iter().map(tag).collect::<Map<_, _>>().into();
    }
    if let Some(stats) = found.stats {
        view["stats"] = stats.into();
    }
    Ok(Json(view))
}

fn tag(info: &TagInfo) -> (String, Value) {
    let view = json!({
        "name": info.tag.as_str(),
        "size": info.layers_bytes,
        "last_modified": date(info.set_ms),
        "manifest_digest": info.digest.to_string(),
    });
    (info.tag.to_string(), view)
}

/// How much the repository was used on each of the last days, the oldest first. Whoever may pull from it may know.
fn stats(registry: &Registry, name: &RepositoryName) -> Result<Vec<Value>, Error> {
    let today = registry.now_ms() / DAY_MS;
    let first = today.saturating_sub(DAYS - 1);
    let query = EventQuery {
        scope: EventScope::Repository(name.clone()),
        performer: None,
        from_ms: first * DAY_MS,
        until_ms: (today + 1) * DAY_MS,
    };
    let counts = registry.event_counts(&query)?;
    let used_on = |day: u64| {
        let of_day = counts.iter().filter(|count| count.day_ms == day * DAY_MS);
        of_day.filter(|count| USE.contains(&count.kind.as_str())).map(|count| count.count).sum::<u64>()
    };
    let row = |day| json!({ "date": day_text(day), "count": used_on(day) });
    Ok((first..=today).map(row).collect())
}

fn day_text(day: u64) -> String {
    let moment = i64::try_from(day * DAY_MS).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    moment.unwrap_or(jiff::Timestamp::UNIX_EPOCH).strftime("%Y-%m-%d").to_string()
}

//! `…/logs` and `…/aggregatelogs`: what was done, as Quay tells it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use registry_core::oci::NamespaceName;
use registry_core::{
    AccountAction, Error, Event, EventCursor, EventQuery, EventScope, Named as Who, Registry,
};
use serde_json::{Map, Value, json};

use super::avatar::Avatar;
use super::caller::Caller;
use super::date;
use super::error::ApiError;
use super::operation::{NEXT_PAGE, Operation, Parameter, Scope};
use super::organizations::organization;
use super::repositories::repository;
use super::routes::{Asked, Named};
use super::schema::{AVATAR, Schema};
use crate::app::App;

/// Events of a page (Quay).
const PAGE: usize = 20;
/// The longest range that is counted, in days (Quay).
const AGGREGATED_DAYS: u64 = 31;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

const RANGE: &[Parameter] = &[
    ("starttime", Schema::Text, "The first day, as MM/DD/YYYY in UTC."),
    ("endtime", Schema::Text, "The last day, as MM/DD/YYYY in UTC."),
    ("performer", Schema::Text, "Only what this user or robot did."),
    NEXT_PAGE,
];
const PERSON: Schema = Schema::Object(
    &[("kind", Schema::OneOf(&["user", "org"])), ("name", Schema::Text), ("avatar", AVATAR)],
    &[("is_robot", Schema::Flag)],
);
const EVENT: Schema = Schema::Named(
    "LogEntry",
    &Schema::Object(
        &[
            ("kind", Schema::Text),
            ("metadata", Schema::Open),
            ("ip", Schema::OrNull(&Schema::Text)),
            ("datetime", Schema::Text),
        ],
        &[("performer", PERSON), ("namespace", PERSON)],
    ),
);
const EVENTS: Schema = Schema::Object(
    &[("start_time", Schema::Text), ("end_time", Schema::Text), ("logs", Schema::List(&EVENT))],
    &[("next_page", Schema::Text)],
);
const COUNT: Schema =
    Schema::Object(&[("kind", Schema::Text), ("count", Schema::Whole), ("datetime", Schema::Text)], &[]);
const COUNTS_OF_DAYS: Schema = Schema::Object(&[("aggregated", Schema::List(&COUNT))], &[]);

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    macro_rules! both_forms {
        ($base:literal, $events:literal, $counts:literal, $of:ident, $scope:expr) => {{
            let (events, counts) = (concat!($base, "/logs"), concat!($base, "/aggregatelogs"));
            [
                Operation::get(events, $events, $of::<false>, "What was done.").gives(EVENTS),
                Operation::get(counts, $counts, $of::<true>, "How often what was done, by day.")
                    .gives(COUNTS_OF_DAYS),
            ]
            .map(|operation| operation.scope($scope).query(RANGE))
        }};
    }
    let of_organizations = both_forms!(
        "/api/v1/organization/{orgname}",
        "listOrgLogs",
        "getAggregateOrgLogs",
        in_organization,
        Scope::OrganizationAdmin
    );
    let of_repositories = both_forms!(
        "/api/v1/repository/{repository}",
        "listRepoLogs",
        "getAggregateRepoLogs",
        in_repository,
        Scope::RepositoryAdmin
    );
    let own = both_forms!("/api/v1/user", "listUserLogs", "getAggregateUserLogs", own, Scope::UserAdmin);
    let all =
        both_forms!("/api/v1/superuser", "listAllLogs", "listAllAggregateLogs", everywhere, Scope::Superuser);
    let all = all.map(Operation::fresh);
    [of_organizations, of_repositories, own, all].into_iter().flatten().collect()
}

/// Which form of the log is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Events,
    Counts,
}

fn form(counts: bool) -> Form {
    if counts { Form::Counts } else { Form::Events }
}

/// A range of days, from the beginning of the first to the end of the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from_ms: u64,
    pub(super) until_ms: u64,
}

impl Range {
    /// The last day, unless the query names days as Quay's pages do (`MM/DD/YYYY`); what is no day is not named.
    pub(super) fn of(query: &Asked, now_ms: u64) -> Result<Self, ApiError> {
        let day = |name| query.text(name).and_then(day_ms);
        let until_ms = day("endtime").unwrap_or(now_ms).saturating_add(DAY_MS);
        let from_ms = day("starttime").unwrap_or(until_ms.saturating_sub(2 * DAY_MS));
        if from_ms < until_ms {
            Ok(Self { from_ms, until_ms })
        } else {
            Err(ApiError::refused("Invalid range"))
        }
    }
}

/// When a day began, in milliseconds since the Unix epoch.
fn day_ms(text: &str) -> Option<u64> {
    let mut parts = text.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    let start = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond();
    u64::try_from(start).ok().filter(|_| parts.next().is_none())
}

fn user(who: &Who) -> Value {
    let is_robot = who.name.contains('+');
    json!({
        "kind": "user",
        "name": who.name,
        "is_robot": is_robot,
        "avatar": Avatar::of_entity(&who.name, is_robot),
    })
}

/// An event; in whose namespace, and of which kind it is, only superusers are told, as the others asked for one.
pub(super) fn view(event: &Event, namespace_kind: Option<&'static str>) -> Value {
    let mut view = Map::new();
    view.insert("kind".into(), json!(event.kind));
    view.insert("metadata".into(), serde_json::from_str(&event.metadata).unwrap_or_else(|_| json!({})));
    view.insert("ip".into(), json!(event.address));
    view.insert("datetime".into(), json!(date(event.time_ms)));
    if let Some(performer) = &event.performer {
        view.insert("performer".into(), user(performer));
    }
    if let (Some(namespace), Some(kind)) = (&event.namespace, namespace_kind) {
        let avatar = Avatar::of(kind, &namespace.name);
        view.insert("namespace".into(), json!({ "kind": kind, "name": namespace.name, "avatar": avatar }));
    }
    Value::Object(view)
}

/// An event as a line of the stream: as superusers see it, with its id and its repository.
pub(crate) fn event_line(event: &Event) -> Value {
    let mut line = view(event, Some("org"));
    line["id"] = json!(event.id);
    if let Some(repository) = &event.repository {
        line["repository"] = json!(repository.name);
    }
    line
}

/// Answers for a scope that the caller may see.
async fn told(app: &Arc<App>, scope: EventScope, asked: &Asked, form: Form) -> Result<Response, ApiError> {
    let Range { from_ms, until_ms } = Range::of(asked, app.registry.now_ms())?;
    let tells_namespace = scope == EventScope::All;
    let performer = asked.text("performer").map(str::to_owned);
    if let Some(name) = performer.clone()
        && app.ask(move |registry| registry.account(&name)).await?.is_none()
    {
        return Err(ApiError::refused("Invalid performer: there is no such user or robot"));
    }
    let query = EventQuery { scope, performer, from_ms, until_ms };
    if form == Form::Counts {
        if until_ms - from_ms > (AGGREGATED_DAYS + 1) * DAY_MS {
            return Err(ApiError::refused("The range is longer than 31 days"));
        }
        let counts = app.call(move |registry| registry.event_counts(&query)).await?;
        let counts: Vec<Value> = counts
            .iter()
            .map(|row| json!({ "kind": row.kind, "count": row.count, "datetime": date(row.day_ms) }))
            .collect();
        return Ok(Json(json!({ "aggregated": counts })).into_response());
    }
    // What does not decode is the first page, as in Quay.
    let cursor = asked.text("next_page").and_then(EventCursor::parse);
    let asked = app.call(move |registry| {
        let page = registry.events(&query, cursor, PAGE)?;
        let kind = |event| tells_namespace.then(|| namespace_kind(registry, event)).transpose();
        let events = page.events.iter().map(|event| Ok(view(event, kind(event)?)));
        Ok((events.collect::<Result<Vec<Value>, Error>>()?, page.next))
    });
    let (events, next) = asked.await?;
    let mut answer = json!({ "start_time": date(from_ms), "end_time": date(until_ms), "logs": events });
    if let Some(next) = next {
        answer["next_page"] = json!(next.to_string());
    }
    Ok(Json(answer).into_response())
}

/// What the namespace of an event is: a user's, or an organization, as what is gone by now counts.
fn namespace_kind(registry: &Registry, event: &Event) -> Result<&'static str, Error> {
    let name = event.namespace.as_ref().map_or("", |namespace| namespace.name.as_str());
    Ok(if registry.find_user(name)?.is_some() { "user" } else { "org" })
}

async fn of_namespace(
    app: &Arc<App>,
    caller: &Caller,
    name: NamespaceName,
    asked: &Asked,
    form: Form,
) -> Result<Response, ApiError> {
    let (actor, wanted) = (caller.actor(), name.clone());
    app.call(move |registry| registry.check_inspection(&actor, &wanted)).await?;
    told(app, EventScope::Namespace(name), asked, form).await
}

/// `GET /api/v1/organization/<org>/logs` and `…/aggregatelogs`.
async fn in_organization<const COUNTS: bool>(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    of_namespace(&app, &caller, organization(&name)?, &asked, form(COUNTS)).await
}

/// `GET /api/v1/user/logs` and `…/aggregatelogs`: of the caller's own namespace.
async fn own<const COUNTS: bool>(
    State(app): State<Arc<App>>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, ApiError> {
    let name = organization(&caller.signed_in()?.0.name)?;
    of_namespace(&app, &caller, name, &asked, form(COUNTS)).await
}

/// `GET /api/v1/superuser/logs` and `…/aggregatelogs`: everybody's, for superusers and for who reads everything.
async fn everywhere<const COUNTS: bool>(
    State(app): State<Arc<App>>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, ApiError> {
    check_superuser(&app, &caller).await?;
    told(&app, EventScope::All, &asked, form(COUNTS)).await
}

async fn check_superuser(app: &Arc<App>, caller: &Caller) -> Result<(), ApiError> {
    let (_, actor) = caller.freshly_signed_in()?;
    Ok(app.ask(move |registry| registry.check_account(&actor, AccountAction::Inspect)).await?)
}

/// `GET /api/v1/repository/<repository>/logs` and `…/aggregatelogs`.
async fn in_repository<const COUNTS: bool>(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), repository(&app, &name)?);
    let wanted = name.clone();
    app.call(move |registry| registry.check_repository_inspection(&actor, &wanted)).await?;
    told(&app, EventScope::Repository(name), &asked, form(COUNTS)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_of_whole_days_and_the_last_one_by_default() {
        let range = |query: &str| Range::of(&Asked::of(query), 100 * DAY_MS).ok();
        let days = |from: u64, until: u64| Some(Range { from_ms: from * DAY_MS, until_ms: until * DAY_MS });
        assert_eq!(range(""), days(99, 101));
        assert_eq!(range("starttime=01/02/1970&endtime=01/03/1970"), days(1, 3));
        assert_eq!(range("starttime=01/03/1970&endtime=01/01/1970"), None);
        assert_eq!(range("starttime=1970-01-02&endtime=13/45/1970"), days(99, 101));
    }
}

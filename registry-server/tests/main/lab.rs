//! A lab: a superuser, three partners with teams and robots, one shared image, and one robot that pulls everything.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::{Server, add_user};

const PARTNERS: [&str; 3] = ["north", "east", "west"];

fn put(browser: &Browser, server: &Server, target: &str, body: &Value) -> Value {
    let answer = browser.json(server, "PUT", target, body).send();
    assert!(answer.status < 300, "{target}: {}", answer.status);
    answer.json()
}

/// A server with the partners' organizations, each with an owner and a repository that holds an image.
fn lab() -> Server {
    let server = Server::with(|setup| {
        setup.settings.superusers = ["root".to_owned()].into();
        setup.settings.readers = ["automation+puller".to_owned()].into();
        setup.settings.superusers_have_full_access = true;
    });
    for user in PARTNERS.map(|partner| format!("{partner}-owner")).iter().map(String::as_str).chain(["root"])
    {
        add_user(&server.registry, user);
    }
    for partner in PARTNERS {
        let owner = Browser::of(&server, &format!("{partner}-owner"));
        let new = json!({ "name": partner, "email": format!("{partner}@lab.test") });
        let made = owner.json(&server, "POST", "/api/v1/organization/", &new).send().is(201);
        assert_eq!(made.json(), "Created");
        for (team, role) in [("devs", "creator"), ("readers", "member")] {
            let team = format!("/api/v1/organization/{partner}/team/{team}");
            assert_eq!(put(&owner, &server, &team, &json!({ "role": role }))["new_team"], true);
        }
        for name in ["private", "shared"] {
            let new = json!({ "repository": name, "namespace": partner, "visibility": "private", "description": "" });
            owner.json(&server, "POST", "/api/v1/repository", &new).send().is(201);
        }
    }
    server
}

/// Makes a robot and gives its name and token.
fn robot(browser: &Browser, server: &Server, organization: &str, short: &str) -> (String, String) {
    let made =
        put(browser, server, &format!("/api/v1/organization/{organization}/robots/{short}"), &json!({}));
    let text = |key: &str| made[key].as_str().unwrap().to_owned();
    assert_eq!(text("token").len(), 64);
    (text("name"), text("token"))
}

fn tags(server: &Server, (name, token): &(String, String), repository: &str) -> u16 {
    server.get(&format!("/v2/{repository}/tags/list")).password(name, token).send().status
}

#[test]
fn partners_work_apart_share_one_image_and_one_robot_pulls_everything() {
    let server = lab();
    let mut robots = Vec::new();
    for partner in PARTNERS {
        let owner = Browser::of(&server, &format!("{partner}-owner"));
        let builder = robot(&owner, &server, partner, "builder");
        for name in ["private", "shared"] {
            let at = format!("/api/v1/repository/{partner}/{name}/permissions/user/{}", builder.0);
            assert_eq!(put(&owner, &server, &at, &json!({ "role": "write" }))["role"], "write");
            let upload = format!("/v2/{partner}/{name}/blobs/uploads/");
            server.request("POST", &upload).password(&builder.0, &builder.1).send().is(202);
        }
        robots.push(builder);
    }
    for (partner, builder) in PARTNERS.iter().zip(&robots) {
        for other in PARTNERS {
            let expected = if other == *partner { 200 } else { 404 };
            assert_eq!(tags(&server, builder, &format!("{other}/private")), expected, "{partner} in {other}");
        }
    }
    let north = Browser::of(&server, "north-owner");
    north
        .json(
            &server,
            "POST",
            "/api/v1/repository/north/shared/changevisibility",
            &json!({ "visibility": "public" }),
        )
        .send()
        .is(200);
    for builder in &robots {
        assert_eq!(tags(&server, builder, "north/shared"), 200);
    }
    let root = Browser::of(&server, "root");
    let organization = json!({ "name": "automation" });
    root.json(&server, "POST", "/api/v1/organization", &organization).send().is(201);
    let puller = robot(&root, &server, "automation", "puller");
    for partner in PARTNERS {
        assert_eq!(tags(&server, &puller, &format!("{partner}/private")), 200);
        let upload = format!("/v2/{partner}/private/blobs/uploads/");
        server.request("POST", &upload).password(&puller.0, &puller.1).send().is(403);
    }
}

#[test]
fn who_is_removed_is_refused_with_the_next_request_whatever_they_hold() {
    let server = lab();
    add_user(&server.registry, "carol");
    let owner = Browser::of(&server, "north-owner");
    put(&owner, &server, "/api/v1/organization/north/team/readers/members/carol", &json!({}));
    put(
        &owner,
        &server,
        "/api/v1/repository/north/private/permissions/team/readers",
        &json!({ "role": "read" }),
    );
    let token = server.token(Some("carol"), &["repository:north/private:pull"]);
    let pull = || server.get("/v2/north/private/tags/list").bearer(&token).send().status;
    assert_eq!((pull(), pull()), (200, 200));
    owner.json(&server, "DELETE", "/api/v1/organization/north/members/carol", &json!({})).send().is(204);
    assert_eq!((pull(), pull()), (404, 404));
}

#[test]
fn a_robot_with_a_new_token_is_refused_with_the_old_one_and_with_what_that_got() {
    let server = lab();
    let owner = Browser::of(&server, "north-owner");
    let (name, old) = robot(&owner, &server, "north", "builder");
    let at = format!("/api/v1/repository/north/private/permissions/user/{name}");
    put(&owner, &server, &at, &json!({ "role": "read" }));
    let basic =
        server.get("/v2/auth?scope=repository:north/private:pull").password(&name, &old).send().is(200);
    let bearer = basic.json()["token"].as_str().unwrap().to_owned();
    let pull = || server.get("/v2/north/private/tags/list").bearer(&bearer).send().status;
    assert_eq!(pull(), 200);
    let at = "/api/v1/organization/north/robots/builder/regenerate";
    let renewed = owner.json(&server, "POST", at, &json!({})).send().is(200).json();
    let new = renewed["token"].as_str().unwrap().to_owned();
    assert_eq!(pull(), 401);
    assert_eq!(tags(&server, &(name.clone(), old), "north/private"), 401);
    assert_eq!(tags(&server, &(name, new.clone()), "north/private"), 200);
    let shown = owner.get(&server, "/api/v1/organization/north/robots/builder").is(200).json();
    assert_eq!(shown["token"], *new, "it is shown again to who administers the organization");
}

#[test]
fn a_robot_gets_no_session_and_people_see_where_they_belong() {
    let server = lab();
    let owner = Browser::of(&server, "north-owner");
    let own = owner.get(&server, "/api/v1/user").is(200).json();
    let organization = &own["organizations"][0];
    assert_eq!((&organization["name"], &organization["is_org_admin"]), (&json!("north"), &json!(true)));
    let (name, token) = robot(&owner, &server, "north", "builder");
    Browser::visitor(&server).sign_in(&server, &name, &token).is(403);
}

#[test]
fn what_was_done_is_told_to_who_may_see_it_with_who_and_from_where() {
    let server = lab();
    let owner = Browser::of(&server, "north-owner");
    let builder = robot(&owner, &server, "north", "builder");
    let at = format!("/api/v1/repository/north/private/permissions/user/{}", builder.0);
    put(&owner, &server, &at, &json!({ "role": "write" }));
    let alice = "/api/v1/repository/north/private/permissions/user/alice";
    put(&owner, &server, alice, &json!({ "role": "write" }));
    server.push_image("north/private", "v1", "one");
    let pull = || server.get("/v2/north/private/manifests/v1").header("User-Agent", "pullr/1");
    pull().password(&builder.0, &builder.1).send().is(200);
    server.registry.run_background().unwrap();
    let logs = owner.get(&server, "/api/v1/organization/north/logs").is(200).json();
    let events = logs["logs"].as_array().unwrap();
    let find = |kind: &str| events.iter().find(|event| event["kind"] == kind).unwrap();
    let granted = find("change_repo_permission");
    assert_eq!(granted["performer"]["name"], "north-owner");
    assert_eq!((&granted["ip"], &granted["metadata"]["role"]), (&json!("127.0.0.1"), &json!("write")));
    let pulled = find("pull_repo");
    assert_eq!((&pulled["performer"]["name"], &pulled["metadata"]["tag"]), (&json!(builder.0), &json!("v1")));
    assert!(!logs.to_string().contains(&builder.1), "no secret is in the log");
    let east = Browser::of(&server, "east-owner");
    east.get(&server, "/api/v1/organization/north/logs").is(403);
    east.get(&server, "/api/v1/repository/north/private/logs").is(404);
    let own = east.get(&server, "/api/v1/organization/east/logs").is(200).json().to_string();
    assert!(!own.contains("north"), "{own}");
    let all = Browser::of(&server, "root").get(&server, "/api/v1/superuser/logs").is(200).json();
    assert!(all["next_page"].is_string(), "there are more than a page");
}

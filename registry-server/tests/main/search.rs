//! Finding repositories and names, stars, messages, and what the registry says of itself.

use registry_core::oci::NamespaceName;
use registry_core::{Actor, NewRobot, RobotToken, Role, TeamRole, To};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::{Server, add_user, repository};

fn org(name: &str) -> NamespaceName {
    name.parse().unwrap()
}

/// alice owns acme with a private and a public repository, a team and a robot; bob is nobody there, carol is in the team.
fn populated() -> Server {
    let server = Server::with(|setup| setup.settings.superusers = ["root".to_owned()].into());
    for user in ["carol", "root"] {
        add_user(&server.registry, user);
    }
    let alice = Actor::User(server.principal("alice"));
    let registry = &server.registry;
    registry.create_organization(&alice, &org("acme"), "").unwrap();
    registry.put_team(&alice, &org("acme"), &org("devs"), TeamRole::Member, None).unwrap();
    registry.add_team_member(&alice, &org("acme"), "devs", "carol").unwrap();
    let robot = NewRobot {
        short_name: org("deploy"),
        description: String::new(),
        metadata: String::new(),
        is_usable_elsewhere: false,
        token: RobotToken { nonce: [1; 16], hash: [2; 32] },
        limits: registry_core::RobotLimits::default(),
    };
    registry.create_robot(&alice, &org("acme"), &robot).unwrap();
    registry.add_team_member(&alice, &org("acme"), "devs", "acme+deploy").unwrap();
    for (name, is_public) in [("acme/demo/base", false), ("acme/demo", true)] {
        registry.create_repository(&alice, &repository(name), is_public).unwrap();
    }
    server
        .registry
        .grant(&alice, &repository("acme/demo/base"), To::Principal("acme+deploy"), Role::Read)
        .unwrap();
    server.push_image("acme/demo", "v1", "one");
    server
}

fn names(results: &Value) -> Vec<&str> {
    results.as_array().unwrap().iter().map(|result| result["name"].as_str().unwrap()).collect()
}

#[test]
fn repositories_are_found_page_by_page_by_those_who_see_them() {
    let server = populated();
    let [alice, bob] = ["alice", "bob"].map(|user| Browser::of(&server, user));
    let find = |browser: &Browser, query: &str| {
        browser.get(&server, &format!("/api/v1/find/repositories?{query}")).is(200).json()
    };
    let found = find(&alice, "query=dem&includeUsage=true");
    assert_eq!(names(&found["results"]), ["demo", "demo/base"]);
    let first = &found["results"][0];
    assert_eq!((&first["stars"], &first["popularity"]), (&json!(0), &json!(0.0)));
    assert_eq!(first["href"], "/repository/acme/demo");
    assert_eq!(first["namespace"]["href"], "/organization/acme");
    assert!(first["last_modified"].is_u64() && found["results"][1].get("last_modified").is_none());
    let paging =
        |found: &Value| ["has_additional", "page", "page_size", "start_index"].map(|key| found[key].clone());
    assert_eq!(paging(&found), [json!(false), json!(1), json!(10), json!(0)]);
    // What bob does not see changes nothing that he is told.
    let found = find(&bob, "query=dem");
    assert_eq!(names(&found["results"]), ["demo"]);
    assert!(found["results"][0].get("stars").is_none());
    let owner = Actor::User(server.principal("alice"));
    for number in 0..12 {
        server
            .registry
            .create_repository(&owner, &repository(&format!("alice/many-{number:02}")), false)
            .unwrap();
    }
    let found = find(&alice, "query=many");
    assert_eq!((found["results"].as_array().unwrap().len(), &found["has_additional"]), (10, &json!(true)));
    let found = find(&alice, "query=many&page=2");
    assert_eq!(names(&found["results"]), ["many-10", "many-11"]);
    assert_eq!(paging(&found), [json!(false), json!(2), json!(10), json!(10)]);
    for query in ["", "query=", "query=%00", "query=many&page=99"] {
        assert_eq!(names(&find(&alice, query)["results"]), Vec::<&str>::new(), "{query}");
    }
    assert_eq!(find(&bob, "query=many"), find(&bob, "query=none"));
}

#[test]
fn everything_is_found_at_once() {
    let server = populated();
    let find = |user: &str, query: &str| {
        let browser = Browser::of(&server, user);
        let found = browser.get(&server, &format!("/api/v1/find/all?query={query}")).is(200).json();
        let kind = |result: &Value| format!("{} {}", result["kind"], result["name"]).replace('"', "");
        found["results"].as_array().unwrap().iter().map(kind).collect::<Vec<_>>()
    };
    let all = ["repository demo", "repository demo/base", "robot acme+deploy", "team devs"];
    assert_eq!(find("alice", "de"), all);
    assert_eq!(find("carol", "de"), ["repository demo", "robot acme+deploy", "team devs"]);
    assert_eq!(find("bob", "de"), ["repository demo"]);
    assert_eq!(find("bob", "acme"), ["organization acme"], "whoever knows the name knows it");
    assert_eq!(find("bob", "acm"), Vec::<String>::new());
    assert_eq!(find("carol", "acm"), ["organization acme"]);
    assert_eq!(find("bob", "alice"), ["user alice"]);
    assert_eq!(find("bob", ""), Vec::<String>::new());
}

#[test]
fn names_are_completed() {
    let server = populated();
    let find = |user: &str, target: &str| {
        Browser::of(&server, user).get(&server, &format!("/api/v1/entities/{target}")).is(200).json()
    };
    let found = find("bob", "c");
    assert_eq!(found["results"][0]["name"], "carol");
    assert_eq!(found["results"][0].get("is_org_member"), None);
    let found = find("alice", "de?namespace=acme&includeTeams=true");
    assert_eq!(names(&found["results"]), ["acme+deploy", "devs"]);
    assert_eq!(
        (&found["results"][0]["kind"], &found["results"][0]["is_robot"]),
        (&json!("user"), &json!(true))
    );
    assert_eq!(found["results"][0]["avatar"]["kind"], "robot");
    assert_eq!(found["results"][1]["kind"], "team");
    assert_eq!(find("bob", "de?namespace=acme&includeTeams=true")["results"], json!([]));
    assert_eq!(names(&find("bob", "acm?includeOrgs=true")["results"]), ["acme"]);
    for (prefix, count) in [("alic", 0), ("alice", 1)] {
        let found = server.get(&format!("/api/v1/entities/{prefix}")).send().is(200).json();
        assert_eq!(found["results"].as_array().unwrap().len(), count, "{prefix}, to nobody");
    }
    let member = find("carol", "alice?namespace=acme");
    assert_eq!(member["results"][0]["is_org_member"], true);
    assert_eq!(find("carol", "bob?namespace=acme")["results"][0]["is_org_member"], false);
}

#[test]
fn a_site_may_keep_names_to_those_who_know_them() {
    let server = Server::with(|setup| {
        setup.options.api.partial_user_autocomplete = false;
        setup.settings.superusers = ["bob".to_owned()].into();
    });
    let find = |user: &str, prefix: &str| {
        let found =
            Browser::of(&server, user).get(&server, &format!("/api/v1/entities/{prefix}")).is(200).json();
        found["results"].as_array().unwrap().len()
    };
    assert_eq!((find("alice", "bo"), find("alice", "bob"), find("bob", "al")), (0, 1, 1));
}

#[test]
fn starred_repositories_are_listed_and_marked() {
    let server = populated();
    let mut bob = Browser::of(&server, "bob");
    let star = json!({ "namespace": "acme", "repository": "demo" });
    for _ in 0..2 {
        assert_eq!(bob.post(&server, "/api/v1/user/starred", &star).is(201).json(), star);
    }
    let hidden = json!({ "namespace": "acme", "repository": "demo/base" });
    let missing = json!({ "namespace": "acme", "repository": "none" });
    for name in [hidden, missing, json!({ "namespace": "", "repository": "../x" })] {
        assert_eq!(bob.post(&server, "/api/v1/user/starred", &name).is(200).json(), Value::Null);
    }
    let starred = bob.get(&server, "/api/v1/user/starred").is(200).json();
    let row = json!({ "namespace": "acme", "name": "demo", "description": null, "is_public": true });
    assert_eq!(starred["repositories"][0]["name"], row["name"]);
    assert_eq!(starred["repositories"].as_array().unwrap().len(), 1);
    let list = |query: &str| bob.get(&server, &format!("/api/v1/repository?{query}")).is(200).json();
    for query in ["starred=true", "namespace=acme", "public=true"] {
        let rows = list(&format!("{query}&last_modified=true&popularity=true"));
        let row = &rows["repositories"][0];
        assert_eq!((&row["name"], &row["is_starred"]), (&json!("demo"), &json!(true)), "{query}");
        assert!(row["last_modified"].is_u64() && row["popularity"] == 0.0);
    }
    assert_eq!(bob.get(&server, "/api/v1/repository/acme/demo").json()["is_starred"], true);
    let anonymous = server.get("/api/v1/repository?public=true").send().is(200).json();
    assert_eq!(anonymous["repositories"][0].get("is_starred"), None);
    server.get("/api/v1/repository?starred=true").send().is(400);
    let none = json!({});
    bob.json(&server, "DELETE", "/api/v1/user/starred/acme/demo", &none).send().is(204);
    bob.json(&server, "DELETE", "/api/v1/user/starred/acme%2Fdemo/", &none).send().is(204);
    let unknown = bob.json(&server, "DELETE", "/api/v1/user/starred/acme/demo/base", &none).send().is(200);
    assert_eq!(unknown.json(), Value::Null);
    assert_eq!(bob.get(&server, "/api/v1/user/starred").json()["repositories"], json!([]));
}

#[test]
fn a_list_of_everything_goes_on_where_its_page_ended() {
    let server = populated();
    let owner = Actor::User(server.principal("alice"));
    for number in 0..120 {
        server
            .registry
            .create_repository(&owner, &repository(&format!("alice/r{number:03}")), false)
            .unwrap();
    }
    let alice = Browser::of(&server, "alice");
    let page =
        |query: &str| alice.get(&server, &format!("/api/v1/repository?public=true{query}")).is(200).json();
    let first = page("");
    assert_eq!(first["repositories"].as_array().unwrap().len(), 100);
    let second = page(&format!("&next_page={}", first["next_page"].as_str().unwrap()));
    assert_eq!(second["repositories"].as_array().unwrap().len(), 22);
    assert!(second.get("next_page").is_none());
    assert_eq!(page("&next_page=garbled!")["repositories"], first["repositories"]);
}

#[test]
fn superusers_tell_everybody_something_and_take_it_back() {
    let server = populated();
    let message =
        json!({ "message": { "content": "# down", "media_type": "text/markdown", "severity": "warning" } });
    let mut root = Browser::of(&server, "root");
    assert_eq!(root.post(&server, "/api/v1/messages", &message).is(201).text(), "");
    let refused = Browser::of(&server, "alice").post(&server, "/api/v1/messages", &message).is(403).json();
    assert!(refused["message"].is_string() && refused.get("error_type").is_none());
    let shown = server.get("/api/v1/messages").send().is(200).json();
    let shown = &shown["messages"][0];
    assert_eq!((&shown["content"], &shown["severity"]), (&json!("# down"), &json!("warning")));
    assert_eq!(shown["media_type"], "text/markdown");
    for bad in [json!({}), json!({ "message": {} }), json!({ "message": "x" })] {
        assert_eq!(
            root.post(&server, "/api/v1/messages", &bad).is(400).json()["error_type"],
            "invalid_request"
        );
    }
    let target = format!("/api/v1/message/{}", shown["uuid"].as_str().unwrap());
    for target in [target.as_str(), &target, "/api/v1/message/no-uuid"] {
        root.json(&server, "DELETE", target, &json!({})).send().is(204);
    }
    assert_eq!(server.get("/api/v1/messages").send().json()["messages"], json!([]));
    server.clock.advance_ms(11 * 60 * 1000);
    let stale = root.post(&server, "/api/v1/messages", &message).is(401).json();
    assert_eq!(stale["error_type"], "fresh_login_required");
}

#[test]
fn robots_are_listed_with_where_they_get_and_without_their_tokens() {
    let server = populated();
    let list = |user: &str, query: &str| {
        let browser = Browser::of(&server, user);
        browser.get(&server, &format!("/api/v1/organization/acme/robots?{query}")).is(200).json()["robots"]
            .clone()
    };
    let robots = list("alice", "permissions=true");
    assert_eq!(robots[0]["teams"][0]["name"], "devs");
    assert_eq!(robots[0]["repositories"], json!(["demo/base"]));
    assert!(robots[0]["token"].is_string());
    assert!(list("alice", "token=false")[0].get("token").is_none());
    assert_eq!(list("alice", "limit=0"), json!([]));
    let robots = list("carol", "permissions=true");
    assert!(robots[0].get("token").is_none() && robots[0].get("teams").is_none());
}

#[test]
fn the_registry_says_what_it_is_and_nothing_secret() {
    let server = Server::with(|setup| {
        setup.settings.public_catalog = true;
        setup.options.metrics_token = Some(registry_server::wire::secret::Secret::new("a-secret-token-123"));
    });
    let answer = server.get("/config").send().is(200);
    assert!(!answer.text().contains("a-secret-token-123"));
    let config = answer.json();
    assert_eq!(config["config"]["SERVER_HOSTNAME"], "registry.test");
    assert_eq!(config["config"]["CHANNEL_COLORS"].as_array().unwrap().len(), 32);
    assert_eq!(config["features"]["PUBLIC_CATALOG"], true);
    assert_eq!(config["features"]["ANONYMOUS_ACCESS"], true);
    assert_eq!(
        (&config["features"]["BILLING"], &config["registry_state"]),
        (&json!(false), &json!("normal"))
    );
    assert!(config["features"].as_object().unwrap().values().all(Value::is_boolean));
    for target in ["/_internal_ping", "/v1/_ping"] {
        assert_eq!(server.get(target).send().is(200).text(), "true");
    }
    for target in ["/health/endtoend", "/status", "/health/warning"] {
        assert_eq!(server.get(target).send().is(200).json()["status_code"], 200);
    }
    assert_eq!(server.get("/api/v1/superuser/registrystatus").send().json()["status"], "ready");
    let error = server.get("/api/v1/error/not_found").send().is(200).json();
    assert_eq!(error["type"], "http://registry.test/api/v1/error/not_found");
    assert_eq!(server.get("/api/v1/error/none").send().is(404).json()["error_type"], "not_found");
    let able = server.get("/api/v1/registry/capabilities").send().is(200).json();
    assert_eq!(able["sparse_manifests"]["supported"], true);
    let places = server.get("/.well-known/app-capabilities").send().is(200).json();
    assert_eq!(places["appName"], "io.quay");
    server.get("/.well-known/change-password").send().is(401);
    let alice = Browser::of(&server, "alice");
    let moved = alice.get(&server, "/.well-known/change-password").is(302);
    assert_eq!(moved.header("location"), Some("/user/alice?tab=settings"));
    alice.get(&server, "/api/v1/repository/alice/none/tokens/x").is(410);
    assert_eq!(
        alice.get(&server, "/api/v1/superuser/config").is(403).json()["error_type"],
        "insufficient_scope"
    );
}

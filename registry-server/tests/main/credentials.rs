//! Credentials that are narrower than their principal, as clients use them.

use registry_server::origin::AddressBlock;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::client::Response;
use crate::support::{PASSWORD, Server};

const APPS: &str = "/api/v1/organization/acme/applications";

/// A server where alice owns acme, which has a private repository, and an application with this redirect address.
fn server(redirect_uri: &str) -> (Server, Browser, String) {
    let server = Server::with(|setup| {
        setup.settings.create_namespace_on_push = true;
        setup.options.origins.trusted_proxies = vec![AddressBlock::parse("127.0.0.1").unwrap()];
    });
    let mut alice = Browser::of(&server, "alice");
    alice.post(&server, "/api/v1/organization/", &json!({ "name": "acme" })).is(201);
    server.push_image("acme/app", "v1", "one");
    let wanted = json!({ "name": "ci", "redirect_uri": redirect_uri });
    let made = alice.post(&server, APPS, &wanted).is(200).json();
    let client_id = made["client_id"].as_str().unwrap().to_owned();
    (server, alice, client_id)
}

fn token(server: &Server, alice: &mut Browser, client_id: &str, scope: &str) -> (String, String) {
    let wanted = json!({ "name": "t", "scope": scope });
    let made = alice.post(server, &format!("{APPS}/{client_id}/tokens"), &wanted).is(200).json();
    (made["token"].as_str().unwrap().to_owned(), made["uuid"].as_str().unwrap().to_owned())
}

fn api(server: &Server, method: &str, target: &str, token: &str, body: &Value) -> Response {
    let request = server.request(method, target).bearer(token);
    if method == "GET" {
        return request.send();
    }
    request.header("Content-Type", "application/json").body(body.to_string()).send()
}

#[test]
fn an_application_shows_its_secret_again_and_its_tokens_once() {
    let (server, mut alice, client_id) = server("");
    let at = format!("{APPS}/{client_id}");
    let shown = alice.get(&server, &at).is(200).json();
    let secret = shown["client_secret"].as_str().unwrap().to_owned();
    assert_eq!((client_id.len(), secret.len()), (20, 40));
    assert_eq!(alice.get(&server, APPS).is(200).json()["applications"][0], shown);
    let reset = alice.post(&server, &format!("{at}/resetclientsecret"), &json!({})).is(200).json();
    assert_ne!(reset["client_secret"], secret.as_str());
    let change = json!({ "name": "new", "redirect_uri": "", "application_uri": "", "avatar_email": null });
    assert_eq!(alice.put(&server, &at, &change).is(200).json()["name"], "new");
    alice.put(&server, &at, &json!({ "name": "new" })).is(400);
    let public = server.get(&format!("/api/v1/app/{client_id}")).send().is(200).json();
    assert_eq!((&public["name"], &public["organization"]["name"]), (&"new".into(), &"acme".into()));
    assert!(!public.to_string().contains(reset["client_secret"].as_str().unwrap()));
    let (token, id) = token(&server, &mut alice, &client_id, "org:admin,repo:read");
    let listed = alice.get(&server, &format!("{at}/tokens")).is(200);
    assert!(!listed.text().contains(&token));
    let row = &listed.json()["tokens"][0];
    assert_eq!((&row["uuid"], &row["scope"]), (&id.as_str().into(), &"repo:read org:admin".into()));
    assert_eq!(row["created_by"], "alice");
    for wrong in [json!({"name": "t", "scope": "fly"}), json!({"name": "", "scope": "repo:read"})] {
        alice.post(&server, &format!("{at}/tokens"), &wrong).is(400);
    }
    let wanted = json!({ "name": "t", "scope": "super:user" });
    alice.post(&server, &format!("{at}/tokens"), &wanted).is(403);
    let bob = Browser::of(&server, "bob");
    bob.get(&server, &at).is(403);
    alice.json(&server, "DELETE", &at, &json!({})).send().is(204);
    alice.get(&server, &at).is(404);
    api(&server, "GET", "/api/v1/repository/acme/app", &token, &json!({})).is(401);
}

#[test]
fn a_bearer_token_acts_within_its_scopes_without_a_csrf_token_until_it_is_revoked() {
    let (server, mut alice, client_id) = server("");
    let (org, id) = token(&server, &mut alice, &client_id, "org:admin");
    let none = json!({});
    api(&server, "PUT", "/api/v1/organization/acme", &org, &json!({ "email": "a@lab.test" })).is(200);
    api(&server, "GET", "/api/v1/repository/acme/app", &org, &none).is(404);
    let missing = api(&server, "GET", "/api/v1/user/", &org, &none).is(401);
    assert_eq!(missing.json()["session_required"], false);
    api(&server, "POST", "/api/v1/organization/", &org, &json!({ "name": "mine" })).is(403);
    api(&server, "PUT", "/api/v1/user", &org, &json!({ "email": "b@lab.test" })).is(403);
    let (user, _) = token(&server, &mut alice, &client_id, "user:read");
    let short = api(&server, "GET", "/api/v1/user", &user, &none).is(200).json();
    let keys: Vec<&String> = short.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["anonymous", "avatar", "organizations", "username"]);
    let (all, _) = token(&server, &mut alice, &client_id, "user:admin");
    let changed = api(&server, "PUT", "/api/v1/user", &all, &json!({ "email": "c@lab.test" })).is(200);
    assert_eq!(changed.json()["email"], "c@lab.test");
    api(&server, "PUT", "/api/v1/user", &all, &json!({ "password": "another-one" })).is(403);
    api(&server, "POST", "/api/v1/user/apptoken", &all, &json!({ "title": "t" })).is(403);
    alice.put(&server, "/api/v1/user", &json!({ "password": "another-one" })).is(200);
    api(&server, "PUT", "/api/v1/organization/acme", &org, &json!({})).is(200);
    let mut alice = Browser::visitor(&server);
    alice.sign_in(&server, "alice", "another-one").is(200);
    alice.json(&server, "DELETE", &format!("{APPS}/{client_id}/tokens/{id}"), &none).send().is(204);
    api(&server, "GET", "/api/v1/organization/acme/members", &org, &none).is(401);
    api(&server, "PUT", "/api/v1/organization/acme", &org, &none).is(403);
}

#[test]
fn stored_tokens_sign_in_under_v2_and_narrow_the_bearer_tokens_that_come_of_them() {
    let (server, mut alice, client_id) = server("");
    let (read, id) = token(&server, &mut alice, &client_id, "repo:read");
    let app = alice.post(&server, "/api/v1/user/apptoken", &json!({ "title": "laptop" })).is(200).json();
    let app = &app["token"];
    let (code, uuid) = (app["token_code"].as_str().unwrap(), app["uuid"].as_str().unwrap());
    assert_eq!(code.len(), 120);
    let again = alice.get(&server, &format!("/api/v1/user/apptoken/{uuid}")).is(200).json();
    assert_eq!(again["token"]["token_code"], code);
    assert!(!alice.get(&server, "/api/v1/user/apptoken").is(200).text().contains(code));
    let (tags, upload) = ("/v2/acme/app/tags/list", "/v2/acme/app/blobs/uploads/");
    for (name, password, push) in [("$oauthtoken", read.as_str(), 403), ("$app", code, 202)] {
        server.get(tags).password(name, password).send().is(200);
        server.request("POST", upload).password(name, password).send().is(push);
        let at = "/v2/auth?service=registry.test&scope=repository:acme/app:pull,push";
        let answer = server.get(at).password(name, password).send().is(200).json();
        let bearer = answer["token"].as_str().unwrap();
        server.get(tags).bearer(bearer).send().is(200);
        server.request("POST", upload).bearer(bearer).send().is(push);
        server.get("/api/v1/user").bearer(bearer).send().is(401);
    }
    for (name, password) in [("$app", read.as_str()), ("$oauthtoken", code), ("$app", "x"), ("$token", "x")] {
        server.get(tags).password(name, password).send().is(401);
    }
    api(&server, "GET", "/api/v1/user", code, &json!({})).is(401);
    let begun = |name, password| {
        let at = "/v2/auth?service=registry.test&scope=repository:acme/app:pull,push";
        let answer = server.get(at).password(name, password).send().is(200).json();
        answer["token"].as_str().unwrap().to_owned()
    };
    let bearers = [begun("$oauthtoken", &read), begun("$app", code)];
    let revoke = |target: &str| alice.json(&server, "DELETE", target, &json!({})).send().is(204);
    revoke(&format!("/api/v1/user/authorizations/{id}"));
    revoke(&format!("/api/v1/user/apptoken/{uuid}"));
    for bearer in bearers {
        server.get(tags).bearer(&bearer).send().is(401);
    }
}

/// The target of a redirect.
fn target(answer: &Response) -> &str {
    assert_eq!(answer.status, 302, "{}", answer.text());
    answer.header("location").unwrap()
}

fn form(server: &Server, browser: &Browser, at: &str, form: &str) -> Response {
    let token = browser.token.clone().unwrap();
    let request = browser.request(server, "POST", at);
    let request = request.header("Content-Type", "application/x-www-form-urlencoded");
    request.body(format!("{form}&_csrf_token={token}")).send()
}

#[test]
fn consent_gives_a_token_to_the_registered_address_and_no_other() {
    let (server, alice, client_id) = server("https://ci.lab/cb");
    let asked = |uri: &str, scope: &str| {
        format!("response_type=token&client_id={client_id}&redirect_uri={uri}&scope={scope}&state=a%26b")
    };
    let good = asked("https%3A%2F%2Fci.lab%2Fcb", "repo%3Aread");
    let page = alice.get(&server, &format!("/oauth/authorize?{good}")).is(200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text().contains("a&amp;b") && !page.text().contains("<script"));
    assert!(page.text().contains("<b>alice</b>") && page.text().contains("<code>https://ci.lab/cb</code>"));
    let denied = form(&server, &alice, "/oauth/denyapp", &good);
    assert_eq!(target(&denied), "https://ci.lab/cb?error=access_denied&state=a%26b");
    let answer = form(&server, &alice, "/oauth/authorizeapp", &good);
    let (before, fragment) = target(&answer).split_once("#access_token=").unwrap();
    assert_eq!(before, "https://ci.lab/cb?scope=repo%3Aread&state=a%26b");
    let (token, rest) = fragment.split_once('&').unwrap();
    assert_eq!(rest, "token_type=Bearer&expires_in=315576000");
    api(&server, "GET", "/api/v1/repository/acme/app", token, &json!({})).is(200);
    let again = alice.get(&server, &format!("/oauth/authorize?{good}"));
    assert!(target(&again).contains("#access_token="), "it was allowed before");
    let wider = asked("https%3A%2F%2Fci.lab%2Fcb", "repo%3Awrite");
    alice.get(&server, &format!("/oauth/authorize?{wider}")).is(200);
    let listed = alice.get(&server, "/api/v1/user/authorizations").is(200).json();
    assert_eq!(listed["authorizations"][0]["scopes"][0]["scope"], "repo:read");

    for bad in ["https%3A%2F%2Fevil.test%2F", "https%3A%2F%2Fci.lab.evil.test%2Fcb", "", "javascript%3Ax"] {
        let query = asked(bad, "repo%3Aread");
        for answer in [
            alice.get(&server, &format!("/oauth/authorize?{query}")),
            form(&server, &alice, "/oauth/authorizeapp", &query),
            form(&server, &alice, "/oauth/denyapp", &query),
        ] {
            assert_eq!(answer.is(400).json(), json!({ "error": "invalid_request" }), "{bad}");
        }
    }
    let unknown = good.replace(&client_id, "nobody");
    alice.get(&server, &format!("/oauth/authorize?{unknown}")).is(400);
    let scope = form(&server, &alice, "/oauth/authorizeapp", &asked("https%3A%2F%2Fci.lab%2Fcb", "fly"));
    assert!(target(&scope).contains("?error=invalid_scope&"));
    let bob = Browser::of(&server, "bob");
    let refused = form(&server, &bob, "/oauth/authorizeapp", &good);
    assert!(target(&refused).contains("?error=unauthorized_client&"));
    server.get(&format!("/oauth/authorize?{good}")).send().is(401);
    let forged = alice.request(&server, "POST", "/oauth/authorizeapp");
    let forged = forged.header("Content-Type", "application/x-www-form-urlencoded").body(&good).send();
    assert!(forged.is(403).text().contains("CSRF"));
    let local = asked("http%3A%2F%2Fregistry.test%2Foauth%2Flocalapp", "repo%3Aread");
    let answer = form(&server, &alice, "/oauth/authorizeapp", &local);
    assert!(target(&answer).starts_with("http://registry.test/oauth/localapp?scope="));
    server.get("/oauth/localapp").send().is(200);
}

#[test]
fn a_code_becomes_a_token_for_whoever_has_the_secret_once() {
    let (server, alice, client_id) = server("https://ci.lab/cb");
    let secret = alice.get(&server, &format!("{APPS}/{client_id}")).is(200).json();
    let secret = secret["client_secret"].as_str().unwrap();
    let uri = "https%3A%2F%2Fci.lab%2Fcb";
    let asked = format!("response_type=code&client_id={client_id}&redirect_uri={uri}&scope=repo%3Aread");
    let answer = form(&server, &alice, "/oauth/authorizeapp", &asked);
    let code = target(&answer).strip_prefix("https://ci.lab/cb?code=").unwrap().to_owned();
    let exchange = |grant: &str, secret: &str| {
        let request = server.request("POST", "/oauth/access_token");
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        let form = format!(
            "grant_type={grant}&client_id={client_id}&client_secret={secret}&redirect_uri={uri}&code={code}"
        );
        request.body(form).send()
    };
    exchange("authorization_code", "wrong").is(401);
    exchange("password", secret).is(400);
    let token = exchange("authorization_code", secret).is(200).json();
    assert_eq!(token["scope"], "repo:read");
    let token = token["access_token"].as_str().unwrap();
    api(&server, "GET", "/api/v1/repository/acme/app", token, &json!({})).is(200);
    assert_eq!(exchange("authorization_code", secret).is(400).json()["error"], "invalid_grant");
}

#[test]
fn the_installers_first_user_gets_a_token_of_every_scope_and_a_session() {
    let server = Server::with(|setup| {
        setup.users = &[];
        setup.options.user_initialize = true;
    });
    let wanted = json!({ "username": "admin", "password": PASSWORD, "access_token": "true" });
    let request = server.request("POST", "/api/v1/user/initialize");
    let made = request.header("Content-Type", "application/json").body(wanted.to_string()).send().is(200);
    let token = made.json()["access_token"].as_str().unwrap().to_owned();
    api(&server, "POST", "/api/v1/organization/", &token, &json!({ "name": "acme" })).is(201);
    let own = api(&server, "GET", "/api/v1/user", &token, &json!({})).is(200).json();
    assert_eq!(own["username"], "admin");
    let cookie = made.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let own = server.get("/api/v1/user").header("Cookie", cookie).send().is(200);
    assert_eq!(own.json()["username"], "admin");
    server.clock.advance_ms(9_000_000);
    api(&server, "GET", "/api/v1/user", &token, &json!({})).is(401);
}

/// A robot of acme's that may write `acme/app`, with these limits; gives its token.
fn robot(server: &Server, alice: &mut Browser, limits: &Value) -> String {
    let made = alice.put(server, "/api/v1/organization/acme/robots/ci", limits).is(201).json();
    let role = json!({ "role": "write" });
    alice.put(server, "/api/v1/repository/acme/app/permissions/user/acme+ci", &role).is(200);
    made["token"].as_str().unwrap().to_owned()
}

#[test]
fn a_robots_limits_are_set_shown_and_checked_at_each_request() {
    let (server, mut alice, _) = server("");
    let limits = json!({ "expiration": 3600, "repositories": ["acme/app"], "networks": ["10.1.0.0/16"] });
    let secret = robot(&server, &mut alice, &limits);
    let at = "/api/v1/organization/acme/robots/ci";
    let shown = alice.get(&server, at).is(200).json();
    assert_eq!(shown["expiration"], "2027-01-15T09:00:00.000000Z");
    assert_eq!((&shown["repositories"], &shown["networks"]), (&json!(["acme/app"]), &json!(["10.1.0.0/16"])));
    let tags = "/v2/acme/app/tags/list";
    let from = |address: &str| server.get(tags).header("X-Forwarded-For", address);
    from("10.1.2.3").password("acme+ci", &secret).send().is(200);
    from("10.2.0.1").password("acme+ci", &secret).send().is(401);
    let auth = server.get("/v2/auth?service=registry.test&scope=repository:acme/app:pull");
    let answer = auth.header("X-Forwarded-For", "10.1.2.3").password("acme+ci", &secret).send().is(200);
    let bearer = answer.json()["token"].as_str().unwrap().to_owned();
    from("10.1.2.3").bearer(&bearer).send().is(200);
    from("10.2.0.1").bearer(&bearer).send().refuses(403, "DENIED");
    let none = json!({ "networks": [], "expiration": null });
    let changed = alice.post(&server, at, &none).is(200).json();
    assert_eq!((&changed["networks"], &changed["expiration"]), (&Value::Null, &Value::Null));
    assert_eq!(changed["repositories"], json!(["acme/app"]));
    from("10.2.0.1").bearer(&bearer).send().is(200);
    alice.post(&server, at, &json!({ "expiration": "2027-01-15T08:30:00Z" })).is(200);
    server.clock.advance_ms(30 * 60 * 1000);
    from("10.2.0.1").bearer(&bearer).send().is(401);
    for wrong in [
        json!({ "expiration": "soon" }),
        json!({ "expiration": -1 }),
        json!({ "repositories": ["acme"] }),
        json!({ "repositories": "acme/*" }),
        json!({ "networks": ["10.0.0.0/33"] }),
        json!({ "networks": [7] }),
    ] {
        alice.post(&server, at, &wrong).is(400);
    }
}

fn derive(server: &Server, name: &str, password: &str, body: &Value) -> Response {
    let request = server.request("POST", "/api/v1/jobtoken").password(name, password);
    request.header("Content-Type", "application/json").body(body.to_string()).send()
}

#[test]
fn a_job_token_is_its_robots_password_and_a_bearer_and_gets_no_other() {
    let (server, mut alice, _) = server("");
    let secret = robot(&server, &mut alice, &json!({}));
    let wanted = json!({ "repositories": ["acme/app"], "actions": ["pull"], "minutes": 10 });
    let made = derive(&server, "acme+ci", &secret, &wanted).is(200).json();
    assert_eq!((&made["username"], &made["expires_at"]), (&"acme+ci".into(), &"2027-01-15T08:10:00Z".into()));
    let job = made["token"].as_str().unwrap();
    let (tags, upload) = ("/v2/acme/app/tags/list", "/v2/acme/app/blobs/uploads/");
    server.get(tags).password("acme+ci", job).send().is(200);
    server.get(tags).bearer(job).send().is(200);
    server.get(tags).header("Host", "other.test").bearer(job).send().is(200);
    server.request("POST", upload).password("acme+ci", job).send().is(403);
    let at = "/v2/auth?service=registry.test&scope=repository:acme/app:pull,push";
    let answer = server.get(at).password("acme+ci", job).send().is(200).json();
    assert_eq!(answer["expires_in"], 600, "nothing outlives the job");
    let bearer = answer["token"].as_str().unwrap();
    server.request("POST", upload).bearer(bearer).send().is(403);
    for (name, password) in [("acme+ci", job), ("acme+ci", bearer), ("alice", PASSWORD), ("acme+ci", "x")] {
        derive(&server, name, password, &wanted).is(401);
    }
    server.get(tags).password("acme+ci", bearer).send().is(401);
    server.get(tags).password("alice", job).send().is(401);
    server.get("/api/v1/user").bearer(job).send().is(401);
    for wrong in [
        json!({ "repositories": [], "actions": ["pull"] }),
        json!({ "repositories": ["acme/app"], "actions": ["delete"] }),
        json!({ "repositories": ["acme/app"] }),
        json!({ "repositories": ["acme/app"], "actions": ["pull"], "minutes": 0 }),
        json!({ "repositories": ["acme/app"], "actions": ["pull"], "minutes": 1441 }),
    ] {
        derive(&server, "acme+ci", &secret, &wrong).is(400);
    }
    let regenerate = "/api/v1/organization/acme/robots/ci/regenerate";
    alice.post(&server, regenerate, &json!({})).is(200);
    for answer in [server.get(tags).bearer(job).send(), server.get(tags).bearer(bearer).send()] {
        answer.is(401);
    }
}

#[test]
fn a_job_token_ends_when_it_said() {
    let (server, mut alice, _) = server("");
    let secret = robot(&server, &mut alice, &json!({}));
    let wanted = json!({ "repositories": ["**"], "actions": ["push"], "minutes": 1 });
    let made = derive(&server, "acme+ci", &secret, &wanted).is(200).json();
    let job = made["token"].as_str().unwrap();
    let upload = "/v2/acme/app/blobs/uploads/";
    server.request("POST", upload).password("acme+ci", job).send().is(202);
    server.clock.advance_ms(2 * 60 * 1000);
    server.request("POST", upload).password("acme+ci", job).send().is(401);
    server.request("POST", upload).bearer(job).send().is(401);
    server.registry.run_background().unwrap();
    let events = server.registry.every_event().unwrap();
    let id = made["job"].as_str().unwrap();
    assert!(events.iter().any(|event| event.contains("create_job_token") && event.contains(id)));
}

//! The token endpoint, and what tokens are good for.

use registry_core::{Actor, Error, NewRobot};
use registry_server::auth::robot_token::{KEY_FILE, RobotKey};

use crate::client::{Request, Response};
use crate::support::{PASSWORD, Server, password_hash};

const PING: &str = "/v2/";
const TAGS: &str = "/v2/alice/app/tags/list";

fn token(answer: &Response) -> String {
    answer.json()["token"].as_str().unwrap().to_owned()
}

fn post(server: &Server, form: &str) -> Request {
    let request = server.request("POST", "/v2/auth");
    request.header("Content-Type", "application/x-www-form-urlencoded").body(form)
}

fn with_app() -> Server {
    let server = Server::start();
    server.push_image("alice/app", "v1", "one");
    server
}

#[test]
fn both_endpoints_and_both_methods_give_the_same_kind_of_token() {
    let server = with_app();
    for at in ["/v2/auth", "/v2/token"] {
        let query = "account=alice&client_id=docker&offline_token=true&service=registry.test\
                     &scope=repository%3Aalice%2Fapp%3Apull";
        let got = server.get(&format!("{at}?{query}")).user("alice").send().is(200);
        let form = format!(
            "grant_type=password&username=alice&password={PASSWORD}&client_id=containerd-client\
             &service=registry.test&access_type=offline&scope=repository%3Aalice%2Fapp%3Apull"
        );
        let posted = server.request("POST", at).body(&form).send().is(200);
        for answer in [got, posted] {
            let json = answer.json();
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert_eq!(json["token"], json["access_token"]);
            assert_eq!(json["expires_in"], 3600);
            assert_eq!(json["issued_at"], "2027-01-15T08:00:00Z");
            assert_eq!(json.get("refresh_token"), None);
            server.get(TAGS).bearer(&token(&answer)).send().is(200);
        }
    }
}

#[test]
fn an_answer_with_a_token_is_kept_by_no_cache() {
    let server = Server::start();
    let answer = server.get("/v2/auth").user("alice").send().is(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"), "RFC 6749, section 5.1");
}

#[test]
fn wrong_credentials_get_no_token() {
    let server = Server::start();
    for (user, password) in [("alice", "wrong-password"), ("nobody", PASSWORD), ("alice", ""), ("", "")] {
        server.get("/v2/auth").password(user, password).send().refuses(401, "UNAUTHORIZED");
        server.clock.advance_ms(60_000);
        let form = format!("grant_type=password&username={user}&password={password}");
        post(&server, &form).send().refuses(401, "UNAUTHORIZED");
        server.clock.advance_ms(60_000);
    }
    server.get("/v2/auth").header("Authorization", "Basic !!!").send().refuses(401, "UNAUTHORIZED");
    server.get("/v2/auth").bearer(&server.token(Some("alice"), &[])).send().refuses(401, "UNAUTHORIZED");
    post(&server, "grant_type=refresh_token&refresh_token=x").send().refuses(401, "UNAUTHORIZED");
}

#[test]
fn a_form_that_is_not_understood_is_refused() {
    let server = Server::start();
    for form in
        ["", "grant_type=magic", "grant_type=password&username=alice", "grant_type=refresh_token", "a=%"]
    {
        post(&server, form).send().refuses(400, "UNSUPPORTED");
    }
    server.request("POST", "/v2/auth").body(b"grant_type=password&username=\xff").send().is(400);
    server.get("/v2/auth?scope=%ff").send().refuses(400, "UNSUPPORTED");
    let large =
        format!("grant_type=password&username=alice&password={PASSWORD}&scope={}", "x".repeat(300_000));
    assert!([400, 413].contains(&post(&server, &large).send().status));
}

#[test]
fn nobody_gets_an_anonymous_token_that_opens_what_is_public() {
    let server = with_app();
    server.make_public("alice/public");
    server.push_image("alice/public", "v1", "one");
    let token = server.token(None, &["repository:alice/public:pull", "repository:alice/app:pull"]);
    server.get("/v2/alice/public/manifests/v1").bearer(&token).send().is(200);
    let refused = server.get(TAGS).bearer(&token).send().refuses(401, "UNAUTHORIZED");
    assert!(!refused.header("www-authenticate").unwrap().contains("error="));
}

#[test]
fn a_token_is_given_without_a_right_and_grants_none() {
    let server = with_app();
    let token = server.token(Some("bob"), &["repository:alice/app:*", "registry:catalog:*", "nonsense"]);
    server.get(PING).bearer(&token).send().is(200);
    server.get(TAGS).bearer(&token).send().refuses(404, "NAME_UNKNOWN");
}

#[test]
fn what_a_token_was_not_asked_for_it_does_not_open_whatever_exists() {
    let server = with_app();
    let token = server.token(Some("alice"), &["repository:alice/app:pull"]);
    server.get(TAGS).bearer(&token).send().is(200);
    for (method, target, actions) in [
        ("GET", "/v2/alice/other/tags/list", "repository:alice/other:pull"),
        ("GET", "/v2/bob/own/tags/list", "repository:bob/own:pull"),
        ("POST", "/v2/alice/app/blobs/uploads/", "repository:alice/app:pull,push"),
        ("PUT", "/v2/alice/app/manifests/v1", "repository:alice/app:pull,push"),
        ("DELETE", "/v2/alice/app/manifests/v1", "repository:alice/app:delete"),
    ] {
        let refused = server.request(method, target).bearer(&token).send().refuses(401, "UNAUTHORIZED");
        let challenge = refused.header("www-authenticate").unwrap();
        assert!(
            challenge.ends_with(&format!(",scope=\"{actions}\",error=\"insufficient_scope\"")),
            "{challenge}"
        );
    }
}

#[test]
fn scopes_are_united_and_a_star_is_everything() {
    let server = with_app();
    let begin =
        |token: &str| server.request("POST", "/v2/alice/app/blobs/uploads/").bearer(token).send().status;
    for scopes in [
        &["repository:alice/app:pull", "repository:alice/app:push,pull"][..],
        &["repository:alice/app:pull%20repository:alice/app:push"],
        &["repository:alice/app:pull+repository:alice/app:pull,push"],
        &["repository:alice/app:*"],
    ] {
        assert_eq!(begin(&server.token(Some("alice"), scopes)), 202, "{scopes:?}");
    }
    let scope = "scope=repository:alice/app:pull+repository:alice/app:pull%2Cpush";
    let form = format!("grant_type=password&username=alice&password={PASSWORD}&{scope}");
    assert_eq!(begin(&token(&post(&server, &form).send().is(200))), 202);
    let token = server.token(Some("alice"), &["repository:alice/app:*"]);
    server.request("DELETE", "/v2/alice/app/manifests/v1").bearer(&token).send().is(202);
}

#[test]
fn hundreds_of_scopes_fit_into_one_request() {
    let server = with_app();
    let scopes: Vec<String> =
        (0..500).map(|n| format!("repository:alice/layers/number-{n}:pull,push")).collect();
    let each: Vec<&str> = scopes.iter().map(String::as_str).chain(["repository:alice/app:pull"]).collect();
    let query = server.token(Some("alice"), &each);
    let spaced = format!("grant_type=password&username=alice&password={PASSWORD}&scope={}", each.join("+"));
    let several =
        format!("grant_type=password&username=alice&password={PASSWORD}&scope={}", each.join("&scope="));
    let forms = [spaced, several].map(|form| token(&post(&server, &form).send().is(200)));
    for token in forms.iter().chain([&query]) {
        server.get(TAGS).bearer(token).send().is(200);
        server.request("POST", "/v2/alice/layers/number-499/blobs/uploads/").bearer(token).send().is(202);
        // However much was asked for, rights come from the rows.
        server.request("POST", "/v2/bob/own/blobs/uploads/").bearer(token).send().refuses(403, "DENIED");
    }
}

#[test]
fn a_token_for_another_service_is_refused() {
    let server = with_app();
    let answer =
        server.get("/v2/auth?scope=repository:alice/app:pull").user("alice").header("Host", "other.test");
    let token = token(&answer.send().is(200));
    invalid(&server.get(TAGS).bearer(&token).send());
    server.get(TAGS).bearer(&token).header("Host", "other.test").send().is(200);
}

#[track_caller]
fn invalid(answer: &Response) {
    answer.clone().refuses(401, "UNAUTHORIZED");
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.ends_with(r#",error="invalid_token""#), "{challenge}");
}

#[test]
fn a_token_that_was_changed_is_refused() {
    let server = with_app();
    let token = server.token(Some("bob"), &["repository:alice/app:pull"]);
    let (head, signature) = token.rsplit_once('.').unwrap();
    let other = server.token(Some("alice"), &["repository:alice/app:pull"]);
    for changed in [
        format!("{head}."),
        format!("{head}.{}", &signature[1..]),
        format!("{}.{signature}", other.rsplit_once('.').unwrap().0),
        token.replacen('.', "..", 1),
        format!("x{token}"),
        "a.b.c".to_owned(),
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.".to_owned(),
    ] {
        invalid(&server.get(TAGS).bearer(&changed).send());
    }
}

#[test]
fn a_token_ends() {
    let server = with_app();
    let token = server.token(Some("alice"), &["repository:alice/app:pull"]);
    server.clock.advance_ms(3_600_000);
    server.get(TAGS).bearer(&token).send().is(200);
    server.clock.advance_ms(30_000);
    invalid(&server.get(TAGS).bearer(&token).send());
}

/// Whether alice gets through with her password, and with the token.
fn passes(server: &Server, token: &str) -> [Response; 2] {
    [server.get(TAGS).user("alice").send(), server.get(TAGS).bearer(token).send()]
}

#[test]
fn whatever_was_signed_in_ends_with_the_next_request() {
    type Revoke = fn(&Server) -> Result<(), Error>;
    let revokes: [Revoke; 2] = [
        |server| server.registry.set_password(server.principal("alice").id, &other_hash()),
        |server| server.registry.set_disabled(server.principal("alice").id, true),
    ];
    for revoke in revokes {
        let server = with_app();
        let token = server.token(Some("alice"), &["repository:alice/app:pull"]);
        assert!(passes(&server, &token).iter().all(|answer| answer.status == 200));
        revoke(&server).unwrap();
        let [basic, bearer] = passes(&server, &token);
        basic.refuses(401, "UNAUTHORIZED");
        invalid(&bearer);
        invalid(&server.get(PING).bearer(&token).send());
        invalid(&server.get("/v2/_catalog").bearer(&token).send());
        server.clock.advance_ms(60_000);
        server.get("/v2/auth").user("alice").send().refuses(401, "UNAUTHORIZED");
        server.get(TAGS).user("bob").send().refuses(404, "NAME_UNKNOWN");
    }
}

fn other_hash() -> String {
    registry_server::auth::password::Hasher::new().hash("another-password").unwrap()
}

#[test]
fn who_is_enabled_again_signs_in_again_but_old_tokens_stay_ended() {
    let server = with_app();
    let token = server.token(Some("alice"), &["repository:alice/app:pull"]);
    let id = server.principal("alice").id;
    server.registry.set_disabled(id, true).unwrap();
    server.registry.set_disabled(id, false).unwrap();
    let [basic, bearer] = passes(&server, &token);
    basic.is(200);
    invalid(&bearer);
    server.registry.set_password(id, password_hash()).unwrap();
    let fresh = server.token(Some("alice"), &["repository:alice/app:pull"]);
    server.get(TAGS).bearer(&fresh).send().is(200);
}

#[test]
fn a_token_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::on(directory.path(), |_| {});
    let token = server.token(Some("alice"), &[]);
    drop(server);
    let server = Server::on(directory.path(), |setup| setup.users = &[]);
    server.get(PING).bearer(&token).send().is(200);
}

#[test]
fn a_robot_signs_in_with_its_token_until_it_gets_another() {
    let server = Server::start();
    let alice = Actor::User(server.principal("alice"));
    let key = RobotKey::new(server.registry.key_file(KEY_FILE).unwrap());
    let namespace = "alice".parse().unwrap();
    let new = NewRobot {
        short_name: "ci".parse().unwrap(),
        description: String::new(),
        metadata: String::new(),
        is_usable_elsewhere: false,
        token: key.stored([1; 16]),
        limits: Default::default(),
    };
    server.registry.create_robot(&alice, &namespace, &new).unwrap();
    let name = server.registry.robot(&alice, &namespace, "ci").unwrap().name;
    let token = key.token(&[1; 16]);
    let basic = |user: &str, token: &str| server.get(PING).password(user, token).send();
    basic(&name, token.expose()).is(200);
    basic(&name, "wrong").is(401);
    basic("alice+ghost", token.expose()).is(401);
    basic("alice", token.expose()).is(401);
    server.registry.set_robot_token(&alice, &namespace, "ci", &key.stored([2; 16])).unwrap();
    basic(&name, token.expose()).is(401);
    basic(&name, key.token(&[2; 16]).expose()).is(200);
}

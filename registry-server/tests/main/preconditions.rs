//! Conditional requests for manifests.

use crate::support::{IMAGE, Server, image, sha256};

const AT: &str = "/v2/alice/app/manifests";

#[test]
fn a_manifest_that_the_client_has_is_not_sent_again() {
    let server = Server::start();
    let manifest = server.push_image("alice/app", "v1", "one");
    let digest = sha256(&manifest);
    for reference in ["v1", &digest] {
        for value in [format!("\"{digest}\""), digest.clone(), format!("W/\"{digest}\", \"x\""), "*".into()] {
            for method in ["GET", "HEAD"] {
                let request = server.request(method, &format!("{AT}/{reference}")).user("alice");
                let answer = request.header("If-None-Match", &value).send().is(304);
                assert_eq!(answer.header("etag"), Some(format!("\"{digest}\"").as_str()));
                assert_eq!(answer.header("docker-content-digest"), Some(digest.as_str()));
                let length = manifest.len().to_string();
                assert!([None, Some(length.as_str())].contains(&answer.header("content-length")), "{method}");
            }
        }
    }
    let request = server.get(&format!("{AT}/v1")).user("alice");
    assert_eq!(request.header("If-None-Match", "\"other\"").send().is(200).text(), manifest);
}

#[test]
fn a_push_happens_only_if_its_precondition_holds() {
    let server = Server::start();
    let first = server.push_image("alice/app", "v1", "one");
    let (second, digest) = (image("config of one", &[]).to_string(), sha256(&first));
    let put = |tag: &str, name: &str, value: &str| {
        let request = server.request("PUT", &format!("{AT}/{tag}")).user("alice");
        request.header("Content-Type", IMAGE).header(name, value).body(&second).send()
    };
    let pulled = |tag: &str| server.alice("GET", &format!("{AT}/{tag}"));

    put("v1", "If-None-Match", "*").refuses(412, "PRECONDITION_FAILED");
    put("v1", "If-Match", &format!("\"{}\"", sha256("other"))).refuses(412, "PRECONDITION_FAILED");
    put("v2", "If-Match", "*").refuses(412, "PRECONDITION_FAILED");
    put("v2", "If-Match", &format!("\"{digest}\"")).refuses(412, "PRECONDITION_FAILED");
    assert_eq!(pulled("v1").is(200).text(), first);
    pulled("v2").is(404);

    put("v1", "If-Match", &format!("\"{digest}\"")).is(201);
    assert_eq!(pulled("v1").is(200).text(), second);
    put("v1", "If-Match", "*").is(201);
    put("v1", "If-Match", &sha256(&second)).is(201);
    put("v2", "If-None-Match", "*").is(201);
    assert_eq!(pulled("v2").is(200).text(), second);
}

#[test]
fn a_failed_precondition_makes_no_repository() {
    let server = Server::start();
    let put = server.request("PUT", "/v2/alice/new/manifests/v1").user("alice").header("Content-Type", IMAGE);
    put.header("If-Match", "*").body(image("", &[]).to_string()).send().refuses(412, "PRECONDITION_FAILED");
    server.alice("GET", "/v2/alice/new/tags/list").refuses(404, "NAME_UNKNOWN");
}

#[test]
fn a_precondition_that_is_not_understood_is_refused_and_not_ignored() {
    let server = Server::start();
    server.push_image("alice/app", "v1", "one");
    let manifest = image("config of one", &[]).to_string();
    let digest = sha256(&manifest);
    for (name, value) in [
        ("If-None-Match", format!("\"{digest}\"")),
        ("If-Match", "\"not a digest\"".to_owned()),
        ("If-Match", format!("W/\"{digest}\"")),
        ("If-Match", format!("\"{digest}\", \"{digest}\"")),
        ("If-Match", String::new()),
        ("If-Match", "\u{e9}".to_owned()),
    ] {
        let request = server.request("PUT", &format!("{AT}/v1")).user("alice").header("Content-Type", IMAGE);
        request.header(name, &value).body(&manifest).send().refuses(400, "UNSUPPORTED");
    }
    let both = server.request("PUT", &format!("{AT}/v1")).user("alice").header("If-Match", "*");
    both.header("If-None-Match", "*").body(&manifest).send().refuses(400, "UNSUPPORTED");
    let twice = server.request("PUT", &format!("{AT}/v1")).user("alice").header("If-Match", "*");
    twice.header("If-Match", "\"x\"").body(&manifest).send().refuses(400, "UNSUPPORTED");
}

#[test]
fn of_racing_pushes_of_a_tag_one_wins() {
    let server = Server::start();
    for content in 0..8 {
        server.push_blob("alice/app", format!("config {content}"));
    }
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let push = |content: usize| {
            let request =
                server.request("PUT", &format!("{AT}/v1")).user("alice").header("Content-Type", IMAGE);
            let manifest = image(&format!("config {content}"), &[]).to_string();
            request.header("If-None-Match", "*").body(manifest).send().status
        };
        let pushes: Vec<_> = (0..8).map(|content| scope.spawn(move || push(content))).collect();
        pushes.into_iter().map(|push| push.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 7);
}

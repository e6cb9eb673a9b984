//! A disk that is full.

use crate::client::Response;
use crate::support::{NOW_MS, Server, image, sha256};
use registry_core::simulation::SimulatedDisk;

/// A server that has an image as `v1`, and its disk.
fn start() -> (Server, SimulatedDisk) {
    let disk = SimulatedDisk::new();
    let server = Server::with(|setup| setup.disk = disk.clone());
    server.push_image("alice/app", "v1", "one");
    (server, disk)
}

fn patch(server: &Server, upload: &str, bytes: &str) -> Response {
    server.request("PATCH", upload).user("alice").body(bytes).send()
}

fn put(server: &Server, upload: &str, content: &str) -> Response {
    server.request("PUT", &format!("{upload}?digest={}", sha256(content))).user("alice").body("").send()
}

#[track_caller]
fn is_full(answer: Response) {
    answer.refuses(507, "UNAVAILABLE");
}

#[test]
fn an_upload_on_a_full_disk_is_kept_and_goes_on_once_there_is_room() {
    let (server, disk) = start();
    let upload = server.begin("alice/app");
    patch(&server, &upload, "abc").is(202);
    disk.limit(disk.used_bytes());
    is_full(patch(&server, &upload, "def"));
    assert_eq!(server.alice("GET", &upload).is(204).header("range"), Some("0-2"));
    is_full(
        server
            .request("PUT", &format!("{upload}?digest={}", sha256("abcdef")))
            .user("alice")
            .body("def")
            .send(),
    );
    assert_eq!(server.alice("GET", &upload).is(204).header("range"), Some("0-2"));

    disk.limit(u64::MAX);
    patch(&server, &upload, "def").is(202);
    put(&server, &upload, "abcdef").is(201);
}

#[test]
fn a_full_disk_is_read_and_deleted_from() {
    let (server, disk) = start();
    server.push_image("alice/app", "v2", "two");
    let kept = server.begin("alice/app");
    disk.limit(0);
    let tag = "/v2/alice/app/manifests/v1";
    let digest = server.alice("GET", tag).is(200).header("docker-content-digest").unwrap().to_owned();
    server.alice("GET", &format!("/v2/alice/app/blobs/{}", sha256("layer of one"))).is(200);
    server.get("/v2/").bearer(&server.token(Some("alice"), &[])).send().is(200);
    server.alice("DELETE", tag).is(202);
    server.alice("GET", tag).refuses(404, "MANIFEST_UNKNOWN");
    server.alice("DELETE", &format!("/v2/alice/app/manifests/{digest}")).is(202);
    server
        .alice("DELETE", &format!("/v2/alice/app/blobs/{}", sha256("layer of one")))
        .refuses(404, "BLOB_UNKNOWN");
    server.alice("DELETE", &kept).is(204);
    server.registry.run_background().unwrap();

    disk.limit(u64::MAX);
    server.push_image("alice/app", "v1", "one");
    assert_eq!(server.clock.now_ms(), NOW_MS);
}

#[test]
fn when_rows_have_no_room_ahead_what_adds_is_refused_and_nothing_is_half_done() {
    let (server, disk) = start();
    server.push_blob("alice/app", "config");
    let upload = server.begin("alice/app");
    patch(&server, &upload, "abc").is(202);
    disk.limit(0);
    let manifest = image("config", &[]).to_string();
    let mut refused = 0;
    // As long as the space that is kept ahead lasts, rows are still taken.
    for n in 0..400 {
        let answer = server.put_manifest("alice/app", &format!("t{n}"), &manifest);
        if answer.status != 201 {
            is_full(answer);
            server.alice("GET", &format!("/v2/alice/app/manifests/t{n}")).refuses(404, "MANIFEST_UNKNOWN");
            refused += 1;
        }
    }
    assert!(refused > 0, "rows had room");
    is_full(server.alice("POST", "/v2/alice/app/blobs/uploads/"));
    server.alice("DELETE", "/v2/alice/app/manifests/v1").is(202);

    disk.limit(u64::MAX);
    server.put_manifest("alice/app", "later", &manifest).is(201);
    put(&server, &upload, "abc").is(201);
}

#[test]
fn a_disk_that_fills_up_under_an_upload_keeps_what_was_written_and_lets_it_go_on() {
    let (server, disk) = start();
    let upload = server.begin("alice/app");
    let whole = "0123456789".repeat(100_000);
    disk.limit(disk.used_bytes() + 400_000);
    is_full(patch(&server, &upload, &whole));
    let asked = server.alice("GET", &upload).is(204);
    let last = asked.header("range").unwrap().strip_prefix("0-").unwrap().parse::<usize>().unwrap();
    assert!(last < 400_000, "{last}");

    disk.limit(u64::MAX);
    let rest = if last == 0 { 0 } else { last + 1 };
    patch(&server, &upload, &whole[rest..]).is(202);
    put(&server, &upload, &whole).is(201);
}

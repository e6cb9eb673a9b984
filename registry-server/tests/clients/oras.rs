//! oras: artifacts and what refers to them.

use crate::site::{PASSWORD, Site, USER, has};

fn signed_in() -> Site {
    let site = Site::start();
    site.run("oras", &["login", "--plain-http", "-u", USER, "-p", PASSWORD, &site.address]);
    site
}

#[test]
fn oras_pulls_the_files_that_it_pushed() {
    if !has("oras") {
        return;
    }
    let site = signed_in();
    site.write("notes.txt", b"some notes");
    let artifact = format!("{}:v1", site.image("notes"));
    site.run("oras", &["push", "--plain-http", "--artifact-type", "text/notes", &artifact, "notes.txt"]);
    site.run("oras", &["pull", "--plain-http", "-o", "back", &artifact]);
    assert_eq!(std::fs::read(site.directory().join("back/notes.txt")).unwrap(), b"some notes");
    let tags = site.run("oras", &["repo", "tags", "--plain-http", &site.image("notes")]);
    assert_eq!(tags.trim(), "v1");
    let repositories = site.run("oras", &["repo", "ls", "--plain-http", &site.address]);
    assert!(repositories.contains("alice/notes"), "{repositories}");
}

#[test]
fn oras_finds_what_was_attached_until_it_is_deleted() {
    if !has("oras") {
        return;
    }
    let site = signed_in();
    site.write("app", b"the app");
    site.write("sbom.json", b"{}");
    let artifact = format!("{}:v1", site.image("app"));
    site.run("oras", &["push", "--plain-http", "--artifact-type", "an/app", &artifact, "app"]);
    site.run("oras", &["attach", "--plain-http", "--artifact-type", "an/sbom", &artifact, "sbom.json"]);
    let found = site.run("oras", &["discover", "--plain-http", "--format", "json", &artifact]);
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    let list = found.get("referrers").or_else(|| found.get("manifests")).unwrap();
    let digest = list[0]["digest"].as_str().unwrap();
    assert_eq!(list[0]["artifactType"], "an/sbom");
    site.run(
        "oras",
        &["manifest", "delete", "--plain-http", "--force", &format!("{}@{digest}", site.image("app"))],
    );
    let left = site.run("oras", &["discover", "--plain-http", "--format", "json", &artifact]);
    assert!(!left.contains(digest), "{left}");
}

#[test]
fn oras_copies_an_artifact_with_its_referrers_to_another_repository() {
    if !has("oras") {
        return;
    }
    let site = signed_in();
    site.write("app", b"the app");
    site.write("signature", b"signed");
    let (from, to) = (format!("{}:v1", site.image("from")), format!("{}:v1", site.image("to")));
    site.run("oras", &["push", "--plain-http", &from, "app"]);
    site.run("oras", &["attach", "--plain-http", "--artifact-type", "a/signature", &from, "signature"]);
    site.run("oras", &["cp", "-r", "--from-plain-http", "--to-plain-http", &from, &to]);
    let found = site.run("oras", &["discover", "--plain-http", "--format", "json", &to]);
    assert!(found.contains("a/signature"), "{found}");
}

//! oras: artifacts and what refers to them.

use std::os::unix::fs::FileExt;

use crate::site::{PASSWORD, Site, USER};

over_http_and_https!("oras":
    pulls_the_files_that_it_pushed,
    finds_what_was_attached_until_it_is_deleted,
    copies_an_artifact_with_its_referrers_to_another_repository,
    moves_a_large_layer,
);

/// Runs a command that speaks to the registry.
fn oras(site: &Site, command: &[&str], arguments: &[&str]) -> String {
    site.run("oras", &[command, &site.plain(&["--plain-http"])[..], arguments].concat())
}

fn sign_in(site: &Site) {
    oras(site, &["login"], &["-u", USER, "-p", PASSWORD, &site.address]);
}

fn pulls_the_files_that_it_pushed(site: &Site) {
    sign_in(site);
    site.write("notes.txt", b"some notes");
    let artifact = format!("{}:v1", site.image("notes"));
    oras(site, &["push"], &["--artifact-type", "text/notes", &artifact, "notes.txt"]);
    oras(site, &["pull"], &["-o", "back", &artifact]);
    assert_eq!(std::fs::read(site.directory().join("back/notes.txt")).unwrap(), b"some notes");
    let tags = oras(site, &["repo", "tags"], &[&site.image("notes")]);
    assert_eq!(tags.trim(), "v1");
    let repositories = oras(site, &["repo", "ls"], &[&site.address]);
    assert!(repositories.contains("alice/notes"), "{repositories}");
}

fn finds_what_was_attached_until_it_is_deleted(site: &Site) {
    sign_in(site);
    site.write("app", b"the app");
    site.write("sbom.json", b"{}");
    let artifact = format!("{}:v1", site.image("app"));
    oras(site, &["push"], &["--artifact-type", "an/app", &artifact, "app"]);
    oras(site, &["attach"], &["--artifact-type", "an/sbom", &artifact, "sbom.json"]);
    let found = oras(site, &["discover"], &["--format", "json", &artifact]);
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    let list = found.get("referrers").or_else(|| found.get("manifests")).unwrap();
    let digest = list[0]["digest"].as_str().unwrap();
    assert_eq!(list[0]["artifactType"], "an/sbom");
    oras(site, &["manifest", "delete"], &["--force", &format!("{}@{digest}", site.image("app"))]);
    let left = oras(site, &["discover"], &["--format", "json", &artifact]);
    assert!(!left.contains(digest), "{left}");
}

fn copies_an_artifact_with_its_referrers_to_another_repository(site: &Site) {
    sign_in(site);
    site.write("app", b"the app");
    site.write("signature", b"signed");
    let (from, to) = (format!("{}:v1", site.image("from")), format!("{}:v1", site.image("to")));
    oras(site, &["push"], &[&from, "app"]);
    oras(site, &["attach"], &["--artifact-type", "a/signature", &from, "signature"]);
    let plain = site.plain(&["--from-plain-http", "--to-plain-http"]);
    site.run("oras", &[&["cp", "-r"], &plain[..], &[&from, &to]].concat());
    let found = oras(site, &["discover"], &["--format", "json", &to]);
    assert!(found.contains("a/signature"), "{found}");
}

/// As large as `REGISTRY_LARGE_LAYER_MIB` says: several GB where there is time for it.
fn moves_a_large_layer(site: &Site) {
    sign_in(site);
    let mib = std::env::var("REGISTRY_LARGE_LAYER_MIB").map_or(16, |mib| mib.parse::<u64>().unwrap());
    let file = std::fs::File::create(site.path("layer")).unwrap();
    // Sparse, but for both of its ends.
    file.write_all_at(site.address.as_bytes(), 0).unwrap();
    file.write_all_at(b"the end", (mib << 20) - 7).unwrap();
    let artifact = format!("{}:v1", site.image("large"));
    oras(site, &["push"], &["--artifact-type", "a/layer", &artifact, "layer"]);
    oras(site, &["pull"], &["-o", "back", &artifact]);
    site.run("cmp", &["layer", "back/layer"]);
}

//! podman: sign in, build, push, pull, lists.

use crate::site::{PASSWORD, Site, USER, has};

fn signed_in() -> Site {
    let site = Site::start();
    site.run("podman", &["login", "--tls-verify=false", "-u", USER, "-p", PASSWORD, &site.address]);
    site
}

/// Builds an image of one file.
fn build(site: &Site, image: &str) {
    site.write("context/hello", image.as_bytes());
    site.write("context/Containerfile", b"FROM scratch\nCOPY hello /hello\nCMD [\"/hello\"]\n");
    let context = site.path("context");
    site.run("podman", &["build", "--isolation=chroot", "-q", "-t", image, context.to_str().unwrap()]);
}

#[test]
fn podman_signs_in_with_the_right_password_only() {
    if !has("podman") {
        return;
    }
    let site = signed_in();
    let wrong = ["login", "--tls-verify=false", "-u", USER, "-p", "wrong-horse", &site.address];
    let (is_ok, output) = site.try_run("podman", &wrong);
    assert!(!is_ok && output.contains("invalid username/password"), "{output}");
}

#[test]
fn podman_pulls_what_it_pushed() {
    if !has("podman") {
        return;
    }
    let site = signed_in();
    let image = format!("{}:v1", site.image("hello"));
    build(&site, &image);
    site.run("podman", &["push", "-q", "--tls-verify=false", &image]);
    let id = site.run("podman", &["image", "inspect", "--format", "{{.Id}}", &image]);
    site.run("podman", &["rmi", "--force", &image]);
    let pulled = site.run("podman", &["pull", "-q", "--tls-verify=false", &image]);
    assert_eq!(pulled.trim(), id.trim());
    let tags = site.run("podman", &["search", "--list-tags", "--tls-verify=false", &site.image("hello")]);
    assert!(tags.contains("v1"), "{tags}");
}

#[test]
fn podman_pushes_a_manifest_list() {
    if !has("podman") {
        return;
    }
    let site = signed_in();
    let single = format!("{}:single", site.image("app"));
    build(&site, &single);
    site.run("podman", &["push", "-q", "--tls-verify=false", &single]);
    let list = format!("{}:list", site.image("app"));
    site.run("podman", &["manifest", "create", &list]);
    site.run("podman", &["manifest", "add", "--tls-verify=false", &list, &format!("docker://{single}")]);
    site.run(
        "podman",
        &["manifest", "push", "-q", "--all", "--tls-verify=false", &list, &format!("docker://{list}")],
    );
    site.run("podman", &["manifest", "rm", &list]);
    let pulled = site.run("podman", &["pull", "-q", "--tls-verify=false", &list]);
    assert!(!pulled.trim().is_empty());
}

//! podman: sign in, build, push, pull, lists.

use crate::site::{PASSWORD, Site, USER};

over_http_and_https!("podman":
    signs_in_with_the_right_password_only,
    pulls_what_it_pushed,
    pushes_a_manifest_list,
);

/// Runs a command that speaks to the registry.
fn podman(site: &Site, command: &[&str], arguments: &[&str]) -> String {
    site.run("podman", &[command, &site.plain(&["--tls-verify=false"])[..], arguments].concat())
}

fn sign_in(site: &Site) {
    podman(site, &["login"], &["-u", USER, "-p", PASSWORD, &site.address]);
}

/// Builds an image of one file.
fn build(site: &Site, image: &str) {
    site.write("context/hello", image.as_bytes());
    site.write("context/Containerfile", b"FROM scratch\nCOPY hello /hello\nCMD [\"/hello\"]\n");
    let context = site.path("context");
    site.run("podman", &["build", "--isolation=chroot", "-q", "-t", image, context.to_str().unwrap()]);
}

fn signs_in_with_the_right_password_only(site: &Site) {
    sign_in(site);
    let plain = site.plain(&["--tls-verify=false"]);
    let wrong = [&["login"], &plain[..], &["-u", USER, "-p", "wrong-horse", &site.address]].concat();
    let (is_ok, output) = site.try_run("podman", &wrong);
    assert!(!is_ok && output.contains("invalid username/password"), "{output}");
}

fn pulls_what_it_pushed(site: &Site) {
    sign_in(site);
    let image = format!("{}:v1", site.image("hello"));
    build(site, &image);
    podman(site, &["push", "-q"], &[&image]);
    let id = site.run("podman", &["image", "inspect", "--format", "{{.Id}}", &image]);
    site.run("podman", &["rmi", "--force", &image]);
    let pulled = podman(site, &["pull", "-q"], &[&image]);
    assert_eq!(pulled.trim(), id.trim());
    let tags = podman(site, &["search", "--list-tags"], &[&site.image("hello")]);
    assert!(tags.contains("v1"), "{tags}");
}

fn pushes_a_manifest_list(site: &Site) {
    sign_in(site);
    let single = format!("{}:single", site.image("app"));
    build(site, &single);
    podman(site, &["push", "-q"], &[&single]);
    let list = format!("{}:list", site.image("app"));
    site.run("podman", &["manifest", "create", &list]);
    podman(site, &["manifest", "add"], &[&list, &format!("docker://{single}")]);
    podman(site, &["manifest", "push", "-q", "--all"], &[&list, &format!("docker://{list}")]);
    site.run("podman", &["manifest", "rm", &list]);
    let pulled = podman(site, &["pull", "-q"], &[&list]);
    assert!(!pulled.trim().is_empty());
}

//! buildah: build, push in both formats, lists, pull.

use crate::site::{PASSWORD, Site, USER};

over_http_and_https!("buildah":
    signs_in_with_the_right_password_only,
    pulls_what_it_built_and_pushed,
    pushes_docker_types_and_a_list,
);

/// Runs a command that speaks to the registry.
fn buildah(site: &Site, command: &[&str], arguments: &[&str]) -> String {
    site.run("buildah", &[command, &site.plain(&["--tls-verify=false"])[..], arguments].concat())
}

fn sign_in(site: &Site) {
    buildah(site, &["login"], &["-u", USER, "-p", PASSWORD, &site.address]);
}

/// Builds an image of two layers.
fn build(site: &Site, image: &str) {
    site.write("context/first", image.as_bytes());
    site.write("context/second", &[b'2'; 100_000]);
    site.write("context/Containerfile", b"FROM scratch\nCOPY first /first\nCOPY second /second\n");
    let context = site.path("context");
    let options = ["bud", "--isolation=chroot", "--layers", "-q", "-t", image];
    site.run("buildah", &[&options[..], &[context.to_str().unwrap()]].concat());
}

fn signs_in_with_the_right_password_only(site: &Site) {
    sign_in(site);
    let plain = site.plain(&["--tls-verify=false"]);
    let wrong = [&["login"], &plain[..], &["-u", USER, "-p", "wrong-horse", &site.address]].concat();
    let (is_ok, output) = site.try_run("buildah", &wrong);
    assert!(!is_ok && output.contains("invalid username/password"), "{output}");
}

fn pulls_what_it_built_and_pushed(site: &Site) {
    sign_in(site);
    let image = format!("{}:v1", site.image("built"));
    build(site, &image);
    buildah(site, &["push", "-q"], &[&image]);
    let id = site.run("buildah", &["images", "-q", "--no-trunc", &image]);
    site.run("buildah", &["rmi", "--force", &image]);
    let pulled = buildah(site, &["pull", "-q"], &[&image]);
    assert_eq!(pulled.trim(), id.trim().trim_start_matches("sha256:"));
}

fn pushes_docker_types_and_a_list(site: &Site) {
    sign_in(site);
    let (image, list) = (format!("{}:v1", site.image("app")), format!("{}:list", site.image("app")));
    build(site, &image);
    buildah(site, &["push", "-q", "--format", "v2s2"], &[&image]);
    site.run("buildah", &["manifest", "create", &list]);
    site.run("buildah", &["manifest", "add", &list, &image]);
    buildah(site, &["manifest", "push", "-q", "--all"], &[&list, &format!("docker://{list}")]);
    site.run("buildah", &["rmi", "--force", "--all"]);
    let pulled = buildah(site, &["pull", "-q"], &[&list]);
    assert!(!pulled.trim().is_empty());
}

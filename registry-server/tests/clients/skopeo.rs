//! skopeo: containers/image, as podman, buildah and oc-mirror use it too.

use crate::layout;
use crate::site::{PASSWORD, Site, USER, has};

const INSECURE: [&str; 2] = ["--src-tls-verify=false", "--dest-tls-verify=false"];

fn signed_in() -> Site {
    let site = Site::start();
    site.run("skopeo", &["login", "--tls-verify=false", "-u", USER, "-p", PASSWORD, &site.address]);
    site
}

fn copy(site: &Site, options: &[&str], from: &str, to: &str) {
    site.run("skopeo", &[&["copy", "--quiet"], &INSECURE[..], options, &[from, to]].concat());
}

fn raw(site: &Site, image: &str) -> String {
    site.run("skopeo", &["inspect", "--raw", "--tls-verify=false", image])
}

#[test]
fn skopeo_signs_in_with_the_right_password_only() {
    if !has("skopeo") {
        return;
    }
    let site = signed_in();
    let wrong = ["login", "--tls-verify=false", "-u", USER, "-p", "wrong-horse", &site.address];
    let (is_ok, output) = site.try_run("skopeo", &wrong);
    assert!(!is_ok && output.contains("invalid username/password"), "{output}");
}

#[test]
fn skopeo_gets_back_the_very_manifest_that_it_pushed() {
    if !has("skopeo") {
        return;
    }
    let site = signed_in();
    let digest = layout::image(&site, "image", "a");
    let image = format!("docker://{}:v1", site.image("deep/er/app"));
    copy(&site, &[], "oci:image:v1", &image);
    copy(&site, &[], &image, "oci:back:v1");
    let hex = digest.strip_prefix("sha256:").unwrap();
    let pushed = std::fs::read(site.path(&format!("image/blobs/sha256/{hex}"))).unwrap();
    assert_eq!(raw(&site, &image).as_bytes(), pushed);
    assert_eq!(std::fs::read(site.path(&format!("back/blobs/sha256/{hex}"))).unwrap(), pushed);
}

#[test]
fn skopeo_copies_a_multi_arch_index_whole_and_within_the_registry() {
    if !has("skopeo") {
        return;
    }
    let site = signed_in();
    layout::index(&site, "index", "b");
    let (first, second) =
        (format!("docker://{}:all", site.image("one")), format!("docker://{}:all", site.image("two")));
    copy(&site, &["--all"], "oci:index:v1", &first);
    copy(&site, &["--all"], &first, &second);
    assert_eq!(raw(&site, &first), raw(&site, &second));
    assert!(raw(&site, &second).contains("arm64"));
    copy(&site, &["--override-arch", "arm64"], &second, "oci:arm:v1");
}

#[test]
fn skopeo_mounts_the_layers_that_it_copies_between_repositories() {
    if !has("skopeo") {
        return;
    }
    let site = signed_in();
    layout::image(&site, "image", "m");
    let (first, second) =
        (format!("docker://{}:v1", site.image("first")), format!("docker://{}:v1", site.image("second")));
    copy(&site, &[], "oci:image:v1", &first);
    copy(&site, &[], &first, &second);
    let log = site.log();
    let logged = |what: &str, repository: &str| {
        let repository = format!("repository={USER}/{repository} ");
        log.lines().filter(|line| line.contains(what) && line.contains(&repository)).count()
    };
    assert_eq!((logged("blob pushed", "first"), logged("blob mounted", "first")), (2, 0), "{log}");
    // The layer; a configuration skopeo always uploads.
    assert_eq!((logged("blob pushed", "second"), logged("blob mounted", "second")), (1, 1), "{log}");
    assert_eq!(raw(&site, &first), raw(&site, &second));
}

#[test]
fn skopeo_pushes_docker_types() {
    if !has("skopeo") {
        return;
    }
    let site = signed_in();
    layout::image(&site, "image", "c");
    let docker = format!("docker://{}:v2s2", site.image("app"));
    copy(&site, &["--format", "v2s2"], "oci:image:v1", &docker);
    assert!(raw(&site, &docker).contains("application/vnd.docker.distribution.manifest.v2+json"));
    copy(&site, &[], &docker, "oci:back:v1");
}

#[test]
fn skopeo_pushes_zstd_layers() {
    if !has("skopeo") {
        return;
    }
    let site = signed_in();
    layout::image(&site, "image", "z");
    let zstd = format!("docker://{}:zstd", site.image("app"));
    copy(&site, &["--dest-compress-format", "zstd"], "oci:image:v1", &zstd);
    assert!(raw(&site, &zstd).contains("tar+zstd"), "{}", raw(&site, &zstd));
    copy(&site, &[], &zstd, "oci:back:v1");
}

#[test]
fn skopeo_lists_and_deletes_tags() {
    if !has("skopeo") {
        return;
    }
    let site = signed_in();
    layout::image(&site, "image", "d");
    layout::image(&site, "other", "e");
    let repository = format!("docker://{}", site.image("app"));
    copy(&site, &[], "oci:image:v1", &format!("{repository}:v1"));
    copy(&site, &[], "oci:other:v1", &format!("{repository}:v2"));
    site.run("skopeo", &["delete", "--tls-verify=false", &format!("{repository}:v1")]);
    let tags = site.run("skopeo", &["list-tags", "--tls-verify=false", &repository]);
    assert!(tags.contains("v2") && !tags.contains("v1"), "{tags}");
    let (is_ok, _) = site.try_run("skopeo", &["inspect", "--tls-verify=false", &format!("{repository}:v1")]);
    assert!(!is_ok);
}

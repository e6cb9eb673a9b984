//! skopeo: containers/image, as podman, buildah and oc-mirror use it too.

use crate::layout;
use crate::site::{PASSWORD, Site, USER};

over_http_and_https!("skopeo":
    signs_in_with_the_right_password_only,
    gets_back_the_very_manifest_that_it_pushed,
    copies_a_multi_arch_index_whole_and_within_the_registry,
    mounts_the_layers_that_it_copies_between_repositories,
    pushes_docker_types,
    pushes_zstd_layers,
    lists_and_deletes_tags,
);

fn skopeo(site: &Site, arguments: &[&str]) -> String {
    let (command, rest) = arguments.split_first().unwrap();
    site.run("skopeo", &[&[*command], &site.plain(&["--tls-verify=false"])[..], rest].concat())
}

fn sign_in(site: &Site) {
    skopeo(site, &["login", "-u", USER, "-p", PASSWORD, &site.address]);
}

fn copy(site: &Site, options: &[&str], from: &str, to: &str) {
    let plain = site.plain(&["--src-tls-verify=false", "--dest-tls-verify=false"]);
    site.run("skopeo", &[&["copy", "--quiet"], &plain[..], options, &[from, to]].concat());
}

fn raw(site: &Site, image: &str) -> String {
    skopeo(site, &["inspect", "--raw", image])
}

fn signs_in_with_the_right_password_only(site: &Site) {
    sign_in(site);
    let plain = site.plain(&["--tls-verify=false"]);
    let wrong = [&["login"], &plain[..], &["-u", USER, "-p", "wrong-horse", &site.address]].concat();
    let (is_ok, output) = site.try_run("skopeo", &wrong);
    assert!(!is_ok && output.contains("invalid username/password"), "{output}");
}

fn gets_back_the_very_manifest_that_it_pushed(site: &Site) {
    sign_in(site);
    let digest = layout::image(site, "image", "a");
    let image = format!("docker://{}:v1", site.image("deep/er/app"));
    copy(site, &[], "oci:image:v1", &image);
    copy(site, &[], &image, "oci:back:v1");
    let hex = digest.strip_prefix("sha256:").unwrap();
    let pushed = std::fs::read(site.path(&format!("image/blobs/sha256/{hex}"))).unwrap();
    assert_eq!(raw(site, &image).as_bytes(), pushed);
    assert_eq!(std::fs::read(site.path(&format!("back/blobs/sha256/{hex}"))).unwrap(), pushed);
}

fn copies_a_multi_arch_index_whole_and_within_the_registry(site: &Site) {
    sign_in(site);
    layout::index(site, "index", "b");
    let (first, second) =
        (format!("docker://{}:all", site.image("one")), format!("docker://{}:all", site.image("two")));
    copy(site, &["--all"], "oci:index:v1", &first);
    copy(site, &["--all"], &first, &second);
    assert_eq!(raw(site, &first), raw(site, &second));
    assert!(raw(site, &second).contains("arm64"));
    copy(site, &["--override-arch", "arm64"], &second, "oci:arm:v1");
}

fn mounts_the_layers_that_it_copies_between_repositories(site: &Site) {
    sign_in(site);
    layout::image(site, "image", "m");
    let image = |repository: &str| format!("docker://{}:v1", site.image(repository));
    let first = image("first");
    copy(site, &[], "oci:image:v1", &first);
    let logged = |what: &str, repository: &str| {
        let repository = format!("repository={USER}/{repository} ");
        site.log().lines().filter(|line| line.contains(what) && line.contains(&repository)).count()
    };
    let counts = |repository: &str| (logged("blob pushed", repository), logged("blob mounted", repository));
    assert_eq!(counts("first"), (2, 0), "{}", site.log());
    // Where blobs lie is in a database that all skopeos of this machine share; one that finds it locked uploads instead.
    let copies = ["second", "third", "fourth", "fifth"];
    let mounting = copies.into_iter().find(|repository| {
        copy(site, &[], &first, &image(repository));
        assert_eq!(raw(site, &first), raw(site, &image(repository)));
        logged("blob mounted", repository) > 0
    });
    // The layer; a configuration skopeo always uploads.
    assert_eq!(mounting.map(counts), Some((1, 1)), "{}", site.log());
}

fn pushes_docker_types(site: &Site) {
    sign_in(site);
    layout::image(site, "image", "c");
    let docker = format!("docker://{}:v2s2", site.image("app"));
    copy(site, &["--format", "v2s2"], "oci:image:v1", &docker);
    assert!(raw(site, &docker).contains("application/vnd.docker.distribution.manifest.v2+json"));
    copy(site, &[], &docker, "oci:back:v1");
}

fn pushes_zstd_layers(site: &Site) {
    sign_in(site);
    layout::image(site, "image", "z");
    let zstd = format!("docker://{}:zstd", site.image("app"));
    copy(site, &["--dest-compress-format", "zstd"], "oci:image:v1", &zstd);
    assert!(raw(site, &zstd).contains("tar+zstd"), "{}", raw(site, &zstd));
    copy(site, &[], &zstd, "oci:back:v1");
}

fn lists_and_deletes_tags(site: &Site) {
    sign_in(site);
    layout::image(site, "image", "d");
    layout::image(site, "other", "e");
    let repository = format!("docker://{}", site.image("app"));
    copy(site, &[], "oci:image:v1", &format!("{repository}:v1"));
    copy(site, &[], "oci:other:v1", &format!("{repository}:v2"));
    skopeo(site, &["delete", &format!("{repository}:v1")]);
    let tags = skopeo(site, &["list-tags", &repository]);
    assert!(tags.contains("v2") && !tags.contains("v1"), "{tags}");
    let first = format!("{repository}:v1");
    let gone = [&["inspect"], &site.plain(&["--tls-verify=false"])[..], &[&first]].concat();
    assert!(!site.try_run("skopeo", &gone).0);
}

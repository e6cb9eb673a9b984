//! crane: go-containerregistry, as ko, kaniko and Tekton use it too.

use crate::layout;
use crate::site::{PASSWORD, Site, USER};

over_http_and_https!("crane":
    signs_in_with_the_right_password_only,
    pulls_copies_lists_and_deletes_what_it_pushed,
    pushes_and_copies_an_index,
);

fn crane(site: &Site, arguments: &[&str]) -> String {
    site.run("crane", &[&site.plain(&["--insecure"])[..], arguments].concat())
}

fn sign_in(site: &Site) {
    crane(site, &["auth", "login", &site.address, "-u", USER, "-p", PASSWORD]);
}

fn signs_in_with_the_right_password_only(site: &Site) {
    // It stores whatever it is given and asks with it later.
    crane(site, &["auth", "login", &site.address, "-u", USER, "-p", "wrong-horse"]);
    let plain = site.plain(&["--insecure"]);
    let (is_ok, output) = site.try_run("crane", &[&plain[..], &["ls", &site.image("app")]].concat());
    assert!(!is_ok && output.contains("UNAUTHORIZED"), "{output}");
    sign_in(site);
    let (is_ok, output) = site.try_run("crane", &[&plain[..], &["ls", &site.image("app")]].concat());
    assert!(!is_ok && output.contains("NAME_UNKNOWN"), "{output}");
}

fn pulls_copies_lists_and_deletes_what_it_pushed(site: &Site) {
    sign_in(site);
    let digest = layout::image(site, "image", "crane");
    let (first, second) = (format!("{}:v1", site.image("first")), format!("{}:v2", site.image("second")));
    crane(site, &["push", "image", &first]);
    assert_eq!(crane(site, &["digest", &first]).trim(), digest);
    crane(site, &["copy", &first, &second]);
    assert!(site.log().contains("blob mounted"), "what it copies within the registry it mounts");
    crane(site, &["pull", "--format=oci", &second, "back"]);
    let hex = digest.strip_prefix("sha256:").unwrap();
    let read = |layout: &str| std::fs::read(site.path(&format!("{layout}/blobs/sha256/{hex}"))).unwrap();
    assert_eq!(read("back"), read("image"));
    assert_eq!(crane(site, &["ls", &site.image("second")]).trim(), "v2");
    assert!(crane(site, &["catalog", &site.address]).contains("alice/second"));
    crane(site, &["delete", &format!("{}@{digest}", site.image("second"))]);
    assert_eq!(crane(site, &["ls", &site.image("second")]).trim(), "");
}

fn pushes_and_copies_an_index(site: &Site) {
    sign_in(site);
    let digest = layout::index(site, "index", "crane");
    let (first, second) = (format!("{}:all", site.image("first")), format!("{}:all", site.image("second")));
    crane(site, &["push", "--index", "index", &first]);
    crane(site, &["copy", &first, &second]);
    assert_eq!(crane(site, &["manifest", &first]), crane(site, &["manifest", &second]));
    // It pushes the layout's own index, which lists ours.
    assert!(crane(site, &["manifest", &second]).contains(&digest));
    let listed = format!("{}@{digest}", site.image("second"));
    assert!(crane(site, &["manifest", &listed]).contains("arm64"));
    crane(site, &["pull", "--platform=linux/arm64", "--format=oci", &listed, "arm"]);
}

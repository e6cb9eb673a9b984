//! Helm: charts as OCI artifacts.

use crate::site::{PASSWORD, Site, USER};

over_http_and_https!("helm":
    signs_in_with_the_right_password_only,
    pulls_the_chart_that_it_pushed,
);

fn sign_in(site: &Site, password: &str) -> (bool, String) {
    let plain = site.plain(&["--plain-http"]);
    let login = ["registry", "login", &site.address, "-u", USER, "-p", password];
    site.try_run("helm", &[&login[..], &plain[..]].concat())
}

fn helm(site: &Site, arguments: &[&str]) -> String {
    site.run("helm", &[arguments, &site.plain(&["--plain-http"])[..]].concat())
}

fn signs_in_with_the_right_password_only(site: &Site) {
    let (is_ok, output) = sign_in(site, "wrong-horse");
    assert!(!is_ok && output.contains("401"), "{output}");
    let (is_ok, output) = sign_in(site, PASSWORD);
    assert!(is_ok, "{output}");
}

fn pulls_the_chart_that_it_pushed(site: &Site) {
    let (is_ok, output) = sign_in(site, PASSWORD);
    assert!(is_ok, "{output}");
    site.run("helm", &["create", "web"]);
    site.run("helm", &["package", "web"]);
    let charts = format!("oci://{}", site.image("charts"));
    helm(site, &["push", "web-0.1.0.tgz", &charts]);
    std::fs::create_dir(site.path("back")).unwrap();
    helm(site, &["pull", &format!("{charts}/web"), "--version", "0.1.0", "-d", "back"]);
    let read = |path: &str| std::fs::read(site.path(path)).unwrap();
    assert!(read("back/web-0.1.0.tgz") == read("web-0.1.0.tgz"), "the chart has other bytes");
    // Without a version it asks for the tags and takes the highest.
    assert!(helm(site, &["show", "chart", &format!("{charts}/web")]).contains("version: 0.1.0"));
}

//! containerd, through ctr: what the nodes of a cluster pull with.

use std::process::{Child, Command, Stdio};

use crate::layout;
use crate::site::{PASSWORD, Scheme, Site, USER, skipped};

over_http_and_https!("ctr":
    pushes_and_pulls_an_image_and_refuses_a_wrong_password,
    pulls_every_platform_of_an_index,
);

/// A containerd of the test's own.
struct Containerd<'s> {
    site: &'s Site,
    daemon: Child,
}

impl<'s> Containerd<'s> {
    /// Starts it; `None`, and a skip, where the machine does not let it run.
    fn start(site: &'s Site) -> Option<Self> {
        let at = |name: &str| site.path(name).display().to_string();
        let config = format!(
            "version = 2\nroot = \"{}\"\nstate = \"{}\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
             [grpc]\naddress = \"{}\"\n[ttrpc]\naddress = \"{}\"\n",
            at("containerd/root"),
            at("containerd/state"),
            at("ctr.sock"),
            at("ctr.ttrpc"),
        );
        site.write("containerd.toml", config.as_bytes());
        site.write(&format!("hosts/{}/hosts.toml", site.address), hosts(site).as_bytes());
        let daemon = Command::new("containerd")
            .args(["--log-level", "error", "--config"])
            .arg(site.path("containerd.toml"))
            .stderr(std::fs::File::create(site.path("containerd.log")).unwrap())
            .stdout(Stdio::null())
            .spawn();
        let Ok(daemon) = daemon else {
            skipped("containerd cannot be started");
            return None;
        };
        let mut started = Self { site, daemon };
        while !site.try_run("ctr", &["-a", "ctr.sock", "version"]).0 {
            if started.daemon.try_wait().unwrap().is_some() {
                let log = std::fs::read_to_string(site.path("containerd.log")).unwrap();
                skipped(&format!("containerd ended: {}", log.lines().last().unwrap_or_default()));
                return None;
            }
        }
        Some(started)
    }

    /// Runs a command on images, signed in where it speaks to the registry.
    fn images(&self, command: &str, options: &[&str], names: &[&str]) -> (bool, String) {
        let arguments = [&["-a", "ctr.sock", "images", command], options, names].concat();
        self.site.try_run("ctr", &arguments)
    }

    fn speak(&self, command: &str, password: &str, options: &[&str], name: &str) -> (bool, String) {
        let user = format!("{USER}:{password}");
        let own = match self.site.scheme {
            Scheme::Http => vec!["--plain-http"],
            Scheme::Https => vec!["--hosts-dir", "hosts"],
        };
        self.images(command, &[&own[..], &["--user", &user], options].concat(), &[name])
    }
}

impl Drop for Containerd<'_> {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// Without this ctr takes plain http for granted on loopback.
fn hosts(site: &Site) -> String {
    let (url, ca) = (site.url(), site.path("ca.pem"));
    format!(
        "server = \"{url}\"\n[host.\"{url}\"]\ncapabilities = [\"pull\", \"resolve\", \"push\"]\nca = \"{}\"\n",
        ca.display()
    )
}

/// Lays out an image or index as `layout`, imports it and gives its name.
fn import(containerd: &Containerd<'_>, name: &str) -> String {
    let site = containerd.site;
    site.run("tar", &["-C", "layout", "-cf", "layout.tar", "."]);
    let base = site.image(name);
    let imported = containerd.images(
        "import",
        &["--all-platforms", "--no-unpack", "--base-name", &base],
        &["layout.tar"],
    );
    assert!(imported.0, "{}", imported.1);
    format!("{base}:v1")
}

fn pushes_and_pulls_an_image_and_refuses_a_wrong_password(site: &Site) {
    let Some(containerd) = Containerd::start(site) else { return };
    let digest = layout::image(site, "layout", "containerd");
    let image = import(&containerd, "app");
    let (is_ok, output) = containerd.speak("push", "wrong-horse", &[], &image);
    assert!(!is_ok && output.contains("401"), "{output}");
    let (is_ok, output) = containerd.speak("push", PASSWORD, &[], &image);
    assert!(is_ok, "{output}\n{}", site.log());
    site.run("ctr", &["-a", "ctr.sock", "images", "rm", "--sync", &image]);
    let (is_ok, output) = containerd.speak("pull", PASSWORD, &["--snapshotter", "native"], &image);
    assert!(is_ok, "{output}\n{}", site.log());
    let hex = digest.strip_prefix("sha256:").unwrap();
    let pushed = std::fs::read_to_string(site.path(&format!("layout/blobs/sha256/{hex}"))).unwrap();
    assert_eq!(site.run("ctr", &["-a", "ctr.sock", "content", "get", &digest]), pushed);
}

fn pulls_every_platform_of_an_index(site: &Site) {
    let Some(containerd) = Containerd::start(site) else { return };
    let digest = layout::index(site, "layout", "containerd");
    let image = import(&containerd, "app");
    let (is_ok, output) = containerd.speak("push", PASSWORD, &[], &image);
    assert!(is_ok, "{output}\n{}", site.log());
    site.run("ctr", &["-a", "ctr.sock", "images", "rm", "--sync", &image]);
    let options = ["--snapshotter", "native", "--all-platforms"];
    let (is_ok, output) = containerd.speak("pull", PASSWORD, &options, &image);
    assert!(is_ok, "{output}\n{}", site.log());
    assert!(site.run("ctr", &["-a", "ctr.sock", "content", "get", &digest]).contains("arm64"));
}

//! docker with its engine.

use std::process::{Child, Command, Stdio};

use crate::site::{PASSWORD, Site, USER, skipped};

over_http_and_https!("docker":
    builds_pushes_mounts_and_pulls,
);

/// An engine of the test's own, without any network for containers.
struct Engine<'s> {
    site: &'s Site,
    daemon: Child,
}

impl<'s> Engine<'s> {
    /// Starts it; `None`, and a skip, where the machine does not let it run.
    fn start(site: &'s Site) -> Option<Self> {
        let at = |name: &str| site.path(name).display().to_string();
        let daemon = Command::new("dockerd")
            .args(["--iptables=false", "--bridge=none", "--ip-masq=false", "--storage-driver=vfs"])
            .args(["--data-root", &at("engine/root"), "--exec-root", &at("engine/exec")])
            .args(["--pidfile", &at("engine.pid"), "--host", &format!("unix://{}", at("engine.sock"))])
            .env("SSL_CERT_FILE", site.path("ca.pem"))
            .stderr(std::fs::File::create(site.path("engine.log")).unwrap())
            .stdout(Stdio::null())
            .spawn();
        let Ok(daemon) = daemon else {
            skipped("dockerd cannot be started");
            return None;
        };
        let mut started = Self { site, daemon };
        while !started.try_run(&["version"]).0 {
            if started.daemon.try_wait().unwrap().is_some() {
                let log = std::fs::read_to_string(site.path("engine.log")).unwrap();
                skipped(&format!("dockerd ended: {}", log.lines().last().unwrap_or_default()));
                return None;
            }
        }
        Some(started)
    }

    fn try_run(&self, arguments: &[&str]) -> (bool, String) {
        let host = format!("unix://{}", self.site.path("engine.sock").display());
        let mut docker = self.site.command("docker");
        let output = docker.args(["-H", &host]).args(arguments).env("DOCKER_BUILDKIT", "0").output().unwrap();
        let text = [output.stdout, if output.status.success() { Vec::new() } else { output.stderr }].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    fn run(&self, arguments: &[&str]) -> String {
        let (is_ok, output) = self.try_run(arguments);
        assert!(is_ok, "docker {}\n{output}\n{}", arguments.join(" "), self.site.log());
        output
    }
}

impl Drop for Engine<'_> {
    fn drop(&mut self) {
        // A signal that it can handle, so that it stops what it has started itself.
        let _ = Command::new("kill").arg(self.daemon.id().to_string()).status();
        let _ = self.daemon.wait();
    }
}

fn builds_pushes_mounts_and_pulls(site: &Site) {
    let Some(engine) = Engine::start(site) else { return };
    let (is_ok, output) = engine.try_run(&["login", "-u", USER, "-p", "wrong-horse", &site.address]);
    assert!(!is_ok && output.contains("unauthorized"), "{output}");
    engine.run(&["login", "-u", USER, "-p", PASSWORD, &site.address]);

    site.write("context/first", b"first");
    site.write("context/second", &[b'2'; 300_000]);
    site.write(
        "context/Dockerfile",
        b"FROM scratch\nCOPY first /first\nCOPY second /second\nCMD [\"/first\"]\n",
    );
    let (image, copy) = (format!("{}:v1", site.image("app")), format!("{}:v1", site.image("copy")));
    engine.run(&["build", "-q", "-t", &image, "context"]);
    let id = engine.run(&["image", "inspect", "--format", "{{.Id}}", &image]);
    engine.run(&["push", &image]);
    engine.run(&["tag", &image, &copy]);
    let pushed = engine.run(&["push", &copy]);
    assert!(pushed.contains(&format!("Mounted from {USER}/app")), "{pushed}");

    engine.run(&["rmi", &image, &copy]);
    engine.run(&["pull", "-q", &copy]);
    assert_eq!(engine.run(&["image", "inspect", "--format", "{{.Id}}", &copy]), id);
}

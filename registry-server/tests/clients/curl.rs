//! curl: a push that breaks off in the middle of a layer and goes on where it stood.

use std::fs;
use std::process::Child;

use registry_core::oci::{Algorithm, Digest};

use crate::site::{Scheme, Site, USER};

const LOGIN: &str = "alice:correct-horse";
const LAYER_BYTES: usize = 24 << 20;

over_http_and_https!("curl":
    resumes_a_push_that_was_killed,
);

fn curl(site: &Site, arguments: &[&str]) -> String {
    site.run("curl", &[&trusting(site)[..], &["-D", "-"], arguments].concat())
}

/// The options that every call has.
fn trusting(site: &Site) -> Vec<&'static str> {
    let authority: &[&str] = if site.scheme == Scheme::Https { &["--cacert", "ca.pem"] } else { &[] };
    [&["-sS", "-u", LOGIN], authority].concat()
}

/// The value of a header in what curl printed.
fn header<'h>(answer: &'h str, name: &str) -> Option<&'h str> {
    answer.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn resumes_a_push_that_was_killed(site: &Site) {
    let layer: Vec<u8> =
        (0..LAYER_BYTES / 8).flat_map(|word| (word as u64 * 0x9E37_79B9).to_le_bytes()).collect();
    site.write("layer", &layer);
    let digest = Digest::of(Algorithm::Sha256, &layer);
    let blobs = format!("{}/v2/{USER}/app/blobs", site.url());
    let begun = curl(site, &["-X", "POST", &format!("{blobs}/uploads/")]);
    let location = header(&begun, "location").unwrap_or_else(|| panic!("{begun}"));
    let upload = format!("{}{location}", site.url());

    kill_in_the_middle(site, &upload, location.rsplit('/').next().unwrap());
    let offset = offset_once_at_rest(site, &upload);
    assert!(0 < offset && offset < LAYER_BYTES, "{offset}");

    site.write("rest", &layer[offset..]);
    let range = format!("Content-Range: {offset}-{}", LAYER_BYTES - 1);
    let patched = curl(site, &["-X", "PATCH", "-T", "rest", "-H", &range, &upload]);
    assert!(patched.contains(" 202"), "{patched}");
    let ended = curl(site, &["-X", "PUT", &format!("{upload}?digest={digest}")]);
    assert!(ended.contains(" 201"), "{ended}");
    curl(site, &["-o", "back", &format!("{blobs}/{digest}")]);
    assert!(fs::read(site.path("back")).unwrap() == layer, "the layer has other bytes");
}

/// Sends the layer slowly and kills the client once some of it has reached the disk.
fn kill_in_the_middle(site: &Site, upload: &str, id: &str) {
    let slowly = ["-X", "PATCH", "--limit-rate", "8M", "-T", "layer", upload];
    let mut client: Child = site.command("curl").args(trusting(site)).args(slowly).spawn().unwrap();
    let staged = site.path(&format!("data/uploads/{id}"));
    while fs::metadata(&staged).map_or(0, |staged| staged.len()) == 0 {
        assert!(client.try_wait().unwrap().is_none(), "the client ended by itself");
        std::thread::yield_now();
    }
    client.kill().unwrap();
    client.wait().unwrap();
}

/// How far the upload came; asks again while the server has yet to notice that its client is gone.
fn offset_once_at_rest(site: &Site, upload: &str) -> usize {
    loop {
        let asked = curl(site, &[upload]);
        if asked.lines().next().is_some_and(|line| line.contains(" 204")) {
            let range = header(&asked, "range").unwrap_or_else(|| panic!("{asked}"));
            return range.strip_prefix("0-").unwrap().parse::<usize>().unwrap() + 1;
        }
        assert!(!asked.contains(" 404"), "{asked}");
    }
}

//! The core knows no network.

use std::process::Command;

#[test]
fn nothing_that_knows_the_network_is_among_the_dependencies() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", "registry-core", "--edges", "normal", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && tree.contains("redb v"), "{tree}");
    for line in tree.lines() {
        let name = line.split(' ').next().unwrap();
        assert!(!["tokio", "hyper", "http", "axum", "rustls"].contains(&name), "{line}");
    }
}

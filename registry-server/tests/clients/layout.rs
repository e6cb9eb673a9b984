//! OCI image layouts, made without any base image and without a client.

use std::process::Command;

use registry_core::oci::{Algorithm, Digest};
use serde_json::{Value, json};

use crate::site::Site;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Lays out an image of one layer under `directory`, tagged `v1`, distinct by `seed`.
pub(crate) fn image(site: &Site, directory: &str, seed: &str) -> String {
    begin(site, directory);
    let manifest = image_manifest(site, directory, seed, "amd64");
    finish(site, directory, &manifest)
}

/// Lays out an index of two images, one for each of two architectures, tagged `v1`.
pub(crate) fn index(site: &Site, directory: &str, seed: &str) -> String {
    begin(site, directory);
    let children: Vec<Value> = ["amd64", "arm64"]
        .iter()
        .map(|architecture| {
            let mut child = image_manifest(site, directory, seed, architecture);
            child["platform"] = json!({ "os": "linux", "architecture": architecture });
            child
        })
        .collect();
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": children });
    let descriptor = blob(site, directory, INDEX, index.to_string().as_bytes());
    finish(site, directory, &descriptor)
}

fn begin(site: &Site, directory: &str) {
    site.write(&format!("{directory}/oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#);
}

/// Tags the descriptor and gives its digest.
fn finish(site: &Site, directory: &str, descriptor: &Value) -> String {
    let mut tagged = descriptor.clone();
    tagged["annotations"] = json!({ "org.opencontainers.image.ref.name": "v1" });
    let index = json!({ "schemaVersion": 2, "manifests": [tagged] });
    site.write(&format!("{directory}/index.json"), index.to_string().as_bytes());
    descriptor["digest"].as_str().unwrap().to_owned()
}

fn image_manifest(site: &Site, directory: &str, seed: &str, architecture: &str) -> Value {
    let (tar, zipped) = layer(site, &format!("{seed} {architecture}"));
    let layer = blob(site, directory, "application/vnd.oci.image.layer.v1.tar+gzip", &zipped);
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [Digest::of(Algorithm::Sha256, &tar).to_string()] },
    });
    let config =
        blob(site, directory, "application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] });
    blob(site, directory, MANIFEST, manifest.to_string().as_bytes())
}

/// A layer with one file, as tar and zipped.
fn layer(site: &Site, content: &str) -> (Vec<u8>, Vec<u8>) {
    let name = content.replace(' ', "-");
    site.write(&format!("layers/{name}/file"), content.as_bytes());
    let directory = site.path(&format!("layers/{name}"));
    let tar = Command::new("tar").arg("-C").arg(&directory).args(["-cf", "-", "file"]).output().unwrap();
    assert!(tar.status.success());
    let tarball = site.write(&format!("layers/{name}.tar"), &tar.stdout);
    let zipped = Command::new("gzip").arg("-nc").arg(tarball).output().unwrap();
    assert!(zipped.status.success());
    (tar.stdout, zipped.stdout)
}

/// Stores a blob of the layout and gives its descriptor.
fn blob(site: &Site, directory: &str, media_type: &str, bytes: &[u8]) -> Value {
    let digest = Digest::of(Algorithm::Sha256, bytes);
    site.write(&format!("{directory}/blobs/sha256/{}", digest.hex()), bytes);
    json!({ "mediaType": media_type, "digest": digest.to_string(), "size": bytes.len() })
}

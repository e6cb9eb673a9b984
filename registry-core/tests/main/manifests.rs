//! Manifests: what a push needs, what it leaves, and what keeps it.

use registry_core::oci::{Algorithm, Digest, Reference};
use registry_core::{Error, Precondition, Settings};

use crate::support::{OWNER, Site, digest, image, index, large, manifest, name, tag};

const AT: &str = "acme/app";

#[test]
fn a_manifest_comes_back_byte_for_byte_under_its_tag_and_its_digest() {
    let site = Site::new();
    site.upload(AT, "{}");
    let odd = manifest(&format!(
        "{{ \"schemaVersion\" :2,\n\"x\":1, \"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{{\"mediaType\":\"a/b\",\"digest\":\"{}\",\"size\":2}},\"layers\":[]}}",
        digest(b"{}")
    ));
    let pushed = site.put(AT, "v1", &odd).unwrap();
    for reference in ["v1".to_owned(), pushed.to_string()] {
        let found = site.registry.manifest(&OWNER, &name(AT), &reference.parse().unwrap()).unwrap();
        assert_eq!((&found.bytes, found.info.digest), (odd.bytes(), pushed));
    }
}

#[test]
fn a_push_names_all_that_is_missing_and_leaves_nothing() {
    let site = Site::new();
    site.upload(AT, "{}");
    let refused = site.put(AT, "v1", &image(&["one", "two"]));
    let Err(Error::ManifestBlobUnknown(missing)) = refused else { panic!("{refused:?}") };
    assert_eq!(missing, [digest(b"one"), digest(b"two")]);
    assert_eq!(site.tags(AT), Vec::<String>::new());
    site.settle();
}

#[test]
fn a_manifest_may_repeat_a_layer() {
    let site = Site::new();
    site.push(AT, "v1", &["same", "same", "{}"]);
    site.settle();
    assert!(site.is_pullable(AT, "v1"));
}

#[test]
fn layers_that_live_elsewhere_need_not_be_here() {
    let site = Site::new();
    site.upload(AT, "{}");
    let foreign = manifest(&format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"a/b","digest":"{}","size":2}},"layers":[{{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":"{}","size":9,"urls":["https://example.com/x"]}}]}}"#,
        digest(b"{}"),
        digest(b"elsewhere"),
    ));
    site.put(AT, "v1", &foreign).unwrap();
    site.settle();
    // Pushed later all the same, the manifest keeps it.
    site.upload(AT, "elsewhere");
    site.clock.advance_ms(site.registry.settings().blob_grace_ms);
    site.settle();
    assert!(site.has_blob(AT, &digest(b"elsewhere")));
}

#[test]
fn absent_layers_and_children_are_a_matter_of_settings() {
    let absent = digest(b"absent");
    let site = Site::with(Settings { sparse_images: true, sparse_indexes: false, ..Settings::default() });
    site.upload(AT, "x");
    site.put(AT, "image", &image(&["absent"])).unwrap();
    let refused = site.put(AT, "index", &index(&[absent]));
    assert!(matches!(refused, Err(Error::ManifestBlobUnknown(missing)) if missing == [absent]));
    let site = Site::new();
    site.upload(AT, "x");
    site.put(AT, "index", &index(&[absent])).unwrap();
    site.settle();
}

#[test]
fn what_was_pushed_by_digest_alone_stays() {
    let site = Site::new();
    let pushed = site.push(AT, "@", &["layer"]);
    site.clock.advance_ms(1 << 40);
    site.settle();
    assert!(site.is_pullable(AT, &pushed.to_string()));
    assert_eq!(site.tags(AT), Vec::<String>::new());
}

#[test]
fn a_digest_stays_pullable_after_its_tag_moved() {
    let site = Site::new();
    let first = site.push(AT, "v1", &["one"]);
    let second = site.push(AT, "v1", &["two"]);
    assert!(site.is_pullable(AT, &first.to_string()) && site.is_pullable(AT, &second.to_string()));
    let found = site.registry.manifest_info(&OWNER, &name(AT), &"v1".parse().unwrap()).unwrap();
    assert_eq!(found.digest, second);
}

#[test]
fn a_large_manifest_is_a_file_and_comes_back_all_the_same() {
    let mut site = Site::new();
    let large = large();
    site.put(AT, "v1", &large).unwrap();
    site.settle();
    site.restart();
    let found = site.registry.manifest(&OWNER, &name(AT), &"v1".parse().unwrap()).unwrap();
    assert_eq!(&found.bytes, large.bytes());
}

#[test]
fn a_manifest_of_2000_descriptors_is_one_push() {
    let site = Site::with(Settings { sparse_images: true, ..Settings::default() });
    let layers: Vec<String> = (0..1_999).map(|n| n.to_string()).collect();
    let layers: Vec<&str> = layers.iter().map(String::as_str).collect();
    let pushed = site.put(AT, "v1", &image(&layers)).unwrap();
    site.delete(AT, &pushed.to_string()).unwrap();
    site.settle();
}

#[test]
fn several_tags_are_set_by_one_push_by_digest() {
    let site = Site::new();
    let index = index(&[]);
    let digest = index.digest(Algorithm::Sha512);
    let tags = [tag("a"), tag("b")];
    site.registry.put_manifest(&OWNER, &name(AT), &Reference::Digest(digest), &tags, &index, None).unwrap();
    assert_eq!(site.tags(AT), ["a", "b"]);
    let found = site.registry.manifest_info(&OWNER, &name(AT), &"b".parse().unwrap()).unwrap();
    assert_eq!(found.digest, digest);
}

#[test]
fn a_digest_that_is_not_the_manifests_is_refused() {
    let site = Site::new();
    let wrong = Reference::Digest(Digest::of(Algorithm::Sha256, b"other"));
    let refused = site.registry.put_manifest(&OWNER, &name(AT), &wrong, &[], &index(&[]), None);
    assert!(matches!(refused, Err(Error::DigestMismatch(_))));
}

#[test]
fn a_precondition_guards_a_tag_against_a_lost_update() {
    let site = Site::new();
    let put = |manifest, precondition| {
        site.registry.put_manifest(
            &OWNER,
            &name(AT),
            &"v1".parse().unwrap(),
            &[],
            manifest,
            Some(precondition),
        )
    };
    let (first, second) = (index(&[]), index(&[digest(b"x")]));
    assert!(matches!(put(&first, Precondition::Exists), Err(Error::PreconditionFailed)));
    let at = put(&first, Precondition::Absent).unwrap().digest;
    assert!(matches!(put(&second, Precondition::Absent), Err(Error::PreconditionFailed)));
    put(&second, Precondition::Is(at)).unwrap();
    assert!(matches!(put(&first, Precondition::Is(at)), Err(Error::PreconditionFailed)));
}

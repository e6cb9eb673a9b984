//! What is a manifest, what it refers to, and what is refused.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::oci::media_type::{DOCKER_MANIFEST, DOCKER_MANIFEST_LIST, OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn digest(name: &str) -> Digest {
    Digest::of(Algorithm::Sha256, name.as_bytes())
}

fn descriptor(media_type: &str, name: &str) -> Value {
    json!({"mediaType": media_type, "digest": digest(name), "size": 7})
}

fn parse(body: &Value, content_type: Option<&str>) -> Result<Manifest, InvalidManifest> {
    Manifest::parse(Bytes::from(body.to_string()), content_type)
}

fn parse_text(body: &str, content_type: Option<&str>) -> Result<Manifest, InvalidManifest> {
    Manifest::parse(Bytes::copy_from_slice(body.as_bytes()), content_type)
}

/// An image manifest with these layers.
fn image(layers: Vec<Value>) -> Value {
    json!({"schemaVersion": 2, "config": descriptor("config/type", "config"), "layers": layers})
}

/// An index with these children.
fn index(manifests: Vec<Value>) -> Value {
    json!({"schemaVersion": 2, "manifests": manifests})
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

fn required(name: &str) -> BlobReference {
    BlobReference { digest: digest(name), required: true }
}

fn optional(name: &str) -> BlobReference {
    BlobReference { digest: digest(name), required: false }
}

fn assert_schema(result: Result<Manifest, InvalidManifest>, expected: &str) {
    match result {
        Err(InvalidManifest::Schema(detail)) => assert!(detail.contains(expected), "{detail}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_image_manifest_refers_to_its_config_and_layers_in_order() {
    let body = image(vec![descriptor(LAYER, "z"), descriptor(LAYER, "a"), descriptor(LAYER, "m")]);
    for media_type in [OCI_IMAGE_MANIFEST, DOCKER_MANIFEST] {
        let manifest = parse(&body, Some(media_type)).unwrap();
        assert_eq!(manifest.blobs(), [required("config"), required("z"), required("a"), required("m")]);
        assert!(manifest.children().is_empty());
        assert_eq!(manifest.media_type(), media_type);
    }
}

#[test]
fn a_repeated_layer_is_named_once() {
    let body = image(vec![
        descriptor(LAYER, "a"),
        descriptor(LAYER, "b"),
        descriptor(LAYER, "a"),
        descriptor("x", "config"),
    ]);
    let manifest = parse(&body, None).unwrap();
    assert_eq!(manifest.blobs(), [required("config"), required("a"), required("b")]);
}

#[test]
fn layers_that_are_fetched_elsewhere_are_not_required() {
    let elsewhere = with(descriptor(LAYER, "elsewhere"), "urls", json!(["https://example.com/layer"]));
    let no_urls = with(descriptor(LAYER, "here"), "urls", json!([]));
    let foreign = descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "foreign");
    let manifest = parse(&image(vec![elsewhere, no_urls, foreign]), None).unwrap();
    assert_eq!(manifest.blobs()[1..], [optional("elsewhere"), required("here"), optional("foreign")]);
}

#[test]
fn a_layer_is_required_if_any_mention_of_it_is() {
    let foreign = descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar", "a");
    let config_too = with(descriptor(LAYER, "config"), "urls", json!(["https://example.com"]));
    let manifest =
        parse(&image(vec![foreign.clone(), descriptor(LAYER, "a"), foreign, config_too]), None).unwrap();
    assert_eq!(manifest.blobs(), [required("config"), required("a")]);
}

#[test]
fn a_config_is_required_even_with_urls() {
    let config = with(descriptor("config/type", "config"), "urls", json!(["https://example.com/config"]));
    let manifest = parse(&with(image(vec![]), "config", config), None).unwrap();
    assert_eq!(manifest.blobs(), [required("config")]);
}

#[test]
fn an_index_refers_to_its_children_in_order_and_once() {
    let children = ["z", "a", "z"].map(|name| descriptor("any/type", name)).to_vec();
    for media_type in [OCI_IMAGE_INDEX, DOCKER_MANIFEST_LIST] {
        let manifest = parse(&index(children.clone()), Some(media_type)).unwrap();
        assert_eq!(manifest.children(), [digest("z"), digest("a")]);
        assert!(manifest.blobs().is_empty() && manifest.kind().is_index());
    }
}

#[test]
fn null_and_empty_lists_are_empty() {
    for layers in [json!(null), json!([])] {
        let manifest = parse(&with(image(vec![]), "layers", layers), Some(OCI_IMAGE_MANIFEST)).unwrap();
        assert_eq!(manifest.blobs(), [required("config")]);
    }
    for body in [json!({"schemaVersion": 2}), index(vec![]), with(index(vec![]), "manifests", json!(null))] {
        assert!(parse(&body, Some(OCI_IMAGE_INDEX)).unwrap().children().is_empty());
    }
    let nulls = json!({
        "schemaVersion": 2, "mediaType": null, "config": null, "layers": [], "manifests": null, "subject": null,
        "artifactType": null, "annotations": null,
    });
    let manifest = parse(&nulls, None).unwrap();
    assert_eq!((manifest.blobs().len(), manifest.subject(), manifest.artifact_type()), (0, None, None));
}

#[test]
fn the_type_is_the_header_else_the_body_else_the_shape() {
    let docker = with(image(vec![]), "mediaType", json!(DOCKER_MANIFEST));
    let header = format!(" {DOCKER_MANIFEST} ; charset=utf-8");
    for (body, content_type, expected) in [
        (&image(vec![]), Some(header.as_str()), DOCKER_MANIFEST),
        (&docker, Some(&header), DOCKER_MANIFEST),
        (&docker, None, DOCKER_MANIFEST),
        (&docker, Some(""), DOCKER_MANIFEST),
        (&image(vec![]), None, OCI_IMAGE_MANIFEST),
        (&json!({"schemaVersion": 2, "layers": []}), None, OCI_IMAGE_MANIFEST),
        (&with(image(vec![]), "mediaType", json!("")), None, OCI_IMAGE_MANIFEST),
        (&index(vec![]), None, OCI_IMAGE_INDEX),
    ] {
        assert_eq!(parse(body, content_type).unwrap().media_type(), expected, "{body} as {content_type:?}");
    }
    assert_schema(parse(&json!({"schemaVersion": 2}), None), "neither its type is given");
}

#[test]
fn a_body_that_calls_itself_another_type_is_refused() {
    let body = with(image(vec![]), "mediaType", json!(DOCKER_MANIFEST));
    let mismatch = InvalidManifest::MediaTypeMismatch {
        content_type: OCI_IMAGE_MANIFEST.to_owned(),
        media_type: DOCKER_MANIFEST.to_owned(),
    };
    assert_eq!(parse(&body, Some(OCI_IMAGE_MANIFEST)), Err(mismatch));
}

#[test]
fn other_types_are_not_supported() {
    let types = [
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/vnd.oci.artifact.manifest.v1+json",
        "application/json",
        "text/html",
    ];
    for media_type in types {
        let unsupported = Err(InvalidManifest::UnsupportedMediaType(media_type.to_owned()));
        assert_eq!(parse(&image(vec![]), Some(media_type)), unsupported);
        assert_eq!(parse(&with(image(vec![]), "mediaType", json!(media_type)), None), unsupported);
    }
    // Judged by its header alone: the signed form of schema 1 is no manifest of ours to read.
    assert!(matches!(parse_text("not JSON", Some(types[1])), Err(InvalidManifest::UnsupportedMediaType(_))));
}

#[test]
fn what_is_neither_image_nor_index_is_refused() {
    let both = with(image(vec![]), "manifests", json!([]));
    assert_schema(parse(&both, None), "both layers and manifests");
    assert_schema(parse(&both, Some(OCI_IMAGE_INDEX)), "both layers and manifests");
    assert_schema(parse(&image(vec![]), Some(OCI_IMAGE_INDEX)), "an index has neither");
    assert_schema(parse(&index(vec![]), Some(DOCKER_MANIFEST)), "an image manifest has no manifests");
    let with_config = with(index(vec![]), "config", descriptor("config/type", "config"));
    assert_schema(parse(&with_config, Some(OCI_IMAGE_INDEX)), "an index has neither");
}

#[test]
fn the_schema_version_is_2() {
    for version in [json!(1), json!(3), json!(null), json!("2"), json!(2.0), json!(-2)] {
        let body = with(image(vec![]), "schemaVersion", version);
        assert!(matches!(parse(&body, Some(OCI_IMAGE_MANIFEST)), Err(InvalidManifest::Schema(_))), "{body}");
    }
    assert_schema(parse(&json!({"layers": []}), None), "schemaVersion is not 2");
}

#[test]
fn what_is_not_one_json_document_is_refused() {
    let bodies: [&[u8]; 9] = [
        b"",
        b" ",
        b"{",
        b"{}{}",
        b"{'a': 1}",
        b"\xef\xbb\xbf{}",
        b"{\"a\": \"\xff\"}",
        b"{\"a\": \"\\ud800\"}",
        b"nul",
    ];
    for body in bodies {
        let result = Manifest::parse(Bytes::from_static(body), Some(OCI_IMAGE_MANIFEST));
        assert!(matches!(result, Err(InvalidManifest::NotJson(_))), "{body:?}: {result:?}");
    }
    for body in ["[]", "null", "2", "\"text\"", "[2, null, null, null, [], null, null]"] {
        assert_schema(parse_text(body, Some(OCI_IMAGE_MANIFEST)), "expected a JSON object");
    }
}

#[test]
fn a_key_that_stands_twice_is_refused_at_every_depth() {
    for body in [
        r#"{"schemaVersion": 2, "layers": [], "layers": []}"#,
        r#"{"schemaVersion": 2, "layers": [], "lay\u0065rs": []}"#,
        r#"{"schemaVersion": 2, "layers": [{"layers": 1, "digest": 1, "layers": 2}]}"#,
        r#"{"schemaVersion": 2, "layers": [], "unknown": [[{"a": {"layers": 1, "layers": 1}}]]}"#,
    ] {
        assert_eq!(parse_text(body, None), Err(InvalidManifest::DuplicateKey("layers".to_owned())), "{body}");
    }
    let apart =
        r#"{"schemaVersion": 2, "layers": [], "a": {"x": 1}, "b": {"x": 1, "X": 1}, "c": ["x", "x"]}"#;
    assert!(parse_text(apart, None).is_ok());
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize, innermost: &str| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        parse_text(
            &format!(r#"{{"schemaVersion": 2, "layers": [], "deep": {open}{innermost}{close}}}"#),
            None,
        )
    };
    assert!(nested(MAX_DEPTH - 1, "1").is_ok());
    for innermost in ["[]", "{}"] {
        assert!(nested(MAX_DEPTH - 2, innermost).is_ok());
        assert_eq!(nested(MAX_DEPTH - 1, innermost), Err(InvalidManifest::TooDeep));
    }
    assert_eq!(parse_text(&"{\"a\":".repeat(MAX_BYTES / 5), None), Err(InvalidManifest::TooDeep));
    assert_eq!(parse_text(&"[".repeat(MAX_BYTES), None), Err(InvalidManifest::TooDeep));
}

#[test]
fn descriptors_are_counted_with_config_and_subject() {
    let layers = |count: usize| vec![descriptor(LAYER, "a"); count];
    let with_subject = |body: Value| with(body, "subject", descriptor(OCI_IMAGE_MANIFEST, "subject"));
    assert!(parse(&with_subject(image(layers(MAX_DESCRIPTORS - 2))), None).is_ok());
    assert_eq!(
        parse(&with_subject(image(layers(MAX_DESCRIPTORS - 1))), None),
        Err(InvalidManifest::TooManyDescriptors)
    );
    assert!(parse(&index(layers(MAX_DESCRIPTORS)), None).is_ok());
    assert_eq!(parse(&index(layers(MAX_DESCRIPTORS + 1)), None), Err(InvalidManifest::TooManyDescriptors));
}

#[test]
fn a_field_of_another_json_type_is_refused() {
    let array_of_fields = json!(["type", digest("a"), 7, [], null, null]);
    for (key, value) in [
        ("config", json!("config")),
        ("config", array_of_fields.clone()),
        ("config", json!({"digest": digest("a")})),
        ("config", json!({"digest": "md5:d41d8cd98f00b204e9800998ecf8427e", "size": 1})),
        ("layers", json!({})),
        ("layers", json!([null])),
        ("layers", json!([array_of_fields])),
        ("layers", json!([{"digest": digest("a"), "size": -1}])),
        ("subject", json!(digest("a"))),
        ("subject", json!([])),
        ("mediaType", json!(2)),
        ("artifactType", json!({})),
        ("annotations", json!(["a"])),
    ] {
        let body = with(image(vec![]), key, value);
        assert!(matches!(parse(&body, Some(OCI_IMAGE_MANIFEST)), Err(InvalidManifest::Schema(_))), "{body}");
    }
}

#[test]
fn the_artifact_type_falls_back_to_the_type_of_the_config() {
    let own = json!("artifact/type");
    let artifact_type = |body: &Value| parse(body, None).unwrap().artifact_type().map(str::to_owned);
    assert_eq!(
        artifact_type(&with(image(vec![]), "artifactType", own.clone())).as_deref(),
        Some("artifact/type")
    );
    assert_eq!(artifact_type(&image(vec![])).as_deref(), Some("config/type"));
    assert_eq!(
        artifact_type(&with(image(vec![]), "artifactType", json!(""))).as_deref(),
        Some("config/type")
    );
    assert_eq!(artifact_type(&with(image(vec![]), "config", descriptor("", "config"))), None);
    assert_eq!(artifact_type(&index(vec![])), None);
    assert_eq!(artifact_type(&with(index(vec![]), "artifactType", own)).as_deref(), Some("artifact/type"));
}

#[test]
fn subject_and_annotations_are_read_from_manifests_and_indexes() {
    let subject = Digest::of(Algorithm::Sha512, b"subject");
    for body in [image(vec![]), index(vec![])] {
        let body = with(body, "subject", json!({"mediaType": "any", "digest": subject, "size": 0}));
        let body = with(body, "annotations", json!({"a": "1", "b": 2, "c": null}));
        let manifest = parse(&body, None).unwrap();
        assert_eq!(manifest.subject(), Some(&subject));
        assert_eq!(manifest.annotations(), &BTreeMap::from([("a".to_owned(), "1".to_owned())]));
    }
}

#[test]
fn the_bytes_are_kept_as_pushed() {
    let body = "\n{ \"layers\":[ ],\t\"unknown\": {\"b\": 1.0e2, \"a\": null}, \"schemaVersion\": 2 }\r\n";
    let manifest = parse_text(body, None).unwrap();
    assert_eq!(manifest.bytes(), body.as_bytes());
    for algorithm in Algorithm::ALL {
        assert_eq!(manifest.digest(algorithm), Digest::of(algorithm, body.as_bytes()));
    }
}

#[test]
fn a_manifest_full_of_annotations_is_accepted() {
    let annotations: BTreeMap<String, String> =
        (0..3900).map(|n| (format!("key-{n}"), "x".repeat(1000))).collect();
    let manifest = parse(&with(index(vec![]), "annotations", json!(annotations)), None).unwrap();
    assert_eq!(manifest.annotations(), &annotations);
}

#[test]
fn an_error_message_stays_small_whatever_was_sent() {
    let long = "x".repeat(1 << 20);
    for body in [
        with(image(vec![]), "config", json!(long)),
        with(image(vec![]), "mediaType", json!(long)),
        with(image(vec![]), "layers", json!([{"digest": long, "size": 1}])),
    ] {
        for content_type in [None, Some(OCI_IMAGE_MANIFEST)] {
            assert!(parse(&body, content_type).unwrap_err().to_string().len() < 500);
        }
    }
    let twice = format!(r#"{{"{long}": 1, "{long}": 2}}"#);
    assert!(parse_text(&twice, None).unwrap_err().to_string().len() < 500);
}

/// JSON near to a manifest: fields of manifests and descriptors with fitting and unfitting values.
fn near_manifest() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<i8>().prop_map(|number| json!(number)),
        Just(json!(2)),
        Just(json!(OCI_IMAGE_INDEX)),
        Just(json!(OCI_IMAGE_MANIFEST)),
        "[ab]".prop_map(|name| json!(digest(&name))),
        "[ab]".prop_map(|name| descriptor(LAYER, &name)),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let keys = "schemaVersion|mediaType|artifactType|config|layers|manifests|subject|annotations|urls|digest|size";
        let members = proptest::collection::btree_map(keys, inner.clone(), 0..8);
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(Value::from),
            members.prop_map(|members| json!(members)),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_a_manifest_or_an_error(bytes: Vec<u8>) {
        let _ = Manifest::parse(Bytes::from(bytes), None);
    }

    #[test]
    fn any_json_is_a_manifest_that_parses_again_under_its_type_or_an_error(body in near_manifest()) {
        let body = if body.is_object() { with(body, "schemaVersion", json!(2)) } else { body };
        if let Ok(manifest) = parse(&body, None) {
            let again = Manifest::parse(manifest.bytes().clone(), Some(manifest.media_type()));
            prop_assert_eq!(again, Ok(manifest));
        }
    }

    #[test]
    fn a_truncated_manifest_is_refused(at: prop::sample::Index) {
        let body = image(vec![descriptor(LAYER, "a"), descriptor(LAYER, "b")]).to_string();
        prop_assert!(parse_text(&body[..at.index(body.len())], Some(OCI_IMAGE_MANIFEST)).is_err());
    }
}

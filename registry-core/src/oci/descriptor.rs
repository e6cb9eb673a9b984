//! Descriptors: what a manifest says of content it refers to (image-spec, "Descriptor").

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::digest::Digest;
use super::json;

/// A reference to content: its type, its digest and its size.
///
/// Read leniently from a manifest: only `digest` and `size` must be there, null is as good as
/// absent for the rest, and unknown fields are ignored (`platform` and `data` among them, which
/// nothing here depends on). Written as one entry of a referrers answer, without empty fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The type of the content; empty if the manifest did not say.
    #[serde(default, deserialize_with = "json::null_as_default")]
    pub media_type: String,
    /// The digest of the content.
    pub digest: Digest,
    /// The size of the content in bytes, within the specification's signed 64 bits.
    #[serde(deserialize_with = "size_of_content")]
    pub size: u64,
    /// Where else the content may be fetched.
    #[serde(default, deserialize_with = "json::null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// The kind of artifact, if the content is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The annotations whose value is a string; others are left out.
    #[serde(default, deserialize_with = "json::string_values", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A size that the specification's int64 can hold: a larger one would read differently elsewhere.
fn size_of_content<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let size = u64::deserialize(deserializer)?;
    match i64::try_from(size) {
        Ok(_) => Ok(size),
        Err(_) => Err(de::Error::custom(format!("size {size} does not fit in 63 bits"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    fn parse(value: &Value) -> Result<Descriptor, String> {
        serde_json::from_str(&value.to_string()).map_err(|error| error.to_string())
    }

    fn minimal() -> Descriptor {
        parse(&json!({"digest": DIGEST, "size": 2})).unwrap()
    }

    #[test]
    fn digest_and_size_are_enough() {
        let descriptor = minimal();
        assert_eq!((descriptor.media_type.as_str(), descriptor.size), ("", 2));
        assert!(descriptor.urls.is_empty() && descriptor.annotations.is_empty());
        let nulls = json!({
            "digest": DIGEST, "size": 2, "mediaType": null, "urls": null, "artifactType": null, "annotations": null,
        });
        assert_eq!(parse(&nulls), Ok(descriptor));
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let value = json!({
            "digest": DIGEST, "size": 2, "platform": {"os": "unknown"}, "data": "!", "x": [null, {"digest": 5}],
        });
        assert_eq!(parse(&value), Ok(minimal()));
    }

    #[test]
    fn annotations_that_are_no_strings_are_left_out() {
        let annotations =
            json!({"a": "b", "n": 1, "f": 1.5, "i": -1, "t": true, "z": null, "l": ["x"], "o": {"x": "y"}});
        let descriptor = parse(&json!({"digest": DIGEST, "size": 2, "annotations": annotations})).unwrap();
        assert_eq!(descriptor.annotations, BTreeMap::from([("a".to_owned(), "b".to_owned())]));
    }

    #[test]
    fn an_ambiguous_reference_is_refused() {
        for value in [
            json!({"size": 2}),
            json!({"digest": DIGEST}),
            json!({"digest": null, "size": 2}),
            json!({"digest": "sha256:abc", "size": 2}),
            json!({"digest": "md5:d41d8cd98f00b204e9800998ecf8427e", "size": 2}),
            json!({"digest": DIGEST, "size": -1}),
            json!({"digest": DIGEST, "size": 2.0}),
            json!({"digest": DIGEST, "size": "2"}),
            json!({"digest": DIGEST, "size": null}),
            json!({"digest": DIGEST, "size": u64::MAX}),
            json!({"digest": DIGEST, "size": 2, "mediaType": 5}),
            json!({"digest": DIGEST, "size": 2, "urls": "https://example.com"}),
        ] {
            assert!(parse(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn a_referrers_entry_has_no_empty_fields() {
        assert_eq!(
            serde_json::to_value(minimal()).unwrap(),
            json!({"mediaType": "", "digest": DIGEST, "size": 2})
        );
        let full = Descriptor {
            media_type: "m".to_owned(),
            urls: vec!["u".to_owned()],
            artifact_type: Some("t".to_owned()),
            annotations: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
            ..minimal()
        };
        let expected = json!({
            "mediaType": "m", "digest": DIGEST, "size": 2, "urls": ["u"], "artifactType": "t", "annotations": {"k": "v"},
        });
        assert_eq!(serde_json::to_value(&full).unwrap(), expected);
        assert_eq!(parse(&expected), Ok(full));
    }
}

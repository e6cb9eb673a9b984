use proptest::prelude::*;

use super::*;

/// What a path is read as, one line a path: `kind name [last]`.
fn read(path: &str) -> String {
    match V2Path::parse(path) {
        Ok(V2Path::Ping) => "ping".into(),
        Ok(V2Path::Catalog) => "catalog".into(),
        Ok(V2Path::Token) => "token".into(),
        Ok(V2Path::Blob { name, digest }) => format!("blob {name} {digest}"),
        Ok(V2Path::UploadStart { name }) => format!("upload-start {name}"),
        Ok(V2Path::Upload { name, id }) => format!("upload {name} {id}"),
        Ok(V2Path::Manifest { name, reference }) => format!("manifest {name} {reference}"),
        Ok(V2Path::Tags { name }) => format!("tags {name}"),
        Ok(V2Path::Referrers { name, digest }) => format!("referrers {name} {digest}"),
        Ok(V2Path::Unknown) => "unknown".into(),
        Err(error) => format!("error: {error}"),
    }
}

const TABLE: &[(&str, &str)] = &[
    ("/v2", "ping"),
    ("/v2/", "ping"),
    ("/v2/_catalog", "catalog"),
    ("/v2/auth", "token"),
    ("/v2/token", "token"),
    ("/v2/a/blobs/sha256:00", "blob a sha256:00"),
    ("/v2/a/blobs/sha256%3A00", "blob a sha256:00"),
    ("/v2/a/b/c/blobs/sha256:00", "blob a/b/c sha256:00"),
    ("/v2/a/blobs/uploads", "upload-start a"),
    ("/v2/a/blobs/uploads/", "upload-start a"),
    ("/v2/a/%62lobs/uploads/", "upload-start a"),
    ("/v2/a/blobs/uploads/7d", "upload a 7d"),
    ("/v2/a/manifests/latest", "manifest a latest"),
    ("/v2/a/manifests/sha256:00", "manifest a sha256:00"),
    ("/v2/a/tags/list", "tags a"),
    ("/v2/a/referrers/sha256:00", "referrers a sha256:00"),
    // Names made of the words that routes are made of.
    ("/v2/a/blobs/manifests/latest", "manifest a/blobs latest"),
    ("/v2/tags/list/tags/list", "tags tags/list"),
    ("/v2/manifests/manifests/manifests", "manifest manifests manifests"),
    ("/v2/blobs/uploads/blobs/uploads/", "upload-start blobs/uploads"),
    ("/v2/blobs/uploads/blobs/uploads/7d", "upload blobs/uploads 7d"),
    ("/v2/a/blobs/uploads/manifests/latest", "manifest a/blobs/uploads latest"),
    ("/v2/a/blobs/uploads/tags/list", "tags a/blobs/uploads"),
    ("/v2/a/manifests/uploads", "manifest a uploads"),
    ("/v2/auth/tags/list", "tags auth"),
    ("/v2/uploads/blobs/x", "blob uploads x"),
    // Nothing is normalised.
    ("/v2/a/../b/tags/list", "tags a/../b"),
    ("/v2/a//b/tags/list", "tags a//b"),
    ("/v2//tags/list", "tags "),
    ("/v2/a/%2e%2e/b/tags/list", "tags a/../b"),
    ("/v2/a/tags/list/", "unknown"),
    ("/v2/a/manifests/", "manifest a "),
    ("/v2/a/blobs/uploads//", "unknown"),
    ("/v2/_catalog/", "unknown"),
    ("/v2//", "unknown"),
    // A route without a name, and extensions.
    ("/v2/blobs/uploads/", "unknown"),
    ("/v2/tags/list", "unknown"),
    ("/v2/manifests/latest", "unknown"),
    ("/v2/_oci/ext/discover", "unknown"),
    ("/v2/a/_oci/ext/discover", "unknown"),
    // Refusals.
    ("/v2/a%2Fb/tags/list", "error: path segment holds an encoded slash"),
    ("/v2/a/manifests/x%2fy", "error: path segment holds an encoded slash"),
    ("/v2/a%/tags/list", "error: percent sign without two hexadecimal digits"),
    ("/v2/%ff/tags/list", "error: percent-encoded text is not UTF-8"),
    ("/v2x", "error: path is outside /v2/"),
    ("/v1/search", "error: path is outside /v2/"),
    ("/", "error: path is outside /v2/"),
    ("", "error: path is outside /v2/"),
    ("*", "error: path is outside /v2/"),
];

#[test]
fn paths_are_read_from_the_right() {
    for (path, expected) in TABLE {
        assert_eq!(read(path), *expected, "{path}");
    }
}

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9]{1,4}",
        Just("blobs".to_owned()),
        Just("uploads".to_owned()),
        Just("manifests".to_owned()),
        Just("tags".to_owned()),
        Just("list".to_owned()),
        Just("referrers".to_owned()),
    ]
}

fn name() -> impl Strategy<Value = String> {
    proptest::collection::vec(segment(), 1..5).prop_map(|segments| segments.join("/"))
}

proptest! {
    #[test]
    fn any_name_keeps_its_manifests_tags_referrers_and_uploads(name in name(), last in "[a-z0-9]{1,8}:[0-9a-f]{4}") {
        prop_assert_eq!(read(&format!("/v2/{name}/manifests/{last}")), format!("manifest {name} {last}"));
        prop_assert_eq!(read(&format!("/v2/{name}/blobs/{last}")), format!("blob {name} {last}"));
        prop_assert_eq!(read(&format!("/v2/{name}/referrers/{last}")), format!("referrers {name} {last}"));
        prop_assert_eq!(read(&format!("/v2/{name}/blobs/uploads/")), format!("upload-start {name}"));
        prop_assert_eq!(read(&format!("/v2/{name}/blobs/uploads/{last}")), format!("upload {name} {last}"));
        prop_assert_eq!(read(&format!("/v2/{name}/tags/list")), format!("tags {name}"));
    }

    #[test]
    fn any_text_is_read_or_refused(path in "(/v2/)?[/a-z%0-9._]*|.*") {
        let _ = V2Path::parse(&path);
    }
}

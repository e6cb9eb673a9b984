//! Referrers: listed by exact subject, filtered, in pages.

use std::collections::BTreeSet;

use registry_core::oci::Algorithm;

use crate::support::{OWNER, Site, digest, index, manifest, name, referrer, tag};

const AT: &str = "acme/app";

#[test]
fn referrers_are_listed_before_and_after_their_subject_arrives() {
    let site = Site::new();
    site.upload(AT, "{}");
    let subject = index(&[]);
    let wanted = subject.digest(Algorithm::Sha256);
    let signature = site.put(AT, "@", &referrer(&wanted, "a/signature")).unwrap();
    let list = || site.registry.referrers(&OWNER, &name(AT), &wanted, None, None).unwrap().manifests;
    assert_eq!(list().iter().map(|found| found.digest).collect::<Vec<_>>(), [signature]);
    site.put(AT, "v1", &subject).unwrap();
    site.settle();
    let found = &list()[0];
    assert_eq!(found.artifact_type.as_deref(), Some("a/signature"));
    assert_eq!(found.annotations["a"], "b");
}

#[test]
fn a_subject_that_was_restored_holds_what_came_to_refer_to_it_meanwhile() {
    let site = Site::new();
    let subject = site.put(AT, "v1", &index(&[])).unwrap();
    site.upload(AT, "{}");
    site.delete(AT, &subject.to_string()).unwrap();
    site.put(AT, "@", &referrer(&subject, "a/signature")).unwrap();
    site.registry.restore_tag(&OWNER, &name(AT), &tag("v1"), &subject).unwrap();
    // The audit proves who holds whom.
    site.settle();
}

#[test]
fn a_filter_lets_one_artifact_type_pass() {
    let site = Site::new();
    site.upload(AT, "{}");
    let subject = digest(b"subject");
    site.put(AT, "@", &referrer(&subject, "a/signature")).unwrap();
    let sbom = site.put(AT, "@", &referrer(&subject, "an/sbom")).unwrap();
    let filtered = site.registry.referrers(&OWNER, &name(AT), &subject, Some("an/sbom"), None).unwrap();
    assert_eq!(filtered.manifests.iter().map(|found| found.digest).collect::<Vec<_>>(), [sbom]);
}

#[test]
fn an_unknown_subject_and_an_unknown_repository_have_none() {
    let site = Site::new();
    site.upload(AT, "{}");
    for at in [AT, "acme/nowhere", "nowhere/at-all"] {
        let page = site.registry.referrers(&OWNER, &name(at), &digest(b"x"), None, None).unwrap();
        assert!(page.manifests.is_empty() && page.next.is_none());
    }
}

#[test]
fn a_long_list_comes_in_pages_that_show_each_once() {
    let site = Site::new();
    let subject = digest(b"subject");
    let mut pushed = BTreeSet::new();
    for n in 0..12 {
        let large = manifest(&format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{{"{n}":"{}"}},"subject":{{"mediaType":"a/b","digest":"{subject}","size":1}}}}"#,
            "x".repeat(700_000)
        ));
        pushed.insert(site.put(AT, "@", &large).unwrap());
    }
    let (mut seen, mut after, mut pages) = (BTreeSet::new(), None, 0);
    loop {
        let page = site.registry.referrers(&OWNER, &name(AT), &subject, None, after.as_ref()).unwrap();
        for found in &page.manifests {
            assert!(seen.insert(found.digest), "shown twice");
        }
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, pushed);
    assert!(pages > 1);
}

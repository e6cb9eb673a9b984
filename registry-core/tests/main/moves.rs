//! The registry beside its twin: both make the same moves, and what can be seen of both must be the same.

use std::collections::BTreeMap;

use registry_core::oci::Reference;
use registry_core::{Error, Mounted, Registry, UploadId};
use serde_json::Value;

use crate::support::{OWNER, Random, START_MS, Site, digest, image, index, large, name, referrer, tag};
use crate::twin::{CONTENTS, Move, REPOSITORIES, Twin};

/// Makes the move in the registry and in the twin; both must grant or refuse it.
pub(crate) fn step(site: &Site, twin: &mut Twin, the_move: &Move) {
    let mut begun = None;
    let outcome = make(site, the_move, &mut begun);
    let is_granted = match outcome {
        Ok(is_granted) => is_granted,
        Err(error) => {
            let is_refusal = matches!(
                error,
                Error::RepositoryUnknown(_)
                    | Error::BlobUnknown(_)
                    | Error::BlobInUse(_)
                    | Error::ManifestUnknown(_)
                    | Error::ManifestBlobUnknown(_)
            );
            assert!(is_refusal, "{the_move:?}: {error:?}");
            false
        }
    };
    let expected = twin.apply(the_move, begun);
    assert_eq!(is_granted, expected, "{the_move:?}");
}

fn make(site: &Site, the_move: &Move, begun: &mut Option<UploadId>) -> Result<bool, Error> {
    let registry = &site.registry;
    match the_move {
        Move::Upload { at, content } => site.try_upload(&OWNER, at, content.as_bytes()).map(|_| true),
        Move::Begin { at, content, bytes } => {
            let id = registry.start_upload(&OWNER, &name(at), None)?;
            let mut writer = registry.open_upload(&OWNER, &name(at), id)?;
            writer.append(&content.as_bytes()[..*bytes])?;
            writer.save()?;
            *begun = Some(id);
            Ok(true)
        }
        Move::Finish { upload } => {
            let mut writer = registry.open_upload(&OWNER, &name(upload.at), upload.id)?;
            let rest = usize::try_from(upload.saved).unwrap();
            writer.append(&upload.content.as_bytes()[rest..])?;
            writer.finish(&digest(upload.content.as_bytes())).map(|()| true)
        }
        Move::Cancel { upload } => registry.cancel_upload(&OWNER, &name(upload.at), upload.id).map(|()| true),
        Move::PutLarge { at, reference } => site.put(at, reference.unwrap_or("@"), &large()).map(|_| true),
        Move::PutImage { at, reference, layers } => {
            site.put(at, reference.unwrap_or("@"), &image(layers)).map(|_| true)
        }
        Move::PutIndex { at, reference, children } => {
            site.put(at, reference.unwrap_or("@"), &index(children)).map(|_| true)
        }
        Move::PutReferrer { at, subject } => site.put(at, "@", &referrer(subject, "a/type")).map(|_| true),
        Move::DeleteTag { at, tag } => site.delete(at, tag).map(|()| true),
        Move::DeleteManifest { at, digest } => site.delete(at, &digest.to_string()).map(|()| true),
        Move::DeleteBlob { at, content } => {
            registry.delete_blob(&OWNER, &name(at), &digest(content.as_bytes())).map(|()| true)
        }
        Move::Mount { from, at, content } => {
            let blob = digest(content.as_bytes());
            Ok(registry.mount_blob(&OWNER, &name(at), &blob, Some(&name(from)))? == Mounted::Yes)
        }
        Move::Restore { at, tag: text, digest } => {
            registry.restore_tag(&OWNER, &name(at), &tag(text), digest).map(|()| true)
        }
        Move::DeleteRepository { at } => registry.delete_repository(&OWNER, &name(at)).map(|()| true),
        Move::DeleteOrganization { named } => {
            registry.delete_organization(&OWNER, &named.parse().unwrap()).map(|()| true)
        }
        Move::Background { after_ms } => {
            site.clock.advance_ms(*after_ms);
            registry.run_background().map(|()| true)
        }
    }
}

/// What a registry answers to the same questions; bytes are compared with what was pushed.
pub(crate) fn seen_of(registry: &Registry, asking: &Twin) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::from([("events".to_owned(), format!("{:?}", events_of(registry)))]);
    for at in REPOSITORIES {
        for content in CONTENTS {
            let blob = registry.blob(&OWNER, &name(at), &digest(content.as_bytes()));
            let is_visible = blob.map(|blob| {
                let mut bytes = vec![0; content.len() + 1];
                let read = blob.read_at(&mut bytes, 0).unwrap();
                assert_eq!(&bytes[..read], content.as_bytes(), "bytes of {at} {content}");
            });
            seen.insert(format!("{at} blob {content}"), is_visible.is_ok().to_string());
        }
        let mut tags = BTreeMap::new();
        if let Ok(page) = registry.tags(&OWNER, &name(at), None, 100) {
            for tag in page.tags {
                let info = registry.manifest_info(&OWNER, &name(at), &Reference::Tag(tag.clone())).unwrap();
                tags.insert(tag.to_string(), info.digest);
            }
        }
        seen.insert(format!("{at} tags"), format!("{tags:?}"));
        for (digest, manifest) in asking.manifests(at) {
            let found = registry.manifest(&OWNER, &name(at), &Reference::Digest(*digest));
            let is_present = found.map(|found| assert_eq!(&found.bytes, manifest.bytes()));
            seen.insert(format!("{at} manifest {digest}"), is_present.is_ok().to_string());
        }
        for (digest, manifest) in asking.manifests(at) {
            let Some(subject) = manifest.subject() else { continue };
            let page = registry.referrers(&OWNER, &name(at), subject, None, None).unwrap();
            let is_listed = page.manifests.iter().any(|found| found.digest == *digest);
            seen.insert(format!("{at} referrer {subject} {digest}"), is_listed.to_string());
        }
    }
    seen
}

/// What was recorded, and how often, wherever it is kept.
fn events_of(registry: &Registry) -> BTreeMap<String, usize> {
    let mut events = BTreeMap::new();
    for line in registry.every_event().unwrap() {
        let event: Value = serde_json::from_str(&line).unwrap();
        let metadata = &event["metadata"];
        let [kind, namespace, repo, tag, digest] = [
            &event["kind"],
            &metadata["namespace"],
            &metadata["repo"],
            &metadata["tag"],
            &metadata["manifest_digest"],
        ]
        .map(|value| value.as_str().unwrap_or_default());
        if kind != "create_repo" && kind != "org_create" {
            let reference = if tag.is_empty() { digest } else { tag };
            *events.entry(format!("{kind} {namespace}/{repo} {reference}")).or_default() += 1;
        }
    }
    events
}

#[test]
fn the_registry_and_its_twin_look_the_same_after_every_move() {
    for seed in 0..40 {
        let site = Site::with(crate::power::settings());
        let (mut random, mut twin) = (Random(seed), Twin::new(START_MS));
        for number in 0..60 {
            let the_move = twin.choose(&mut random);
            step(&site, &mut twin, &the_move);
            assert_eq!(
                seen_of(&site.registry, &twin),
                twin.seen(&twin),
                "seed {seed}, move {number}: {the_move:?}"
            );
        }
        assert_eq!(site.registry.audit(true).unwrap(), Vec::<String>::new(), "seed {seed}");
    }
}

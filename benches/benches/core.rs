//! The hot paths of the core: digests, manifests, listings, and writes by one and by many threads.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use registry_core::oci::{Algorithm, Digest, Manifest, NamespaceName, Reference, RepositoryName};
use registry_core::{Action, Actor, NewUser, Principal, Registry, Role, Settings, TeamRole, To};

const OWNER: Actor = Actor::Owner;

struct Site {
    registry: Registry,
    _directory: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let registry = Registry::open(directory.path(), Settings::default()).expect("a registry");
        Self { registry, _directory: directory }
    }

    /// A user called dev.
    fn dev(&self) -> Actor {
        let user = NewUser {
            name: "dev".parse().expect("a name"),
            email: String::new(),
            password_hash: String::new(),
            is_superuser: false,
        };
        let id = self.registry.create_user(&user).expect("a user");
        Actor::User(Principal { id, generation: 1 })
    }

    /// An image of five layers, as a push leaves it.
    fn push_image(&self, name: &RepositoryName, tag: &str, seed: u64) -> Manifest {
        let layers: Vec<String> =
            (0..5).map(|layer| self.push_blob(name, &format!("{seed} {layer}"))).collect();
        let config = self.push_blob(name, "{}");
        let json = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{config},"layers":[{}]}}"#,
            layers.join(",")
        );
        let manifest = Manifest::parse(json.into_bytes().into(), None).expect("a manifest");
        self.put(name, tag, &manifest);
        manifest
    }

    /// Uploads `text` and gives its descriptor.
    fn push_blob(&self, name: &RepositoryName, text: &str) -> String {
        let digest = Digest::of(Algorithm::Sha256, text.as_bytes());
        let id = self.registry.start_upload(&OWNER, name, None).expect("an upload");
        let mut writer = self.registry.open_upload(&OWNER, name, id).expect("the upload");
        writer.append(text.as_bytes()).expect("room");
        writer.finish(&digest).expect("the blob");
        format!(r#"{{"mediaType":"application/octet-stream","digest":"{digest}","size":{}}}"#, text.len())
    }

    fn put(&self, name: &RepositoryName, tag: &str, manifest: &Manifest) {
        let tag: Reference = tag.parse().expect("a tag");
        self.registry.put_manifest(&OWNER, name, &tag, &[], manifest, None).expect("the push");
    }
}

fn name(text: &str) -> RepositoryName {
    let library: NamespaceName = "library".parse().expect("a namespace");
    RepositoryName::parse(text, &library).expect("a name")
}

/// An index that lists nothing, made distinct by an annotation.
fn index(seed: u64) -> Manifest {
    let json = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{{"seed":"{seed}"}}}}"#
    );
    Manifest::parse(json.into_bytes().into(), None).expect("an index")
}

fn digests(criterion: &mut Criterion) {
    let bytes = vec![7; 1 << 20];
    let mut group = criterion.benchmark_group("digest of 1 MiB");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        group.bench_function(algorithm.name(), |bench| {
            bench.iter(|| Digest::of(algorithm, black_box(&bytes)))
        });
    }
    group.finish();
}

fn manifests(criterion: &mut Criterion) {
    let site = Site::new();
    let name = name("acme/app");
    let manifest = site.push_image(&name, "v1", 0);
    let bytes = manifest.bytes().clone();
    criterion.bench_function("parse a manifest of five layers", |bench| {
        bench.iter(|| Manifest::parse(black_box(bytes.clone()), None));
    });
    let tag: Reference = "v1".parse().expect("a tag");
    criterion.bench_function("get a manifest by tag", |bench| {
        bench.iter(|| site.registry.manifest(&OWNER, &name, black_box(&tag)).expect("the manifest"));
    });
    criterion
        .bench_function("put a manifest by tag", |bench| bench.iter(|| site.put(&name, "v2", &manifest)));
}

/// Whether the run only proves that it works: much that exists would make it long.
fn is_quick() -> bool {
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    !has("--bench") || has("--test")
}

fn tag_listings(criterion: &mut Criterion) {
    let most = if is_quick() { 2_000 } else { 1_000_000 };
    let mut group = criterion.benchmark_group("list 100 tags from the middle");
    for count in [1_000, most] {
        let site = Site::new();
        let name = name("acme/app");
        let index = index(0);
        let digest = index.digest(Algorithm::Sha256);
        for some in (0..count).collect::<Vec<u64>>().chunks(64) {
            let tags: Vec<_> = some.iter().map(|n| format!("t{n:07}").parse().expect("a tag")).collect();
            let put =
                site.registry.put_manifest(&OWNER, &name, &Reference::Digest(digest), &tags, &index, None);
            put.expect("the push");
        }
        let middle = format!("t{:07}", count / 2).parse().expect("a tag");
        group.bench_function(BenchmarkId::from_parameter(count), |bench| {
            bench.iter(|| site.registry.tags(&OWNER, &name, Some(&middle), 100).expect("a page"));
        });
    }
    group.finish();
}

fn writes(criterion: &mut Criterion) {
    const WRITES: u64 = 64;
    let mut group = criterion.benchmark_group("put 64 manifests");
    group.throughput(Throughput::Elements(WRITES)).sample_size(10);
    for threads in [1, 8, 64] {
        let site = Site::new();
        let seed = AtomicU64::new(0);
        group.bench_function(BenchmarkId::new("threads", threads), |bench| {
            bench.iter(|| {
                std::thread::scope(|scope| {
                    for thread in 0..threads {
                        let (site, seed) = (&site, &seed);
                        scope.spawn(move || {
                            let name = name(&format!("acme/app{thread}"));
                            for _ in 0..WRITES / threads {
                                site.put(&name, "latest", &index(seed.fetch_add(1, Ordering::Relaxed)));
                            }
                        });
                    }
                });
            });
        });
    }
    group.finish();
}

/// Whether somebody in 50 teams of one organization may push, among 1,000 organizations with 10 repositories each.
fn permissions(criterion: &mut Criterion) {
    let site = Site::new();
    let registry = &site.registry;
    let dev = site.dev();
    std::thread::scope(|scope| {
        for thread in 0..50 {
            scope.spawn(move || {
                for number in (thread..1000).step_by(50) {
                    let organization = format!("org{number}").parse().expect("a name");
                    registry.create_organization(&OWNER, &organization, "").expect("an organization");
                    for repository in 0..10 {
                        let name = name(&format!("org{number}/repo{repository}"));
                        registry.create_repository(&OWNER, &name, false).expect("a repository");
                    }
                }
            });
        }
    });
    let organization = "org500".parse().expect("a name");
    for number in 0..50 {
        let team = format!("team{number}");
        let team_name = team.parse().expect("a name");
        registry.put_team(&OWNER, &organization, &team_name, TeamRole::Member, None).expect("a team");
        registry.add_team_member(&OWNER, &organization, &team, "dev").expect("a member");
    }
    let at = name("org500/repo5");
    registry.grant(&OWNER, &at, To::Team("team49"), Role::Write).expect("a grant");
    assert!(registry.may(&dev, &at, Action::Push));
    criterion.bench_function("permission check, 50 teams", |bench| {
        bench.iter(|| registry.may(&dev, black_box(&at), Action::Push));
    });
}

/// What somebody sees who was granted some private repositories among many, in organizations of 100 each.
fn visible_repositories(criterion: &mut Criterion) {
    let most = if is_quick() { 2_000 } else { 100_000 };
    for (exist, granted) in [(1_000, 1), (1_000, 100), (most, 100)] {
        let site = Site::new();
        let registry = &site.registry;
        let dev = site.dev();
        for organization in 0..exist / 100 {
            let organization = format!("org{organization}").parse().expect("a name");
            registry.create_organization(&OWNER, &organization, "").expect("an organization");
        }
        std::thread::scope(|scope| {
            for thread in 0..64 {
                scope.spawn(move || {
                    for number in (thread..exist).step_by(64) {
                        let name = name(&format!("org{}/tools/app-{number}", number / 100));
                        registry.create_repository(&OWNER, &name, false).expect("a repository");
                        if number % (exist / granted) == 0 {
                            registry.grant(&OWNER, &name, To::Principal("dev"), Role::Read).expect("a grant");
                        }
                    }
                });
            }
        });
        let mut group = criterion.benchmark_group(format!("{granted} of {exist} repositories"));
        group.bench_function("list a page of 100", |bench| {
            bench.iter(|| registry.all_repositories(&dev, None, 100).expect("a page"));
        });
        group.bench_function("find a word of all", |bench| {
            bench.iter(|| registry.find_repositories(&dev, black_box("app"), 11).expect("a page"));
        });
        group.bench_function("find a word of all, seeing everything", |bench| {
            bench.iter(|| registry.find_repositories(&OWNER, black_box("app"), 11).expect("a page"));
        });
        group.finish();
    }
}

criterion_group!(benches, digests, manifests, tag_listings, writes, permissions, visible_repositories);
criterion_main!(benches);

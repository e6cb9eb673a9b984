//! A server within this process, and content to push to it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use registry_core::oci::{Algorithm, Digest, NamespaceName, RepositoryName};
use registry_core::simulation::SimulatedDisk;
use registry_core::{Actor, Clock, Entropy, Error, NewUser, Principal, Registry, Settings};
use registry_server::app::{App, Options};
use registry_server::auth::setup_code::SetupCode;
use registry_server::auth::{Auth, password};
use registry_server::lanes::Lanes;
use registry_server::listener::{Endpoint, Limits};
use registry_server::server;
use registry_server::tls::Certificates;
use rustls::ClientConfig;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::client::{Connection, Request, Response};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "open-sesame";

/// When simulated registries begin: 2027-01-15T08:00:00Z.
pub(crate) const NOW_MS: u64 = 1_800_000_000_000;

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCTETS: &str = "application/octet-stream";

/// The hash of [`PASSWORD`], computed once.
pub(crate) fn password_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| password::Hasher::new().hash(PASSWORD).unwrap())
}

/// What a server is started with.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) settings: Settings,
    pub(crate) options: Options,
    pub(crate) limits: Limits,
    pub(crate) lanes: Lanes,
    pub(crate) users: &'static [&'static str],
    pub(crate) setup_code: Option<SetupCode>,
    pub(crate) disk: SimulatedDisk,
    pub(crate) clock: Clock,
    /// The server's pair, and how the test's requests trust it: over TLS, if it is there.
    pub(crate) tls: Option<(Arc<Certificates>, Arc<ClientConfig>)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            options: Options::default(),
            limits: Limits::default(),
            lanes: Lanes::default(),
            users: &["alice", "bob"],
            setup_code: None,
            disk: SimulatedDisk::new(),
            clock: Clock::manual(NOW_MS),
            tls: None,
        }
    }
}

/// A running server. It ends with the test.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) registry: Registry,
    pub(crate) clock: Clock,
    tls: Option<Arc<ClientConfig>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Server {
    /// A server with the users alice and bob, on a disk in memory and with a clock that stands.
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup::default();
        change(&mut setup);
        let (settings, clock) = (setup.settings.clone(), setup.clock.clone());
        let registry = Registry::open_simulated(&setup.disk, settings, clock, Entropy::System).unwrap();
        Self::serve(registry, setup)
    }

    /// A server on files.
    pub(crate) fn on(directory: &Path, change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup::default();
        change(&mut setup);
        Self::serve(Registry::open(directory, setup.settings.clone()).unwrap(), setup)
    }

    fn serve(registry: Registry, setup: Setup) -> Self {
        for name in setup.users {
            add_user(&registry, name);
        }
        let auth = Auth::new(&registry, setup.setup_code).unwrap();
        let (app, uploads_ended) = App::new(registry.clone(), auth, setup.lanes, setup.options);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let socket = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = socket.local_addr().unwrap();
        let (endpoint, tls) = match setup.tls {
            Some((certificates, client)) => (Endpoint::https(socket, certificates), Some(client)),
            None => (Endpoint::from(socket), None),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let stopped = async move {
                let _ = stopped.await;
            };
            runtime.block_on(server::run(endpoint, app, uploads_ended, setup.limits, stopped))
        });
        Self { address, registry, clock: setup.clock, tls, stop: Some(stop), thread: Some(thread) }
    }

    /// Tells the server to stop, as a signal does; [`Server::ended`] waits for it.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until the server has ended and its data can be opened again.
    pub(crate) fn ended(mut self) {
        self.thread.take().unwrap().join().unwrap().unwrap();
    }

    pub(crate) fn request(&self, method: &str, target: &str) -> Request {
        Request::new(self.address, method, target).over(self.tls.clone())
    }

    pub(crate) fn get(&self, target: &str) -> Request {
        self.request("GET", target)
    }

    /// Sends a request without a body as alice.
    pub(crate) fn alice(&self, method: &str, target: &str) -> Response {
        self.request(method, target).user("alice").send()
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::over(self.tls.as_ref(), self.address)
    }

    /// A token for these scopes, as a client fetches it.
    pub(crate) fn token(&self, user: Option<&str>, scopes: &[&str]) -> String {
        let query: Vec<String> = scopes.iter().map(|scope| format!("scope={scope}")).collect();
        let request = self.get(&format!("/v2/auth?service=registry.test&{}", query.join("&")));
        let request = match user {
            Some(user) => request.user(user),
            None => request,
        };
        request.send().is(200).json()["token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn principal(&self, user: &str) -> Principal {
        self.registry.account(user).unwrap().unwrap().principal
    }

    /// Makes a public repository of alice's.
    pub(crate) fn make_public(&self, name: &str) {
        let actor = Actor::User(self.principal("alice"));
        self.registry.create_repository(&actor, &repository(name), true).unwrap();
    }

    /// Pushes a blob as alice.
    pub(crate) fn push_blob(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let digest = sha256(&bytes);
        let at = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        let length = bytes.as_ref().len();
        self.request("POST", &at).user("alice").body(bytes).send().is(201);
        assert_eq!(self.alice("HEAD", &format!("/v2/{name}/blobs/{digest}")).is(200).length(), length);
        digest
    }

    /// Begins an upload as alice; gives its path.
    pub(crate) fn begin(&self, name: &str) -> String {
        let begun = self.request("POST", &format!("/v2/{name}/blobs/uploads/")).user("alice").body("").send();
        begun.is(202).header("location").unwrap().to_owned()
    }

    pub(crate) fn put_manifest(&self, name: &str, reference: &str, manifest: &str) -> Response {
        let media_type: Value = serde_json::from_str(manifest).unwrap_or_default();
        let media_type = media_type["mediaType"].as_str().unwrap_or(IMAGE);
        let put = self.request("PUT", &format!("/v2/{name}/manifests/{reference}")).user("alice");
        put.header("Content-Type", media_type).body(manifest).send()
    }

    /// Pushes a manifest as alice; gives its digest.
    pub(crate) fn push(&self, name: &str, reference: &str, manifest: &str) -> String {
        self.put_manifest(name, reference, manifest).is(201);
        sha256(manifest)
    }

    /// Pushes an image with one layer, all its own, as alice; gives the manifest.
    pub(crate) fn push_image(&self, name: &str, reference: &str, content: &str) -> String {
        let (config, layer) = (format!("config of {content}"), format!("layer of {content}"));
        self.push_blob(name, &config);
        self.push_blob(name, &layer);
        let manifest = image(&config, &[&layer]).to_string();
        self.push(name, reference, &manifest);
        manifest
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.unwrap().unwrap();
            }
        }
    }
}

impl Response {
    pub(crate) fn length(&self) -> usize {
        self.header("content-length").unwrap().parse().unwrap()
    }
}

pub(crate) fn add_user(registry: &Registry, name: &str) {
    let user = NewUser {
        name: name.parse().unwrap(),
        email: String::new(),
        password_hash: password_hash().to_owned(),
        is_superuser: false,
    };
    registry.create_user(&user).unwrap();
}

pub(crate) fn repository(name: &str) -> RepositoryName {
    let library: NamespaceName = "library".parse().unwrap();
    RepositoryName::parse(name, &library).unwrap()
}

pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Digest::of(Algorithm::Sha256, bytes.as_ref()).to_string()
}

/// What the registry keeps of a secret.
pub(crate) fn sha256_bytes(secret: &str) -> [u8; 32] {
    Digest::of(Algorithm::Sha256, secret.as_bytes()).raw().try_into().unwrap()
}

pub(crate) fn sha512(bytes: impl AsRef<[u8]>) -> String {
    Digest::of(Algorithm::Sha512, bytes.as_ref()).to_string()
}

pub(crate) fn descriptor(media_type: &str, content: &str) -> Value {
    json!({ "mediaType": media_type, "digest": sha256(content), "size": content.len() })
}

/// An image manifest of this config and these layers.
pub(crate) fn image(config: &str, layers: &[&str]) -> Value {
    let layers: Vec<Value> =
        layers.iter().map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)).collect();
    let config = descriptor("application/vnd.oci.image.config.v1+json", config);
    json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": layers })
}

/// An index of these manifests.
pub(crate) fn index(manifests: &[&str]) -> Value {
    let manifests: Vec<Value> = manifests.iter().map(|manifest| descriptor(IMAGE, manifest)).collect();
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests })
}

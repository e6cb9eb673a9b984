//! What every handler shares.

use std::sync::Arc;

use registry_core::oci::{InvalidName, NamespaceName, RepositoryName};
use registry_core::{Actor, Error, Origin as TrailOrigin, Registry, SignIn, SignInOutcome, SignInWay};
use tokio::sync::{Semaphore, mpsc};
use tokio::task_local;

use crate::admission::{Admission, AdmissionLimits, Client, Homes, Visitor};
use crate::auth::Auth;
use crate::lanes::{Lane, LaneError, Lanes};
use crate::metrics::Metrics;
use crate::origin::Origins;
use crate::outbound::Outbound;
use crate::v2::PIECE_BYTES;
use crate::wire::secret::Secret;

/// Pieces of uploads that may wait for the disk at once, together 48 MiB.
pub(crate) const UPLOAD_PIECES: usize = (48 << 20) / PIECE_BYTES;

/// What the edge itself is set to; the rules are the registry's own settings.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where names without a slash lie.
    pub library: NamespaceName,
    /// Scheme, host and addresses as clients see them.
    pub origins: Origins,
    /// Entries of a page of tags or repositories, unless fewer are asked for.
    pub page_size: usize,
    /// Whether `subject` is answered and referrers are listed.
    pub referrers_api: bool,
    /// Whether `POST /api/v1/user/initialize` exists without a one-time code (`FEATURE_USER_INITIALIZE`).
    pub user_initialize: bool,
    /// Whether people register by themselves (`FEATURE_USER_CREATION`).
    pub user_creation: bool,
    /// Whether people may change their names (`FEATURE_USER_RENAME`).
    pub user_rename: bool,
    /// Whether the session cookie may travel over TLS alone, however a client came (`SESSION_COOKIE_SECURE`).
    pub session_cookie_secure: bool,
    /// What `/api/v1` is set to.
    pub api: ApiOptions,
    /// Whether each request is logged.
    pub log_requests: bool,
    /// Who sends it as a bearer token is shown `/metrics` wherever they are.
    pub metrics_token: Option<Secret>,
    /// What may be under way at once.
    pub admission: AdmissionLimits,
    /// Whether logs can be exported (`FEATURE_LOG_EXPORT`).
    pub log_export: bool,
    /// What may be connected to (`SSRF_ALLOWED_HOSTS`).
    pub outbound: Outbound,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            library: "library".parse().expect("invariant: a plain word is a namespace"),
            origins: Origins::default(),
            page_size: 1000,
            referrers_api: true,
            user_initialize: false,
            user_creation: true,
            user_rename: false,
            session_cookie_secure: false,
            api: ApiOptions::default(),
            log_requests: false,
            metrics_token: None,
            admission: AdmissionLimits::default(),
            log_export: true,
            outbound: Outbound::default(),
        }
    }
}

/// What `/api/v1` is set to.
#[derive(Clone, Debug)]
pub struct ApiOptions {
    /// Whether a browser reads only by scripts, which send `X-Requested-With` (`BROWSER_API_CALLS_XHR_ONLY`).
    pub browser_calls_xhr_only: bool,
    /// Sites whose scripts may act for who is signed in (`CORS_ORIGIN`).
    pub cors_origins: Vec<String>,
    /// Whether people sign in with passwords of the registry's own (`FEATURE_DIRECT_LOGIN`).
    pub direct_login: bool,
    /// Whether names of users are found by their beginning (`FEATURE_PARTIAL_USER_AUTOCOMPLETE`).
    pub partial_user_autocomplete: bool,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            browser_calls_xhr_only: true,
            cors_origins: Vec::new(),
            direct_login: true,
            partial_user_autocomplete: true,
        }
    }
}

task_local! {
    /// The registry as the request calls it that is being answered: what it changes is recorded with where that came from.
    static BY_REQUEST: Registry;
}

/// The registry at the edge.
#[derive(Debug)]
pub struct App {
    /// The registry.
    pub registry: Registry,
    /// Credentials to actors.
    pub auth: Auth,
    /// Where blocking work runs.
    pub lanes: Lanes,
    /// What the edge is set to.
    pub options: Options,
    /// Who is served now and who waits.
    pub admission: Admission,
    /// Where principals have roles, for the sake of turns.
    pub homes: Homes,
    /// What is counted.
    pub metrics: Metrics,
    /// A piece of an upload holds one while it waits for the disk.
    pub upload_pieces: Arc<Semaphore>,
    /// Held by the export of logs that is being written.
    pub exporting: Arc<Semaphore>,
    /// Held by each upload under way, so that a stop can wait for them.
    pub uploading: mpsc::Sender<()>,
}

impl App {
    /// Puts the parts together. The receiver ends once `uploading` and all its clones are dropped.
    pub fn new(registry: Registry, auth: Auth, lanes: Lanes, options: Options) -> (Self, mpsc::Receiver<()>) {
        let (uploading, uploads_ended) = mpsc::channel(1);
        let upload_pieces = Arc::new(Semaphore::new(UPLOAD_PIECES));
        let admission = Admission::new(&options.admission);
        let metrics = Metrics::new(registry.now_ms());
        let exporting = Arc::new(Semaphore::new(1));
        let app = Self {
            registry,
            auth,
            lanes,
            options,
            admission,
            homes: Homes::new(),
            metrics,
            upload_pieces,
            exporting,
            uploading,
        };
        (app, uploads_ended)
    }

    /// Answers a request that came from `origin`, which the audit trail names with whatever the answer changes.
    pub(crate) async fn on_behalf_of<F: Future>(&self, origin: TrailOrigin, answer: F) -> F::Output {
        BY_REQUEST.scope(self.registry.by(origin), answer).await
    }

    /// Notes in the audit trail how a sign-in went, which waits for nothing.
    pub(crate) fn record_sign_in(&self, way: SignInWay, name: &str, outcome: SignInOutcome) {
        self.by_request().record_sign_in(&SignIn { way, name: name.to_owned(), credential: None, outcome });
    }

    /// The registry, as the request calls it that is being answered.
    pub(crate) fn by_request(&self) -> Registry {
        BY_REQUEST.try_with(Registry::clone).unwrap_or_else(|_| self.registry.clone())
    }

    /// Calls the registry on the metadata lane.
    ///
    /// # Errors
    /// Those of the call; [`Error::Unavailable`] if it panicked or the server is stopping.
    pub async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Registry) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.call_in(&self.lanes.metadata, work).await
    }

    /// Asks the registry for what costs a few rows: at once where memory answers, else on the metadata lane. Handing a
    /// call to another thread and back costs several times such a read.
    ///
    /// # Errors
    /// As [`App::call`].
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Registry) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        if self.registry.answers_from_memory() {
            question(&self.by_request())
        } else {
            self.call(question).await
        }
    }

    /// Calls the registry on the given lane.
    ///
    /// # Errors
    /// As [`App::call`].
    pub async fn call_in<T: Send + 'static>(
        &self,
        lane: &Lane,
        work: impl FnOnce(&Registry) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let registry = self.by_request();
        lane.run(move || work(&registry)).await.unwrap_or_else(|failure| Err(lane_failed(&failure)))
    }

    /// Whose places a request takes that names this repository. Nothing is decided here: where it cannot be told, the
    /// places are those of everybody.
    pub(crate) async fn visitor(
        &self,
        client: Client,
        actor: &Actor,
        repository: &RepositoryName,
    ) -> Visitor {
        let Some(principal) = actor.principal().copied() else { return client.into() };
        let (key, now_ms) = (self.homes.key(principal, repository), self.registry.now_ms());
        let namespace = match self.homes.get(key, now_ms) {
            Some(namespace) => namespace,
            None => {
                let (actor, at) = (actor.clone(), repository.clone());
                let found = self.ask(move |registry| registry.home(&actor, &at)).await.unwrap_or_default();
                self.homes.put(key, found, now_ms);
                found
            }
        };
        Visitor { namespace, principal: Some(principal.id), client }
    }

    /// The repository that a client names.
    ///
    /// # Errors
    /// [`InvalidName`].
    pub fn repository(&self, name: &str) -> Result<RepositoryName, InvalidName> {
        RepositoryName::parse(name, &self.options.library)
    }
}

/// What a client is told when a lane gave no value; the cause is for the log.
pub fn lane_failed(failure: &LaneError) -> Error {
    tracing::error!(%failure, "an operation did not end");
    Error::Unavailable
}

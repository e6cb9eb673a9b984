//! Limits on what is under way at once: who waits, who is refused, and who does not notice.

use std::net::Ipv4Addr;
use std::sync::mpsc;
use std::time::Duration;

use registry_server::admission::Bounds;
use registry_server::lanes::{Lane, Lanes};

use crate::client::{Connection, Response};
use crate::metrics::Page;
use crate::support::{Server, sha256};

const LONG: Duration = Duration::from_secs(30);

/// So many at once from all and from each, so many waiting, for so long.
fn bounds(at_once: usize, at_once_per_client: usize, waiting: usize, patience: Duration) -> Bounds {
    Bounds {
        at_once,
        at_once_per_namespace: at_once,
        at_once_per_principal: at_once,
        at_once_per_client,
        waiting,
        waiting_per_namespace: waiting,
        waiting_per_client: waiting,
        patience,
    }
}

/// Keeps a lane busy until it is dropped.
pub(crate) struct Blocked {
    _end: mpsc::Sender<()>,
    runtime: tokio::runtime::Runtime,
}

impl Blocked {
    /// Returns once nothing else runs in the lane, which takes one piece of work at a time.
    pub(crate) fn new(lane: &Lane) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (end, ended) = mpsc::channel::<()>();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let lane = lane.clone();
        runtime.spawn(async move {
            let blocking = lane.run(move || {
                begin.send(()).unwrap();
                let _ = ended.recv();
            });
            blocking.await
        });
        runtime.block_on(begun).unwrap();
        Self { _end: end, runtime }
    }

    /// Lets the lane go on.
    pub(crate) fn end(self) {
        let Self { _end: end, runtime } = self;
        drop(end);
        drop(runtime);
    }
}

/// A server in whose metadata lane one call runs at a time, and that lane.
fn with_narrow_lane(requests: Bounds) -> (Server, Lane) {
    let lane = Lane::new(1);
    let lanes = Lanes { metadata: lane.clone(), ..Lanes::default() };
    let server = Server::with(|setup| {
        setup.options.admission.requests = requests;
        setup.lanes = lanes;
    });
    server.make_public("alice/app");
    (server, lane)
}

/// A request that needs the metadata lane, sent and not waited for.
fn send_listing(server: &Server, from: Ipv4Addr) -> Connection {
    let mut connection = Connection::from(from, server.address);
    connection.send(server.get("/v2/alice/app/tags/list").bytes());
    connection
}

fn queue(page: &Page, kind: &str, queue: &str) -> f64 {
    page.value(&format!("registry_{kind}{{queue=\"{queue}\"}}"))
}

/// Waits until the page says that so many are being served and so many wait.
pub(crate) fn until(server: &Server, name: &str, running: f64, waiting: f64) {
    loop {
        let page = Page::of(server);
        if (queue(&page, "running", name), queue(&page, "waiting", name)) == (running, waiting) {
            return;
        }
    }
}

const FLOOD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

pub(crate) fn answer(connection: &mut Connection) -> Response {
    Response::read(&connection.rest(), false).unwrap()
}

#[test]
fn one_address_floods_and_another_is_served() {
    let (server, lane) = with_narrow_lane(bounds(4, 2, 100, LONG));
    let blocked = Blocked::new(&lane);
    let mut flood: Vec<Connection> = (0..20).map(|_| send_listing(&server, FLOOD)).collect();
    until(&server, "requests", 2.0, 18.0);
    let mut other = Connection::from(OTHER, server.address);
    other.send(server.get("/v2/").bytes());
    assert_eq!(answer(&mut other).status, 401, "it is answered while the flood waits");

    let mut listed = send_listing(&server, OTHER);
    until(&server, "requests", 3.0, 18.0);
    blocked.end();
    assert_eq!(answer(&mut listed).status, 200);
    assert!(flood.iter_mut().all(|connection| answer(connection).status == 200), "and so is the flood");
    until(&server, "requests", 0.0, 0.0);
}

#[test]
fn what_waits_too_long_is_refused_in_the_form_of_the_specification() {
    let (server, lane) = with_narrow_lane(bounds(1, 1, 100, Duration::from_millis(1)));
    let blocked = Blocked::new(&lane);
    let mut first = send_listing(&server, FLOOD);
    until(&server, "requests", 1.0, 0.0);
    let refused = server.get("/v2/alice/app/tags/list").send().refuses(429, "TOOMANYREQUESTS");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let put = server.request("PUT", "/v2/alice/app/manifests/v1").body(vec![b' '; 3 << 20]).send();
    put.refuses(429, "TOOMANYREQUESTS");
    let elsewhere = server.request("POST", "/api/v1/user/initialize").body("{}").send().is(429);
    assert_eq!(elsewhere.json()["message"], "too many requests at once");
    assert_eq!(elsewhere.header("retry-after"), Some("1"));

    assert_eq!(Page::of(&server).value("registry_refused_total{limit=\"requests\"}"), 3.0);
    blocked.end();
    assert_eq!(answer(&mut first).status, 200);
    server.get("/health/instance").send().is(200);
}

#[test]
fn who_goes_away_while_it_waits_leaves_its_place() {
    let (server, lane) = with_narrow_lane(bounds(1, 1, 100, LONG));
    let blocked = Blocked::new(&lane);
    let mut first = send_listing(&server, FLOOD);
    until(&server, "requests", 1.0, 0.0);
    let gone: Vec<Connection> = (0..10).map(|_| send_listing(&server, FLOOD)).collect();
    until(&server, "requests", 1.0, 10.0);
    drop(gone);
    until(&server, "requests", 1.0, 0.0);
    blocked.end();
    assert_eq!(answer(&mut first).status, 200);
}

#[test]
fn slow_readers_hold_no_place() {
    let server = Server::with(|setup| setup.options.admission.requests = bounds(1, 1, 100, LONG));
    // More than the sockets between them take in.
    let blob = server.push_blob("alice/app", vec![7; 32 << 20]);
    let path = format!("/v2/alice/app/blobs/{blob}");
    let readers: Vec<Connection> = (0..4)
        .map(|_| {
            let mut reader = server.connect();
            reader.send(server.get(&path).user("alice").bytes());
            assert!(reader.head().starts_with("HTTP/1.1 200"));
            reader
        })
        .collect();
    server.alice("HEAD", &path).is(200);
    assert_eq!(queue(&Page::of(&server), "running", "requests"), 0.0);
    drop(readers);
}

#[test]
fn an_upload_over_the_limit_waits_and_goes_on() {
    let server = Server::with(|setup| setup.options.admission.uploads = bounds(1, 1, 1, LONG));
    let at = [(); 3].map(|()| server.begin("alice/app"));
    let send = |at: &str, length: usize| {
        let mut connection = server.connect();
        let request = server.request("PATCH", at).user("alice").header("Content-Length", length);
        connection.send(request.bytes());
        connection
    };
    let mut slow = send(&at[0], 2);
    slow.send("a");
    until(&server, "uploads", 1.0, 0.0);
    let mut second = send(&at[1], 5);
    second.send("whole");
    until(&server, "uploads", 1.0, 1.0);
    server.alice("GET", "/v2/alice/app/tags/list").is(200);
    assert_eq!(queue(&Page::of(&server), "running", "requests"), 0.0, "they hold an upload's place alone");
    let third = server.request("PATCH", &at[2]).user("alice").body("refused").send();
    third.refuses(429, "TOOMANYREQUESTS");

    slow.send("b");
    assert_eq!(answer(&mut slow).status, 202);
    assert_eq!(answer(&mut second).status, 202);
    until(&server, "uploads", 0.0, 0.0);
    let digest = sha256("whole");
    server.request("PUT", &format!("{}?digest={digest}", at[1])).user("alice").body("").send().is(201);
}

#[test]
fn an_upload_that_breaks_off_leaves_its_place() {
    let server = Server::with(|setup| setup.options.admission.uploads = bounds(1, 1, 1, LONG));
    let at = server.begin("alice/app");
    let mut broken = server.connect();
    broken.send(server.request("PATCH", &at).user("alice").header("Content-Length", 2).bytes());
    broken.send("a");
    until(&server, "uploads", 1.0, 0.0);
    drop(broken);
    until(&server, "uploads", 0.0, 0.0);
}

#[test]
fn an_upload_in_one_request_that_is_refused_leaves_nothing() {
    let server =
        Server::with(|setup| setup.options.admission.uploads = bounds(1, 1, 0, Duration::from_millis(1)));
    let at = server.begin("alice/app");
    let mut slow = server.connect();
    slow.send(server.request("PATCH", &at).user("alice").header("Content-Length", 2).bytes());
    until(&server, "uploads", 1.0, 0.0);
    let whole = format!("/v2/alice/app/blobs/uploads/?digest={}", sha256("whole"));
    server.request("POST", &whole).user("alice").body("whole").send().refuses(429, "TOOMANYREQUESTS");
    assert_eq!(Page::of(&server).value("registry_open_uploads"), 1.0, "the slow one");
    slow.send("ab");
    assert_eq!(answer(&mut slow).status, 202);
}

#[test]
fn one_address_cannot_take_all_connections() {
    let server = Server::with(|setup| setup.limits.connections_per_client = 2);
    let mut idle: Vec<Connection> = (0..2).map(|_| Connection::from(OTHER, server.address)).collect();
    let mut refused = Connection::from(OTHER, server.address);
    refused.send(server.get("/health").bytes());
    assert_eq!(refused.rest(), b"", "closed without a word");
    assert_eq!(Page::of(&server).value("registry_refused_total{limit=\"connections\"}"), 1.0);

    idle[0].send(server.get("/health").bytes());
    assert_eq!(answer(&mut idle[0]).status, 200);
    drop(idle);
    // The places are free once the server has seen them go.
    loop {
        let mut again = Connection::from(OTHER, server.address);
        again.send(server.get("/health").bytes());
        if !again.rest().is_empty() {
            return;
        }
    }
}

#[test]
fn a_client_behind_a_trusted_proxy_is_the_one_that_it_names() {
    let lane = Lane::new(1);
    let server = Server::with(|setup| {
        setup.options.admission.requests = bounds(4, 1, 0, LONG);
        setup.options.origins.trusted_proxies =
            vec![registry_server::origin::AddressBlock::parse("127.0.0.1").unwrap()];
        setup.lanes = Lanes { metadata: lane.clone(), ..Lanes::default() };
    });
    server.make_public("alice/app");
    let blocked = Blocked::new(&lane);
    let listing = |client: &str| server.get("/v2/alice/app/tags/list").header("X-Forwarded-For", client);
    let mut first = server.connect();
    first.send(listing("192.0.2.1").bytes());
    until(&server, "requests", 1.0, 0.0);
    listing("192.0.2.1").send().refuses(429, "TOOMANYREQUESTS");
    server.get("/v2/").header("X-Forwarded-For", "192.0.2.2").send().is(401);
    blocked.end();
    assert_eq!(answer(&mut first).status, 200);
}

//! Facts about turns.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

const ONE: Bounds = Bounds {
    at_once: 1,
    at_once_per_namespace: 1,
    at_once_per_principal: 1,
    at_once_per_client: 1,
    waiting: 1,
    waiting_per_namespace: 1,
    waiting_per_client: 1,
    patience: Duration::from_millis(1),
};

fn client() -> Client {
    IpAddr::from(Ipv4Addr::LOCALHOST).into()
}

#[tokio::test]
async fn who_receives_a_body_leaves_its_place_to_others() {
    let admission = Admission::new(&AdmissionLimits { requests: ONE, uploads: ONE });
    let slow = admission.enter(client()).await.unwrap();
    let receiving = slow.receive().await.unwrap();
    let quick = admission.enter(client()).await.unwrap();
    assert_eq!((admission.requests().inside, admission.uploads().inside), (1, 1));
    drop(quick);
    slow.resume().await;
    drop(receiving);
    assert_eq!((admission.requests().inside, admission.uploads().inside), (1, 0));
    drop(slow);
    assert_eq!(admission.requests().inside, 0);
}

#[tokio::test]
async fn who_has_sent_its_bytes_waits_as_long_as_it_takes() {
    let admission = Admission::new(&AdmissionLimits { requests: ONE, uploads: ONE });
    let sent = admission.enter(client()).await.unwrap();
    drop(sent.receive().await.unwrap());
    let other = admission.enter(client()).await.unwrap();
    let resumed = tokio::spawn(async move {
        sent.resume().await;
        sent
    });
    while admission.requests().waiting == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(admission.enter(client()).await.unwrap_err(), Busy, "one that is new is refused meanwhile");
    drop(other);
    drop(resumed.await.unwrap());
    assert_eq!(admission.requests().inside, 0);
}

/// Somebody who asks while a thousand others do.
async fn nobody_is_refused(queue: &FairQueue, asking: usize, at_once: usize) {
    let asked: Vec<_> = (0..asking).map(|_| tokio::spawn(hold(queue.clone()))).collect();
    while queue.load().inside < at_once || queue.load().inside + queue.load().waiting < asking {
        tokio::task::yield_now().await;
    }
    assert_eq!(queue.load(), Load { inside: at_once, waiting: asking - at_once, refused: 0 });
    asked.iter().for_each(tokio::task::JoinHandle::abort);
}

async fn hold(queue: FairQueue) {
    let _slot = queue.enter(client()).await;
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_cluster_or_a_build_host_behind_one_address_is_never_refused() {
    let admission = Admission::new(&AdmissionLimits::default());
    nobody_is_refused(&admission.requests, 200 * 10, 96).await;
    nobody_is_refused(&admission.uploads, 64 * 8, 64 * 8).await;
}

#[tokio::test]
async fn who_went_in_gave_the_place_at_the_door_back() {
    let admission = Admission::new(&AdmissionLimits { requests: ONE, uploads: ONE });
    let inside = admission.enter(client()).await.unwrap().go_in(client().into()).await.unwrap();
    let at_the_door = admission.enter(client()).await.unwrap();
    assert_eq!(admission.requests(), Load { inside: 2, waiting: 0, refused: 0 });
    assert_eq!(at_the_door.go_in(client().into()).await.unwrap_err(), Busy);
    drop(inside);
    assert_eq!(admission.requests(), Load { inside: 0, waiting: 0, refused: 1 });
}

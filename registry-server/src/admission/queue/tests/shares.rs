//! Facts about namespaces, principals and clients in one queue.

use registry_core::PrincipalId;

use super::*;
use crate::admission::Branch;

/// Somebody with a role in a namespace.
fn at_home(namespace: u64, principal: u64, number: u8) -> Visitor {
    Visitor { namespace: Some(namespace), principal: Some(PrincipalId(principal)), client: client(number) }
}

fn waits_as(queue: &FairQueue, visitor: Visitor) -> Guest {
    Guest::ask_as(queue, 0, visitor).expect_err("no room")
}

/// Lets `inside` go one by one; who is let in goes at once, and the names of all are given in that order.
fn order(inside: Vec<Slot>, mut guests: Vec<(&'static str, Guest)>) -> Vec<&'static str> {
    let mut order = Vec::new();
    let mut slots = inside;
    while let Some(slot) = slots.pop() {
        drop(slot);
        while let Some(at) = guests.iter().position(|(_, guest)| guest.is_woken()) {
            let (name, mut guest) = guests.remove(at);
            let Poll::Ready(slot) = guest.poll() else { panic!("woken for nothing") };
            order.push(name);
            slots.push(slot);
        }
    }
    assert!(guests.is_empty());
    order
}

#[test]
fn namespaces_take_turns_however_many_clients_each_has() {
    let queue = FairQueue::new(Bounds { at_once: 1, waiting: 100, ..BOUNDS });
    let inside = vec![queue.try_enter(at_home(1, 1, 1)).unwrap()];
    let mut guests: Vec<_> = (0..6).map(|node| ("large", waits_as(&queue, at_home(1, 1, node)))).collect();
    guests.extend((0..2).map(|node| ("small", waits_as(&queue, at_home(2, 2, 100 + node)))));
    let expected = ["large", "small", "large", "small", "large", "large", "large", "large"];
    assert_eq!(order(inside, guests), expected);
    assert!(queue.tree().is_empty());
}

#[test]
fn strangers_share_one_turn_whatever_they_name_and_however_many_they_are() {
    let queue = FairQueue::new(Bounds { at_once: 1, waiting: 100, ..BOUNDS });
    let inside = vec![queue.try_enter(client(1)).unwrap()];
    let stranger =
        |number| Visitor { namespace: None, principal: Some(PrincipalId(number)), client: client(1) };
    let mut guests: Vec<_> =
        (0..3).map(|number| ("nobody", waits_as(&queue, client(number).into()))).collect();
    guests.extend((1..4).map(|number| ("stranger", waits_as(&queue, stranger(number)))));
    guests.extend((0..3).map(|_| ("tenant", waits_as(&queue, at_home(7, 9, 9)))));
    let order = order(inside, guests);
    let turns: Vec<_> =
        order.iter().map(|name| if *name == "tenant" { "tenant" } else { "others" }).collect();
    assert_eq!(turns[..6], ["others", "tenant", "others", "tenant", "others", "tenant"]);
}

#[test]
fn in_a_namespace_principals_take_turns_and_of_one_its_clients() {
    let queue = FairQueue::new(Bounds { at_once: 1, waiting: 100, ..BOUNDS });
    let inside = vec![queue.try_enter(client(1)).unwrap()];
    let mut guests = vec![
        ("robot on a", waits_as(&queue, at_home(1, 1, 1))),
        ("robot on a", waits_as(&queue, at_home(1, 1, 1))),
        ("robot on b", waits_as(&queue, at_home(1, 1, 2))),
    ];
    guests.push(("person", waits_as(&queue, at_home(1, 2, 3))));
    assert_eq!(order(inside, guests), ["robot on a", "person", "robot on b", "robot on a"]);
}

#[test]
fn nobody_gets_more_than_their_share() {
    let bounds = Bounds {
        at_once: 8,
        at_once_per_namespace: 5,
        at_once_per_principal: 3,
        at_once_per_client: 2,
        waiting_per_namespace: 2,
        ..BOUNDS
    };
    let queue = FairQueue::new(bounds);
    let enter = |visitor| queue.try_enter(visitor);
    let mut inside = Vec::new();
    for (visitor, room) in [
        (at_home(1, 1, 1), 2),
        (at_home(1, 1, 2), 1),
        (at_home(1, 2, 1), 2),
        (at_home(1, 3, 3), 0),
        (at_home(2, 1, 1), 2),
        (client(1).into(), 1),
    ] {
        let entered: Vec<Slot> = (0..4).map_while(|_| enter(visitor).ok()).collect();
        assert_eq!(entered.len(), room, "{visitor:?}");
        inside.extend(entered);
    }
    let _waiting = [waits_as(&queue, at_home(1, 1, 1)), waits_as(&queue, at_home(1, 3, 3))];
    assert!(
        !queue.tree().has_room_to_wait(at_home(1, 4, 4), &queue.0.bounds),
        "of the namespace enough wait"
    );
    assert!(queue.tree().has_room_to_wait(at_home(3, 4, 4), &queue.0.bounds));
}

/// A crowd of namespaces, principals and clients, so that each level meets its limit.
fn crowd(pick: usize) -> Visitor {
    let (namespace, principal, number) = (pick % 3, pick / 3 % 3, pick / 9 % 3);
    Visitor {
        namespace: (namespace > 0).then_some(namespace as u64),
        principal: (principal > 0).then_some(PrincipalId(principal as u64)),
        client: client(u8::try_from(number).unwrap()),
    }
}

proptest! {
    #[test]
    fn whoever_could_be_inside_is(moves in prop::collection::vec((0u8..5, any::<usize>()), 0..300)) {
        let bounds = Bounds {
            at_once: 6, at_once_per_namespace: 4, at_once_per_principal: 3, at_once_per_client: 2, ..BOUNDS
        };
        let queue = FairQueue::new(bounds.clone());
        let mut inside: Vec<(Visitor, Slot)> = Vec::new();
        let mut waiting: Vec<(Visitor, Guest)> = Vec::new();
        for (kind, pick) in moves {
            match kind {
                0..=2 => match Guest::ask_as(&queue, 0, crowd(pick)) {
                    Ok(slot) => inside.push((crowd(pick), slot)),
                    Err(guest) => waiting.push((crowd(pick), guest)),
                },
                3 if !inside.is_empty() => drop(inside.swap_remove(pick % inside.len())),
                4 if !waiting.is_empty() => drop(waiting.remove(pick % waiting.len())),
                _ => {}
            }
            while let Some(at) = waiting.iter().position(|(_, guest)| guest.is_woken()) {
                let (visitor, mut guest) = waiting.remove(at);
                let Poll::Ready(slot) = guest.poll() else { panic!("woken for nothing") };
                inside.push((visitor, slot));
            }
            let count = |path: &[Branch]| inside.iter().filter(|(who, _)| who.path().starts_with(path)).count();
            let most = [bounds.at_once, bounds.at_once_per_namespace, bounds.at_once_per_principal, bounds.at_once_per_client];
            let limit = |path: &[Branch]| match path.last() {
                Some(Branch::Nobody) => bounds.at_once,
                _ => most[path.len()],
            };
            for (visitor, _) in &inside {
                for level in 0..=3 {
                    let path = &visitor.path()[..level];
                    prop_assert!(count(path) <= limit(path));
                }
            }
            for (visitor, _) in &waiting {
                let is_full = (0..=3).any(|level| count(&visitor.path()[..level]) >= limit(&visitor.path()[..level]));
                prop_assert!(is_full, "{visitor:?} waits and could be inside");
            }
            let load = queue.load();
            prop_assert_eq!((load.inside, load.waiting), (inside.len(), waiting.len()));
        }
        waiting.clear();
        inside.clear();
        prop_assert!(queue.tree().is_empty());
    }
}

//! Organizations with their teams, robots, grants and default permissions, through the operations.

use registry_core::oci::NamespaceName;
use registry_core::{
    Action, Actor, Error, EventQuery, EventScope, NamespaceAction, NewPrototype, NewRobot, Principal,
    RobotToken, Role, Settings, TeamRole, To,
};

use crate::support::{OWNER, Site, name};

fn org(name: &str) -> NamespaceName {
    name.parse().unwrap()
}

/// A registry with the organization `acme`, which alice administers, and a repository of it.
fn site() -> (Site, Actor) {
    site_with(Settings::default())
}

fn site_with(settings: Settings) -> (Site, Actor) {
    let site = Site::with(settings);
    let alice = site.user("alice");
    site.registry.create_organization(&alice, &org("acme"), "acme@lab.test").unwrap();
    site.registry.create_repository(&alice, &name("acme/app"), false).unwrap();
    site.push("acme/app", "v1", &["layer"]);
    (site, alice)
}

/// Makes a team with one member.
fn team(site: &Site, alice: &Actor, team: &str, role: TeamRole, member: &str) {
    site.registry.put_team(alice, &org("acme"), &org(team), role, None).unwrap();
    site.registry.add_team_member(alice, &org("acme"), team, member).unwrap();
}

fn robot(site: &Site, by: &Actor, namespace: &str, short: &str, is_usable_elsewhere: bool) -> Actor {
    let new = NewRobot {
        short_name: org(short),
        description: String::new(),
        metadata: String::new(),
        is_usable_elsewhere,
        token: RobotToken { nonce: [1; 16], hash: [2; 32] },
        limits: Default::default(),
    };
    site.registry.create_robot(by, &org(namespace), &new).unwrap();
    signed_in(site, &format!("{namespace}+{short}"))
}

fn signed_in(site: &Site, name: &str) -> Actor {
    Actor::User(site.registry.account(name).unwrap().unwrap().principal)
}

/// What an actor may do in `acme/app`, one letter for each action.
fn rights(site: &Site, actor: &Actor) -> String {
    let letters = [
        (Action::Pull, 'r'),
        (Action::Push, 'w'),
        (Action::Delete, 'd'),
        (Action::Describe, 's'),
        (Action::Administer, 'a'),
    ];
    let may = letters.iter().filter(|(action, _)| site.registry.may(actor, &name("acme/app"), *action));
    may.map(|(_, letter)| *letter).collect()
}

#[test]
fn a_team_brings_what_its_role_and_its_grants_say() {
    let (site, alice) = site();
    for (role, granted, expected, may_create) in [
        (TeamRole::Member, None, "", false),
        (TeamRole::Member, Some(Role::Read), "r", false),
        (TeamRole::Member, Some(Role::Write), "rwds", false),
        (TeamRole::Member, Some(Role::Admin), "rwdsa", false),
        (TeamRole::Creator, None, "", true),
        (TeamRole::Creator, Some(Role::Read), "r", true),
        (TeamRole::Admin, None, "rwdsa", true),
    ] {
        let user = format!("user-{role:?}-{}", granted.map_or("none".into(), |role| format!("{role:?}")));
        let user = user.to_lowercase();
        let actor = site.user(&user);
        team(&site, &alice, &user, role, &user);
        if let Some(granted) = granted {
            site.registry.grant(&alice, &name("acme/app"), To::Team(&user), granted).unwrap();
        }
        assert_eq!(rights(&site, &actor), expected, "{user}");
        let made = site.registry.create_repository(&actor, &name(&format!("acme/{user}")), false);
        assert_eq!(made.is_ok(), may_create, "{user}: {made:?}");
    }
    assert_eq!(rights(&site, &alice), "rwdsa");
    site.settle();
}

#[test]
fn the_highest_of_several_grants_counts_and_a_change_counts_at_once() {
    let (site, alice) = site();
    let bob = site.user("bob");
    let app = name("acme/app");
    team(&site, &alice, "devs", TeamRole::Member, "bob");
    site.registry.grant(&alice, &app, To::Principal("bob"), Role::Read).unwrap();
    site.registry.grant(&alice, &app, To::Team("devs"), Role::Write).unwrap();
    assert_eq!(rights(&site, &bob), "rwds");
    let transitive = site.registry.transitive_roles(&alice, &app, "bob").unwrap();
    assert_eq!(transitive, [Role::Read, Role::Write]);
    site.registry.remove_team_member(&alice, &org("acme"), "devs", "bob").unwrap();
    assert_eq!(rights(&site, &bob), "r");
    site.registry.revoke(&alice, &app, To::Principal("bob")).unwrap();
    assert_eq!(rights(&site, &bob), "");
    let again = site.registry.revoke(&alice, &app, To::Principal("bob"));
    assert!(matches!(again, Err(Error::GrantUnknown(_))), "{again:?}");
    site.settle();
}

#[test]
fn a_grant_is_found_among_very_many() {
    let (site, alice) = site();
    for number in 0..70 {
        let user = format!("user{number}");
        site.user(&user);
        site.registry.grant(&alice, &name("acme/app"), To::Principal(&user), Role::Read).unwrap();
    }
    let last = site.user("last");
    team(&site, &alice, "devs", TeamRole::Member, "last");
    site.registry.grant(&alice, &name("acme/app"), To::Team("devs"), Role::Write).unwrap();
    assert_eq!(rights(&site, &last), "rwds");
    assert_eq!(rights(&site, &signed_in(&site, "user69")), "r");
}

#[test]
fn a_member_of_very_many_teams_is_removed_in_steps_and_once() {
    let (site, alice) = site();
    let bob = site.user("bob");
    for number in 0..230 {
        team(&site, &alice, &format!("team{number}"), TeamRole::Member, "bob");
    }
    site.registry.remove_member(&alice, &org("acme"), "bob").unwrap();
    assert_eq!(site.registry.organizations_of(&bob).unwrap(), Vec::<String>::new());
    let events = site.registry.every_event().unwrap();
    assert_eq!(events.iter().filter(|event| event.contains("org_remove_team_member")).count(), 1);
    site.settle();
}

#[test]
fn an_organization_keeps_an_administrator() {
    let (site, alice) = site();
    let registry = &site.registry;
    let refused = [
        registry.remove_team_member(&alice, &org("acme"), "owners", "alice"),
        registry.delete_team(&alice, &org("acme"), "owners"),
        registry.remove_member(&alice, &org("acme"), "alice"),
        registry.put_team(&alice, &org("acme"), &org("owners"), TeamRole::Creator, None).map(drop),
    ];
    for answer in refused {
        assert!(matches!(answer, Err(Error::LastAdministrator)), "{answer:?}");
    }
    site.user("bob");
    team(&site, &alice, "chiefs", TeamRole::Admin, "bob");
    registry.remove_member(&alice, &org("acme"), "alice").unwrap();
    assert_eq!(rights(&site, &alice), "", "what she was granted for creating it went as well");
    assert_eq!(rights(&site, &signed_in(&site, "bob")), "rwdsa");
    site.settle();
}

#[test]
fn who_leaves_keeps_nothing_but_what_others_own() {
    let (site, alice) = site();
    let bob = site.user("bob");
    team(&site, &alice, "devs", TeamRole::Creator, "bob");
    for number in 0..250 {
        let at = name(&format!("acme/of-bob-{number}"));
        site.registry.create_repository(&bob, &at, false).unwrap();
    }
    assert!(site.registry.may(&bob, &name("acme/of-bob-0"), Action::Administer));
    site.registry.remove_member(&alice, &org("acme"), "bob").unwrap();
    let left = site.registry.repositories(&bob, &org("acme"), None, 10).unwrap();
    assert_eq!(left.repositories, []);
    assert_eq!(site.registry.organizations_of(&bob).unwrap(), Vec::<String>::new());
    site.settle();
}

#[test]
fn robots_are_granted_roles_in_their_own_namespace_and_elsewhere_only_if_marked() {
    let (site, alice) = site();
    let bob = site.user("bob");
    site.registry.create_organization(&bob, &org("other"), "").unwrap();
    let app = name("acme/app");
    let own = robot(&site, &alice, "acme", "builder", false);
    robot(&site, &bob, "other", "secret", false);
    let shared = robot(&site, &bob, "other", "puller", true);
    site.registry.grant(&alice, &app, To::Principal("acme+builder"), Role::Write).unwrap();
    let refused = site.registry.grant(&alice, &app, To::Principal("other+secret"), Role::Read);
    let missing = site.registry.grant(&alice, &app, To::Principal("other+ghost"), Role::Read);
    let told = |answer: Result<_, Error>, name: &str| answer.unwrap_err().to_string().replace(name, "*");
    assert_eq!(told(refused, "other+secret"), told(missing, "other+ghost"));
    site.registry.grant(&alice, &app, To::Principal("other+puller"), Role::Read).unwrap();
    assert_eq!(rights(&site, &own), "rwds");
    assert_eq!(rights(&site, &shared), "r");
    let listed = site.registry.permissions(&alice, &app).unwrap();
    let listed: Vec<_> = listed.into_iter().map(|to| (to.name, to.is_robot, to.is_member)).collect();
    assert_eq!(
        listed,
        [
            ("acme+builder".into(), true, true),
            ("alice".into(), false, true),
            ("other+puller".into(), true, false)
        ]
    );
    site.registry.delete_robot(&alice, &org("acme"), "builder").unwrap();
    let after = site.registry.manifest(&own, &app, &"v1".parse().unwrap());
    assert!(matches!(after, Err(Error::CredentialRevoked)), "{after:?}");
    site.settle();
}

#[test]
fn a_new_token_ends_the_old_one_at_once_and_a_disabled_owner_all_of_them() {
    let (site, alice) = site();
    let mine = robot(&site, &alice, "alice", "ci", false);
    let token = RobotToken { nonce: [7; 16], hash: [8; 32] };
    assert!(site.registry.check_actor(&mine).is_ok());
    site.registry.set_robot_token(&alice, &org("alice"), "ci", &token).unwrap();
    assert!(matches!(site.registry.check_actor(&mine), Err(Error::CredentialRevoked)));
    let account = site.registry.account("alice+ci").unwrap().unwrap();
    assert_eq!(account.token_hash.as_deref(), Some(&[8; 32][..]));
    let Actor::User(Principal { id, .. }) = alice else { unreachable!() };
    site.registry.set_disabled(id, true).unwrap();
    assert!(matches!(
        site.registry.check_actor(&Actor::User(account.principal)),
        Err(Error::CredentialRevoked)
    ));
    assert!(site.registry.account("alice+ci").unwrap().unwrap().is_disabled);
}

#[test]
fn only_administrators_see_what_tokens_are_made_of() {
    let (site, alice) = site_with(Settings { readers: ["reader".to_owned()].into(), ..Settings::default() });
    let (reader, member, stranger) = (site.user("reader"), site.user("bob"), site.user("eve"));
    team(&site, &alice, "devs", TeamRole::Member, "bob");
    robot(&site, &alice, "acme", "builder", false);
    let shown = |actor: &Actor| {
        let robots = site.registry.robots(actor, &org("acme"));
        robots.map(|robots| robots.iter().map(|robot| robot.nonce.is_some()).collect::<Vec<_>>())
    };
    assert_eq!(shown(&alice).unwrap(), [true]);
    assert_eq!(shown(&member).unwrap(), [false]);
    assert_eq!(shown(&reader).unwrap(), [false]);
    let refused = shown(&stranger);
    assert!(
        matches!(refused, Err(Error::DeniedInNamespace { action: NamespaceAction::Look, .. })),
        "{refused:?}"
    );
    assert_eq!(site.registry.robot(&reader, &org("acme"), "builder").unwrap().nonce, None);
}

#[test]
fn default_permissions_apply_to_what_is_created_later_and_to_nothing_else() {
    let (site, alice) = site();
    let (bob, carol) = (site.user("bob"), site.user("carol"));
    team(&site, &alice, "devs", TeamRole::Creator, "bob");
    let prototype = |activating, delegate, role| {
        let new = NewPrototype { activating, delegate, role };
        site.registry.create_prototype(&alice, &org("acme"), &new).unwrap()
    };
    prototype(None, To::Principal("carol"), Role::Write);
    prototype(Some("bob"), To::Principal("carol"), Role::Read);
    prototype(None, To::Team("devs"), Role::Read);
    prototype(None, To::Principal("bob"), Role::Read);
    site.registry.create_repository(&bob, &name("acme/of-bob"), false).unwrap();
    site.registry.create_repository(&alice, &name("acme/of-alice"), false).unwrap();
    let may = |actor: &Actor, at: &str, action| site.registry.may(actor, &name(at), action);
    assert!(!may(&carol, "acme/app", Action::Pull), "it was there before");
    assert!(may(&carol, "acme/of-bob", Action::Pull));
    assert!(!may(&carol, "acme/of-bob", Action::Push), "the one for bob beats the general one");
    assert!(may(&carol, "acme/of-alice", Action::Push));
    assert!(may(&bob, "acme/of-bob", Action::Administer), "who creates it administers it");
    assert!(may(&bob, "acme/of-alice", Action::Pull));
    site.settle();
}

#[test]
fn a_repository_that_is_read_only_takes_nothing_from_anybody() {
    let (site, alice) = site();
    let superuser = site.user("root");
    site.registry.set_read_only(&alice, &name("acme/app"), true).unwrap();
    assert_eq!(rights(&site, &alice), "rsa");
    assert_eq!(rights(&site, &OWNER), "rsa");
    assert_eq!(rights(&site, &superuser), "");
    site.registry.set_read_only(&alice, &name("acme/app"), false).unwrap();
    assert_eq!(rights(&site, &alice), "rwdsa");
}

#[test]
fn a_restricted_user_works_in_organizations_and_not_at_home() {
    let (site, alice) = site_with(Settings {
        users_are_restricted: true,
        unrestricted_users: ["alice".to_owned()].into(),
        ..Settings::default()
    });
    let bob = site.user("bob");
    team(&site, &alice, "devs", TeamRole::Creator, "bob");
    site.registry.create_repository(&bob, &name("acme/of-bob"), false).unwrap();
    let home = site.registry.create_repository(&bob, &name("bob/app"), false);
    assert!(matches!(home, Err(Error::Denied { .. })), "{home:?}");
    let founded = site.registry.create_organization(&bob, &org("bobs"), "");
    assert!(matches!(founded, Err(Error::DeniedInNamespace { .. })), "{founded:?}");
    let new = NewRobot {
        short_name: org("ci"),
        description: String::new(),
        metadata: String::new(),
        is_usable_elsewhere: false,
        token: RobotToken { nonce: [1; 16], hash: [2; 32] },
        limits: Default::default(),
    };
    let made = site.registry.create_robot(&bob, &org("bob"), &new);
    assert!(matches!(made, Err(Error::RobotsRefused)), "{made:?}");
}

#[test]
fn a_named_reader_pulls_everything_and_changes_nothing_of_others() {
    let (site, _) = site_with(Settings {
        readers: ["robots+automation".to_owned()].into(),
        superusers: ["robots+automation".to_owned()].into(),
        superusers_have_full_access: true,
        ..Settings::default()
    });
    site.registry.create_organization(&OWNER, &org("robots"), "").unwrap();
    let automation = robot(&site, &OWNER, "robots", "automation", false);
    assert_eq!(rights(&site, &automation), "r");
    assert!(!site.registry.may(&automation, &name("acme/new"), Action::Push));
}

#[test]
fn listings_hold_what_was_granted_and_no_more() {
    let (site, alice) = site();
    let (bob, stranger) = (site.user("bob"), site.user("eve"));
    for (at, is_public) in [("acme/private", false), ("acme/public", true), ("acme/shared", false)] {
        site.registry.create_repository(&alice, &name(at), is_public).unwrap();
        site.push(at, "v1", &["layer"]);
    }
    site.registry.grant(&alice, &name("acme/shared"), To::Principal("bob"), Role::Read).unwrap();
    let listed = |actor: &Actor| {
        let page = site.registry.repositories(actor, &org("acme"), None, 10).unwrap();
        page.repositories.into_iter().map(|row| row.path).collect::<Vec<_>>()
    };
    assert_eq!(listed(&alice), ["app", "private", "public", "shared"]);
    assert_eq!(listed(&bob), ["public", "shared"]);
    assert_eq!(listed(&stranger), ["public"]);
    assert_eq!(listed(&Actor::Anonymous), ["public"]);
    let catalog = |actor: &Actor| site.registry.catalog(actor, None, 10).unwrap().repositories;
    assert_eq!(catalog(&bob), ["acme/shared"]);
    site.registry.set_public(&alice, &name("acme/public"), false).unwrap();
    assert_eq!(listed(&stranger), Vec::<String>::new());
    let first = site.registry.repositories(&alice, &org("acme"), Some("app"), 2).unwrap();
    assert_eq!((first.repositories.len(), first.has_more), (2, true));
    site.settle();
}

#[test]
fn strangers_learn_that_an_organization_exists_and_nothing_of_it() {
    let (site, alice) = site();
    let (bob, eve) = (site.user("bob"), site.user("eve"));
    team(&site, &alice, "devs", TeamRole::Member, "bob");
    let seen = |actor: &Actor| site.registry.organization(actor, &org("acme")).unwrap();
    let teams = |actor: &Actor| {
        seen(actor).teams.into_iter().map(|team| (team.name, team.can_view)).collect::<Vec<_>>()
    };
    assert_eq!(teams(&alice), [("devs".into(), true), ("owners".into(), true)]);
    assert_eq!(teams(&bob), [("devs".into(), true), ("owners".into(), false)]);
    assert_eq!(teams(&eve), []);
    assert_eq!((seen(&alice).email, seen(&bob).email), ("acme@lab.test".into(), String::new()));
    let members = |actor: &Actor, team: &str| site.registry.team_members(actor, &org("acme"), team);
    assert_eq!(members(&bob, "devs").unwrap().members.len(), 1);
    let own = members(&bob, "owners").unwrap_err().to_string();
    assert_eq!(own, members(&bob, "ghosts").unwrap_err().to_string());
    assert_eq!(own, members(&eve, "devs").unwrap_err().to_string());
    let unknown = site.registry.organization(&alice, &org("alice"));
    assert!(matches!(unknown, Err(Error::NamespaceUnknown(_))), "{unknown:?}");
}

#[test]
fn every_change_leaves_its_event_and_what_is_refused_leaves_none() {
    let (site, alice) = site();
    let registry = &site.registry;
    let app = name("acme/app");
    let stranger = site.user("bob");
    team(&site, &alice, "devs", TeamRole::Member, "bob");
    robot(&site, &alice, "acme", "ci", false);
    let token = RobotToken { nonce: [3; 16], hash: [4; 32] };
    registry.set_robot_token(&alice, &org("acme"), "ci", &token).unwrap();
    registry.grant(&alice, &app, To::Team("devs"), Role::Write).unwrap();
    registry.revoke(&alice, &app, To::Team("devs")).unwrap();
    registry.set_public(&alice, &app, true).unwrap();
    registry.set_read_only(&alice, &app, true).unwrap();
    registry.set_description(&alice, &app, "an app").unwrap();
    let new = NewPrototype { activating: None, delegate: To::Team("devs"), role: Role::Read };
    let prototype = registry.create_prototype(&alice, &org("acme"), &new).unwrap();
    registry.set_prototype_role(&alice, &org("acme"), prototype.id, Role::Write).unwrap();
    registry.delete_prototype(&alice, &org("acme"), prototype.id).unwrap();
    registry.change_organization(&alice, &org("acme"), Some("new@lab.test"), &[]).unwrap();
    registry.remove_team_member(&alice, &org("acme"), "devs", "bob").unwrap();
    registry.delete_robot(&alice, &org("acme"), "ci").unwrap();
    registry.delete_team(&alice, &org("acme"), "devs").unwrap();
    registry.set_public(&stranger, &app, false).unwrap_err();
    registry.put_team(&stranger, &org("acme"), &org("x"), TeamRole::Admin, None).unwrap_err();
    registry.run_background().unwrap();
    let query = EventQuery {
        scope: EventScope::Namespace(org("acme")),
        performer: Some("alice".into()),
        from_ms: 0,
        until_ms: u64::MAX,
    };
    let mut kinds: Vec<String> = Vec::new();
    let mut cursor = None;
    loop {
        let page = registry.events(&query, cursor, 5).unwrap();
        kinds.extend(page.events.iter().map(|event| event.kind.clone()));
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    kinds.sort_unstable();
    assert_eq!(
        kinds.join(" "),
        "change_repo_permission change_repo_state change_repo_visibility create_prototype_permission create_repo \
         create_robot delete_prototype_permission delete_repo_permission delete_robot modify_prototype_permission \
         org_add_team_member org_change_email org_create org_create_team org_delete_team org_remove_team_member \
         regenerate_robot_token set_repo_description"
    );
    site.settle();
}

#[test]
fn what_a_robot_did_is_found_by_its_name() {
    let (site, alice) = site();
    let ci = robot(&site, &alice, "acme", "ci", false);
    site.registry.grant(&alice, &name("acme/app"), To::Principal("acme+ci"), Role::Write).unwrap();
    site.put_as(&ci, "acme/app", "v2", &crate::support::image(&["layer"])).unwrap();
    site.registry.run_background().unwrap();
    let by = |performer: &str| {
        let scope = EventScope::Namespace(org("acme"));
        let query = EventQuery { scope, performer: Some(performer.into()), from_ms: 0, until_ms: u64::MAX };
        let page = site.registry.events(&query, None, 10).unwrap();
        page.events.into_iter().map(|event| event.kind).collect::<Vec<_>>()
    };
    assert_eq!(by("acme+ci"), ["push_repo"]);
    assert_eq!(by("acme+ghost"), Vec::<String>::new());
}

//! Credentials that are narrower than their principal: tokens with scopes, app-specific tokens, limited robots and jobs.

use std::sync::Arc;

use registry_core::oci::NamespaceName;
use registry_core::{
    AccountAction, AccountChange, Action, Actor, AddressBlock, ApplicationDetails, Authorization, Credential,
    Error, Globs, Job, KeptSecret, NewRobot, NewToken, NewUser, Origin, Principal, RobotLimits, RobotToken,
    Role, Scopes, Settings, To, TokenId,
};

use crate::support::{OWNER, Site, image, name};

const HOUR_MS: u64 = 60 * 60 * 1000;

fn acme() -> NamespaceName {
    "acme".parse().unwrap()
}

fn kept(seed: u8) -> KeptSecret {
    KeptSecret { nonce: [seed; 16], hash: [seed; 32] }
}

fn globs(patterns: &[&str]) -> Globs {
    Globs::new(patterns.iter().map(|pattern| (*pattern).to_owned())).unwrap()
}

/// A site where alice owns the organization acme with the application `app`, and repositories of acme's and of her own.
fn site(settings: Settings) -> (Site, Actor) {
    let site = Site::with(settings);
    let alice = site.user("alice");
    site.registry.create_organization(&alice, &acme(), "").unwrap();
    let details = ApplicationDetails { name: "app".into(), ..ApplicationDetails::default() };
    site.registry.create_application(&alice, &acme(), "client", &details, &kept(1)).unwrap();
    for at in ["acme/app", "acme/lib", "alice/own"] {
        site.push(at, "v1", &[at]);
    }
    (site, alice)
}

fn try_token(site: &Site, by: &Actor, scopes: &str, seed: u8) -> Result<TokenId, Error> {
    let scopes: Scopes = scopes.parse().unwrap();
    let new = NewToken { title: "t".into(), scopes, hash: [seed; 32], lifetime_ms: HOUR_MS };
    Ok(site.registry.create_application_token(by, &acme(), "client", &new)?.id)
}

/// Whoever sends the token that was made with this seed.
fn holder(site: &Site, seed: u8) -> Option<Actor> {
    site.registry.token_holder([seed; 32]).unwrap().map(|holder| holder.actor)
}

fn token(site: &Site, by: &Actor, scopes: &str, seed: u8) -> Actor {
    try_token(site, by, scopes, seed).unwrap();
    holder(site, seed).unwrap()
}

fn listed(site: &Site, actor: &Actor) -> Vec<String> {
    site.registry.catalog(actor, None, 100).unwrap().repositories
}

#[test]
fn a_token_does_what_its_scopes_say_and_lists_no_more() {
    let (site, alice) = site(Settings::default());
    let app = name("acme/app");
    let may = |actor: &Actor, action| site.registry.may(actor, &app, action);
    let read = token(&site, &alice, "repo:read", 10);
    assert!(may(&read, Action::Pull) && !may(&read, Action::Push) && !may(&read, Action::Administer));
    assert_eq!(listed(&site, &read), ["acme/app", "acme/lib", "alice/own"]);
    assert!(matches!(site.try_upload(&read, "acme/app", b"x"), Err(Error::Denied { .. })));
    let account = token(&site, &alice, "user:read", 11);
    assert!(!may(&account, Action::Pull));
    assert_eq!(listed(&site, &account), [""; 0]);
    assert!(site.registry.repositories(&account, &acme(), None, 9).unwrap().repositories.is_empty());
    let create = token(&site, &alice, "repo:create", 12);
    site.registry.create_repository(&create, &name("acme/new"), false).unwrap();
    assert!(matches!(site.put_as(&create, "acme/newer", "v1", &image(&[])), Err(Error::Denied { .. })));
    assert!(!may(&create, Action::Pull));
    site.settle();
}

#[test]
fn only_the_scope_for_it_carries_power_over_organizations_and_the_account() {
    let (site, alice) = site(Settings::default());
    let by = |scopes, seed| token(&site, &alice, scopes, seed);
    let (org, user, repo) = (by("org:admin", 10), by("user:admin", 11), by("repo:admin", 12));
    let set = |actor: &Actor| site.registry.change_organization(actor, &acme(), Some("a@lab.test"), &[]);
    set(&org).unwrap();
    assert!(matches!(set(&user), Err(Error::DeniedInNamespace { .. })));
    assert!(matches!(set(&repo), Err(Error::DeniedInNamespace { .. })));
    let robots_at_home = |actor: &Actor| site.registry.robots(actor, &"alice".parse().unwrap());
    robots_at_home(&user).unwrap();
    assert!(matches!(robots_at_home(&org), Err(Error::DeniedInNamespace { .. })));
    let password = AccountChange { password_hash: Some("taken".into()), ..AccountChange::default() };
    assert!(matches!(site.registry.change_account(&user, None, &password), Err(Error::NotForCredential)));
    assert!(matches!(site.registry.create_app_token(&user, "t", &kept(9)), Err(Error::NotForCredential)));
    let change = AccountChange { email: Some("b@lab.test".into()), ..AccountChange::default() };
    site.registry.change_account(&user, None, &change).unwrap();
    assert!(matches!(site.registry.change_account(&org, None, &change), Err(Error::NotForCredential)));
    let found =
        |actor: &Actor, org: &str| site.registry.create_organization(actor, &org.parse().unwrap(), "");
    assert!(matches!(found(&repo, "mine"), Err(Error::DeniedInNamespace { .. })));
    found(&user, "mine").unwrap();
    assert!(site.registry.organizations_of(&repo).unwrap().is_empty());
    assert!(!site.registry.organization(&repo, &acme()).unwrap().is_member);
}

#[test]
fn a_token_makes_no_token_that_carries_more_than_itself() {
    let settings = Settings { superusers: ["alice".to_owned()].into(), ..Settings::default() };
    let (site, alice) = site(settings);
    let org = token(&site, &alice, "org:admin repo:write", 10);
    try_token(&site, &org, "repo:read repo:create", 11).unwrap();
    for wider in ["repo:admin", "user:read", "super:user", "repo:read super:user"] {
        assert!(matches!(try_token(&site, &org, wider, 12), Err(Error::NotForCredential)), "{wider}");
    }
    try_token(&site, &alice, "super:user", 13).unwrap();
    let bob = site.user("bob");
    site.registry.add_team_member(&alice, &acme(), "owners", "bob").unwrap();
    assert!(matches!(try_token(&site, &bob, "super:user", 14), Err(Error::NotForCredential)));
    try_token(&site, &bob, "org:admin", 14).unwrap();
    let asked = Authorization {
        client_id: "client".into(),
        redirect_uri: String::new(),
        is_local: true,
        scopes: Scopes::ALL,
    };
    assert!(matches!(site.registry.authorize(&org, &asked, [20; 32], HOUR_MS), Err(Error::NotForCredential)));
}

#[test]
fn a_superusers_token_has_no_power_without_the_scope() {
    let settings = Settings {
        superusers: ["alice".to_owned()].into(),
        superusers_have_full_access: true,
        users_are_restricted: true,
        ..Settings::default()
    };
    let (site, alice) = site(settings);
    site.user("carol");
    site.push("carol/secret", "v1", &["s"]);
    let secret = name("carol/secret");
    assert!(site.registry.may(&alice, &secret, Action::Administer));
    let plain = token(&site, &alice, "repo:admin repo:create org:admin user:admin", 10);
    assert!(!site.registry.may(&plain, &secret, Action::Pull));
    assert!(matches!(
        site.registry.create_repository(&plain, &name("carol/new"), false),
        Err(Error::Denied { .. })
    ));
    assert!(!site.registry.token_holder([10; 32]).unwrap().unwrap().account.is_superuser);
    assert!(matches!(
        site.registry.create_repository(&plain, &name("alice/new"), false),
        Err(Error::Denied { .. })
    ));
    site.registry.create_repository(&alice, &name("alice/new"), false).unwrap();
    let power = token(&site, &alice, "super:user", 11);
    assert!(site.registry.may(&power, &secret, Action::Administer));
}

#[test]
fn revoking_expiry_and_disabling_end_a_token_but_a_new_password_does_not() {
    let (site, alice) = site(Settings::default());
    let (app, id) = (name("acme/app"), try_token(&site, &alice, "repo:write", 10).unwrap());
    let actor = holder(&site, 10).unwrap();
    let upload = site.registry.start_upload(&actor, &app, None).unwrap();
    let mut writer = site.registry.open_upload(&actor, &app, upload).unwrap();
    writer.append(b"bytes").unwrap();
    let owner = alice.principal().unwrap().id;
    site.registry.set_password(owner, "other").unwrap();
    assert!(site.registry.check_actor(&actor).is_ok());
    site.registry.set_disabled(owner, true).unwrap();
    assert!(holder(&site, 10).is_none() && site.registry.check_actor(&actor).is_err());
    site.registry.set_disabled(owner, false).unwrap();
    let alice = Actor::User(site.registry.account("alice").unwrap().unwrap().principal);
    site.registry.revoke_application_token(&alice, &acme(), "client", id).unwrap();
    assert!(matches!(writer.finish(&crate::support::digest(b"bytes")), Err(Error::CredentialRevoked)));
    assert!(matches!(site.registry.check_actor(&actor), Err(Error::CredentialRevoked)));
    let late = token(&site, &alice, "repo:read", 11);
    site.clock.advance_ms(HOUR_MS);
    assert!(holder(&site, 11).is_none());
    site.settle();
    assert!(site.registry.check_actor(&late).is_err(), "the background removed it");
    assert!(site.registry.application_tokens(&alice, &acme(), "client", None, 9).unwrap().0.is_empty());
}

#[test]
fn an_application_takes_its_tokens_along_however_many_and_has_no_more_than_it_may() {
    let settings = Settings { application_tokens_max: Some(250), ..Settings::default() };
    let (site, alice) = site(settings);
    for seed in 0..250u32 {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&seed.to_be_bytes());
        let scopes = "repo:read".parse().unwrap();
        let new = NewToken { title: String::new(), scopes, hash, lifetime_ms: HOUR_MS };
        site.registry.create_application_token(&alice, &acme(), "client", &new).unwrap();
    }
    assert!(matches!(try_token(&site, &alice, "repo:read", 99), Err(Error::TooMany(_))));
    let actor = site.registry.token_holder([0; 32]).unwrap().unwrap().actor;
    site.registry.delete_application(&alice, &acme(), "client").unwrap();
    assert!(site.registry.check_actor(&actor).is_err());
    assert!(matches!(try_token(&site, &alice, "repo:read", 99), Err(Error::ApplicationUnknown(_))));
    site.settle();
}

#[test]
fn a_code_is_good_once_for_its_application_and_address() {
    let (site, alice) = site(Settings::default());
    let details = ApplicationDetails { redirect_uri: "https://ci.lab/".into(), ..Default::default() };
    site.registry.change_application(&alice, &acme(), "client", &details).unwrap();
    let asked = |redirect_uri: &str| Authorization {
        client_id: "client".into(),
        redirect_uri: redirect_uri.into(),
        is_local: false,
        scopes: "repo:read".parse().unwrap(),
    };
    let wrong = site.registry.authorize_by_code(&alice, &asked("https://evil.test/"), [7; 32]);
    assert!(matches!(wrong, Err(Error::RedirectRefused)));
    let redeem =
        |uri: &str, code| site.registry.redeem_code("client", uri, [code; 32], [code + 50; 32], HOUR_MS);
    for code in [7, 8, 9] {
        site.registry.authorize_by_code(&alice, &asked("https://ci.lab/cb"), [code; 32]).unwrap();
    }
    assert!(redeem("https://ci.lab/other", 8).is_err());
    assert!(redeem("https://ci.lab/cb", 8).is_err(), "it was tried");
    assert_eq!(redeem("https://ci.lab/cb", 7).unwrap().scopes.to_string(), "repo:read");
    assert!(redeem("https://ci.lab/cb", 7).is_err());
    assert!(holder(&site, 57).is_some());
    assert!(site.registry.check_authorization(&alice, &asked("https://ci.lab/cb")).unwrap());
    site.clock.advance_ms(HOUR_MS);
    assert!(redeem("https://ci.lab/cb", 9).is_err());
    site.registry.authorize_by_code(&alice, &asked("https://ci.lab/cb"), [10; 32]).unwrap();
    let account = site.registry.account("alice").unwrap().unwrap();
    site.registry.set_password(account.principal.id, "another hash").unwrap();
    assert!(matches!(redeem("https://ci.lab/cb", 10), Err(Error::CredentialRevoked)));
    let bob = site.user("bob");
    let refused = site.registry.check_authorization(&bob, &asked("https://ci.lab/cb"));
    assert!(matches!(refused, Err(Error::DeniedInNamespace { .. })));
    site.settle();
}

#[test]
fn an_app_specific_token_pulls_and_pushes_and_does_nothing_to_the_account() {
    let (site, alice) = site(Settings { app_token_expiry_ms: Some(HOUR_MS), ..Settings::default() });
    let made = site.registry.create_app_token(&alice, "laptop", &kept(5)).unwrap();
    let actor = holder(&site, 5).unwrap();
    site.try_upload(&actor, "alice/own", b"layer").unwrap();
    assert!(matches!(site.registry.app_tokens(&actor), Err(Error::NotForCredential)));
    assert!(site.registry.robots(&actor, &"alice".parse().unwrap()).is_err());
    assert_eq!(site.registry.app_token(&alice, made.id).unwrap().nonce, [5; 16]);
    let bob = site.user("bob");
    assert!(matches!(site.registry.app_token(&bob, made.id), Err(Error::TokenUnknown)));
    assert!(matches!(site.registry.revoke_app_token(&bob, made.id), Err(Error::TokenUnknown)));
    site.registry.revoke_app_token(&alice, made.id).unwrap();
    assert!(site.registry.check_actor(&actor).is_err());
    site.registry.create_app_token(&alice, "other", &kept(6)).unwrap();
    site.clock.advance_ms(HOUR_MS);
    assert!(holder(&site, 6).is_none());
    site.settle();
}

#[test]
fn events_say_with_which_token_something_was_done() {
    let (site, alice) = site(Settings::default());
    let id = try_token(&site, &alice, "org:admin", 10).unwrap();
    let actor = holder(&site, 10).unwrap();
    site.registry.change_organization(&actor, &acme(), Some("a@lab.test"), &[]).unwrap();
    let last =
        site.registry.every_event().unwrap().into_iter().find(|line| line.contains("org_change_email"));
    let event: serde_json::Value = serde_json::from_str(&last.unwrap()).unwrap();
    assert_eq!(event["metadata"]["oauth_token_id"], id.to_string());
    assert_eq!(event["metadata"]["oauth_token_application"], "app");
    assert_eq!(event["performer"]["name"], "alice");
}

#[test]
fn the_use_of_a_token_is_noted_once_an_hour() {
    let (site, alice) = site(Settings::default());
    let actor = token(&site, &alice, "repo:read", 10);
    let is_due = || site.registry.token_holder([10; 32]).unwrap().unwrap().is_use_due;
    assert!(is_due());
    site.registry.note_use(&actor).unwrap();
    assert!(!is_due());
    site.clock.advance_ms(HOUR_MS / 2);
    assert!(!is_due());
}

/// A robot of acme's that may write `acme/app` and `acme/lib`.
fn robot(site: &Site, alice: &Actor, limits: RobotLimits) -> Principal {
    let new = NewRobot {
        short_name: "ci".parse().unwrap(),
        description: String::new(),
        metadata: String::new(),
        is_usable_elsewhere: false,
        token: RobotToken { nonce: [1; 16], hash: [2; 32] },
        limits,
    };
    site.registry.create_robot(alice, &acme(), &new).unwrap();
    for at in ["acme/app", "acme/lib"] {
        site.registry.grant(alice, &name(at), To::Principal("acme+ci"), Role::Write).unwrap();
    }
    site.registry.account("acme+ci").unwrap().unwrap().principal
}

#[test]
fn the_use_of_a_robot_is_noted_once_an_hour_and_told() {
    let (site, alice) = site(Settings::default());
    let actor = Actor::User(robot(&site, &alice, RobotLimits::default()));
    let is_due = || site.registry.account("acme+ci").unwrap().unwrap().is_use_due;
    let accessed_ms = || site.registry.robot(&alice, &acme(), "ci").unwrap().accessed_ms;
    assert!(is_due() && accessed_ms().is_none());
    site.registry.note_use(&actor).unwrap();
    assert_eq!(accessed_ms(), Some(site.registry.now_ms()));
    assert!(!is_due());
    site.clock.advance_ms(HOUR_MS);
    assert!(is_due());
}

#[test]
fn a_robot_keeps_to_its_repositories_and_cannot_lift_its_own_limits() {
    let (site, alice) = site(Settings::default());
    let limits = RobotLimits { repositories: Some(globs(&["acme/app*"])), ..RobotLimits::default() };
    let principal = robot(&site, &alice, limits);
    site.registry.add_team_member(&alice, &acme(), "owners", "acme+ci").unwrap();
    let ci = Actor::User(principal);
    assert_eq!(listed(&site, &ci), ["acme/app"]);
    site.try_upload(&ci, "acme/app", b"x").unwrap();
    site.try_upload(&ci, "acme/app-2", b"x").unwrap();
    assert!(matches!(site.try_upload(&ci, "acme/lib", b"x"), Err(Error::Denied { .. })));
    assert!(!site.registry.may(&ci, &name("acme/lib"), Action::Pull));
    let lift = site.registry.set_robot_limits(&ci, &acme(), "ci", &RobotLimits::default());
    assert!(matches!(lift, Err(Error::DeniedInNamespace { .. })));
    site.registry.set_robot_limits(&alice, &acme(), "ci", &RobotLimits::default()).unwrap();
    assert!(site.registry.may(&ci, &name("acme/lib"), Action::Administer));
}

#[test]
fn a_robot_is_admitted_until_it_expires_and_from_its_networks_alone() {
    let (site, alice) = site(Settings::default());
    let principal = robot(&site, &alice, RobotLimits::default());
    let ci = Actor::User(principal);
    let from = |address: &str| site.registry.by(Origin { address: address.into(), ..Origin::default() });
    from("192.0.2.1").admit(&ci).unwrap();
    let limits = RobotLimits {
        expires_ms: Some(site.registry.now_ms() + HOUR_MS),
        repositories: None,
        networks: ["10.1.0.0/16", "2001:db8::/32"].map(|text| AddressBlock::parse(text).unwrap()).to_vec(),
    };
    let shown = site.registry.set_robot_limits(&alice, &acme(), "ci", &limits).unwrap();
    assert_eq!(shown.limits, limits);
    for inside in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::9"] {
        from(inside).admit(&ci).unwrap();
        assert!(!from(inside).account("acme+ci").unwrap().unwrap().is_disabled);
    }
    for outside in ["10.2.0.1", "2001:db9::1", "", "nonsense"] {
        assert!(matches!(from(outside).admit(&ci), Err(Error::AddressRefused)), "{outside}");
        assert!(from(outside).account("acme+ci").unwrap().unwrap().is_disabled);
    }
    site.clock.advance_ms(HOUR_MS);
    assert!(matches!(from("10.1.2.3").admit(&ci), Err(Error::CredentialRevoked)));
}

#[test]
fn a_job_does_what_it_names_within_what_its_robot_may_and_ends_with_it() {
    let (site, alice) = site(Settings::default());
    let limits =
        RobotLimits { repositories: Some(globs(&["acme/app", "acme/new"])), ..RobotLimits::default() };
    let principal = robot(&site, &alice, limits);
    let job = |patterns: &[&str], pushes| {
        let job = Job { id: TokenId::default(), repositories: globs(patterns), pushes };
        Actor::Narrowed(principal, Credential::Job(Arc::new(job)))
    };
    let (app, may) =
        (name("acme/app"), |actor: &Actor, at: &str, action| site.registry.may(actor, &name(at), action));
    let pull = job(&["acme/*"], false);
    assert!(may(&pull, "acme/app", Action::Pull) && !may(&pull, "acme/app", Action::Push));
    assert!(!may(&pull, "acme/lib", Action::Pull), "its robot keeps away from there");
    let push = job(&["acme/app"], true);
    site.try_upload(&push, "acme/app", b"x").unwrap();
    let tag = "v1".parse().unwrap();
    assert!(matches!(site.registry.delete_manifest(&push, &app, &tag), Err(Error::Denied { .. })));
    assert!(!may(&job(&["alice/**"], true), "alice/own", Action::Pull), "it adds no right");
    assert_eq!(listed(&site, &pull), ["acme/app"]);
    site.registry.set_public(&OWNER, &name("acme/lib"), true).unwrap();
    assert!(may(&pull, "acme/lib", Action::Pull), "what is public is so to everybody");
    let new = RobotToken { nonce: [3; 16], hash: [4; 32] };
    site.registry.set_robot_token(&alice, &acme(), "ci", &new).unwrap();
    assert!(matches!(site.registry.check_actor(&push), Err(Error::CredentialRevoked)));
}

#[test]
fn a_bound_robot_takes_no_repository_out_of_what_it_is_bound_to() {
    let (site, alice) = site(Settings::default());
    let limits = RobotLimits { repositories: Some(globs(&["acme/app*"])), ..RobotLimits::default() };
    let ci = Actor::User(robot(&site, &alice, limits));
    site.registry.add_team_member(&alice, &acme(), "owners", "acme+ci").unwrap();
    let rename = |to: &str| site.registry.rename_repository(&ci, &name("acme/app"), &name(to));
    assert!(matches!(rename("acme/prod"), Err(Error::Denied { .. })));
    rename("acme/app-2").unwrap();
    site.settle();
}

#[test]
fn a_token_hands_no_account_over_and_makes_none_that_outlives_it() {
    let (site, alice) = site(Settings::default());
    let mallory = site.user("mallory");
    let Actor::User(owner) = mallory else { panic!("a user") };
    let carl = site.user("carl");
    site.registry.add_team_member(&alice, &acme(), "owners", "carl").unwrap();
    let account = token(&site, &carl, "user:admin org:admin", 10);
    let refused = site.registry.convert_account(&account, &owner);
    assert!(matches!(refused, Err(Error::NotForCredential)), "{refused:?}");
    site.clock.advance_ms(HOUR_MS / 2);
    let new = NewToken {
        title: "t".into(),
        scopes: "org:admin".parse().unwrap(),
        hash: [11; 32],
        lifetime_ms: 10 * HOUR_MS,
    };
    let made = site.registry.create_application_token(&account, &acme(), "client", &new).unwrap();
    assert_eq!(made.expires_ms, Some(site.registry.now_ms() + HOUR_MS / 2));
    site.clock.advance_ms(HOUR_MS / 2);
    assert!(holder(&site, 11).is_none());
    site.registry.convert_account(&carl, &owner).unwrap();
}

#[test]
fn who_allowed_an_application_is_asked_again_once_that_has_ended_or_its_answers_go_elsewhere() {
    let (site, alice) = site(Settings::default());
    let send_to = |redirect_uri: &str| {
        let details = ApplicationDetails { redirect_uri: redirect_uri.into(), ..Default::default() };
        site.registry.change_application(&alice, &acme(), "client", &details).unwrap();
    };
    let asked = |redirect_uri: &str| Authorization {
        client_id: "client".into(),
        redirect_uri: redirect_uri.into(),
        is_local: false,
        scopes: "repo:read".parse().unwrap(),
    };
    let is_allowed = |uri: &str| site.registry.check_authorization(&alice, &asked(uri)).unwrap();
    send_to("https://ci.lab/");
    site.registry.authorize(&alice, &asked("https://ci.lab/"), [20; 32], HOUR_MS).unwrap();
    assert!(is_allowed("https://ci.lab/"));
    site.clock.advance_ms(1);
    send_to("https://ci.lab/");
    assert!(is_allowed("https://ci.lab/"), "it is the same");
    send_to("https://evil.test/");
    assert!(!is_allowed("https://evil.test/"));
    site.registry.authorize(&alice, &asked("https://evil.test/"), [21; 32], HOUR_MS).unwrap();
    assert!(is_allowed("https://evil.test/"));
    site.clock.advance_ms(HOUR_MS);
    assert!(!is_allowed("https://evil.test/"));
}

#[test]
fn without_superusers_nobody_has_their_powers_and_their_names_stay_theirs() {
    let settings = Settings {
        has_superusers: false,
        superusers: ["root".to_owned()].into(),
        readers: ["look+out".to_owned()].into(),
        superusers_have_full_access: true,
        ..Settings::default()
    };
    let (site, alice) = site(settings);
    let new = |name: &str, is_superuser| NewUser {
        name: name.parse().unwrap(),
        email: String::new(),
        password_hash: "hash".into(),
        is_superuser,
    };
    for (user, is_flagged) in [("root", false), ("flagged", true)] {
        site.registry.create_user(&new(user, is_flagged)).unwrap();
        let actor = Actor::User(site.registry.account(user).unwrap().unwrap().principal);
        assert!(!site.registry.may(&actor, &name("acme/app"), Action::Pull), "{user}");
        let refused = site.registry.check_account(&actor, AccountAction::Inspect);
        assert!(matches!(refused, Err(Error::NotForCredential)), "{user}");
        assert!(!site.registry.find_user(user).unwrap().unwrap().is_superuser);
    }
    assert!(matches!(try_token(&site, &alice, "super:user", 10), Err(Error::NotForCredential)));
    assert!(matches!(site.registry.register_user(&new("look", false)), Err(Error::Privileged(_))));
}

#[test]
fn nobody_founds_what_a_robot_with_power_is_named_after() {
    let settings = Settings {
        create_namespace_on_push: true,
        superusers: ["root".to_owned(), "ops+deployer".to_owned()].into(),
        readers: ["look+out".to_owned()].into(),
        ..Settings::default()
    };
    let site = Site::with(settings);
    let (mallory, root) = (site.user("mallory"), site.user("root"));
    for taken in ["ops", "look"] {
        let taken: NamespaceName = taken.parse().unwrap();
        let founded = site.registry.create_organization(&mallory, &taken, "");
        assert!(matches!(founded, Err(Error::Privileged(_))), "{founded:?}");
        let pushed = site.try_upload(&mallory, &format!("{taken}/app"), b"x");
        assert!(matches!(pushed, Err(Error::Denied { .. })), "{pushed:?}");
        site.registry.create_organization(&root, &taken, "").unwrap();
    }
    site.try_upload(&mallory, "free/app", b"x").unwrap();
}

#[test]
fn a_limit_that_is_changed_leaves_the_others_as_they_are() {
    let (site, alice) = site(Settings::default());
    robot(&site, &alice, RobotLimits::default());
    let expires_ms = Some(site.registry.now_ms() + HOUR_MS);
    let networks = vec![AddressBlock::parse("10.0.0.0/8").unwrap()];
    let change = |change: &dyn Fn(RobotLimits) -> RobotLimits| {
        site.registry.change_robot_limits(&alice, &acme(), "ci", change).unwrap().limits
    };
    change(&|limits| RobotLimits { networks: networks.clone(), ..limits });
    let both = change(&|limits| RobotLimits { expires_ms, ..limits });
    assert_eq!(both, RobotLimits { expires_ms, networks: networks.clone(), repositories: None });
}

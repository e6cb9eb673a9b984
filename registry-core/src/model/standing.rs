//! What an actor is, in a namespace and in a repository: the facts that a decision is made of.

use super::keys::{Grantee, NamespaceId, RepositoryId, TeamId};
use super::records::User;
use super::tables::{GRANTS, MEMBERSHIPS, TEAM_ROLES, USERS};
use super::{accounts, robots, tokens};
use crate::Error;
use crate::access::{
    AccountAction, AccountFacts, Actor, Cap, Credential, Globs, NamespaceFacts, Principal, PrincipalId, Role,
    Scope, Scopes, TeamRole, Verdict, Who, decide_for_account,
};
use crate::metadata::Rows;
use crate::settings::Settings;

/// Up to so many grants of a repository are read at once; of more, only those are looked up that may be the actor's.
const GRANTS_READ: usize = 64;

/// An actor whose account was read.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// What the principal is, whatever the credential.
    pub(super) who: Who,
    /// Who is signed in.
    pub(crate) account: Option<(PrincipalId, User)>,
    /// Whether the actor may not create or push in a namespace of their own (Quay: `FEATURE_RESTRICTED_USERS`).
    pub(crate) is_restricted: bool,
    /// What the credential carries.
    pub(super) cap: Cap,
    /// Lists of patterns that a repository has to be in for the credential to carry anything there.
    within: Vec<Globs>,
}

impl Caller {
    /// With all rights that this kind of actor has.
    fn whole(who: Who) -> Self {
        Self { who, account: None, is_restricted: false, cap: Cap::FULL, within: Vec::new() }
    }

    /// What the actor is, as the credential lets it appear.
    pub(crate) fn who(&self) -> Who {
        self.cap.narrow(self.who)
    }

    /// The same where a namespace is looked at.
    pub(crate) fn who_in_namespaces(&self) -> Who {
        self.cap.narrow_in_namespaces(self.who)
    }

    /// What the credential carries in a repository of this full name.
    pub(super) fn cap_in(&self, repository: &str) -> Cap {
        if self.reaches(repository) { self.cap } else { Cap::NOTHING }
    }

    /// Whether the credential is good for a repository of this full name.
    pub(crate) fn reaches(&self, repository: &str) -> bool {
        self.within.iter().all(|globs| globs.matches(repository))
    }

    /// Whether the credential is bound to repositories of certain names.
    pub(crate) fn is_listed(&self) -> bool {
        !self.within.is_empty()
    }

    /// Whether the credential carries anything in repositories that are not public.
    pub(crate) fn pulls(&self) -> bool {
        self.cap.carries(crate::access::Action::Pull)
    }

    /// The facts of a decision about a namespace in which the actor has this role.
    pub(crate) fn facts_in(&self, namespace: Option<NamespaceId>, role: Option<TeamRole>) -> NamespaceFacts {
        let own = self.account.as_ref().map(|(id, _)| NamespaceId::from(*id));
        NamespaceFacts {
            who: self.who,
            exists: namespace.is_some(),
            role,
            is_own: namespace.is_some() && own == namespace,
            is_barred: namespace.is_some_and(|namespace| self.is_barred_in(namespace)),
            cap: self.cap,
        }
    }

    /// Whether the actor has the powers of a superuser, with full access or without.
    pub(crate) fn rules(&self, settings: &Settings) -> bool {
        self.may(settings, AccountAction::Rule) == Verdict::Granted
    }

    /// Whether the actor may give these scopes away: none that its credential lacks, and a superuser's only if it is one.
    pub(crate) fn gives(&self, settings: &Settings, scopes: Scopes) -> bool {
        let is_own = !scopes.contains(Scope::Superuser) || self.rules(settings);
        self.cap.covers(scopes.cap()) && is_own
    }

    /// Whether the actor may do this as themselves.
    pub(crate) fn may(&self, settings: &Settings, action: AccountAction) -> Verdict {
        let user = self.account.as_ref().map(|(_, user)| user);
        let facts = AccountFacts {
            is_signed_in: user.is_some(),
            is_superuser: user.is_some_and(|user| is_superuser(settings, user)),
            is_reader: self.who == Who::Reader,
            cap: self.cap,
        };
        decide_for_account(&facts, action)
    }

    /// Whether it is a robot.
    pub(crate) fn is_robot(&self) -> bool {
        self.account.as_ref().is_some_and(|(_, user)| user.robot_of.is_some())
    }

    /// The actor's own namespace: a user's, or that of the user whose robot it is.
    fn own(&self) -> Option<NamespaceId> {
        self.account.as_ref().map(|(id, user)| user.robot_of.unwrap_or((*id).into()))
    }

    /// Whether the actor is restricted there.
    pub(crate) fn is_barred_in(&self, namespace: NamespaceId) -> bool {
        self.is_restricted && self.own() == Some(namespace)
    }
}

/// What an actor is in a namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// The highest role among the actor's teams; that of an administrator in a namespace of one's own.
    pub(crate) role: Option<TeamRole>,
    pub(crate) teams: Vec<TeamId>,
}

/// Reads the actor's account and what its credential carries, as every request does: revocation is immediate.
///
/// # Errors
/// [`Error::CredentialRevoked`] if either is gone, or the account is disabled or has another generation.
pub(crate) fn caller(rows: &impl Rows, settings: &Settings, actor: &Actor) -> Result<Caller, Error> {
    let (user, id, mut cap) = match actor {
        Actor::Owner => return Ok(Caller::whole(Who::Unrestricted)),
        Actor::Anonymous => return Ok(Caller::whole(Who::Anonymous)),
        Actor::User(principal) => (signed_in(rows, principal)?, principal.id, Cap::FULL),
        Actor::Narrowed(principal, Credential::AccessToken(token)) => {
            let cap = tokens::access_cap(rows, principal.id, *token)?;
            (enabled(rows, principal.id)?, principal.id, cap)
        }
        Actor::Narrowed(principal, Credential::AppToken(token)) => {
            tokens::check_app_token(rows, settings, principal.id, *token)?;
            (enabled(rows, principal.id)?, principal.id, Cap::APP)
        }
        Actor::Narrowed(principal, Credential::Job(job)) => {
            (signed_in(rows, principal)?, principal.id, Cap::of_job(job.pushes))
        }
    };
    let is_refused = settings.robots_are_disallowed && !settings.allowed_robots.contains(&user.name);
    if user.robot_of.is_some() && is_refused {
        return Err(Error::CredentialRevoked);
    }
    let within = lists(rows, actor, id, &user)?;
    if !within.is_empty() {
        cap = cap.and(Cap::REPOSITORIES);
    }
    let who = who(settings, &user);
    let is_restricted = cap.narrow(who) == Who::SignedIn && is_restricted(rows, settings, &user, cap)?;
    Ok(Caller { who, account: Some((id, user)), is_restricted, cap, within })
}

/// The lists of repositories that a robot and its job keep to.
fn lists(rows: &impl Rows, actor: &Actor, id: PrincipalId, user: &User) -> Result<Vec<Globs>, Error> {
    let mut lists = Vec::new();
    if user.robot_of.is_some() {
        lists.extend(robots::repositories(rows, id)?);
    }
    if let Some(Credential::Job(job)) = actor.credential() {
        lists.push(job.repositories.clone());
    }
    Ok(lists)
}

/// The account of somebody who does this as themselves.
///
/// # Errors
/// [`Error::NotSignedIn`], [`Error::NotForCredential`], [`Error::CredentialRevoked`].
pub(crate) fn account(
    rows: &impl Rows,
    settings: &Settings,
    actor: &Actor,
    action: AccountAction,
) -> Result<(PrincipalId, User), Error> {
    let caller = caller(rows, settings, actor)?;
    match (caller.may(settings, action), caller.account) {
        (Verdict::Granted, Some(account)) => Ok(account),
        (Verdict::SignIn, _) | (_, None) => Err(Error::NotSignedIn),
        _ => Err(Error::NotForCredential),
    }
}

/// The account of a signed-in principal.
///
/// # Errors
/// [`Error::CredentialRevoked`] if it is gone, disabled, or has another generation; for a robot also if its owner is
/// disabled.
pub(crate) fn signed_in(rows: &impl Rows, principal: &Principal) -> Result<User, Error> {
    let user = enabled(rows, principal.id)?;
    if user.generation == principal.generation { Ok(user) } else { Err(Error::CredentialRevoked) }
}

/// The account, whatever its generation.
///
/// # Errors
/// As [`signed_in`].
pub(crate) fn enabled(rows: &impl Rows, id: PrincipalId) -> Result<User, Error> {
    let user = accounts::get(rows, id)?.ok_or(Error::CredentialRevoked)?;
    if user.is_disabled {
        return Err(Error::CredentialRevoked);
    }
    if let Some(home) = user.robot_of
        && rows.get(&USERS, &PrincipalId(home.0))?.is_some_and(|owner| owner.is_disabled)
    {
        return Err(Error::CredentialRevoked);
    }
    Ok(user)
}

fn who(settings: &Settings, user: &User) -> Who {
    if settings.is_reader(&user.name) {
        Who::Reader
    } else if settings.superusers_have_full_access && is_superuser(settings, user) {
        Who::Unrestricted
    } else {
        Who::SignedIn
    }
}

/// Whether this user or robot is a superuser, by the flag on the row or by the settings.
pub(crate) fn is_superuser(settings: &Settings, user: &User) -> bool {
    let has_flag = settings.has_superusers && user.is_superuser;
    (has_flag || settings.is_superuser(&user.name)) && !settings.is_reader(&user.name)
}

/// As [`account`], for who needs no account: the owner may do everything.
///
/// # Errors
/// [`Error::NotForCredential`], [`Error::NotSignedIn`], [`Error::CredentialRevoked`].
pub(crate) fn check_account(
    rows: &impl Rows,
    settings: &Settings,
    actor: &Actor,
    action: AccountAction,
) -> Result<(), Error> {
    match actor {
        Actor::Owner => Ok(()),
        _ => account(rows, settings, actor, action).map(drop),
    }
}

/// Robots are restricted with the user whose they are.
fn is_restricted(rows: &impl Rows, settings: &Settings, user: &User, cap: Cap) -> Result<bool, Error> {
    if !settings.users_are_restricted || (cap.is_superuser && is_superuser(settings, user)) {
        return Ok(false);
    }
    let name = match user.robot_of {
        Some(namespace) => super::authorize::namespace_row(rows, namespace)?.name,
        None => user.name.clone(),
    };
    Ok(!settings.unrestricted_users.contains(&name))
}

/// What the caller is in a namespace.
pub(crate) fn in_namespace(
    rows: &impl Rows,
    caller: &Caller,
    namespace: NamespaceId,
) -> Result<Standing, Error> {
    let Some((id, _)) = &caller.account else { return Ok(Standing::default()) };
    if NamespaceId::from(*id) == namespace {
        return Ok(Standing { role: Some(TeamRole::Admin), teams: Vec::new() });
    }
    let memberships = rows.scan(&MEMBERSHIPS, &(*id, namespace), None, usize::MAX)?;
    let teams: Vec<TeamId> = memberships.into_iter().map(|((_, _, team), ())| team).collect();
    if teams.is_empty() {
        return Ok(Standing::default());
    }
    let higher = rows.scan(&TEAM_ROLES, &(namespace,), None, usize::MAX)?;
    let higher = higher.into_iter().filter(|((_, team), _)| teams.contains(team)).map(|(_, role)| role).max();
    Ok(Standing { role: Some(higher.unwrap_or(TeamRole::Member)), teams })
}

/// The caller's role in a repository: the highest of what was granted and of what the namespace brings.
pub(crate) fn in_repository(
    rows: &impl Rows,
    caller: &Caller,
    namespace: NamespaceId,
    repository: RepositoryId,
) -> Result<Option<Role>, Error> {
    let Some((id, _)) = &caller.account else { return Ok(None) };
    let standing = in_namespace(rows, caller, namespace)?;
    if standing.role == Some(TeamRole::Admin) {
        return Ok(Some(Role::Admin));
    }
    let mut mine = vec![Grantee::Principal(*id)];
    mine.extend(standing.teams.into_iter().map(Grantee::Team));
    highest(rows, repository, &mine)
}

fn highest(rows: &impl Rows, repository: RepositoryId, mine: &[Grantee]) -> Result<Option<Role>, Error> {
    let grants = rows.scan(&GRANTS, &(repository,), None, GRANTS_READ)?;
    if grants.len() < GRANTS_READ {
        return Ok(grants.iter().filter(|((_, to), _)| mine.contains(to)).map(|(_, role)| *role).max());
    }
    let mut highest = None;
    for grantee in mine {
        highest = highest.max(rows.get(&GRANTS, &(repository, *grantee))?);
    }
    Ok(highest)
}

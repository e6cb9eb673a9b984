//! Letting an OAuth application act for somebody: Quay's consent flow, with a token at once or by a code.

use serde_json::json;

use super::Registry;
use super::applications::{ApplicationInfo, KeptSecret, info};
use super::organizations::STEP;
use super::tokens::{IssuedToken, NewToken, revoke};
use crate::Error;
use crate::access::{AccountAction, Actor, NamespaceAction, Principal, PrincipalId, Scopes, TokenId, Who};
use crate::metadata::{Growth, Lane, Rows, WriteTxn};
use crate::model::authorize::{granted_in_namespace, namespace_row};
use crate::model::keys::{ApplicationId, NamespaceId, SecretHash};
use crate::model::records::{Application, Code};
use crate::model::tables::{APPLICATIONS, TOKENS, USER_TOKENS};
use crate::model::{applications, standing, tokens};

/// How long a code waits to be exchanged, in milliseconds.
const CODE_LIFETIME_MS: u64 = 5 * 60 * 1000;

/// The most authorizations that are listed.
const AUTHORIZATIONS_MAX: usize = 500;

/// What somebody asks an application to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// The application.
    pub client_id: String,
    /// Where the answer is sent to.
    pub redirect_uri: String,
    /// Whether that is the server's own page, which every application may use.
    pub is_local: bool,
    /// What it may be used for.
    pub scopes: Scopes,
}

/// That an application may act for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationInfo {
    /// Names the token.
    pub id: TokenId,
    /// The application, as everybody sees it.
    pub application: ApplicationInfo,
    /// What the token may be used for.
    pub scopes: Scopes,
}

impl Registry {
    /// Which applications may act for the actor: up to 500 tokens.
    ///
    /// # Errors
    /// [`Error::NotSignedIn`], [`Error::NotForCredential`].
    pub fn authorizations(&self, actor: &Actor) -> Result<Vec<AuthorizationInfo>, Error> {
        self.0.metadata.read(|rows| {
            let (user, _) = standing::account(rows, &self.0.settings, actor, AccountAction::Administer)?;
            // Behind the app-specific ones, which lie under application 0.
            let after = (user, tokens::APP_SPECIFIC, TokenId([u8::MAX; 16]));
            let listed = rows.scan(&USER_TOKENS, &(user,), Some(&after), AUTHORIZATIONS_MAX)?;
            let found = listed.into_iter().map(|((_, application, id), ())| {
                let row = rows.get(&TOKENS, &id)?.ok_or(Error::Corrupt("tokens"))?;
                let owner = rows.get(&APPLICATIONS, &application)?.ok_or(Error::Corrupt("applications"))?;
                let namespace = namespace_row(rows, owner.namespace)?.name;
                let application = info(namespace, owner, false);
                Ok(AuthorizationInfo { id, application, scopes: row.scopes() })
            });
            found.collect()
        })
    }

    /// Lets an application act for the actor no more.
    ///
    /// # Errors
    /// [`Error::TokenUnknown`]; as [`Registry::authorizations`].
    pub fn revoke_authorization(&self, actor: &Actor, id: TokenId) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            let (user, _) = standing::account(txn, &self.0.settings, actor, AccountAction::Administer)?;
            let row = tokens::own(txn, user, false, id)?;
            revoke(txn, &stamp, id, &row)
        })?;
        tracing::info!(%actor, token = %id, "authorization revoked");
        Ok(())
    }

    /// Whether the actor may let the application act for them, and whether they let it do all of this already: with a token
    /// that is good, and since answers go to where they go now. Only who administers the application's namespace may (Quay).
    ///
    /// # Errors
    /// [`Error::ApplicationUnknown`], [`Error::RedirectRefused`], [`Error::NotForCredential`] for a credential that is not the
    /// actor's own or scopes that are not theirs; the refusals of administering the namespace.
    pub fn check_authorization(&self, actor: &Actor, asked: &Authorization) -> Result<bool, Error> {
        self.0.metadata.read(|rows| {
            let (id, owner, user) = self.authorizing(rows, actor, asked)?;
            let now_ms = self.now_ms();
            let tokens = rows.scan(&USER_TOKENS, &(user, id), None, STEP)?;
            let mut granted = false;
            for ((_, _, token), ()) in tokens {
                let row = rows.get(&TOKENS, &token)?.ok_or(Error::Corrupt("tokens"))?;
                let is_good = row.expires_ms.is_none_or(|expires_ms| expires_ms > now_ms);
                let knew_address = row.created_ms >= owner.redirect_set_ms;
                granted |= is_good && knew_address && row.scopes().cover(asked.scopes);
            }
            Ok(granted)
        })
    }

    /// The application, its namespace and the user who lets it act.
    fn authorizing(
        &self,
        rows: &impl Rows,
        actor: &Actor,
        asked: &Authorization,
    ) -> Result<(ApplicationId, Application, PrincipalId), Error> {
        let settings = &self.0.settings;
        let (id, row) = applications::find(rows, &asked.client_id)?;
        if !asked.is_local && !is_registered(&row.redirect_uri, &asked.redirect_uri) {
            return Err(Error::RedirectRefused);
        }
        let Actor::User(principal) = actor else {
            return Err(if *actor == Actor::Anonymous {
                Error::NotSignedIn
            } else {
                Error::NotForCredential
            });
        };
        let namespace = namespace_row(rows, row.namespace)?.name;
        let namespace = namespace.parse().map_err(|_| Error::Corrupt("namespace"))?;
        granted_in_namespace(rows, settings, actor, &namespace, NamespaceAction::Administer)?;
        self.check_scopes(rows, actor, asked.scopes)?;
        Ok((id, row, principal.id))
    }

    /// Lets an application act for the actor: stores the token of this hash.
    ///
    /// # Errors
    /// As [`Registry::check_authorization`]; [`Error::TooMany`].
    pub fn authorize(
        &self,
        actor: &Actor,
        asked: &Authorization,
        hash: [u8; 32],
        lifetime_ms: u64,
    ) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        let token = TokenId::from_random(self.0.entropy.bytes()?);
        self.0.metadata.write(|txn| {
            let (id, row, user) = self.authorizing(txn, actor, asked)?;
            let new = NewToken { title: String::new(), scopes: asked.scopes, hash, lifetime_ms };
            self.issue(txn, &stamp, token, (id, &row), user, &new).map(drop)
        })?;
        tracing::info!(%actor, client_id = asked.client_id, scopes = %asked.scopes, "application authorized");
        Ok(())
    }

    /// Lets an application fetch a token with the code of this hash, once, within five minutes.
    ///
    /// # Errors
    /// As [`Registry::check_authorization`].
    pub fn authorize_by_code(
        &self,
        actor: &Actor,
        asked: &Authorization,
        hash: [u8; 32],
    ) -> Result<(), Error> {
        let expires_ms = self.now_ms().saturating_add(CODE_LIFETIME_MS);
        self.0.metadata.write(|txn| {
            let (application, _, principal) = self.authorizing(txn, actor, asked)?;
            let (scopes, redirect_uri) = (asked.scopes.bits().into(), asked.redirect_uri.clone());
            let generation = standing::enabled(txn, principal)?.generation;
            let code = Code { principal, application, scopes, redirect_uri, expires_ms, generation };
            applications::insert_code(txn, SecretHash(hash), &code);
            Ok(())
        })
    }

    /// What the client secret of an application is compared with.
    ///
    /// # Errors
    /// [`Error::ApplicationUnknown`].
    pub fn application_secret_hash(&self, client_id: &str) -> Result<Vec<u8>, Error> {
        self.0.metadata.read(|rows| Ok(applications::find(rows, client_id)?.1.secret_hash))
    }

    /// Exchanges a code for the token of this hash. The edge has compared the client secret. A code that was tried is used
    /// up, whatever came of it.
    ///
    /// # Errors
    /// [`Error::TokenUnknown`] if there is no such code for this application and address; as [`Registry::authorize`].
    pub fn redeem_code(
        &self,
        client_id: &str,
        redirect_uri: &str,
        code: [u8; 32],
        hash: [u8; 32],
        lifetime_ms: u64,
    ) -> Result<IssuedToken, Error> {
        let token = TokenId::from_random(self.0.entropy.bytes()?);
        let code = self.take_code(SecretHash(code), redirect_uri)?;
        let actor = Actor::User(Principal { id: code.principal, generation: code.generation });
        let (stamp, scopes) = (self.stamp(&actor, 1)?, Scopes::from_bits(code.scopes.to_le_bytes()[0]));
        // The address was checked when the code was given out.
        let (client_id, redirect_uri) = (client_id.to_owned(), redirect_uri.to_owned());
        let asked = Authorization { client_id, redirect_uri, is_local: true, scopes };
        self.0.metadata.write(|txn| {
            let (id, row, user) = self.authorizing(txn, &actor, &asked)?;
            if id != code.application {
                return Err(Error::TokenUnknown);
            }
            let new = NewToken { title: String::new(), scopes, hash, lifetime_ms };
            self.issue(txn, &stamp, token, (id, &row), user, &new)
        })
    }

    /// Uses a code up, and gives it if it is still good and was sent to this address.
    fn take_code(&self, key: SecretHash, redirect_uri: &str) -> Result<Code, Error> {
        let take = |txn: &mut WriteTxn<'_>| applications::take_code(txn, key);
        let taken = self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, take)?;
        let now_ms = self.now_ms();
        let code = taken.filter(|code| code.expires_ms > now_ms && code.redirect_uri == redirect_uri);
        code.ok_or(Error::TokenUnknown)
    }

    /// Makes the application `automation` in the user's own namespace, with a token of every scope: what
    /// `POST /user/initialize` gives the first user.
    ///
    /// # Errors
    /// [`Error::NameTaken`] if there is an application of the user's name; [`Error::CredentialRevoked`].
    pub fn create_automation(
        &self,
        actor: &Actor,
        secret: &KeptSecret,
        hash: [u8; 32],
        lifetime_ms: u64,
    ) -> Result<(), Error> {
        let id = ApplicationId(self.0.ids.fresh(&self.0.metadata)?);
        let token = TokenId::from_random(self.0.entropy.bytes()?);
        let stamp = self.stamp(actor, 2)?;
        self.0.metadata.write(|txn| {
            let (user, account) = standing::account(txn, &self.0.settings, actor, AccountAction::SetSecrets)?;
            let namespace = NamespaceId::from(user);
            let row = Application {
                namespace,
                client_id: account.name.clone(),
                name: "automation".to_owned(),
                nonce: secret.nonce.to_vec(),
                secret_hash: secret.hash.to_vec(),
                created_ms: stamp.now_ms,
                ..Application::default()
            };
            applications::create(txn, id, &row)?;
            let metadata =
                json!({"name": row.name, "application_name": row.name, "client_id": row.client_id});
            stamp.record_in(txn, 1, (namespace, &account.name), "create_application", &metadata)?;
            let new = NewToken { title: String::new(), scopes: Scopes::ALL, hash, lifetime_ms };
            self.issue(txn, &stamp, token, (id, &row), user, &new).map(drop)
        })
    }

    /// Whether the actor may give these scopes away: none that its credential lacks, and a superuser's only if it is one.
    pub(super) fn check_scopes(&self, rows: &impl Rows, actor: &Actor, scopes: Scopes) -> Result<(), Error> {
        let caller = standing::caller(rows, &self.0.settings, actor)?;
        if caller.who() == Who::Anonymous {
            return Err(Error::NotSignedIn);
        }
        if caller.gives(&self.0.settings, scopes) { Ok(()) } else { Err(Error::NotForCredential) }
    }
}

/// Whether an address that was asked for is the registered one, or lies below it (Quay compares the beginning): it
/// may go on in its path or query, but never in its host. Without a registered address none is good.
fn is_registered(registered: &str, asked: &str) -> bool {
    let Some(rest) = asked.strip_prefix(registered) else { return false };
    let Some((scheme, after)) = registered.split_once("://") else { return false };
    let names_host = after.split('/').next().is_some_and(|host| !host.is_empty());
    let has_path = after.contains('/');
    let goes_on = rest.is_empty() || rest.starts_with(['/', '?']) || has_path;
    let is_clean = asked.bytes().all(|byte| byte.is_ascii_graphic()) && !asked.contains(['\\', '#']);
    // As whatever decodes it, in whichever order, could read it.
    let decoded = asked.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
    let climbs = decoded.split(['/', '?', ';']).any(|part| part == "..");
    matches!(scheme, "http" | "https") && names_host && goes_on && is_clean && !climbs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_below_the_registered_one_is_good_and_no_other() {
        for (registered, asked, is_good) in [
            ("https://ci.lab/cb", "https://ci.lab/cb", true),
            ("https://ci.lab/cb", "https://ci.lab/cb/x?y=1", true),
            ("https://ci.lab", "https://ci.lab", true),
            ("https://ci.lab", "https://ci.lab/x", true),
            ("https://ci.lab", "https://ci.lab.evil.test/", false),
            ("https://ci.lab", "https://ci.lab@evil.test/", false),
            ("https://ci.lab", "https://ci.lab:444@evil.test/", false),
            ("https://ci.lab/cb", "https://ci.lab/cb/../other", false),
            ("https://ci.lab/cb", "https://ci.lab/cb/%2E%2e/other", false),
            ("https://ci.lab/cb", "https://ci.lab/cb%2F..%2fother", false),
            ("https://ci.lab/cb", "https://ci.lab/cb%5c.%2e%5Cother", false),
            ("https://ci.lab/cb", "https://ci.lab/cb/..;/other", false),
            ("https://ci.lab/cb", "https://ci.lab/cb/a..b/..c", true),
            ("https://ci.lab:444", "https://ci.lab:4443/", false),
            ("https://ci.lab/cb", "http://ci.lab/cb", false),
            ("https://ci.lab/cb", "https://ci.lab/cb\\x", false),
            ("https://ci.lab/cb", "https://ci.lab/cb#x", false),
            ("https://ci.lab/cb", "https://ci.lab/cb\r\nx: y", false),
            ("", "https://evil.test/", false),
            ("https://", "https://evil.test/", false),
            ("https:///", "https:///evil.test/", false),
            ("javascript:x", "javascript:x", false),
        ] {
            assert_eq!(is_registered(registered, asked), is_good, "{registered} {asked}");
        }
    }

    fn authority(url: &str) -> Option<&str> {
        url.split_once("://")?.1.split(['/', '?', '#', '\\']).next()
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_taken_leads_to_the_registered_host(
            registered in "https?://[a-z.:@?/]{0,8}",
            more in "[a-z.:@?#/%25ce\\\\ ]{0,10}",
        ) {
            let asked = format!("{registered}{more}");
            if is_registered(&registered, &asked) {
                proptest::prop_assert_eq!(authority(&asked), authority(&registered));
            }
        }
    }
}

//! Requests to the token endpoint: `GET` with a query (Docker's token protocol) and `POST` with a form (its
//! OAuth2 form).

use super::{
    query::{Query, QueryError},
    scope::Scopes,
    secret::Secret,
};

/// A client's wish for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// The service the token is meant for, as the challenge named it.
    pub service: Option<String>,
    /// The account the client says it logs in with. A hint: [`Grant`] says who it is.
    pub account: Option<String>,
    /// The program that asks.
    pub client_id: Option<String>,
    /// Whether a refresh token is wanted too.
    pub offline: bool,
    /// What the token is to be good for.
    pub scopes: Scopes,
    /// How the client says who it is.
    pub grant: Grant,
}

/// How a token request says who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// By the `Authorization` header, or not at all.
    Header,
    /// By a name and a password in the form.
    Password {
        /// Name of a user or robot.
        user: String,
        /// Its password.
        password: Secret,
    },
    /// By a refresh token in the form.
    RefreshToken(Secret),
}

/// Why a token request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenRequestError {
    /// The query or form cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The form is not UTF-8.
    #[error("form is not UTF-8")]
    NotUtf8,
    /// `grant_type` is neither `password` nor `refresh_token`.
    #[error("grant_type is neither password nor refresh_token")]
    UnsupportedGrant,
    /// The grant needs this parameter.
    #[error("parameter {0} is missing")]
    Missing(&'static str),
}

impl TokenRequest {
    /// Reads the query of a `GET`, without its `?`.
    ///
    /// A `+` is a space here, unlike elsewhere on `/v2/`: Go clients encode the spaces between scopes so.
    ///
    /// # Errors
    /// A query that cannot be decoded.
    pub fn from_query(raw: &str) -> Result<Self, TokenRequestError> {
        let query = Query::parse_form(raw)?;
        let offline = query.get("offline_token") == Some("true");
        Ok(Self::from_pairs(&query, offline, Grant::Header))
    }

    /// Reads the form of a `POST`.
    ///
    /// # Errors
    /// A form that cannot be decoded, another `grant_type`, or one whose credentials are missing.
    pub fn from_form(body: &[u8]) -> Result<Self, TokenRequestError> {
        let form = Query::parse_form(str::from_utf8(body).map_err(|_| TokenRequestError::NotUtf8)?)?;
        let required = |name| form.get(name).ok_or(TokenRequestError::Missing(name));
        let grant = match form.get("grant_type") {
            Some("password") => Grant::Password {
                user: required("username")?.to_owned(),
                password: Secret::new(required("password")?),
            },
            Some("refresh_token") => Grant::RefreshToken(Secret::new(required("refresh_token")?)),
            Some(_) => return Err(TokenRequestError::UnsupportedGrant),
            None => return Err(TokenRequestError::Missing("grant_type")),
        };
        let offline = form.get("access_type") == Some("offline");
        Ok(Self::from_pairs(&form, offline, grant))
    }

    fn from_pairs(query: &Query, offline: bool, grant: Grant) -> Self {
        let text = |name| query.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
        Self {
            service: text("service"),
            account: text("account"),
            client_id: text("client_id"),
            offline,
            scopes: Scopes::parse(query.all("scope")),
            grant,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::scope::Actions, *};

    #[test]
    fn docker_login_asks_without_a_scope() {
        let request = TokenRequest::from_query(
            "account=dev%2Brobot&client_id=docker&offline_token=true&service=registry.example%3A5000",
        );
        let expected = TokenRequest {
            service: Some("registry.example:5000".into()),
            account: Some("dev+robot".into()),
            client_id: Some("docker".into()),
            offline: true,
            scopes: Scopes::default(),
            grant: Grant::Header,
        };
        assert_eq!(request, Ok(expected));
    }

    #[test]
    fn scopes_come_in_several_parameters_or_in_one() {
        for raw in [
            "scope=repository%3Aa%3Apull%2Cpush&scope=repository%3Ab%3Apull",
            "scope=repository:a:pull,push+repository:b:pull",
            "scope=repository:a:pull,push%20repository:b:pull&scope=repository:b:pull",
        ] {
            let scopes = TokenRequest::from_query(raw).unwrap().scopes;
            assert_eq!(scopes.repositories.len(), 2, "{raw}");
            assert!(scopes.covers("a", Actions::PULL | Actions::PUSH) && scopes.covers("b", Actions::PULL));
        }
    }

    #[test]
    fn containerd_posts_a_password() {
        let request = TokenRequest::from_form(
            b"client_id=containerd-client&grant_type=password&password=p%26w+d&scope=repository%3Ar%3Apull+\
              repository%3Ar%3Apull%2Cpush&service=registry&username=dev&access_type=offline",
        )
        .unwrap();
        assert_eq!(request.grant, Grant::Password { user: "dev".into(), password: Secret::new("p&w d") });
        assert!(request.offline && request.scopes.covers("r", Actions::PULL | Actions::PUSH));
    }

    #[test]
    fn a_refresh_token_is_a_grant() {
        let request =
            TokenRequest::from_form(b"grant_type=refresh_token&refresh_token=r.t&service=x").unwrap();
        assert_eq!(request.grant, Grant::RefreshToken(Secret::new("r.t")));
        assert!(!request.offline);
    }

    #[test]
    fn a_form_without_its_credentials_is_refused() {
        for (form, error) in [
            (&b""[..], TokenRequestError::Missing("grant_type")),
            (b"grant_type=authorization_code", TokenRequestError::UnsupportedGrant),
            (b"grant_type=password&password=x", TokenRequestError::Missing("username")),
            (b"grant_type=password&username=x", TokenRequestError::Missing("password")),
            (b"grant_type=refresh_token", TokenRequestError::Missing("refresh_token")),
            (b"\xff", TokenRequestError::NotUtf8),
        ] {
            assert_eq!(TokenRequest::from_form(form), Err(error));
        }
        assert!(matches!(TokenRequest::from_query("a=%"), Err(TokenRequestError::Query(_))));
    }

    #[test]
    fn credentials_are_not_printed() {
        let request = TokenRequest::from_form(b"grant_type=password&username=dev&password=hunter2");
        assert!(!format!("{request:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(form in proptest::collection::vec(any::<u8>(), 0..200), query in ".*") {
            let _ = TokenRequest::from_form(&form);
            let _ = TokenRequest::from_query(&query);
        }
    }
}

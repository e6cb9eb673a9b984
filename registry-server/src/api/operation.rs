//! The register of `/api/v1`: what is answered there, and at once what is said of it.
//!
//! An [`Operation`] is a handler with its description, and the router is made of operations alone; so there is no route
//! that the description leaves out. Each noun lists its operations beside their handlers.

use std::sync::Arc;

use axum::handler::Handler;
use axum::routing::{self, MethodRouter};
pub(super) use registry_core::Scope;

use super::schema::Schema;
use crate::app::App;

/// A parameter of a query: its name, its shape, and what it says.
pub(super) type Parameter = (&'static str, Schema, &'static str);

/// Where a list goes on.
pub(super) const NEXT_PAGE: Parameter = ("next_page", Schema::Text, "What the page before gave.");

/// What is said of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path with its parameters in braces. A repository's name is one of them, and may contain slashes.
    pub path: &'static str,
    /// Quay's `operationId`, by which generated clients name their functions.
    pub id: &'static str,
    pub(super) summary: &'static str,
    pub(super) scope: Option<Scope>,
    pub(super) query: &'static [Parameter],
    pub(super) body: Option<(Schema, bool)>,
    /// The status where all went well, and what is sent then.
    pub(super) success: (u16, Option<Schema>),
    /// Whether what is not there is answered with 200 and null.
    pub(super) may_be_null: bool,
    /// Whether only those see it who ask for internal operations as well.
    pub(super) is_internal: bool,
    pub(super) needs_fresh_login: bool,
}

impl Description {
    /// Whether it is there only as long as there are superusers.
    pub(super) fn is_for_superusers(&self) -> bool {
        self.scope == Some(Scope::Superuser) || self.path.starts_with("/api/v1/superuser/")
    }
}

/// A handler with its description.
pub(super) struct Operation {
    pub(super) description: Description,
    pub(super) handler: MethodRouter<Arc<App>>,
}

/// Declares how an operation of each method begins.
macro_rules! operations {
    ($($(#[$meta:meta])* $name:ident $method:literal $status:literal),+) => {
        impl Operation {
            $($(#[$meta])*
            pub(super) fn $name<H: Handler<T, Arc<App>>, T: 'static>(
                path: &'static str,
                id: &'static str,
                handler: H,
                summary: &'static str,
            ) -> Self {
                Self::new($method, path, id, summary, $status, routing::$name(handler))
            })+
        }
    };
}
operations! {
    /// A `GET`, which answers `HEAD` as well.
    get "GET" 200,
    /// A `POST`.
    post "POST" 200,
    /// A `PUT`.
    put "PUT" 200,
    /// A `DELETE`.
    delete "DELETE" 204
}

impl Operation {
    fn new(
        method: &'static str,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        status: u16,
        handler: MethodRouter<Arc<App>>,
    ) -> Self {
        let description = Description {
            method,
            path,
            id,
            summary,
            scope: None,
            query: &[],
            body: None,
            success: (status, None),
            may_be_null: false,
            is_internal: false,
            needs_fresh_login: false,
        };
        Self { description, handler }
    }

    /// What a token has to be good for.
    pub(super) fn scope(mut self, scope: Scope) -> Self {
        self.description.scope = Some(scope);
        self
    }

    /// What the query may say.
    pub(super) fn query(mut self, parameters: &'static [Parameter]) -> Self {
        self.description.query = parameters;
        self
    }

    /// The JSON that has to be sent.
    pub(super) fn takes(mut self, body: Schema) -> Self {
        self.description.body = Some((body, true));
        self
    }

    /// The JSON that may be sent.
    pub(super) fn may_take(mut self, body: Schema) -> Self {
        self.description.body = Some((body, false));
        self
    }

    /// What is sent where all went well, with the method's usual status.
    pub(super) fn gives(mut self, answer: Schema) -> Self {
        self.description.success.1 = Some(answer);
        self
    }

    /// The status where all went well, if it is not the method's usual one: 204 for `DELETE`, 200 for the others.
    pub(super) fn status(mut self, status: u16) -> Self {
        self.description.success.0 = status;
        self
    }

    /// What is not there, or not for the caller, is answered with 200 and null.
    pub(super) fn or_null(mut self) -> Self {
        self.description.may_be_null = true;
        self
    }

    /// Shown only to those who ask for internal operations as well.
    pub(super) fn internal(mut self) -> Self {
        self.description.is_internal = true;
        self
    }

    /// The password must have been typed a short while ago.
    pub(super) fn fresh(mut self) -> Self {
        self.description.needs_fresh_login = true;
        self
    }
}

//! A browser: it keeps the session cookie, and the CSRF token that a page is told.

use serde_json::{Value, json};

use crate::client::{Request, Response};
use crate::support::{PASSWORD, Server};

/// Somebody's browser.
#[derive(Clone, Debug, Default)]
pub(crate) struct Browser {
    pub(crate) cookie: Option<String>,
    pub(crate) token: Option<String>,
}

impl Browser {
    /// One that has asked for a CSRF token, and in which nobody is signed in.
    pub(crate) fn visitor(server: &Server) -> Self {
        let mut browser = Self::default();
        browser.ask_token(server);
        browser
    }

    /// One in which `user` is signed in.
    pub(crate) fn of(server: &Server, user: &str) -> Self {
        let mut browser = Self::visitor(server);
        browser.sign_in(server, user, PASSWORD).is(200);
        browser
    }

    /// Asks which CSRF token is good.
    pub(crate) fn ask_token(&mut self, server: &Server) -> String {
        let answer = self.keep(self.request(server, "GET", "/csrf_token").send().is(200));
        let token = answer.json()["csrf_token"].as_str().unwrap().to_owned();
        self.token = Some(token.clone());
        token
    }

    pub(crate) fn sign_in(&mut self, server: &Server, user: &str, password: &str) -> Response {
        self.post(server, "/api/v1/signin", &json!({ "username": user, "password": password }))
    }

    /// Types the password again.
    pub(crate) fn verify(&mut self, server: &Server, password: &str) -> Response {
        self.post(server, "/api/v1/signin/verify", &json!({ "password": password }))
    }

    pub(crate) fn get(&self, server: &Server, target: &str) -> Response {
        self.request(server, "GET", target).send()
    }

    pub(crate) fn post(&mut self, server: &Server, target: &str, body: &Value) -> Response {
        self.keep(self.json(server, "POST", target, body).send())
    }

    pub(crate) fn put(&mut self, server: &Server, target: &str, body: &Value) -> Response {
        self.keep(self.json(server, "PUT", target, body).send())
    }

    /// A request with a JSON body and all that a page sends along.
    pub(crate) fn json(&self, server: &Server, method: &str, target: &str, body: &Value) -> Request {
        let request = self.request(server, method, target).header("Content-Type", "application/json");
        let request = match &self.token {
            Some(token) => request.header("X-CSRF-Token", token),
            None => request,
        };
        request.body(body.to_string())
    }

    /// A request as a browser sends it on its own: with the cookie and nothing else.
    pub(crate) fn request(&self, server: &Server, method: &str, target: &str) -> Request {
        let request = server.request(method, target);
        match &self.cookie {
            Some(cookie) => request.header("Cookie", format!("other=1; _csrf_token={cookie}")),
            None => request,
        }
    }

    /// Whose account the registry says this is.
    pub(crate) fn user(&self, server: &Server) -> Option<String> {
        let answer = self.get(server, "/api/v1/user");
        match answer.status {
            200 => Some(answer.json()["username"].as_str().unwrap().to_owned()),
            _ => {
                answer.is(401);
                None
            }
        }
    }

    /// Keeps the cookie and the token that an answer brings.
    pub(crate) fn keep(&mut self, answer: Response) -> Response {
        if let Some(cookie) = answer.header("set-cookie") {
            let value = cookie.strip_prefix("_csrf_token=").unwrap().split(';').next().unwrap();
            self.cookie = Some(value.to_owned()).filter(|value| !value.is_empty());
        }
        if let Some(token) = answer.header("x-next-csrf-token") {
            self.token = Some(token.to_owned());
        }
        answer
    }
}

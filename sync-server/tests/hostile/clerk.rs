//! Somebody at the office whose browser sends the worst that it may: forms, questions, files.

use std::{io::Write as _, time::Instant};

use outrider_sync_server::accounts;

use crate::world::{Answer, PATIENCE, Server};

const PASSWORD: &str = "马 to 成功, 42!";
const FORM: &str = "application/x-www-form-urlencoded";
/// The edge between the parts of a form with a file.
const EDGE: &str = "----edge-of-parts";
/// What every page of a session has before its secret mark.
const MARK: &str = "name=\"_csrf\" value=\"";

/// Somebody who is signed in, also after the server was started again.
pub(crate) struct Clerk {
    cookie: String,
    csrf: String,
}

impl Clerk {
    pub(crate) fn sign_in(server: &Server) -> Self {
        let (id, now) = (uuid::Uuid::from_u128(1), 1_790_000_000_000);
        let storage = server.storage();
        let login = accounts::FIRST_LOGIN;
        let whose = accounts::Whose { login: login.to_owned(), create_as: None };
        accounts::set_password(&storage, &whose, PASSWORD, &[3; 16], id, now).unwrap();
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("login", login), ("password", PASSWORD)])
            .finish();
        let mut clerk = Self { cookie: String::new(), csrf: String::new() };
        let (answer, cookie) = clerk.ask(server, "/sign-in", Some((FORM, form.as_bytes())));
        assert_eq!(answer.status, 303, "{}", answer.code());
        clerk.cookie = cookie;
        let page = clerk.get(server, "/reports/pipeline");
        let page = String::from_utf8(page.body).unwrap();
        let rest = page.split(MARK).nth(1).unwrap();
        clerk.csrf = rest.split('"').next().unwrap().to_owned();
        clerk
    }

    pub(crate) fn get(&self, server: &Server, path: &str) -> Answer {
        self.ask(server, path, None).0
    }

    /// Sends a form of this session with `rest` in it.
    pub(crate) fn send(&self, server: &Server, path: &str, rest: &str) -> Answer {
        let form = format!("_csrf={}&{rest}", self.csrf);
        self.ask(server, path, Some((FORM, form.as_bytes()))).0
    }

    /// Brings a file, and waits until the server has looked at it.
    pub(crate) fn bring(&self, server: &Server, name: &str, file: &[u8]) -> Vec<Answer> {
        let mut body = Vec::with_capacity(file.len() + 1_000);
        for (field, value) in [("_csrf", self.csrf.as_str()), ("entity", "customer")] {
            let head = format!("content-disposition: form-data; name=\"{field}\"");
            write!(body, "--{EDGE}\r\n{head}\r\n\r\n{value}\r\n").unwrap();
        }
        let head = format!("content-disposition: form-data; name=\"file\"; filename=\"{name}\"");
        write!(body, "--{EDGE}\r\n{head}\r\n\r\n").unwrap();
        body.extend_from_slice(file);
        write!(body, "\r\n--{EDGE}--\r\n").unwrap();
        let kind = format!("multipart/form-data; boundary={EDGE}");
        let begin = Instant::now();
        let (brought, _) = self.ask(server, "/import", Some((&kind, &body)));
        let page = brought.location.clone();
        let mut answers = vec![brought];
        while let Some(page) = &page {
            let seen = self.get(server, page);
            let is_over = !String::from_utf8_lossy(&seen.body).contains("<progress");
            answers.push(seen);
            if is_over {
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "{name} is looked at for ever");
        }
        answers
    }

    /// Asks for a page, or sends something; the answer, and the cookie that it sets.
    fn ask(&self, server: &Server, path: &str, sent: Option<(&str, &[u8])>) -> (Answer, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let mut request = ureq::http::Request::builder()
            .method(if sent.is_some() { "POST" } else { "GET" })
            .uri(format!("http://{}{path}", server.address))
            .header("origin", format!("http://{}", server.address))
            .header("cookie", &self.cookie);
        let (kind, body) = sent.unwrap_or_default();
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        let mut response = agent.run(request.body(body.to_vec()).unwrap()).unwrap();
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let (location, cookie) = (header("location"), header("set-cookie").unwrap_or_default());
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap();
        (Answer { status, body, location }, cookie)
    }
}

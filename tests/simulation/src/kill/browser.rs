//! Somebody at the office with a browser: signs in once, sends forms.

use std::collections::BTreeMap;

use ureq::{Agent, http::Request};

use super::process::PATIENCE;
use crate::Failure;

/// Bytes of a page, at most.
const PAGE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A session of the office pages. What it sends is done, or it was not answered.
#[derive(Debug, Clone)]
pub(super) struct Browser {
    agent: Agent,
    url: String,
    cookies: BTreeMap<String, String>,
    csrf: String,
}

impl Browser {
    /// Signs in.
    pub(super) fn sign_in(url: &str, login: &str, password: &str) -> Result<Self, Failure> {
        let config = Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let config = config.max_redirects_will_error(false).timeout_global(Some(PATIENCE));
        let agent = config.build().into();
        let url = url.to_owned();
        let mut browser = Self { agent, url, cookies: BTreeMap::new(), csrf: String::new() };
        browser.submit("/sign-in", &[("login", login), ("password", password)])?;
        let (_, _, page) = browser.ask("GET", "/devices", String::new())?;
        let found = page.split("name=\"_csrf\" value=\"").nth(1);
        let csrf = found.and_then(|rest| rest.split('"').next()).ok_or("a page without a mark")?;
        browser.csrf = csrf.to_owned();
        Ok(browser)
    }

    /// Sends a form; where the answer leads is what was acknowledged.
    pub(super) fn submit(&mut self, path: &str, form: &[(&str, &str)]) -> Result<String, Failure> {
        let mark = ("_csrf", self.csrf.clone());
        let mut body = String::new();
        for (name, value) in form.iter().copied().chain([(mark.0, mark.1.as_str())]) {
            let and = if body.is_empty() { "" } else { "&" };
            body.push_str(&format!("{and}{name}={}", escape(value)));
        }
        match self.ask("POST", path, body)? {
            (303, location, _) => Ok(location),
            (status, _, page) => {
                let page = page.split("<main").nth(1).unwrap_or(&page);
                let page: String = page.chars().take(600).collect();
                Err(format!("{path} was answered with {status}: {page}").into())
            }
        }
    }

    fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: String,
    ) -> Result<(u16, String, String), Failure> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if method == "POST" {
            request = request.header("content-type", "application/x-www-form-urlencoded");
            request = request.header("origin", &self.url);
        }
        let mut response = self.agent.run(request.body(body)?)?;
        for cookie in response.headers().get_all("set-cookie") {
            if let Some((name, rest)) = cookie.to_str()?.split_once('=') {
                let value = rest.split(';').next().unwrap_or_default();
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let location = response.headers().get("location").and_then(|value| value.to_str().ok());
        let location = location.unwrap_or_default().to_owned();
        let status = response.status().as_u16();
        let page = response.body_mut().with_config().limit(PAGE_BYTES_MAX).read_to_string()?;
        Ok((status, location, page))
    }
}

/// Writes all but letters and digits as forms do.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

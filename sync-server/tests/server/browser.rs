//! A browser without a script: keeps cookies, follows nothing by itself, reads forms.

use std::{collections::BTreeMap, io::ErrorKind};

use outrider_sync_server::accounts::{self, ensure_administrator};

use crate::world::{NOW, Office};

/// The administrator's password here.
pub(crate) const PASSWORD: &str = "马 to 成功, 42!";

/// Names and values of a form.
pub(crate) type Pairs = Vec<(String, String)>;

pub(crate) struct Browser<'o> {
    office: &'o Office,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<&'static str, String>,
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Seen {
    /// 0 where it hung up before everything was sent.
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Where the browser is sent, without what the page says about it.
    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.text);
        self.header("location")
    }

    /// All fields of all forms of the page's main part, as a browser would send them.
    pub(crate) fn fields(&self) -> Pairs {
        let main = self.text.split("<main").nth(1).unwrap_or_default();
        fields_of(main)
    }
}

/// What a connection fails with that the other side has closed.
const HUNG_UP: [ErrorKind; 2] = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];

impl<'o> Browser<'o> {
    /// A browser that nobody uses yet.
    pub(crate) fn new(office: &'o Office) -> Self {
        Self { office, cookies: BTreeMap::new(), headers: BTreeMap::new() }
    }

    /// A browser in which the administrator is signed in.
    pub(crate) fn signed_in(office: &'o Office) -> Self {
        create_administrator(office);
        let mut browser = Self::new(office);
        browser.sign_in();
        browser
    }

    /// A browser in which somebody is signed in who is no administrator; the name is the login.
    pub(crate) fn clerk(office: &'o Office, login: &str) -> Self {
        let whose = accounts::Whose { login: login.to_owned(), create_as: Some(login.to_owned()) };
        let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, login.as_bytes());
        let storage = office.storage.as_ref();
        accounts::set_password(storage, &whose, PASSWORD, &[4; 16], id, NOW).unwrap();
        let mut browser = Self::new(office);
        let form = [("login", login), ("password", PASSWORD)];
        assert_eq!(browser.send("/sign-in", &form).location(), "/");
        browser
    }

    /// Sends a form without saying from which site, as no browser does.
    pub(crate) fn silent(&mut self, path: &str, form: &[(&str, &str)]) -> Seen {
        self.headers.insert("x-silent", "1".to_owned());
        let seen = self.send(path, form);
        self.headers.remove("x-silent");
        seen
    }

    pub(crate) fn sign_in(&mut self) {
        let seen = self.post("/sign-in", &[("login", "admin"), ("password", PASSWORD)]);
        assert_eq!(seen.location(), "/");
    }

    pub(crate) fn get(&mut self, path: &str) -> Seen {
        self.ask("GET", path, String::new())
    }

    /// Sends a form as it is.
    pub(crate) fn send<N: AsRef<str>, V: AsRef<str>>(
        &mut self,
        path: &str,
        form: &[(N, V)],
    ) -> Seen {
        let pairs = form.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.ask("POST", path, body)
    }

    /// Sends a form of this session.
    pub(crate) fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Seen {
        let csrf = self.csrf();
        let mut form = form.to_vec();
        form.push(("_csrf", &csrf));
        self.send(path, &form)
    }

    /// What forms of this session carry; empty if nobody is signed in.
    pub(crate) fn csrf(&mut self) -> String {
        let page = self.get("/reports/pipeline").text;
        let found = page.split("name=\"_csrf\" value=\"").nth(1);
        found.and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
    }

    /// Sends a form with a file, as browsers do; the session's mark comes first.
    pub(crate) fn upload(&mut self, path: &str, name: &str, bytes: &[u8], csrf: &str) -> Seen {
        const EDGE: &str = "----edge-of-parts";
        let mut body = Vec::new();
        for (field, value) in [("_csrf", csrf), ("entity", "")] {
            let part = format!(
                "--{EDGE}\r\ncontent-disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"
            );
            body.extend_from_slice(part.as_bytes());
        }
        let part = format!(
            "--{EDGE}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             content-type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(part.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(format!("\r\n--{EDGE}--\r\n").as_bytes());
        self.ask_with("POST", path, body, &format!("multipart/form-data; boundary={EDGE}"))
    }

    fn ask(&mut self, method: &str, path: &str, body: String) -> Seen {
        self.ask_with(method, path, body.into_bytes(), "application/x-www-form-urlencoded")
    }

    fn ask_with(&mut self, method: &str, path: &str, body: Vec<u8>, content_type: &str) -> Seen {
        let agent = agent();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.office.address));
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if method == "POST" {
            request = request.header("content-type", content_type);
            // As browsers do; a test that says another site, or none, means it.
            let says = ["origin", "sec-fetch-site", "x-silent"];
            if !says.iter().any(|name| self.headers.contains_key(name)) {
                let origin = format!("http://{}", self.office.address);
                request = request.header("origin", origin);
            }
        }
        let mut response = match agent.run(request.body(body).unwrap()) {
            Ok(response) => response,
            // The server may hang up before a body that is too large has been sent, and its answer is lost then.
            Err(ureq::Error::Io(error)) if HUNG_UP.contains(&error.kind()) => {
                return Seen { status: 0, headers: BTreeMap::new(), text: String::new() };
            }
            Err(error) => panic!("{path}: {error}"),
        };
        for cookie in response.headers().get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
        Seen {
            status: response.status().as_u16(),
            headers: headers.collect(),
            text: String::from_utf8_lossy(
                &response.body_mut().with_config().limit(1 << 26).read_to_vec().unwrap(),
            )
            .into_owned(),
        }
    }
}

/// Makes the first account, as the first start does.
/// Asks, and follows nothing: what is answered is looked at.
pub(crate) fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder();
    let config = config.http_status_as_error(false).max_redirects(0);
    config.max_redirects_will_error(false).build().into()
}

pub(crate) fn create_administrator(office: &Office) {
    let id = uuid::Uuid::from_u128(1);
    assert!(ensure_administrator(office.storage.as_ref(), PASSWORD, &[3; 16], id, NOW).unwrap());
}

/// Takes the fields out of HTML that this server made.
fn fields_of(html: &str) -> Pairs {
    let mut found = Pairs::new();
    for tag in html.split('<').skip(1) {
        let Some((tag, after)) = tag.split_once('>') else { continue };
        let attribute = |name: &str| {
            let value = tag.split(&format!(" {name}=\"")).nth(1)?;
            Some(unescape(value.split('"').next()?))
        };
        let is = |name: &str| tag.split([' ', '\n']).any(|word| word == name);
        if is("input") {
            let ticks = attribute("type").as_deref() == Some("checkbox");
            if let Some(name) = attribute("name").filter(|_| !ticks || is("checked")) {
                found.push((name, attribute("value").unwrap_or_default()));
            }
        } else if is("textarea") {
            let text = after.strip_prefix('\n').unwrap_or(after);
            found.push((attribute("name").unwrap(), unescape(text)));
        } else if is("select") {
            if let Some(name) = attribute("name") {
                found.push((name, String::new()));
            }
        } else if is("option") && is("selected") {
            found.last_mut().unwrap().1 = attribute("value").unwrap();
        }
    }
    found
}

fn unescape(text: &str) -> String {
    let named = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    named.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// All routes of the office pages, as the source lists them: pattern, whether it answers GET,
/// whether POST.
pub(crate) fn routes() -> Vec<(String, bool, bool)> {
    let source = include_str!("../../src/web.rs");
    let found = source.split(".route(\"").skip(1).map(|rest| {
        let (route, rest) = rest.split_once('"').unwrap();
        // Up to the next route, or the end of the list.
        let call = rest.split(".route(").next().unwrap().split("DefaultBodyLimit").next().unwrap();
        (route.to_owned(), call.contains("get("), call.contains("post("))
    });
    found.collect()
}

//! Several companies on one server, each with everything of its own.
//!
//! The company that a server begins with lives in the data folder itself. Each further one, a
//! *tenant*, has a folder within it: `tenants/<name>/` with its own database, key, ledger, imports.
//! Nothing that reads or writes data knows more than one such folder, so no question can reach
//! across. A request is for the tenant whose host it names; what names none is for the first
//! company.

use std::{
    fmt, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

pub mod dispatch;

/// Name of the folder of all tenants in the data folder.
pub const TENANTS_FOLDER: &str = "tenants";
/// Name of the file that says under which hosts people reach a tenant.
const TENANT_FILE: &str = "tenant.json";
/// Characters of a tenant's name, at most.
pub const NAME_CHARS_MAX: usize = 40;
/// Tenants of one server, at most: each has a database open.
pub const TENANTS_MAX: usize = 200;
/// Hosts of one tenant, at most.
pub const HOSTS_MAX: usize = 10;
/// Characters of a host, at most, as the domain name system has it.
const HOST_CHARS_MAX: usize = 253;
/// On the machine itself each tenant is reached under its name with this behind it.
pub const LOCAL_SUFFIX: &str = ".localhost";

/// Why a tenant cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// A name is none.
    #[error(
        "`{0}` is no name of a tenant: 1 to {NAME_CHARS_MAX} of a-z, 0-9 and -, no - at its ends"
    )]
    Name(String),
    /// A host is none.
    #[error("`{0}` is no host name such as crm.example.com")]
    Host(String),
    /// Two tenants would have one host.
    #[error("the host {host} belongs to the tenant {tenant} already")]
    HostTaken {
        /// Which host.
        host: String,
        /// Whose it is.
        tenant: String,
    },
    /// There is no such tenant.
    #[error("there is no tenant {0}; `tenant list` shows them, `tenant add` makes one")]
    Unknown(TenantName),
    /// There is one of this name.
    #[error("there is a tenant {0} already")]
    Exists(TenantName),
    /// There are as many as there may be.
    #[error("there are {TENANTS_MAX} tenants, and a server takes no more")]
    TooMany,
    /// One tenant has as many hosts as it may.
    #[error("a tenant has at most {HOSTS_MAX} hosts")]
    TooManyHosts,
    /// A file or folder cannot be used.
    #[error("{path} cannot be used")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The name of a tenant: part of a path and of a host, so nothing else than these characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TenantName(String);

impl TenantName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TenantName {
    type Err = TenantError;

    fn from_str(text: &str) -> Result<Self, TenantError> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_name = (1..=NAME_CHARS_MAX).contains(&text.len())
            && text.chars().all(is_plain)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if is_name { Ok(Self(text.to_owned())) } else { Err(TenantError::Name(text.to_owned())) }
    }
}

/// One company beside the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its name.
    pub name: TenantName,
    /// Hosts under which it is reached, in lower case, without ports.
    pub hosts: Vec<String>,
    /// The folder of its data.
    pub folder: PathBuf,
}

/// What the file in a tenant's folder says.
#[derive(Debug, Serialize, Deserialize)]
struct Described {
    hosts: Vec<String>,
}

/// All tenants of a data folder, by name.
///
/// # Errors
///
/// [`TenantError`] when a folder is none of a tenant, or cannot be read.
pub fn list(data: &Path) -> Result<Vec<Tenant>, TenantError> {
    let all = data.join(TENANTS_FOLDER);
    let entries = match fs::read_dir(&all) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(&all)(error)),
    };
    let mut tenants = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed(&all))?;
        let folder = entry.path();
        // A folder without the file was never finished.
        if !folder.join(TENANT_FILE).exists() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().parse()?;
        tenants.push(read(name, folder)?);
    }
    tenants.sort_by(|one, other| one.name.cmp(&other.name));
    if tenants.len() > TENANTS_MAX {
        return Err(TenantError::TooMany);
    }
    Ok(tenants)
}

/// One tenant of a data folder.
///
/// # Errors
///
/// [`TenantError::Unknown`] when there is none of this name.
pub fn find(data: &Path, name: &TenantName) -> Result<Tenant, TenantError> {
    let folder = data.join(TENANTS_FOLDER).join(name.as_str());
    if !folder.join(TENANT_FILE).exists() {
        return Err(TenantError::Unknown(name.clone()));
    }
    read(name.clone(), folder)
}

/// Makes a tenant; a server that runs serves it after its next start.
///
/// # Errors
///
/// [`TenantError`] for a name or a host that is taken or none.
pub fn add(data: &Path, name: &TenantName, hosts: &[String]) -> Result<Tenant, TenantError> {
    let others = list(data)?;
    if others.iter().any(|other| other.name == *name) {
        return Err(TenantError::Exists(name.clone()));
    }
    if others.len() >= TENANTS_MAX {
        return Err(TenantError::TooMany);
    }
    if hosts.len() > HOSTS_MAX {
        return Err(TenantError::TooManyHosts);
    }
    let hosts = hosts.iter().map(|host| parse_host(host)).collect::<Result<Vec<_>, _>>()?;
    for host in &hosts {
        if let Some(other) = others.iter().find(|other| other.answers_to(host)) {
            let (host, tenant) = (host.clone(), other.name.to_string());
            return Err(TenantError::HostTaken { host, tenant });
        }
    }
    let folder = data.join(TENANTS_FOLDER).join(name.as_str());
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder).map_err(failed(&folder))?;
    let path = folder.join(TENANT_FILE);
    let described = Described { hosts: hosts.clone() };
    let text = serde_json::to_string_pretty(&described).expect("text is always JSON");
    let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(failed(&path))?;
    file.write_all(text.as_bytes()).map_err(failed(&path))?;
    file.as_file().sync_all().map_err(failed(&path))?;
    file.persist(&path).map_err(|error| failed(&path)(error.error))?;
    Ok(Tenant { name: name.clone(), hosts, folder })
}

/// Where a tenant's ledger lies when the first company's lies elsewhere than in the data folder:
/// beside that one.
#[must_use]
pub fn ledger_of(first: Option<&Path>, name: &TenantName) -> Option<PathBuf> {
    let mut path = first?.as_os_str().to_owned();
    path.push(".");
    path.push(name.as_str());
    Some(path.into())
}

impl Tenant {
    /// Whether a request for this host, in lower case and without its port, is the tenant's.
    #[must_use]
    pub fn answers_to(&self, host: &str) -> bool {
        host.strip_suffix(LOCAL_SUFFIX) == Some(self.name.as_str())
            || self.hosts.iter().any(|own| own == host)
    }
}

fn read(name: TenantName, folder: PathBuf) -> Result<Tenant, TenantError> {
    let path = folder.join(TENANT_FILE);
    let text = fs::read(&path).map_err(failed(&path))?;
    let described: Described =
        serde_json::from_slice(&text).map_err(|error| failed(&path)(error.into()))?;
    let hosts = described.hosts.iter().map(|host| parse_host(host));
    Ok(Tenant { name, hosts: hosts.collect::<Result<_, _>>()?, folder })
}

/// A host name in lower case.
fn parse_host(text: &str) -> Result<String, TenantError> {
    let host = text.trim().to_ascii_lowercase();
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_host = host.len() <= HOST_CHARS_MAX
        && host.split('.').all(is_label)
        && !host.ends_with(LOCAL_SUFFIX);
    if is_host { Ok(host) } else { Err(TenantError::Host(text.to_owned())) }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> TenantError + use<> {
    let path = path.display().to_string();
    move |source| TenantError::File { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parts_of_paths_and_hosts_and_nothing_else() {
        for good in ["a", "acme", "acme-2", &"x".repeat(NAME_CHARS_MAX)] {
            assert!(good.parse::<TenantName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "Acme",
            "-a",
            "a-",
            "a.b",
            "..",
            "a/b",
            "a\\b",
            "张",
            "a b",
            "a\0",
            &"x".repeat(NAME_CHARS_MAX + 1),
        ] {
            assert!(bad.parse::<TenantName>().is_err(), "{bad}");
        }
        for bad in ["", "a..b", "a b", "http://a", "a:80", "x.localhost", "-a.example"] {
            assert!(parse_host(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_host(" CRM.Example.com ").unwrap(), "crm.example.com");
    }

    #[test]
    fn tenants_are_added_once_and_no_two_have_one_host() {
        let data = tempfile::tempdir().unwrap();
        let name = |text: &str| text.parse::<TenantName>().unwrap();
        assert_eq!(list(data.path()).unwrap(), []);
        let hosts = ["CRM.acme.example".to_owned()];
        let acme = add(data.path(), &name("acme"), &hosts).unwrap();
        assert_eq!(acme.hosts, ["crm.acme.example"]);
        assert!(acme.answers_to("crm.acme.example") && acme.answers_to("acme.localhost"));
        assert!(!acme.answers_to("acme") && !acme.answers_to("x.crm.acme.example"));
        assert!(matches!(add(data.path(), &name("acme"), &[]), Err(TenantError::Exists(_))));
        let taken = add(data.path(), &name("other"), &hosts);
        assert!(matches!(taken, Err(TenantError::HostTaken { .. })));
        let many = vec!["a.example".to_owned(); HOSTS_MAX + 1];
        assert!(matches!(add(data.path(), &name("many"), &many), Err(TenantError::TooManyHosts)));
        add(data.path(), &name("beta"), &[]).unwrap();
        let names: Vec<_> = list(data.path()).unwrap().into_iter().map(|t| t.name.0).collect();
        assert_eq!(names, ["acme", "beta"]);
        assert_eq!(find(data.path(), &name("acme")).unwrap(), acme);
        assert!(matches!(find(data.path(), &name("gone")), Err(TenantError::Unknown(_))));
        let ledger = ledger_of(Some(Path::new("/safe/ledger")), &name("acme"));
        assert_eq!(ledger, Some(PathBuf::from("/safe/ledger.acme")));
    }
}

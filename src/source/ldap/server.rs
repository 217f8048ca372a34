//! What a server says of itself: its kind, what it holds, and by what mark it can be told that nothing has changed.

use crate::config::{self, Flavor};
use crate::source::Incomplete;

use super::directory::{Asked, Directory, RawEntry, References, Scope, Search, Whole, search};
use super::dn::Dn;

/// Active Directory says so among its capabilities.
const ACTIVE_DIRECTORY: &str = "1.2.840.113556.1.4.800";

const ATTRIBUTES: [&str; 6] = [
    "defaultNamingContext",
    "namingContexts",
    "supportedCapabilities",
    "dsServiceName",
    "highestCommittedUSN",
    "isSynchronized",
];

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub is_active_directory: bool,
    /// What it holds; empty where it does not say.
    pub contexts: Vec<Dn>,
    /// The root of its own domain.
    pub domain: Option<Dn>,
    service: Option<String>,
    changes: Option<String>,
}

impl Server {
    /// Asks the root DSE.
    ///
    /// # Errors
    /// When it can't be read, or says that the server is not fit to be asked.
    pub fn ask(directory: &mut dyn Directory, flavor: Flavor, asked: &mut Asked) -> Result<Server, Incomplete> {
        let what = "the root DSE";
        let root = entry(directory, "", &ATTRIBUTES, what, asked)?;
        let root = root.or((flavor != Flavor::Auto).then(RawEntry::default)).ok_or_else(|| {
            Incomplete::lasting(format!(
                "{} does not show its root DSE to this account, so that nobody can tell what kind of directory it is: set `flavor` and `base_dn`.",
                directory.server()
            ))
        })?;
        if root.text("isSynchronized").is_some_and(|value| value.eq_ignore_ascii_case("false")) {
            return Err(Incomplete::passing(format!(
                "{} says that it has not caught up with the other controllers of its domain yet (isSynchronized is FALSE), so what it holds is not believed.",
                directory.server()
            )));
        }
        let is_active_directory = match flavor {
            Flavor::ActiveDirectory => true,
            Flavor::Auto => root.texts("supportedCapabilities").any(|oid| oid == ACTIVE_DIRECTORY),
            Flavor::Rfc2307 | Flavor::Rfc2307bis => false,
        };
        let dn = |text: &str| Dn::parse(text).ok();
        Ok(Server {
            is_active_directory,
            contexts: root.texts("namingContexts").filter_map(dn).collect(),
            domain: root.text("defaultNamingContext").and_then(dn),
            service: root.text("dsServiceName").map(str::to_owned),
            changes: root.text("highestCommittedUSN").map(str::to_owned),
        })
    }

    pub fn label(&self) -> &'static str {
        if self.is_active_directory { "Active Directory" } else { "LDAP" }
    }

    /// What of the directory a name belongs to.
    pub fn context_of(&self, name: &Dn) -> Option<&Dn> {
        self.contexts.iter().filter(|context| name.is_within(context)).max_by_key(|context| context.depth())
    }

    /// Whether it has what stands under this name, as far as it says what it has.
    pub fn holds(&self, name: &Dn) -> bool {
        let own = self.domain.as_ref().filter(|_| self.is_active_directory);
        match own {
            // A controller's other contexts hold no people, but for the domains below it, which others have.
            Some(domain) => {
                name.is_within(domain) && self.context_of(name).is_none_or(|context| context.depth() <= domain.depth())
            }
            None => self.contexts.is_empty() || self.context_of(name).is_some(),
        }
    }

    /// Where searches begin.
    ///
    /// # Errors
    /// When neither the configuration nor the server says.
    pub fn base(&self, config: &config::Ldap) -> Result<Dn, Incomplete> {
        let configured = config.base_dn.clone();
        let own = self.domain.clone().filter(|_| self.is_active_directory);
        let of_group = || config.groups.first().and_then(|group| self.context_of(&group.dn)).cloned();
        let only = || self.contexts.first().filter(|_| self.contexts.len() == 1).cloned();
        configured.or(own).or_else(of_group).or_else(only).ok_or_else(|| {
            Incomplete::lasting(
                "The server does not say what it holds (namingContexts): add `base_dn`, such as \"dc=contoso,dc=com\".",
            )
        })
    }

    /// The roots under which a stable id may be found.
    pub fn roots<'a>(&'a self, base: &'a Dn) -> Vec<&'a Dn> {
        match &self.domain {
            Some(domain) if self.is_active_directory => vec![domain],
            _ if self.contexts.is_empty() => vec![base],
            _ => self.contexts.iter().collect(),
        }
    }

    pub fn references(&self, counted_otherwise: bool) -> References<'_> {
        match &self.domain {
            Some(domain) if self.is_active_directory && counted_otherwise => References::OfDomains(domain),
            Some(domain) if self.is_active_directory => References::OfForest(domain),
            _ => References::None,
        }
    }

    /// A mark that stays the same while nothing changes on this very server, and no longer. `None`: it has none that can
    /// be relied on.
    pub fn mark(&self, directory: &mut dyn Directory, asked: &mut Asked) -> Result<Option<String>, Incomplete> {
        if !self.is_active_directory {
            let [context] = self.contexts.as_slice() else { return Ok(None) };
            let found = entry(directory, context.text(), &["contextCSN"], "the state of the directory", asked)?;
            let mut states: Vec<&str> = found.iter().flat_map(|found| found.texts("contextCSN")).collect();
            states.sort_unstable();
            return Ok((!states.is_empty()).then(|| format!("{} {}", context.normal(), states.join(" "))));
        }
        // A controller that was restored from a copy counts anew, under another invocation.
        let (Some(service), Some(changes)) = (&self.service, &self.changes) else { return Ok(None) };
        let found = entry(directory, service, &["invocationId"], "the state of the controller", asked)?;
        let invocation = found.as_ref().and_then(|found| found.values("invocationId").first());
        Ok(invocation.map(|id| {
            let id = id.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
            format!("{service} {id} {changes}")
        }))
    }
}

/// One entry by its name; `None` where it is not there, or not for this account.
pub fn entry(
    directory: &mut dyn Directory,
    name: &str,
    attributes: &[&str],
    what: &str,
    asked: &mut Asked,
) -> Result<Option<RawEntry>, Incomplete> {
    let ask = Search {
        base: name,
        scope: Scope::Base,
        filter: "(objectClass=*)",
        attributes,
        references: References::None,
        what,
    };
    let mut found = None;
    let whole = search(directory, &ask, 0, asked, &mut |entry| {
        found = Some(entry);
        Ok(())
    })?;
    if whole == Whole::Elsewhere {
        return Err(Incomplete::lasting(format!(
            "{} says that {what} stands on another server: read from the one that has all of it.",
            directory.server()
        )));
    }
    Ok(found.filter(|_| whole == Whole::Found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dn(text: &str) -> Dn {
        Dn::parse(text).unwrap()
    }

    #[test]
    fn a_controller_holds_its_own_domain_and_no_other() {
        let server = Server {
            is_active_directory: true,
            contexts: ["DC=ad,DC=x", "CN=Configuration,DC=ad,DC=x", "DC=DomainDnsZones,DC=ad,DC=x"].map(dn).to_vec(),
            domain: Some(dn("DC=ad,DC=x")),
            service: None,
            changes: None,
        };
        assert!(server.holds(&dn("CN=Jane,OU=Staff,DC=ad,DC=x")));
        assert!(!server.holds(&dn("CN=Jane,DC=other,DC=x")));
        assert_eq!(server.roots(&dn("OU=Staff,DC=ad,DC=x")), [&dn("DC=ad,DC=x")]);
    }

    #[test]
    fn another_server_holds_what_it_says() {
        let server = Server {
            is_active_directory: false,
            contexts: vec![dn("dc=a"), dn("dc=b")],
            domain: None,
            service: None,
            changes: None,
        };
        assert!(server.holds(&dn("uid=j,dc=b")) && !server.holds(&dn("uid=j,dc=c")));
        assert!(Server { contexts: Vec::new(), ..server }.holds(&dn("uid=j,dc=c")), "it does not say what it has");
    }
}

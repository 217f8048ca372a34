//! What a server says of itself, for people: which program it is, how old its domain may be, and what it offers.

use serde::{Deserialize, Serialize};

use crate::report::text::list;
use crate::source::Incomplete;

use super::directory::{Asked, Directory, RawEntry};
use super::server::entry;

const ATTRIBUTES: [&str; 7] = [
    "objectClass",
    "vendorName",
    "vendorVersion",
    "dnsHostName",
    "domainFunctionality",
    "forestFunctionality",
    "supportedControl",
];

/// The controls that rosterd makes use of, by their names for people.
const OFFERS: [(&str, &str); 4] = [
    ("1.2.840.113556.1.4.319", "paged results"),
    ("1.3.6.1.4.1.4203.1.9.1.1", "content synchronization"),
    ("1.2.840.113556.1.4.841", "DirSync"),
    ("1.2.840.113556.1.4.528", "change notification"),
];

/// One server, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct About {
    /// Its own name, where it has another than its address.
    pub host: Option<String>,
    /// Which program it is: `OpenLDAP`.
    pub software: Option<String>,
    /// The functional levels of its domain and forest: `2016`.
    pub domain_level: Option<String>,
    pub forest_level: Option<String>,
    /// What of use to rosterd it says that it knows.
    pub offers: Vec<String>,
}

impl About {
    /// Asks the root DSE.
    ///
    /// # Errors
    /// When the server does not answer whole.
    pub fn ask(directory: &mut dyn Directory, asked: &mut Asked) -> Result<About, Incomplete> {
        let root = entry(directory, "", &ATTRIBUTES, "the root DSE", asked)?;
        Ok(root.as_ref().map(About::of).unwrap_or_default())
    }

    fn of(root: &RawEntry) -> About {
        let text = |name: &str| root.text(name).map(str::trim).filter(|text| !text.is_empty());
        // OpenLDAP names itself by a class alone.
        let own = root.is("OpenLDAProotDSE").then_some("OpenLDAP");
        let software = [text("vendorName").or(own), text("vendorVersion")].into_iter().flatten().collect::<Vec<_>>();
        let offers = OFFERS.iter().filter(|(oid, _)| root.texts("supportedControl").any(|known| known == *oid));
        About {
            host: text("dnsHostName").map(str::to_owned),
            software: (!software.is_empty()).then(|| software.join(" ")),
            domain_level: text("domainFunctionality").map(level),
            forest_level: text("forestFunctionality").map(level),
            offers: offers.map(|(_, name)| (*name).to_owned()).collect(),
        }
    }

    /// A sentence; nothing where it says nothing.
    pub fn told(&self) -> Option<String> {
        let About { host, software, domain_level, forest_level, offers } = self;
        let levels = [("domain", domain_level), ("forest", forest_level)]
            .into_iter()
            .filter_map(|(what, level)| Some(format!("{what} level {}", level.as_ref()?)));
        let mut is: Vec<String> = host.iter().chain(software).cloned().collect();
        is.extend(levels);
        let mut parts = Vec::new();
        if !is.is_empty() {
            parts.push(format!("is {}", is.join(", ")));
        }
        if !offers.is_empty() {
            parts.push(format!("offers {}", list(offers, "and")));
        }
        (!parts.is_empty()).then(|| format!("The server {}.", parts.join("; it ")))
    }
}

/// The version of Windows Server after which a functional level is named (MS-ADTS, 3.1.1.3.2.25).
fn level(number: &str) -> String {
    let name = match number {
        "0" => "2000",
        "1" => "2003 interim",
        "2" => "2003",
        "3" => "2008",
        "4" => "2008 R2",
        "5" => "2012",
        "6" => "2012 R2",
        "7" => "2016",
        "10" => "2025",
        other => other,
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::person::raw;
    use super::*;

    fn told(attributes: &[(&str, &str)]) -> Option<String> {
        About::of(&raw("", attributes)).told()
    }

    #[test]
    fn a_server_is_told_by_what_it_says() {
        assert_eq!(
            told(&[
                ("dnsHostName", "dc1.contoso.com"),
                ("vendorName", "Samba Team"),
                ("vendorVersion", "4.17"),
                ("domainFunctionality", "4"),
                ("forestFunctionality", "7"),
                ("supportedControl", "1.2.840.113556.1.4.841"),
                ("supportedControl", "1.2.840.113556.1.4.319"),
                ("supportedControl", "1.2.3"),
            ])
            .as_deref(),
            Some(
                "The server is dc1.contoso.com, Samba Team 4.17, domain level 2008 R2, forest level 2016; it offers paged results and DirSync."
            )
        );
        assert_eq!(told(&[("objectClass", "OpenLDAProotDSE")]).as_deref(), Some("The server is OpenLDAP."));
        assert_eq!(
            told(&[("supportedControl", "1.2.840.113556.1.4.319")]).as_deref(),
            Some("The server offers paged results.")
        );
        assert_eq!(told(&[]), None);
    }
}

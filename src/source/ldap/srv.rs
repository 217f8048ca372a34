//! Which servers a domain has, and which of them is asked first: what DNS said (RFC 2782), in the order in which it is
//! tried.

use crate::config::Flavor;

/// A domain may have hundreds; when so many can't be read, it is not the servers.
const SERVERS_MAX: usize = 8;

/// What stands in the configuration: `ldaps://contoso.com`, which means a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Domain<'a> {
    pub name: &'a str,
    /// `ldaps` or `ldap`.
    pub scheme: &'a str,
    pub port: Option<u16>,
}

/// One answer of DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The lowest comes first.
    pub priority: u16,
    /// Among equals, how often it comes first.
    pub weight: u16,
    /// Of LDAP without TLS.
    pub port: u16,
    /// With a dot at its end.
    pub target: String,
}

/// The names that DNS is asked for, until one is there.
pub fn questions(domain: &str, flavor: Flavor) -> Vec<String> {
    let domain = domain.trim_end_matches('.');
    let controllers = format!("_ldap._tcp.dc._msdcs.{domain}.");
    let servers = format!("_ldap._tcp.{domain}.");
    match flavor {
        Flavor::Auto => vec![controllers, servers],
        Flavor::ActiveDirectory => vec![controllers],
        Flavor::Rfc2307 | Flavor::Rfc2307bis => vec![servers],
    }
}

/// The addresses of the servers, in the order in which they are tried. `last` is the one that was read last: it comes
/// first among its equals, for what it says of its changes can be compared. `draw` gives a number of 0 to what it is given,
/// each as likely as the others.
///
/// A server that is not of the domain is left out: whoever can forge an answer could name one of their own, with a
/// certificate that is right for it, and would be told the password.
///
/// # Errors
/// When no server is left, why, as sentences.
pub fn servers(
    domain: Domain<'_>,
    records: Vec<Record>,
    last: Option<&str>,
    draw: &mut dyn FnMut(u32) -> u32,
) -> Result<Vec<String>, String> {
    let name = domain.name.trim_end_matches('.');
    let (own, foreign): (Vec<Record>, Vec<Record>) =
        records.into_iter().filter(|record| !host(record).is_empty()).partition(|record| is_of(&host(record), name));
    if own.is_empty() {
        return Err(match foreign.first() {
            Some(record) => format!(
                "DNS names {} as a server of {name}, and others that are not of that domain either: if it is right, write it into `urls`, without `discover`.",
                host(record)
            ),
            None => {
                format!("DNS says that {name} has no LDAP server: name the servers under `urls`, without `discover`.")
            }
        });
    }
    let mut addresses: Vec<String> = Vec::new();
    for record in in_order(own, |record| last == Some(address(domain, record).as_str()), draw) {
        let address = address(domain, &record);
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses.truncate(SERVERS_MAX);
    Ok(addresses)
}

/// RFC 2782: by priority, and by lot among equals, each as often first as its weight says.
fn in_order(
    mut records: Vec<Record>,
    is_last: impl Fn(&Record) -> bool,
    draw: &mut dyn FnMut(u32) -> u32,
) -> Vec<Record> {
    let mut ordered = Vec::with_capacity(records.len());
    // Those without weight stand before the others of their priority, or they would never be drawn.
    records.sort_by_key(|record| (record.priority, record.weight));
    while let Some(priority) = records.first().map(|record| record.priority) {
        let equals = records.iter().take_while(|record| record.priority == priority).count();
        let known = records[..equals].iter().position(&is_last);
        let at = known.unwrap_or_else(|| {
            let mut rest = draw(records[..equals].iter().map(|record| u32::from(record.weight)).sum());
            let is_drawn = |record: &Record| {
                let is_drawn = rest <= u32::from(record.weight);
                rest = rest.saturating_sub(record.weight.into());
                is_drawn
            };
            records[..equals].iter().position(is_drawn).unwrap_or_default()
        });
        ordered.push(records.remove(at));
    }
    ordered
}

fn host(record: &Record) -> String {
    record.target.trim_end_matches('.').to_ascii_lowercase()
}

fn is_of(host: &str, domain: &str) -> bool {
    let domain = domain.to_ascii_lowercase();
    host == domain || host.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'))
}

/// DNS knows the port without TLS alone.
fn address(domain: Domain<'_>, record: &Record) -> String {
    let own = Some(record.port).filter(|port| domain.scheme == "ldap" && *port != 389);
    let port = domain.port.or(own).map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{}{port}", domain.scheme, host(record))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONTOSO: Domain<'static> = Domain { name: "Contoso.com", scheme: "ldaps", port: None };

    fn record(priority: u16, weight: u16, target: &str) -> Record {
        Record { priority, weight, port: 389, target: target.to_owned() }
    }

    fn first(_: u32) -> u32 {
        0
    }

    #[test]
    fn active_directory_is_asked_for_its_controllers() {
        let asked = |flavor| questions("contoso.com", flavor);
        assert_eq!(asked(Flavor::ActiveDirectory), ["_ldap._tcp.dc._msdcs.contoso.com."]);
        assert_eq!(asked(Flavor::Rfc2307), ["_ldap._tcp.contoso.com."]);
        assert_eq!(asked(Flavor::Auto), ["_ldap._tcp.dc._msdcs.contoso.com.", "_ldap._tcp.contoso.com."]);
    }

    #[test]
    fn a_port_is_that_of_the_configuration_or_of_the_record_without_tls() {
        let records = || vec![Record { port: 1389, ..record(0, 0, "DC1.contoso.com.") }];
        let address = |scheme, port| servers(Domain { scheme, port, ..CONTOSO }, records(), None, &mut first).unwrap();
        assert_eq!(address("ldaps", None), ["ldaps://dc1.contoso.com"], "that port is not for TLS");
        assert_eq!(address("ldaps", Some(3636)), ["ldaps://dc1.contoso.com:3636"]);
        assert_eq!(address("ldap", None), ["ldap://dc1.contoso.com:1389"]);
        assert_eq!(address("ldap", Some(389)), ["ldap://dc1.contoso.com:389"]);
    }

    #[test]
    fn a_server_of_another_domain_is_not_asked() {
        let foreign = ["dc1.evil.example.", "dc1.notcontoso.com."].map(|name| record(0, 0, name)).to_vec();
        let told = servers(CONTOSO, foreign.clone(), None, &mut first).unwrap_err();
        assert!(told.contains("dc1.evil.example") && told.contains("without `discover`"), "{told}");
        let both = [foreign, vec![record(9, 0, "dc1.contoso.com.")]].concat();
        assert_eq!(servers(CONTOSO, both, None, &mut first).unwrap(), ["ldaps://dc1.contoso.com"]);
    }

    #[test]
    fn a_dot_alone_means_that_there_is_no_server() {
        let told = servers(CONTOSO, vec![record(0, 0, ".")], None, &mut first).unwrap_err();
        assert!(told.contains("no LDAP server"), "{told}");
    }

    #[test]
    fn the_server_that_was_read_last_comes_first_among_its_equals() {
        let records = || ["a", "b", "c"].map(|it| record(0, 9, &format!("{it}.contoso.com."))).to_vec();
        let first_of = |records, last| servers(CONTOSO, records, Some(last), &mut first).unwrap()[0].clone();
        assert_eq!(first_of(records(), "ldaps://c.contoso.com"), "ldaps://c.contoso.com");
        assert_eq!(first_of(records(), "ldaps://x.contoso.com"), "ldaps://a.contoso.com");
        let spare = [records(), vec![record(1, 0, "d.contoso.com.")]].concat();
        assert_eq!(first_of(spare, "ldaps://d.contoso.com"), "ldaps://a.contoso.com", "it stands in for the others");
    }

    #[test]
    fn who_has_more_weight_is_first_more_often() {
        let records = || vec![record(0, 0, "none."), record(0, 10, "one."), record(0, 30, "three.")];
        let mut firsts = std::collections::BTreeMap::<String, u32>::new();
        for drawn in 0..=40 {
            let ordered = in_order(records(), |_| false, &mut |most| drawn.min(most));
            *firsts.entry(ordered[0].target.clone()).or_default() += 1;
        }
        assert_eq!(
            firsts.into_iter().collect::<Vec<_>>(),
            [("none.".to_owned(), 1), ("one.".to_owned(), 10), ("three.".to_owned(), 30)]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn everybody_is_tried_once_and_a_lower_priority_first(
            records in proptest::collection::vec((0_u16..4, prop_oneof![Just(0), any::<u16>()], "[a-f]"), 0..12),
            draws in proptest::collection::vec(any::<u32>(), 12),
        ) {
            let records: Vec<Record> = records.iter().map(|(priority, weight, name)| record(*priority, *weight, name)).collect();
            let mut drawn = draws.iter();
            let ordered = in_order(records.clone(), |_| false, &mut |most| drawn.next().unwrap() % (most + 1));
            prop_assert!(ordered.is_sorted_by_key(|record| record.priority));
            let sorted = |mut records: Vec<Record>| {
                records.sort_by(|a, b| (a.priority, a.weight, &a.target).cmp(&(b.priority, b.weight, &b.target)));
                records
            };
            prop_assert_eq!(sorted(ordered), sorted(records));
        }
    }
}

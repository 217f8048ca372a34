//! Why a server let nobody in, what to do about it, and whether another one is asked instead.

use crate::source::{Incomplete, Reading};

use super::directory::name_of;

/// Why a server let nobody in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    pub why: Incomplete,
    /// Whether another server may do otherwise. Not where the configuration is wrong, nor where the name or the password
    /// is: an account is locked after a few wrong ones.
    pub elsewhere: bool,
}

impl Closed {
    /// Another server may do otherwise.
    pub fn here(why: Incomplete) -> Closed {
        Closed { why, elsewhere: true }
    }

    /// So would every other one.
    pub fn everywhere(why: Incomplete) -> Closed {
        Closed { why, elsewhere: false }
    }
}

/// What is wrong with the servers that were tried in turn.
#[derive(Debug, Default)]
pub struct Tried {
    reasons: Vec<Incomplete>,
}

impl Tried {
    /// This one could not be read, and the next one is tried.
    pub fn add(&mut self, why: Incomplete) {
        self.reasons.push(why);
    }

    /// Each as sentences.
    pub fn reasons(&self) -> impl Iterator<Item = &str> {
        self.reasons.iter().map(|why| why.reason.as_str())
    }

    /// What the next one said, with a word on those before it.
    pub fn before(mut self, reading: Reading) -> Reading {
        match reading {
            Reading::Complete(mut snapshot) => {
                let tried = self.reasons.iter().map(|why| format!("Tried before: {}", why.reason));
                snapshot.evidence.notes.extend(tried);
                Reading::Complete(snapshot)
            }
            Reading::Incomplete(why) => {
                self.reasons.push(why);
                self.in_vain()
            }
            told => told,
        }
    }

    /// None could be read.
    pub fn in_vain(self) -> Reading {
        let passing = self.reasons.iter().any(|why| why.passing);
        let reason = self.reasons.iter().map(|why| why.reason.as_str()).collect::<Vec<_>>().join(" ");
        Reading::Incomplete(Incomplete { passing, ..Incomplete::lasting(reason) })
    }
}

/// The server does not turn to TLS.
pub fn without_tls(server: &str, code: u32) -> Closed {
    Closed::here(Incomplete::lasting(format!(
        "{server} does not turn to TLS: it answered {code} ({}) to StartTLS. Use its ldaps:// port, or set it up for TLS.",
        name_of(code)
    )))
}

/// The server says no to whoever signs in, over TLS or not.
pub fn refused(server: &str, who: &str, is_tls: bool, code: u32, text: &str) -> Closed {
    let text = text.trim_matches(['\0', ' ', '\n']);
    // Active Directory says more in its own words than by its code.
    let advice = match code {
        49 if text.contains("data 533") => "The account is disabled.",
        49 if text.contains("data 532") => "The account's password has expired.",
        49 if text.contains("data 701") => "The account has expired.",
        49 if text.contains("data 773") => "The account's password has to be changed first.",
        49 if text.contains("data 775") => "The account is locked out.",
        49 if text.contains("80090346") => {
            "It wants channel binding, which this sign-in does not give: look at its LdapEnforceChannelBinding."
        }
        49 => "The name or the password is wrong: look at `bind_dn` and `bind_password`.",
        32 | 34 => "It knows no such name: look at `bind_dn`.",
        8 | 13 if is_tls => {
            "It does not take this kind of sign-in even over TLS: its log says what it wants (for Samba, look at `ldap server require strong auth`)."
        }
        8 | 13 => "It wants TLS: use ldaps://, or start_tls = true.",
        7 => "It does not take this kind of sign-in: look at `auth`.",
        51 | 52 => "It can't answer now; it is asked again.",
        _ => "Its log may say more.",
    };
    let words = if text.is_empty() { String::new() } else { format!(" (in its own words: {text})") };
    let reason = format!("{server} does not let {who} in: it answered {code} ({}){words}. {advice}", name_of(code));
    match code {
        49 => Closed::everywhere(Incomplete::lasting(reason)),
        51 | 52 => Closed::here(Incomplete::passing(reason)),
        _ => Closed::here(Incomplete::lasting(reason)),
    }
}

/// Where tickets are kept that were got with `keytab`: in memory, nobody else's, and for nobody else.
pub const OWN_TICKETS: &str = "MEMORY:rosterd";

/// What the Kerberos library says, what to do about it, and whether another server may do otherwise. The first that fits.
#[cfg(any(feature = "gssapi", test))]
const OF_KERBEROS: [(&[&str], &str, bool); 8] = [
    (
        &["Server not found in Kerberos database"],
        "Kerberos knows no ldap/HOST: write the controller's own full name into `urls`.",
        true,
    ),
    (
        &["reauthentication failed", "revoked", "not found in Kerberos database"],
        "The account is disabled, locked or gone, or has another password since: look at it, and export its keytab again.",
        false,
    ),
    (
        &["contact any KDC", "find KDC"],
        "The domain's Kerberos servers can't be reached: look at krb5.conf, or at what DNS says of them.",
        true,
    ),
    (
        &["kew too great"],
        "The clocks of this machine and of the controller differ too much: set them by the same source.",
        true,
    ),
    (&["expired"], "The ticket has expired: with `keytab` there is always a new one.", false),
    (&[OWN_TICKETS, "eytab", "key table"], "Is `keytab` there, is it a keytab, and may this account read it?", false),
    (
        &["credentials cache", "No Kerberos credentials"],
        "There is no ticket, and nothing to get one with: set `keytab`, or keep a credential cache that this account may read (KRB5CCNAME).",
        false,
    ),
    (&[""], "Does `kinit` work here, with the same keytab?", true),
];

/// There is no ticket for this server, or it can't be used: in the words of the system's Kerberos library.
#[cfg(any(feature = "gssapi", test))]
pub fn without_ticket(server: &str, host: &str, text: &str) -> Closed {
    let fits = |(phrases, ..): &&(&[&str], _, _)| phrases.iter().any(|phrase| text.contains(phrase));
    let (advice, elsewhere) = OF_KERBEROS.iter().find(fits).map_or(("", true), |(_, advice, other)| (*advice, *other));
    let advice = advice.replace("HOST", host);
    let why = Incomplete::passing(format!("{server} can't be signed in to with Kerberos ({text}). {advice}"));
    Closed { why, elsewhere }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::Hasher;
    use crate::source::Snapshot;

    #[test]
    fn a_wrong_password_is_not_tried_on_the_next_server() {
        assert!(!refused("s", "rosterd", false, 49, "").elsewhere);
        for code in [7, 8, 51, 52, 53] {
            assert!(refused("s", "rosterd", false, code, "").elsewhere, "{code}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let told = |code, text| refused("ldap://dc1", "rosterd@contoso.com", false, code, text).why.reason;
        assert_eq!(
            told(8, "BindSimple: Transport encryption required.\0"),
            "ldap://dc1 does not let rosterd@contoso.com in: it answered 8 (stronger authentication required) (in its own words: BindSimple: Transport encryption required.). It wants TLS: use ldaps://, or start_tls = true."
        );
        assert!(
            told(49, "80090308: LdapErr: DSID-0C090400, comment: AcceptSecurityContext error, data 533, v1db1")
                .ends_with("The account is disabled.")
        );
        assert!(told(49, "").ends_with("look at `bind_dn` and `bind_password`."));
        assert!(told(34, "invalid DN").ends_with("It knows no such name: look at `bind_dn`."));
        assert!(refused("s", "rosterd", true, 8, "").why.reason.contains("even over TLS: its log says"));
    }

    #[test]
    fn kerberos_is_explained() {
        let told = |text| without_ticket("ldaps://10.0.0.1", "10.0.0.1", text);
        let unknown = told("Minor code may provide more information, Server not found in Kerberos database");
        assert!(unknown.why.reason.contains("no ldap/10.0.0.1: write the controller's own full name"), "{unknown:?}");
        assert!(unknown.elsewhere);
        let old = told("Preauthentication failed");
        assert!(old.why.reason.contains("export its keytab again") && !old.elsewhere, "{old:?}");
        assert!(told("Clock skew too great").why.reason.contains("clocks"));
        assert!(
            told("No Kerberos credentials available (default cache: FILE:/tmp/krb5cc_0)")
                .why
                .reason
                .contains("set `keytab`")
        );
        assert!(told("Something else").why.reason.contains("(Something else). Does `kinit` work"));
    }

    #[test]
    fn what_was_wrong_with_the_first_server_is_told_beside_what_the_second_says() {
        let tried = || {
            let mut tried = Tried::default();
            tried.add(Incomplete::lasting("dc1 has a bad day."));
            tried
        };
        let Reading::Complete(snapshot) =
            tried().before(Reading::Complete(Snapshot::of(Vec::new(), &Hasher::new([7; 16]))))
        else {
            panic!()
        };
        assert_eq!(snapshot.evidence.notes, ["Tried before: dc1 has a bad day."]);
        let Reading::Incomplete(why) = tried().before(Reading::Incomplete(Incomplete::passing("So has dc2."))) else {
            panic!()
        };
        assert_eq!((why.reason.as_str(), why.passing), ("dc1 has a bad day. So has dc2.", true));
        assert!(matches!(tried().before(Reading::Unchanged), Reading::Unchanged));
    }
}

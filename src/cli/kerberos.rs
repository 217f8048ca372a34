//! What the Kerberos library is told: it takes the keytab from the environment, which nothing but the start of a program
//! can set. So where the configuration names one and the environment does not, rosterd starts itself anew, in its own
//! place.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::failure::Failure;
use crate::config::Config;
use crate::source::ldap::closed::OWN_TICKETS;

/// Sees to it that the environment names the keytab of the configuration. Where rosterd has to be started anew for that,
/// it does not come back.
pub(super) fn settle(config: &Config) -> Result<(), Failure> {
    let Some(keytab) = config.keytab() else { return Ok(()) };
    let wanted = environment(keytab);
    if is_settled(&wanted, |name| std::env::var_os(name)) {
        return Ok(());
    }
    let cause = start_anew(&wanted);
    let [(first, keytab), (second, cache)] = &wanted;
    Err(Failure::new(format!("rosterd can't start itself anew for Kerberos: {cause}")).hint(format!(
        "start it with {first}={} {second}={}",
        keytab.display(),
        cache.display()
    )))
}

fn environment(keytab: &Path) -> [(&'static str, OsString); 2] {
    let mut name = OsString::from("FILE:");
    name.push(keytab);
    [("KRB5_CLIENT_KTNAME", name), ("KRB5CCNAME", OWN_TICKETS.into())]
}

fn is_settled(wanted: &[(&str, OsString)], known: impl Fn(&str) -> Option<OsString>) -> bool {
    wanted.iter().all(|(name, value)| known(name).as_deref() == Some(value.as_os_str()))
}

/// Returns with the reason why it could not be done.
#[cfg(unix)]
fn start_anew(environment: &[(&str, OsString)]) -> std::io::Error {
    use std::os::unix::process::CommandExt;
    let mut words = std::env::args_os();
    let name = words.next();
    match std::env::current_exe() {
        Ok(program) => {
            let name = name.unwrap_or_else(|| OsStr::new("rosterd").to_owned());
            let environment = environment.iter().map(|(name, value)| (name, value));
            std::process::Command::new(program).arg0(name).args(words).envs(environment).exec()
        }
        Err(cause) => cause,
    }
}

#[cfg(not(unix))]
fn start_anew(_: &[(&str, OsString)]) -> std::io::Error {
    std::io::ErrorKind::Unsupported.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_done_once() {
        let wanted = environment(Path::new("/etc/rosterd/rosterd.keytab"));
        assert!(!is_settled(&wanted, |_| None));
        assert!(!is_settled(&wanted, |_| Some("FILE:/etc/krb5.keytab".into())));
        let known = |name: &str| wanted.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        assert!(is_settled(&wanted, known));
        assert_eq!(known("KRB5_CLIENT_KTNAME"), Some("FILE:/etc/rosterd/rosterd.keytab".into()));
    }
}

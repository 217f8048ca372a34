//! Receivers of alerts.

use super::super::keys;
use super::super::raw::Value;
use super::super::value::is_loopback;
use super::super::{Alert, AlertEvent, Login, Way};
use super::Build;
use super::values::Values;

impl<'a> Build<'a> {
    pub(super) fn alerts(&mut self) -> Option<Vec<Alert>> {
        let list = self.root.get("alerts").and_then(|value| value.get_ref().as_array());
        let elements = list.into_iter().flat_map(|list| list.iter());
        elements.map(|element| self.alert(element)).collect()
    }

    fn alert(&mut self, element: &'a Value<'a>) -> Option<Alert> {
        let table = element.get_ref().as_table()?;
        let kind = table.get("kind")?.get_ref().as_str()?;
        let (kind, keys) = keys::ALERTS.iter().find(|(name, _)| *name == kind)?;
        for (one, other) in [("username", "password"), ("password", "username")] {
            if table.contains_key(one) && !table.contains_key(other) {
                let says = format!("`{one}` is here without `{other}`");
                self.complain(self.main, element.span(), says, format!("add {other}, or leave both out"));
            }
        }
        for list in ["to", "events"] {
            let empty = table.get(list).filter(|value| value.get_ref().as_array().is_some_and(|list| list.is_empty()));
            if let Some(value) = empty {
                self.complain(
                    self.main,
                    value.span(),
                    "this list is empty, so that nobody hears anything",
                    "name at least one",
                );
            }
        }
        let values = Values { table: keys, layers: vec![(self.main, table)] };
        if *kind == "smtp" && values.has("username") && is_plain(&values) {
            self.warnings.push(
                "A mail server on this machine gets the password of [[alerts]] without TLS, because there is no `ca_file`.".to_owned(),
            );
        }
        let events = match values.get("events", |at| at.words()) {
            Some(words) => AlertEvent::ALL.into_iter().filter(|event| words.contains(&event.word())).collect(),
            None => AlertEvent::ALL.to_vec(),
        };
        Some(Alert {
            way: way(kind, &values)?,
            ca_file: values.get("ca_file", |at| at.path()),
            events,
            remind_every: values.duration("remind_every")?,
        })
    }
}

fn is_plain(values: &Values<'_>) -> bool {
    let server = values.get("server", |at| at.smtp_url());
    server.is_some_and(|server| server.scheme() == "smtp" && is_loopback(&server)) && !values.has("ca_file")
}

fn way(kind: &str, values: &Values<'_>) -> Option<Way> {
    let url = || values.get("url", |at| at.secret_url());
    Some(match kind {
        "smtp" => {
            let login = values.text("username").zip(values.get("password", |at| at.secret()));
            Way::Smtp {
                to: values.get("to", |at| at.addresses())?,
                from: values.get("from", |at| at.address())?,
                server: values.get("server", |at| at.smtp_url())?,
                login: login.map(|(username, password)| Login { username, password }),
            }
        }
        "slack" => Way::Slack { url: url()? },
        "teams" => Way::Teams { url: url()? },
        "webhook" => Way::Webhook { url: url()?, secret: values.get("secret", |at| at.secret()) },
        "command" => Way::Command { command: values.get("command", |at| at.command())? },
        _ => return None,
    })
}

//! A domain's servers, asked of DNS in the way that this machine is set up to.

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;
use reqwest::Url;

use crate::config;
use crate::source::Incomplete;
use crate::telemetry::chain;

use super::srv::{Domain, Record, questions, servers};

/// The addresses of the servers that a domain has, in the order in which they are tried; `last` is the one that was read
/// last.
///
/// # Errors
/// When DNS does not answer, or names none.
pub async fn discover(config: &config::Ldap, url: &Url, last: Option<&str>) -> Result<Vec<Url>, Incomplete> {
    let name = url.host_str().unwrap_or_default();
    let records = ask(name, &questions(name, config.flavor)).await?;
    let domain = Domain { name, scheme: url.scheme(), port: url.port() };
    let addresses = servers(domain, records, last, &mut |most| fastrand::u32(..=most)).map_err(Incomplete::passing)?;
    Ok(addresses.iter().filter_map(|address| Url::parse(address).ok()).collect())
}

async fn ask(domain: &str, questions: &[String]) -> Result<Vec<Record>, Incomplete> {
    let unable = |cause: &dyn std::error::Error| {
        Incomplete::passing(format!(
            "The servers of {domain} can't be found: DNS does not answer ({}). Does this machine reach its name servers?",
            chain(cause)
        ))
    };
    // Built anew for each look: the machine's name servers may be others by now.
    let resolver = TokioResolver::builder_tokio().and_then(hickory_resolver::ResolverBuilder::build);
    let resolver = resolver.map_err(|cause| unable(&cause))?;
    for question in questions {
        let answer = match resolver.srv_lookup(question.as_str()).await {
            Ok(answer) => answer,
            Err(cause) if cause.is_no_records_found() => continue,
            Err(cause) => return Err(unable(&cause)),
        };
        let records: Vec<Record> = answer.answers().iter().filter_map(|record| srv(&record.data)).collect();
        if !records.is_empty() {
            return Ok(records);
        }
    }
    Err(Incomplete::passing(format!(
        "DNS names no servers of {domain} (it was asked for {}). Is that the domain's name, and does this machine ask the domain's own name servers? Or name the servers under `urls`, without `discover`.",
        questions.iter().map(|question| question.trim_end_matches('.')).collect::<Vec<_>>().join(" and ")
    )))
}

fn srv(data: &RData) -> Option<Record> {
    let RData::SRV(srv) = data else { return None };
    Some(Record { priority: srv.priority, weight: srv.weight, port: srv.port, target: srv.target.to_ascii() })
}

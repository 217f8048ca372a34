//! Where a request comes from, judged by its head alone: from this machine or through a proxy, from a page of ours or from
//! somebody else's.

use axum::http::{HeaderMap, Method, Uri, header};

/// What a proxy adds.
const OF_PROXIES: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// Whether the request was passed on by a proxy: then it is not from this machine, whoever connects.
pub(super) fn came_through_proxy(headers: &HeaderMap) -> bool {
    OF_PROXIES.iter().any(|name| headers.contains_key(*name))
}

/// Whether the request names this machine, by a name that no other can take: what a page elsewhere can't do whose name
/// was made to lead here.
pub(super) fn names_this_machine(headers: &HeaderMap, uri: &Uri) -> bool {
    let mut named = headers.get_all(header::HOST).iter();
    let is_ours = |host: &str| is_this_machine(host_of(host));
    let only = matches!((named.next(), named.next()), (Some(host), None) if host.to_str().is_ok_and(is_ours));
    only && uri.host().is_none_or(is_this_machine)
}

/// Without the port.
fn host_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// Whether a request that acts was begun by a page of ours, or by no page. A browser says where a request was begun; a
/// form elsewhere can't keep it from that.
pub(super) fn may_act(headers: &HeaderMap) -> bool {
    match said(headers, "sec-fetch-site") {
        Said::Once(site) => site == "same-origin",
        Said::Oddly => false,
        Said::Not => match said(headers, "origin") {
            Said::Not => true,
            Said::Oddly => false,
            Said::Once(origin) => match said(headers, "host") {
                Said::Once(host) => origin.split_once("://").is_some_and(|(_, place)| place.eq_ignore_ascii_case(host)),
                _ => false,
            },
        },
    }
}

/// Whether something may be read: a page elsewhere may link here, and may not load what is here into itself.
pub(super) fn may_read(method: &Method, headers: &HeaderMap) -> bool {
    let is_said = |name: &str, word: &str| matches!(said(headers, name), Said::Once(said) if said == word);
    match said(headers, "sec-fetch-site") {
        Said::Not | Said::Once("same-origin" | "none") => true,
        _ => *method == Method::GET && is_said("sec-fetch-mode", "navigate") && is_said("sec-fetch-dest", "document"),
    }
}

enum Said<'a> {
    Not,
    Once(&'a str),
    Oddly,
}

fn said<'a>(headers: &'a HeaderMap, name: &str) -> Said<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(|value| value.to_str()), values.next()) {
        (None, _) => Said::Not,
        (Some(Ok(value)), None) => Said::Once(value),
        _ => Said::Oddly,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn this_machine_has_names_that_no_other_can_take() {
        let names = |host: &'static str| names_this_machine(&headers(&[("host", host)]), &Uri::from_static("/"));
        for host in ["127.0.0.1:8380", "127.0.0.1", "localhost:8380", "LOCALHOST", "[::1]:8380", "[::1]", "127.9.9.9:1"]
        {
            assert!(names(host), "{host}");
        }
        for host in [
            "evil.example:8380",
            "127.0.0.1.evil.example",
            "localhost.evil.example:8380",
            "192.168.0.1:8380",
            "",
            ":8380",
            "0.0.0.0:8380",
            "[::]:8380",
            "127.0.0.1:x",
            "user@localhost",
            "localhost:80:80",
        ] {
            assert!(!names(host), "{host}");
        }
    }

    #[test]
    fn a_request_names_one_host_and_the_same_everywhere() {
        let mut appended = HeaderMap::new();
        appended.append(header::HOST, HeaderValue::from_static("localhost"));
        appended.append(header::HOST, HeaderValue::from_static("evil.example"));
        assert!(!names_this_machine(&appended, &Uri::from_static("/")));
        assert!(!names_this_machine(&HeaderMap::new(), &Uri::from_static("/")));
        let one = headers(&[("host", "localhost")]);
        assert!(!names_this_machine(&one, &Uri::from_static("http://evil.example/")));
        assert!(names_this_machine(&one, &Uri::from_static("http://localhost/")));
    }

    #[test]
    fn only_a_page_of_ours_or_no_page_acts() {
        let may = |lines: &[(&'static str, &'static str)]| may_act(&headers(lines));
        assert!(may(&[]), "a program");
        assert!(may(&[("sec-fetch-site", "same-origin")]));
        assert!(may(&[("host", "localhost:8380"), ("origin", "http://localhost:8380")]), "an old browser");
        for site in ["cross-site", "same-site", "none", "anything"] {
            assert!(!may(&[("sec-fetch-site", site), ("host", "a"), ("origin", "http://a")]), "{site}");
        }
        for origin in ["null", "http://evil.example", "http://localhost:9999", "http://localhost", ""] {
            assert!(!may(&[("host", "localhost:8380"), ("origin", origin)]), "{origin}");
        }
        assert!(!may(&[("origin", "http://localhost:8380")]), "without a host");
    }

    #[test]
    fn a_page_elsewhere_may_link_here_and_load_nothing() {
        let may = |site, mode, dest| {
            let lines = [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
            may_read(&Method::GET, &headers(&lines))
        };
        assert!(may("same-origin", "cors", "empty") && may("none", "navigate", "document"));
        assert!(may("cross-site", "navigate", "document"), "a link in a mail");
        assert!(!may("cross-site", "no-cors", "image") && !may("same-site", "cors", "empty"));
        assert!(!may("cross-site", "navigate", "iframe"));
        assert!(may_read(&Method::GET, &HeaderMap::new()), "a program");
    }

    #[test]
    fn what_a_proxy_passed_on_is_not_from_this_machine() {
        assert!(came_through_proxy(&headers(&[("x-forwarded-for", "192.0.2.7")])));
        assert!(!came_through_proxy(&headers(&[("host", "localhost")])));
    }
}

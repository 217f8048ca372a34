//! Visitors that take too much: of memory, of time, of connections; and an address that somebody else has.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::*;

/// A connection without manners, which gives up after two minutes.
fn connect(site: &Site) -> TcpStream {
    let stream = TcpStream::connect(site.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
    stream
}

/// Everything until the other end hangs up.
fn rest(mut stream: TcpStream) -> String {
    let mut rest = Vec::new();
    // A reset is an end, too.
    if let Err(error) = stream.read_to_end(&mut rest) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
    String::from_utf8_lossy(&rest).into_owned()
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let site = Site::with_token(World::new(10));
    let large = "x".repeat(100 << 10);
    let answer = site.post("/api/v1/subscriptions/contoso/retry", &json!({ "digest": large }));
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(answer.json()["error"].as_str().unwrap().contains("too large"), "{answer:?}");
    let form = site.request(Method::POST, "/login").form(&[("token", large.as_str())]);
    assert_eq!(site.send(form).status, 413);
    let mut body = connect(&site);
    body.write_all(b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n")
        .unwrap();
    body.write_all(b"Content-Length: 102400\r\n\r\n").unwrap();
    let refused = rest(body);
    assert!(refused.starts_with("HTTP/1.1 413") && refused.contains("\r\nconnection: close\r\n"), "{refused}");
    let mut head = connect(&site);
    let line = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: {large}\r\n\r\n");
    // The other end hangs up while this is written.
    let _ = head.write_all(line.as_bytes());
    let refused = rest(head);
    assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 431"), "{refused}");
}

#[test]
fn who_is_slow_is_hung_up_on_and_nobody_waits_for_them() {
    let site = Site::with_token(World::new(10));
    let mut heads: Vec<_> = (0..20).map(|_| connect(&site)).collect();
    for head in &mut heads {
        head.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").unwrap();
    }
    let silent = connect(&site);
    let mut body = connect(&site);
    body.write_all(b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n")
        .unwrap();
    body.write_all(b"Content-Length: 100\r\n\r\ntoken=").unwrap();
    assert_eq!(site.get("/healthz").status, 200, "the others are answered meanwhile");
    for head in heads {
        assert!(!rest(head).contains("200 OK"));
    }
    assert_eq!(rest(silent), "");
    assert!(rest(body).starts_with("HTTP/1.1 408"));
}

#[test]
fn streams_are_bounded_and_are_free_again_when_nobody_listens() {
    let site = Site::new(World::new(10));
    let open = || site.runtime.block_on(site.request(Method::GET, "/events").send()).unwrap();
    let mut streams: Vec<_> = (0..64).map(|_| open()).collect();
    assert!(streams.iter().all(|stream| stream.status() == 200));
    assert_eq!(open().status(), 503);
    assert_eq!(site.get("/").status, 200, "pages are shown all the same");
    streams.clear();
    until("a stream can be opened again", || open().status() == 200);
}

#[test]
fn an_address_that_is_taken_keeps_nobody_from_their_licence_and_is_served_when_it_is_free() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let world = World::new(10);
    world.drop_roster("1.csv", &people(0..3));
    configure_http(&world, &format!("listen = \"{address}\"\n"));
    let mut daemon = world.daemon("daemon.log");
    until("everybody has a licence", || world.assigned() == people(0..3));
    until("it is said", || log(&world).contains(&format!("{address} can't be listened on")));
    drop(taken);
    assert_eq!(url(&world), format!("http://{address}"));
    assert_eq!(log(&world).matches("can't be listened on").count(), 1, "it is said once");
    daemon.signal("TERM");
    assert_eq!(daemon.wait(), Some(0));
}

#[test]
fn requests_on_one_connection_are_answered_in_their_order_and_a_body_is_no_request() {
    let site = Site::with_token(World::new(10));
    let get = |path: &str, last: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{last}\r\n");
    let mut stream = connect(&site);
    stream
        .write_all(
            [get("/healthz", ""), get("/readyz", ""), get("/nowhere", "Connection: close\r\n")].concat().as_bytes(),
        )
        .unwrap();
    let answers = rest(stream);
    let places = ["\r\nok\n", "\r\nready\n", "404 Not Found"].map(|words| answers.find(words));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{answers}");
    // Refused before its body was read: what is in it is not taken for a request of the next visitor of a proxy.
    let hidden = get("/healthz", "");
    for path in ["/api/v1/subscriptions/contoso/sync", "/subscriptions/contoso/sync", "/nowhere", "/logout"] {
        let mut stream = connect(&site);
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n", hidden.len());
        stream
            .write_all(format!("{head}Connection: close\r\nOrigin: https://evil.example\r\n\r\n{hidden}").as_bytes())
            .unwrap();
        let answers = rest(stream);
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{path}: {answers}");
        assert!(answers.starts_with("HTTP/1.1 403"), "{path}: {answers}");
    }
    // Two lengths are none.
    let mut stream = connect(&site);
    let head =
        "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    stream.write_all(format!("{head}{hidden}").as_bytes()).unwrap();
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let answers = rest(stream);
    assert!(!answers.contains("\r\nok\n"), "{answers}");
}

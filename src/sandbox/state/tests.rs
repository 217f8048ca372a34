//! Each sentence of the documentation, and both answers to each question that it leaves open.

use clap::ValueEnum;
use proptest::prelude::*;

use super::*;

const ID: &str = "ff3d3cf5-5388-40a0-915f-970c1d2d972f";
const KEY: &str = "0b1c8c3e-5a5e-4d8f-9a55-3b0f6f3f2c11";

/// One subscription with ten seats.
fn state(dialect: Dialect) -> State {
    let id = Uuid::try_parse(ID).unwrap();
    State::new([Subscription::new(SubscriptionType::Manual, id, KEY.into(), 10)], dialect)
}

/// The same with these addresses assigned.
fn state_with(emails: &[&str], dialect: Dialect) -> State {
    let mut state = state(dialect);
    for email in emails {
        state.subscription_mut(Uuid::try_parse(ID).unwrap()).unwrap().assign(email, dialect.case);
    }
    state
}

fn send(state: &mut State, method: &str, body: &Value) -> Reply {
    state.handle(method, &format!("/api/manage/Manual/{ID}"), body.to_string().as_bytes())
}

fn put(state: &mut State, emails: &[&str]) -> Reply {
    send(state, "PUT", &json!({"apiKey": KEY, "emails": emails}))
}

fn delete(state: &mut State, emails: &[&str]) -> Reply {
    send(state, "DELETE", &json!({"apiKey": KEY, "emails": emails}))
}

fn assigned(state: &State) -> Vec<&str> {
    state.subscription(Uuid::try_parse(ID).unwrap()).unwrap().assigned().collect()
}

fn set_seats(state: &mut State, seats: u64) {
    state.subscription_mut(Uuid::try_parse(ID).unwrap()).unwrap().set_seats(seats);
}

fn errors(reply: &Reply) -> Vec<String> {
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(body["success"], false);
    serde_json::from_value(body["errors"].clone()).unwrap()
}

mod documented {
    use super::*;

    #[test]
    fn put_assigns_and_delete_unassigns() {
        let mut state = state(Dialect::default());
        assert_eq!(put(&mut state, &["jane@contoso.com", "joe@contoso.com"]).status, 200);
        assert_eq!(assigned(&state), ["jane@contoso.com", "joe@contoso.com"]);
        assert_eq!(delete(&mut state, &["jane@contoso.com"]).status, 200);
        assert_eq!(assigned(&state), ["joe@contoso.com"]);
    }

    /// The two examples of the documentation: 10 and 7 after an assignment, 10 and 6 after an unassignment.
    #[test]
    fn a_200_has_the_documented_body_with_the_total_and_the_assigned() {
        let emails: Vec<String> = (1..=7).map(|n| format!("u{n}@contoso.com")).collect();
        let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
        let mut state = state(Dialect::default());
        let reply = put(&mut state, &emails);
        assert_eq!(
            reply.body,
            r#"{"success":true,"errors":[],"assignmentStats":{"availableLicenses":10,"assignedLicenses":7}}"#
        );
        assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"));
        assert_eq!(
            delete(&mut state, &emails[..1]).body,
            r#"{"success":true,"errors":[],"assignmentStats":{"availableLicenses":10,"assignedLicenses":6}}"#
        );
    }

    #[test]
    fn each_type_of_subscription_has_its_own_path() {
        let body = json!({"apiKey": KEY, "emails": ["jane@contoso.com"]}).to_string();
        let id = Uuid::try_parse(ID).unwrap();
        for kind in [SubscriptionType::Paddle, SubscriptionType::Azure, SubscriptionType::Manual] {
            let mut state = State::new([Subscription::new(kind, id, KEY.into(), 1)], Dialect::default());
            for label in ["Paddle", "Azure", "Manual"] {
                let reply = state.handle("PUT", &format!("/api/manage/{label}/{ID}"), body.as_bytes());
                assert_eq!(reply.status, if label == kind.label() { 200 } else { 404 }, "{label} for {kind:?}");
            }
        }
    }

    #[test]
    fn an_unknown_subscription_is_404_whatever_the_body() {
        let mut state = state(Dialect::default());
        let body = json!({"apiKey": KEY, "emails": ["jane@contoso.com"]}).to_string();
        for path in [
            "/api/manage/Manual/00000000-0000-0000-0000-000000000000".to_owned(),
            "/api/manage/Manual/no-guid".to_owned(),
            format!("/api/manage/Google/{ID}"),
            format!("/api/manage/{ID}"),
            format!("/api/manage/Manual/{ID}/"),
        ] {
            assert_eq!(state.handle("PUT", &path, body.as_bytes()).status, 404, "{path}");
            assert_eq!(state.handle("DELETE", &path, b"no JSON").status, 404, "{path}");
        }
        assert!(assigned(&state).is_empty());
    }

    #[test]
    fn a_wrong_key_is_404_and_says_no_more_than_an_unknown_subscription() {
        let mut state = state_with(&["jane@contoso.com"], Dialect::default());
        let body = json!({"apiKey": "wrong", "emails": ["jane@contoso.com"]});
        let wrong_key = send(&mut state, "DELETE", &body);
        assert_eq!(wrong_key.status, 404);
        assert_eq!(wrong_key, state.handle("DELETE", "/api/manage/Manual/nothing", body.to_string().as_bytes()));
        assert_eq!(assigned(&state), ["jane@contoso.com"]);
    }

    #[test]
    fn a_regenerated_key_makes_the_old_one_invalid_at_once() {
        let mut state = state(Dialect::default());
        let other = "11111111-2222-3333-4444-555555555555";
        state.subscription_mut(Uuid::try_parse(ID).unwrap()).unwrap().set_key(other.into());
        assert_eq!(put(&mut state, &["jane@contoso.com"]).status, 404);
        assert_eq!(send(&mut state, "PUT", &json!({"apiKey": other, "emails": ["jane@contoso.com"]})).status, 200);
    }

    #[test]
    fn the_key_is_one_for_each_subscription() {
        let other = "11111111-2222-3333-4444-555555555555";
        let subscription =
            |id, key: &str| Subscription::new(SubscriptionType::Manual, Uuid::try_parse(id).unwrap(), key.into(), 10);
        let mut state = State::new([subscription(ID, KEY), subscription(other, other)], Dialect::default());
        let body = json!({"apiKey": other, "emails": ["jane@contoso.com"]});
        assert_eq!(send(&mut state, "PUT", &body).status, 404);
        let path = format!("/api/manage/Manual/{other}");
        assert_eq!(state.handle("PUT", &path, body.to_string().as_bytes()).status, 200);
        assert!(assigned(&state).is_empty());
    }

    #[test]
    fn at_least_one_address_is_needed_and_an_empty_list_probes_the_key() {
        let mut state = state(Dialect::default());
        for method in ["PUT", "DELETE"] {
            assert_eq!(send(&mut state, method, &json!({"apiKey": KEY, "emails": []})).status, 400);
            assert_eq!(send(&mut state, method, &json!({"apiKey": "wrong", "emails": []})).status, 404);
        }
    }

    #[test]
    fn a_missing_field_or_one_of_another_type_is_400() {
        let mut state = state(Dialect::default());
        for body in [
            json!({"emails": ["jane@contoso.com"]}),
            json!({"apiKey": null, "emails": ["jane@contoso.com"]}),
            json!({"apiKey": 7, "emails": ["jane@contoso.com"]}),
            json!({"apiKey": KEY}),
            json!({"apiKey": KEY, "emails": null}),
            json!({"apiKey": KEY, "emails": "jane@contoso.com"}),
            json!({"apiKey": KEY, "emails": ["jane@contoso.com", 7]}),
            json!(["jane@contoso.com"]),
        ] {
            let reply = send(&mut state, "PUT", &body);
            assert_eq!(reply.status, 400, "{body}");
            assert_eq!(errors(&reply).len(), 1, "{body}");
        }
        assert_eq!(state.handle("PUT", &format!("/api/manage/Manual/{ID}"), b"emails=jane").status, 400);
        assert!(assigned(&state).is_empty());
    }

    #[test]
    fn who_has_no_key_learns_nothing_about_the_addresses() {
        let mut state = state(Dialect::default());
        assert_eq!(send(&mut state, "PUT", &json!({"apiKey": "wrong"})).status, 404);
        assert_eq!(send(&mut state, "PUT", &json!({"apiKey": "wrong", "emails": ["no address"]})).status, 404);
    }

    #[test]
    fn an_address_of_no_valid_format_is_400() {
        let mut state = state(Dialect::default());
        for bad in ["", " ", "jane", "@contoso.com", "jane@", "jane@contoso", "jane@@contoso.com", "a@b@contoso.com"] {
            assert_eq!(errors(&put(&mut state, &[bad])), [format!("'{bad}' does not have a valid format.")]);
        }
        for bad in [" jane@contoso.com", "jane doe@contoso.com", "Jane <jane@contoso.com>", ".j@contoso.com"] {
            assert_eq!(put(&mut state, &[bad]).status, 400, "{bad}");
            assert_eq!(delete(&mut state, &[bad]).status, 400, "{bad}");
        }
    }

    #[test]
    fn an_address_has_at_most_256_characters() {
        let domain = "@contoso.com";
        let longest = "\u{e4}".repeat(256 - domain.len()) + domain;
        let too_long = format!("a{longest}");
        let mut state = state(Dialect::default());
        assert_eq!(put(&mut state, &[&longest]).status, 200);
        assert_eq!(errors(&put(&mut state, &[&too_long])), [format!("'{too_long}' is longer than 256 characters.")]);
    }

    #[test]
    fn duplicates_within_one_request_are_rejected_in_every_dialect() {
        for bad_address in Partial::value_variants() {
            let dialect = Dialect { bad_address: *bad_address, not_assigned: *bad_address, ..Dialect::default() };
            let mut state = state_with(&["joe@contoso.com"], dialect);
            let reply = put(&mut state, &["jane@contoso.com", "a@contoso.com", "jane@contoso.com"]);
            assert_eq!(reply.status, 400);
            assert_eq!(errors(&reply), ["'jane@contoso.com' is in the request more than once."]);
            assert_eq!(delete(&mut state, &["joe@contoso.com", "joe@contoso.com"]).status, 400);
            assert_eq!(assigned(&state), ["joe@contoso.com"]);
        }
    }

    #[test]
    fn no_more_can_be_assigned_than_there_are_seats() {
        let mut state = state_with(&["jane@contoso.com"], Dialect::default());
        set_seats(&mut state, 2);
        assert_eq!(put(&mut state, &["a@contoso.com", "b@contoso.com"]).status, 402);
        assert_eq!(assigned(&state), ["jane@contoso.com"]);
        // Who has a seat already needs none.
        assert_eq!(put(&mut state, &["a@contoso.com", "jane@contoso.com"]).status, 200);
        assert_eq!(put(&mut state, &["b@contoso.com"]).status, 402);
        delete(&mut state, &["jane@contoso.com"]);
        assert_eq!(put(&mut state, &["b@contoso.com"]).status, 200);
    }

    #[test]
    fn unassigning_who_is_not_assigned_is_400() {
        let mut state = state(Dialect::default());
        let reply = delete(&mut state, &["jane@contoso.com"]);
        assert_eq!(reply.status, 400);
        assert_eq!(errors(&reply), ["'jane@contoso.com' is not currently assigned."]);
    }

    #[test]
    fn no_call_lists_assignments() {
        let mut state = state_with(&["jane@contoso.com"], Dialect::default());
        for method in ["GET", "HEAD", "POST", "PATCH", "OPTIONS"] {
            let reply = send(&mut state, method, &json!({"apiKey": KEY}));
            assert_eq!((reply.status, reply.header("allow")), (405, Some("PUT, DELETE")), "{method}");
            assert!(!reply.body.contains("jane"));
        }
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let body = json!({"apiKey": KEY, "emails": ["jane@contoso.com"], "comment": "welcome"});
        assert_eq!(send(&mut state(Dialect::default()), "PUT", &body).status, 200);
    }
}

mod dialects {
    use super::*;

    #[test]
    fn assigning_again_changes_nothing() {
        let mut state = state_with(&["Jane@contoso.com"], Dialect::default());
        assert_eq!(put(&mut state, &["jane@contoso.com"]).status, 200);
        assert_eq!(assigned(&state), ["Jane@contoso.com"]);
    }

    #[test]
    fn assigning_again_is_an_error() {
        let dialect = Dialect { already_assigned: AlreadyAssigned::Error, ..Dialect::default() };
        let mut state = state_with(&["jane@contoso.com"], dialect);
        let reply = put(&mut state, &["jane@contoso.com", "joe@contoso.com"]);
        assert_eq!(reply.status, 400);
        assert_eq!(errors(&reply), ["'jane@contoso.com' is already assigned."]);
        assert_eq!(assigned(&state), ["jane@contoso.com"]);
    }

    #[test]
    fn assigning_again_is_an_error_and_the_rest_is_done() {
        let dialect =
            Dialect { already_assigned: AlreadyAssigned::Error, bad_address: Partial::ApplyRest, ..Dialect::default() };
        let mut state = state_with(&["jane@contoso.com"], dialect);
        assert_eq!(put(&mut state, &["jane@contoso.com", "joe@contoso.com"]).status, 400);
        assert_eq!(assigned(&state), ["jane@contoso.com", "joe@contoso.com"]);
    }

    #[test]
    fn a_bad_address_refuses_all() {
        let mut state = state(Dialect::default());
        let reply = put(&mut state, &["jane@contoso.com", "joe", "ann"]);
        assert_eq!(reply.status, 400);
        assert_eq!(errors(&reply), ["'joe' does not have a valid format.", "'ann' does not have a valid format."]);
        assert!(assigned(&state).is_empty());
    }

    #[test]
    fn a_bad_address_lets_the_rest_through() {
        let mut state = state(Dialect { bad_address: Partial::ApplyRest, ..Dialect::default() });
        let reply = put(&mut state, &["jane@contoso.com", "joe"]);
        assert_eq!(reply.status, 400);
        assert_eq!(errors(&reply), ["'joe' does not have a valid format."]);
        assert_eq!(assigned(&state), ["jane@contoso.com"]);
    }

    #[test]
    fn who_is_not_assigned_refuses_all() {
        let mut state = state_with(&["jane@contoso.com"], Dialect::default());
        let reply = delete(&mut state, &["jane@contoso.com", "joe@contoso.com"]);
        assert_eq!(errors(&reply), ["'joe@contoso.com' is not currently assigned."]);
        assert_eq!(assigned(&state), ["jane@contoso.com"]);
    }

    #[test]
    fn who_is_not_assigned_lets_the_rest_through() {
        let dialect = Dialect { not_assigned: Partial::ApplyRest, ..Dialect::default() };
        let mut state = state_with(&["jane@contoso.com"], dialect);
        let reply = delete(&mut state, &["jane@contoso.com", "joe@contoso.com"]);
        assert_eq!(reply.status, 400);
        assert_eq!(errors(&reply), ["'joe@contoso.com' is not currently assigned."]);
        assert!(assigned(&state).is_empty());
    }

    #[test]
    fn too_few_seats_assign_nobody() {
        let mut state = state(Dialect::default());
        set_seats(&mut state, 2);
        assert_eq!(put(&mut state, &["c@x.example", "b@x.example", "a@x.example"]).status, 402);
        assert!(assigned(&state).is_empty());
    }

    #[test]
    fn too_few_seats_are_filled_in_the_order_of_the_request() {
        let mut state = state_with(&["z@x.example"], Dialect { no_seats: NoSeats::Fill, ..Dialect::default() });
        set_seats(&mut state, 3);
        assert_eq!(put(&mut state, &["c@x.example", "z@x.example", "b@x.example", "a@x.example"]).status, 402);
        assert_eq!(assigned(&state), ["b@x.example", "c@x.example", "z@x.example"]);
    }

    #[test]
    fn fewer_seats_than_are_assigned_are_none_free() {
        let mut state =
            state_with(&["a@x.example", "b@x.example"], Dialect { no_seats: NoSeats::Fill, ..Dialect::default() });
        set_seats(&mut state, 1);
        assert_eq!(put(&mut state, &["c@x.example"]).status, 402);
        assert_eq!(assigned(&state), ["a@x.example", "b@x.example"]);
    }

    #[test]
    fn a_402_has_no_body() {
        let mut state = state(Dialect::default());
        set_seats(&mut state, 0);
        assert_eq!(put(&mut state, &["jane@contoso.com"]), Reply::empty(402));
    }

    #[test]
    fn a_402_has_stats() {
        let dialect = Dialect { stats_on_402: StatsOn402::Yes, no_seats: NoSeats::Fill, ..Dialect::default() };
        let mut state = state(dialect);
        set_seats(&mut state, 1);
        assert_eq!(
            put(&mut state, &["jane@contoso.com", "joe@contoso.com"]).body,
            "{\"success\":false,\"errors\":[\"There are not enough licences available.\"],\
             \"assignmentStats\":{\"availableLicenses\":1,\"assignedLicenses\":1}}"
        );
    }

    #[test]
    fn anonymous_errors_name_nobody() {
        let dialect =
            Dialect { errors: Errors::Anonymous, already_assigned: AlreadyAssigned::Error, ..Dialect::default() };
        let mut state = state_with(&["jane@contoso.com"], dialect);
        let reply = put(&mut state, &["joe", "ann", "jane@contoso.com", "a@x.example"]);
        assert_eq!(
            errors(&reply),
            ["An e-mail address does not have a valid format.", "An e-mail address is already assigned."]
        );
    }

    #[test]
    fn case_makes_two() {
        let mut state = state(Dialect { case: Case::Sensitive, ..Dialect::default() });
        assert_eq!(put(&mut state, &["jane@contoso.com", "Jane@contoso.com"]).status, 200);
        assert_eq!(delete(&mut state, &["JANE@contoso.com"]).status, 400);
        assert_eq!(delete(&mut state, &["jane@contoso.com"]).status, 200);
        assert_eq!(assigned(&state), ["Jane@contoso.com"]);
    }

    #[test]
    fn case_makes_no_difference() {
        let mut state = state(Dialect::default());
        assert_eq!(put(&mut state, &["jane@contoso.com", "Jane@contoso.com"]).status, 400);
        assert_eq!(put(&mut state, &["Jane@Contoso.com"]).status, 200);
        assert_eq!(delete(&mut state, &["JANE@contoso.com"]).status, 200);
        assert!(assigned(&state).is_empty());
    }

    #[test]
    fn another_dialect_counts_from_then_on() {
        let mut state =
            state_with(&["jane@x.example", "Jane@x.example"], Dialect { case: Case::Sensitive, ..Dialect::default() });
        assert_eq!(assigned(&state).len(), 2);
        state.set_dialect(Dialect::default());
        assert_eq!(assigned(&state), ["Jane@x.example"]);
    }
}

mod pages {
    use super::*;

    #[test]
    fn the_state_is_json() {
        let mut state = state_with(&["Jane@contoso.com"], Dialect::default());
        let reply = state.handle("GET", "/state", b"");
        let subscription = format!(r#"{{"type":"Manual","id":"{ID}","seats":10,"assigned":["Jane@contoso.com"]}}"#);
        assert_eq!(reply.body, format!(r#"{{"subscriptions":[{subscription}]}}"#));
        assert_eq!(state.handle("POST", "/state", b"").status, 405);
    }

    #[test]
    fn seats_are_bought() {
        let mut state = state_with(&["jane@contoso.com"], Dialect::default());
        let reply = state.handle("POST", &format!("/seats/{ID}"), br#"{"seats": 20}"#);
        let told: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!((reply.status, told), (200, serde_json::json!({ "assigned": 1, "seats": 20 })));
        assert!(put(&mut state, &["jane@contoso.com"]).body.contains(r#""availableLicenses":20"#));
    }

    #[test]
    fn seats_that_are_no_number_or_nobodys_are_refused() {
        let mut state = state(Dialect::default());
        for body in ["", "20", "[]", "{}", r#"{"seats": -1}"#, r#"{"seats": 1.5}"#, r#"{"seats": "20"}"#] {
            assert_eq!(state.handle("POST", &format!("/seats/{ID}"), body.as_bytes()).status, 400, "{body}");
        }
        assert_eq!(state.handle("POST", "/seats/nobody", br#"{"seats": 20}"#).status, 404);
        assert_eq!(state.handle("GET", &format!("/seats/{ID}"), b"").status, 405);
        assert_eq!(state.handle("GET", "/elsewhere", b"").status, 404);
        assert!(state.handle("GET", "/state", b"").body.contains(r#""seats":10"#));
    }

    #[test]
    fn nothing_that_is_shown_has_the_key() {
        let mut state = state_with(&["jane@contoso.com"], Dialect::default());
        let shown = [state.handle("GET", "/", b"").body, state.handle("GET", "/state", b"").body, format!("{state:?}")];
        for text in shown {
            assert!(text.contains("jane@contoso.com") && !text.contains(KEY), "{text}");
        }
    }
}

fn any_of<T: ValueEnum + std::fmt::Debug + 'static>() -> impl Strategy<Value = T> {
    prop::sample::select(T::value_variants())
}

prop_compose! {
    fn any_dialect()(
        already_assigned in any_of(), bad_address in any_of(), not_assigned in any_of(), no_seats in any_of(),
        errors in any_of(), case in any_of(), stats_on_402 in any_of()
    ) -> Dialect {
        Dialect { already_assigned, bad_address, not_assigned, no_seats, errors, case, stats_on_402 }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever the dialect: a 200 means that all of it is so now, nothing else but a partial answer changes
    /// anything, and there are never more assignments than seats.
    #[test]
    fn every_dialect_keeps_its_word(
        dialect in any_dialect(),
        requests in prop::collection::vec((any::<bool>(), prop::collection::vec("[a-cA-C]{0,1}@x.example", 1..5)), 1..12),
    ) {
        let mut state = state(dialect);
        set_seats(&mut state, 3);
        for (assign, emails) in requests {
            let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
            let before: Vec<String> = assigned(&state).into_iter().map(str::to_owned).collect();
            let reply = if assign { put(&mut state, &emails) } else { delete(&mut state, &emails) };
            let id = Uuid::try_parse(ID).unwrap();
            let subscription = state.subscription(id).unwrap();
            prop_assert!(subscription.stats().assigned_licenses <= 3);
            let partial = match (reply.status, assign) {
                (200, _) => {
                    prop_assert!(emails.iter().all(|email| subscription.is_assigned(email, dialect.case) == assign));
                    true
                }
                (400, _) => dialect.bad_address == Partial::ApplyRest || dialect.not_assigned == Partial::ApplyRest,
                (402, true) => dialect.no_seats == NoSeats::Fill,
                (status, _) => return Err(TestCaseError::fail(format!("an answer {status}"))),
            };
            prop_assert!(partial || assigned(&state) == before);
        }
    }

    /// What the client takes for an address, the server does too.
    #[test]
    fn client_and_server_agree_on_addresses(raw in "[a-zA-Z.+ \u{e4}]{1,6}@[a-z.-]{1,8}\\.[a-z]{2,3}") {
        if let Ok(address) = crate::address::Address::parse(&raw) {
            prop_assert_eq!(format_complaint(address.spelling()), None);
        }
    }
}

//! Tests of the filter language.

mod properties;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::model::invocation::{Children, Event, Invocation, Job, Listed};
use crate::model::status::STALE_AFTER;

fn now() -> DateTime<Utc> {
    "2026-11-20T12:04:33Z".parse().unwrap()
}

fn parse(text: &str) -> Filter {
    Filter::parse(text).unwrap_or_else(|error| panic!("{text}: at {}: {error}", error.at))
}

fn printed(text: &str) -> String {
    parse(text).to_string()
}

fn refused(text: &str) -> (usize, String) {
    let error = Filter::parse(text).expect_err(text);
    (error.at, error.message)
}

#[test]
fn a_filter_prints_as_it_is_meant() {
    let cases = [
        ("", ""),
        ("  st:fail   today ", "st:failed at:today"),
        ("fn:event-detector-* -op:DELETE dur:>50ms", "fn:event-detector-* -op:DELETE dur:>50ms"),
        ("status:RUN,stuck", "st:stuck,running"),
        ("dur:1500 dur:60s dur:1.5s dur:>=2h dur:..90s", "dur:1500ms dur:1m dur:1500ms dur:>=2h dur:..90s"),
        ("jobs:0 fails:2..5 jobs:<3 jobs:1..", "jobs:0 fails:2..5 jobs:<3 jobs:1.."),
        ("evt:~pickup job:~\"send \\d+\" -job:a,b", "evt:~pickup job:~\"send \\\\d+\" -job:a,b"),
        ("job:~a{1,2},b", "job:~a{1,2},b"),
        ("user:\"\" fn:\"a b\" sys:\"x*\" table:\"a,b\"", "user:\"\" fn:\"a b\" sys:\"x*\" table:\"a,b\""),
        ("fn:100% job:a_b corr:a\\b", "fn:100% job:a_b corr:a\\b"),
        ("payload.data.new.id:123", "payload.data.new.id:123"),
        ("payload.a.\"b.c\".stops[].type:\"1\",null,true,x", "payload.a.\"b.c\".stops[].type:\"1\",null,true,x"),
        ("at:ALL all -at:today", "at:all all -at:today"),
        ("15m 7d..2d ..12:00", "at:15m at:7d..2d at:..12:00"),
        ("2026-11-20T12:00Z..+5m at:12:04:31.208", "at:2026-11-20T12:00Z..+5m at:12:04:31.208"),
        (
            "timeout \"no answer\" time* -~tim.?e \"today\" \"-x\"",
            "timeout \"no answer\" time* -~tim.?e \"today\" \"-x\"",
        ),
        ("\"plain\"", "plain"),
        ("driver7@hopdrive.com", "driver7@hopdrive.com"),
        ("229386B2E8E44ED9859D040CF4897310", "229386b2-e8e4-4ed9-859d-040cf4897310"),
        (
            "event-handlers.229386b2-e8e4-4ed9-859d-040cf4897310",
            "corr:event-handlers.229386b2-e8e4-4ed9-859d-040cf4897310",
        ),
        (
            "u@x.com|550e8400-e29b-41d4-a716-446655440000|b0876e74-4f5c-4b0a-9b1e-0d3c1d7c2f11",
            "corr:550e8400-e29b-41d4-a716-446655440000",
        ),
    ];
    for (typed, expected) in cases {
        assert_eq!(printed(typed), expected, "{typed}");
        assert_eq!(parse(expected), parse(typed), "{typed}");
    }
}

#[test]
fn an_error_says_where_and_gives_an_example() {
    let cases = [
        ("st:ok foo:bar", 6, "there is no field foo; there are st fn evt"),
        ("dur:>abc", 4, "write dur:>1s"),
        ("jobs:1s", 5, "write jobs:0"),
        ("st:broken", 3, "there are ok, failed, stuck"),
        ("fn:", 3, "fn needs a value, as in fn:event-*"),
        ("fn:a,", 5, "needs a value"),
        ("fn:\"a", 3, "not closed"),
        ("fn:\"a\"b", 6, "space behind the closing quote"),
        ("fn:>5", 3, "fn is a text"),
        ("job:~(a", 4, "a ( is not closed"),
        ("job:~", 4, "job:~send(Sms|Mail)"),
        ("at:noon", 3, "write 15m"),
        ("at:1h..2h", 3, "2h..1h"),
        ("at:2026-11-21..2026-11-20", 3, "the earlier date comes first"),
        ("12:00..noon", 0, "noon is no time"),
        ("dur:5..3", 4, "the smaller number comes first"),
        ("dur:..", 4, "a start or an end"),
        ("payload:5", 8, "payload needs a path"),
        ("payload.a", 9, "the value is missing"),
        ("payload.a[3]:1", 9, "write [] for any element"),
        ("payload.a:x*", 10, "compared as a whole"),
        ("id:5", 3, "5 is no id"),
        ("-", 0, "-op:DELETE"),
        ("ok --x", 3, "- needs a term"),
        ("a\0", 1, "NUL"),
    ];
    for (text, at, message) in cases {
        let error = refused(text);
        assert_eq!(error.0, at, "{text}: {}", error.1);
        assert!(error.1.contains(message), "{text}: {}", error.1);
    }
    assert!(refused(&"x".repeat(5000)).1.contains("4096"));
    assert!(refused(&"x ".repeat(65)).1.contains("64 terms"));
}

#[test]
fn every_field_is_in_the_table_and_its_example_parses() {
    for info in FIELDS {
        assert_eq!(Field::named(info.name), Some(info.field));
        assert_eq!(Field::named(&info.long.to_uppercase()), Some(info.field));
        assert_eq!(info.field.info(), &info);
        let filter = parse(info.example);
        assert_eq!(filter.terms().len(), 1, "{}", info.example);
        assert_eq!(parse(&filter.to_string()), filter);
    }
}

#[test]
fn only_patterns_that_both_sides_understand_are_accepted() {
    let portable = |source: &str| Pattern::new(source).map(|pattern| pattern.portable().to_owned());
    let cases = [
        (r"send(Sms|Mail)?\d{2,3}$", r"send(Sms|Mail)?[0-9]{2,3}$"),
        (r"a\.b\/c", r"a\.b/c"),
        (r"[^]a\d-]", r"[^\]a0-9\-]"),
        ("100%&x~y#-}", r"100%\&x\~y\#\-\}"),
        (r"(?:a|)*?\S", r"(?:a|)*?[^ \t\r\n\f\v]"),
    ];
    for (source, expected) in cases {
        assert_eq!(portable(source).as_deref(), Ok(expected), "{source}");
    }
    for source in [
        "(?i)a",
        r"\bx",
        r"(a)\1",
        "a**",
        "*a",
        "^*",
        "(",
        ")",
        "[",
        "[]",
        "[[:alpha:]]",
        "[z-a]",
        "a{300}",
        "a{",
        "x\\",
    ] {
        assert!(portable(source).is_err(), "{source}");
    }
    assert!(Pattern::new("((a{255}){255}){255}").is_err());
    assert!(Pattern::new("ÄRGER").unwrap().is_match("kein ärger"));
}

#[test]
fn times_are_resolved_against_now_and_the_zone() {
    let (utc, berlin) = (&Zone::UTC, &Zone::fixed(FixedOffset::east_opt(3600).unwrap()));
    let cases = [
        ("15m", utc, "2026-11-20T11:49:33Z", ""),
        ("1h30m..now", utc, "2026-11-20T10:34:33Z", "2026-11-20T12:04:33Z"),
        ("2d..1d", utc, "2026-11-18T12:04:33Z", "2026-11-19T12:04:33Z"),
        ("..1w", utc, "", "2026-11-13T12:04:33Z"),
        ("today", utc, "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"),
        ("today", berlin, "2026-11-19T23:00:00Z", "2026-11-20T23:00:00Z"),
        ("yesterday..today", utc, "2026-11-19T00:00:00Z", "2026-11-21T00:00:00Z"),
        ("12:00", utc, "2026-11-20T12:00:00Z", "2026-11-20T12:01:00Z"),
        ("12:00..12:30", utc, "2026-11-20T12:00:00Z", "2026-11-20T12:30:00Z"),
        // Later today has not been yet: the last half past twelve was yesterday's.
        ("12:30..13:00", utc, "2026-11-19T12:30:00Z", "2026-11-19T13:00:00Z"),
        ("12:30..", berlin, "2026-11-20T11:30:00Z", ""),
        ("23:50..00:10", utc, "2026-11-19T23:50:00Z", "2026-11-20T00:10:00Z"),
        ("12:04:31.208", utc, "2026-11-20T12:04:31.208Z", "2026-11-20T12:04:31.209Z"),
        ("12:00Z..+90s", berlin, "2026-11-20T12:00:00Z", "2026-11-20T12:01:30Z"),
        ("2026-11-18..2026-11-19", utc, "2026-11-18T00:00:00Z", "2026-11-20T00:00:00Z"),
        ("2026-11-20T12:00+02:00..+5m", utc, "2026-11-20T10:00:00Z", "2026-11-20T10:05:00Z"),
        ("2026-11-20t9:05:07", berlin, "2026-11-20T08:05:07Z", "2026-11-20T08:05:08Z"),
        ("2026-11-19T23:00..01:00", utc, "2026-11-19T23:00:00Z", "2026-11-20T01:00:00Z"),
    ];
    for (text, zone, since, until) in cases {
        let range = TimeRange::parse(text).unwrap();
        let at = |text: &str| (!text.is_empty()).then(|| text.parse::<DateTime<Utc>>().unwrap());
        assert_eq!(range.resolve(now(), zone), Period { since: at(since), until: at(until) }, "{text}");
        let pinned = range.pinned(now(), zone);
        let read = TimeRange::parse(&pinned.to_string()).unwrap_or_else(|error| panic!("{pinned}: {error}"));
        assert_eq!(read, pinned);
        let later = now() + TimeDelta::days(3);
        assert_eq!(pinned.resolve(later, berlin), range.resolve(now(), zone), "{text} → {pinned}");
    }
    for text in
        ["", "..", "+5m", "..+5m", "25:00", "12:60", "2026-02-30", "2026-13-01", "12", "5x", "999999999999d", "1:2:3:4"]
    {
        assert!(TimeRange::parse(text).is_err(), "{text}");
    }
}

fn listed() -> Listed {
    let at = now() - TimeDelta::minutes(2);
    let text = |text: &str| Some(text.into());
    let invocation = Invocation {
        id: Uuid::from_u128(1),
        created_at: at,
        updated_at: at,
        correlation_id: text("moves.550e8400-e29b-41d4-a716-446655440000"),
        source_function: "event-detector-moves".into(),
        source_table: text("public.moves"),
        source_operation: text("UPDATE"),
        source_system: None,
        source_user_email: text("Driver_7@hopdrive.com"),
        parent: None,
        total_duration_ms: Some(1800),
        status: "completed".into(),
        error_message: None,
        delivery: Default::default(),
        link_unread: false,
        has_error_stack: false,
    };
    Listed { invocation, children: Children { jobs_run: 3, jobs_failed: 1, ..Children::default() } }
}

fn events_and_jobs() -> (Vec<Event>, Vec<Job>) {
    let event = |n: u128, name: &str, detected| Event {
        id: Uuid::from_u128(n),
        invocation_id: Uuid::from_u128(1),
        created_at: now(),
        updated_at: now(),
        name: name.into(),
        detected,
        detection_duration_ms: None,
        handler_duration_ms: None,
        status: "completed".into(),
        error: None,
    };
    let job = Job {
        id: Uuid::from_u128(30),
        invocation_id: Uuid::from_u128(1),
        event_execution_id: Uuid::from_u128(10),
        created_at: now(),
        updated_at: now(),
        name: "sendNotification".into(),
        duration_ms: Some(912),
        status: "failed".into(),
        error: Some("TwilioError 21610: 100% unsubscribed".into()),
    };
    (vec![event(10, "move.pickup.successful", true), event(11, "move.cancel.pending", false)], vec![job])
}

#[test]
fn a_row_passes_what_is_true_of_it() {
    let listed = listed();
    let (events, jobs) = events_and_jobs();
    let payload =
        json!({"event": {"op": "UPDATE", "data": {"old": null, "new": {"id": 123, "a.b": [{"n": 1.0}, "x"]}}}});
    let below = Some(Below { events: &events, jobs: &jobs, payload: &payload });
    let candidate = Candidate { listed: &listed, below };
    let holds = |text: &str| parse(text).matches(&candidate, now(), STALE_AFTER);
    for text in [
        "",
        "fn:event-detector-moves",
        "fn:EVENT-*-moves",
        "fn:a,event-detector-moves",
        "-fn:moves",
        "fn:*",
        "fn:~^event.*S$",
        "table:moves",
        "table:public.moves",
        "table:public.mo*",
        "op:update",
        "sys:\"\"",
        "-sys:x",
        "user:Driver_7@hopdrive.com",
        "user:driver_*",
        "user:~driver.7@",
        "corr:moves.*",
        "st:failed",
        "-st:ok,stuck",
        "dur:>1s",
        "dur:1800",
        "dur:1s..2s",
        "-dur:<1s",
        "jobs:3",
        "fails:>0",
        "evt:move.pickup.successful",
        "-evt:move.cancel.pending",
        "evt:~pickup",
        "job:sendNot*",
        "-job:x",
        "15m",
        "today",
        "12:00..12:04",
        "-at:yesterday",
        "payload.data.new.id:123",
        "payload.event.data.new.id:9,123",
        "payload.data.old:null",
        "payload.op:UPDATE",
        "payload.data.new.\"a.b\"[].n:1",
        "payload.data.new.\"a.b\"[]:x",
        "-payload.data.new.id:\"123\"",
        "MOVES",
        "twilio",
        "\"100% un\"",
        "notif*tion",
        "~twilio.*21610",
        "\"pickup.succ\"",
        "-cancel",
        "driver_7",
        "550e8400-e29b-41d4-a716-446655440000",
        "00000000-0000-0000-0000-000000000001",
        "id:0000000000000000000000000000000a",
        "00000000-0000-0000-0000-00000000001e",
        "moves.550e8400-e29b-41d4-a716-446655440000",
        "Driver_7@hopdrive.com",
    ] {
        assert!(holds(text), "{text}");
        assert!(text.is_empty() || text.starts_with('-') || !holds(&format!("-{text}")), "-{text}");
    }
    for text in [
        "fn:moves",
        "fn:Event-detector-moves",
        "user:driver_7@hopdrive.com",
        "user:driver%",
        "job:send_otification",
        "dur:>1800",
        "dur:<1800",
        "evt:move.cancel.pending",
        "payload.id:123",
        "payload.data.new.id:124",
        "other@hopdrive.com",
        "fails:0",
        "cancel",
        "11:00..12:00",
        "00000000-0000-0000-0000-000000000002",
        "fn:* -fn:*",
        "payload.data.new.\"a.b\"[]:1",
    ] {
        assert!(!holds(text), "{text}");
    }
}

#[test]
fn what_is_not_loaded_is_not_decided() {
    let listed = listed();
    let candidate = Candidate { listed: &listed, below: None };
    let decide = |text: &str| parse(text).decide(&candidate, now(), STALE_AFTER);
    let cases = [
        ("st:failed dur:>1s", Some(true)),
        ("job:x", None),
        ("-evt:x", None),
        ("job:x fn:other", Some(false)),
        ("moves", Some(true)),
        ("elsewhere", None),
        ("00000000-0000-0000-0000-000000000001", Some(true)),
        ("payload.a:1", None),
    ];
    for (text, expected) in cases {
        assert_eq!(decide(text), expected, "{text}");
    }
}

#[test]
fn filtering_by_and_out_replaces_what_it_contradicts() {
    let exact = |field, value: &str| Test::exact(field, value).unwrap();
    let function = |value: &str| exact(Field::Text(TextField::Fn), value);
    let filter = parse("fn:a st:ok");
    let filter = filter.with(function("b c*"));
    assert_eq!(filter.to_string(), "st:ok fn:\"b c*\"");
    let filter = filter.without(function("b c*")).without(function("d"));
    assert_eq!(filter.to_string(), "st:ok -fn:\"b c*\" -fn:d");
    let filter = filter.with(exact(Field::St, "failed")).with(exact(Field::Text(TextField::Job), "x"));
    assert_eq!(filter.to_string(), "-fn:\"b c*\" -fn:d st:failed job:x");
    let filter = filter.with(exact(Field::Text(TextField::Job), "y")).with(exact(Field::Text(TextField::Job), "x"));
    assert_eq!(filter.to_string(), "-fn:\"b c*\" -fn:d st:failed job:x job:y");
    assert_eq!(Filter::default().with(exact(Field::At, "12:04:31.208")).to_string(), "at:12:04:31.208");
    assert_eq!(Filter::default().with(exact(Field::Text(TextField::User), "")).to_string(), "user:\"\"");

    let path = || vec![Step::Key("event".to_owned()), Step::Key("a b".to_owned()), Step::Any];
    let payload = |value| Test::payload(path(), &value).map(|test| test.to_string());
    assert_eq!(payload(json!("5")).as_deref(), Some("payload.event.\"a b\"[]:\"5\""));
    assert_eq!(payload(json!(-0.5)).as_deref(), Some("payload.event.\"a b\"[]:-0.5"));
    assert_eq!(payload(json!(1e300)), None);
    assert_eq!(payload(json!({})), None);
    assert_eq!(Test::payload(Vec::new(), &json!(1)), None);
}

#[test]
fn a_search_of_large_tables_is_bounded() {
    let week = Some(now() - SEARCH_RANGE);
    let cases = [
        ("", None),
        ("fn:x,y", None),
        ("corr:abc user:x", None),
        ("fn:x -op:y dur:>1s", week),
        ("-fn:x", week),
        ("-at:today", None),
        ("fn:x*", week),
        ("user:x", week),
        ("st:failed", week),
        ("evt:x", week),
        ("-job:x", week),
        ("timeout", week),
        ("payload.a:1", week),
        ("payload.a:1 30d", None),
        ("payload.a:1 -at:today", week),
        ("payload.a:1 at:all", None),
        ("payload.a:1 -at:all", week),
        ("payload.a:1 at:..1h", week),
        ("payload.a:1 at:today,..1h", week),
        ("job:x 550e8400-e29b-41d4-a716-446655440000", None),
        ("job:x corr:abc", None),
        ("job:x corr:abc*", week),
        ("job:x -corr:abc", week),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text).search_since(now()), expected, "{text}");
    }
    assert_eq!(parse("2d 1d").since(now()), Some(now() - TimeDelta::days(1)));
    assert_eq!(parse("at:1d,2d").since(now()), Some(now() - TimeDelta::days(2)));
    let day = |days| Some(now() - TimeDelta::days(days));
    for (text, until) in [
        ("at:3d..2d", day(2)),
        ("at:3d..2d at:..1d", day(2)),
        ("at:3d..2d,2d..1d", day(1)),
        ("at:3d..2d,4d", None),
        ("-at:3d..2d", None),
        ("st:failed", None),
    ] {
        assert_eq!(parse(text).until(now()), until, "{text}");
    }
    for (text, looks) in [
        ("", false),
        ("fn:moves 24h", false),
        ("-fn:moves", true),
        ("fn:mov*", true),
        ("fn:moves st:failed", true),
        ("st:failed corr:x@y.com", false),
        ("550e8400-e29b-41d4-a716-446655440000", false),
    ] {
        assert_eq!(parse(text).looks_through_rows(), looks, "{text}");
    }
}

#[test]
fn the_range_of_time_is_exchanged() {
    for (text, range, expected) in [
        ("st:failed 15m -at:today", Some("1h"), "st:failed -at:today at:1h"),
        ("at:1h,2h at:today fn:x", Some("all"), "fn:x at:all"),
        ("fn:x at:today", None, "fn:x"),
        ("", Some("12:00..+5m"), "at:12:00..+5m"),
    ] {
        let range = range.map(|range| TimeRange::parse(range).unwrap());
        let other = parse(text).at(range.clone());
        assert_eq!(other.to_string(), expected, "{text}");
        assert_eq!(other.times().flatten().next(), range.as_ref());
    }
    assert_eq!(parse("at:all").pinned(now(), &Zone::UTC).to_string(), "at:all");
}

fn known() -> Known {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Known {
        functions: list(&["event-detector-moves", "event-detector-rides", "two words"]),
        events: list(&["move.pickup.successful"]),
        jobs: list(&["sendNotification", "notifyDispatch"]),
        users: list(&["driver7@hopdrive.com"]),
        tables: list(&["moves"]),
        systems: list(&["hasura"]),
    }
}

#[test]
fn fields_and_values_are_completed() {
    let inserts = |text: &str| -> Vec<String> {
        complete(text, text.len(), &known()).into_iter().map(|completion| completion.insert).collect()
    };
    let after = |text: &str, n: usize| {
        let completion = complete(text, text.len(), &known()).swap_remove(n);
        let mut line = text.to_owned();
        line.replace_range(completion.replace, &completion.insert);
        line
    };
    assert_eq!(inserts("").len(), FIELDS.len());
    assert_eq!(inserts("st:ok f"), ["fn:", "fails:"]);
    assert_eq!(inserts("fn:ride"), ["event-detector-rides"]);
    assert_eq!(inserts("job:not"), ["notifyDispatch", "sendNotification"]);
    assert_eq!(inserts("-st:f"), ["failed"]);
    assert_eq!(inserts("st:"), ["ok", "failed", "stuck", "running", "not_detected"]);
    assert_eq!(inserts("fn:two"), ["\"two words\""]);
    assert_eq!(inserts("fn:\"two w"), ["\"two words\""]);
    assert_eq!(inserts("driver"), ["user:driver7@hopdrive.com"]);
    assert_eq!(inserts("xyz"), Vec::<String>::new());
    assert_eq!(inserts("st:failed"), Vec::<String>::new());
    assert_eq!(after("jo", 0), "job:");
    assert_eq!(after("st:ok -fn:mov", 0), "st:ok -fn:event-detector-moves");
    assert_eq!(after("st:ok,fa", 0), "st:ok,failed");
    assert_eq!(after("notif", 1), "job:sendNotification");
    assert_eq!(after("payload.d", 0), "payload.data.new.");
    // The cursor may stand inside.
    let middle = complete("fn:ri st:ok", 5, &known());
    assert_eq!((middle[0].replace.clone(), middle[0].insert.as_str()), (3..5, "event-detector-rides"));
}

//! Properties of the filter language.

use proptest::prelude::*;

use super::*;

/// Filters as they may be typed.
fn typed() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        "[a-z%_*.-]{1,8}",
        r#""([a-z ,*~]|\\\\|\\"){0,4}""#,
        "~[a-z.]{1,5}",
        "[a-z]{1,3},\"[a-z ]{1,3}\",[a-z*]{1,4}",
        "~\"[a-z ]{1,4}\",x",
    ];
    let text = (
        prop_oneof![Just("fn"), Just("evt"), Just("job"), Just("user"), Just("op"), Just("table"), Just("corr")],
        value,
    )
        .prop_map(|(field, value)| format!("{field}:{value}"));
    let number =
        (prop_oneof![Just("dur"), Just("jobs")], "(>|>=|<|<=)?[0-9]{1,12}").prop_map(|(f, v)| format!("{f}:{v}"));
    let time = prop_oneof![
        "[1-9][0-9]?[smhdw]",
        "at:[1-5]d,2[0-3]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?",
        Just("yesterday..".to_owned()),
        "20[0-9]{2}-1[0-2]-[12][0-9](T0[0-9]:[0-5][0-9](Z|[+-]0[0-9]:[0-5][0-9]))?",
    ];
    let payload =
        ("(\\.[a-z]{1,3}|\\.\"[a-z.: ]{0,4}\"){1,3}(\\[\\])?", "(-?[1-9][0-9]{0,20}|null|[a-z]{1,4}|\"[0-9a-z ]*\")")
            .prop_map(|(path, value)| format!("payload{path}:{value}"));
    let word = prop_oneof!["[a-z*]{1,6}", "\"[^\"\\\\\\x00]{0,6}\"", "[a-f0-9]{32}", "[a-z]{1,5}@[a-z]{1,5}\\.com"];
    let term = ("-?", prop_oneof![text, number, time, payload, word, Just("st:ok,fail".to_owned())]);
    prop::collection::vec(term.prop_map(|(sign, term)| sign + &term), 0..6).prop_map(|terms| terms.join(" "))
}

proptest! {
    #[test]
    fn what_is_typed_reads_back(text in typed(), hours in -12..=12) {
        let filter = Filter::parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        let again = Filter::parse(&filter.to_string());
        prop_assert_eq!(again.as_ref(), Ok(&filter), "{} → {}", text, filter);
        let pinned = filter.pinned(now(), &Zone::fixed(FixedOffset::east_opt(hours * 3600).unwrap()));
        prop_assert_eq!(Filter::parse(&pinned.to_string()), Ok(pinned.clone()));
        prop_assert_eq!(pinned.pinned(now() + TimeDelta::days(9), &Zone::UTC), pinned);
    }

    #[test]
    fn any_text_is_read_or_refused(text: String, cursor: usize) {
        match Filter::parse(&text) {
            Ok(filter) => prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter)),
            Err(error) => prop_assert!(error.at <= text.len() && text.is_char_boundary(error.at)),
        }
        for completion in complete(&text, cursor % (text.len() + 1), &known()) {
            prop_assert!(text.get(completion.replace).is_some());
        }
    }

    /// Text made of the characters that mean something reaches more of the parser.
    #[test]
    fn any_row_of_signs_is_read_or_refused(text in "([a-z]{0,3}|fn:|at:|dur:|payload|[-:,~*\"\\\\.\\[\\]<>(){}+|@ 0-9TZ]|\\.\\.|é|\\n){0,24}") {
        match Filter::parse(&text) {
            Ok(filter) => prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter)),
            Err(error) => prop_assert!(text.is_char_boundary(error.at), "{}", error),
        }
        prop_assert!(complete(&text, text.len() / 2, &known()).len() <= 50);
    }

    /// Any value under the cursor makes a filter that reads back and that its row passes.
    #[test]
    fn any_value_is_quoted(value in "[^\\x00]{0,12}", key in "[^\\x00]{0,6}") {
        let fields = [TextField::Fn, TextField::User, TextField::Op, TextField::Sys, TextField::Corr, TextField::Table];
        let mut listed = listed();
        let own = &mut listed.invocation;
        own.source_function = value.as_str().into();
        for text in [&mut own.source_user_email, &mut own.source_operation, &mut own.source_system, &mut own.correlation_id] {
            *text = Some(value.as_str().into());
        }
        own.source_table = Some(format!("public.{value}").into());
        let candidate = Candidate { listed: &listed, below: None };
        for field in fields {
            let test = Test::exact(Field::Text(field), &value).unwrap();
            let filter = Filter::default().with(test.clone());
            prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter.clone()));
            prop_assert!(filter.matches(&candidate, now(), STALE_AFTER), "{}", filter);
            let other = Filter::default().without(test);
            prop_assert_eq!(Filter::parse(&other.to_string()), Ok(other.clone()));
            prop_assert!(!other.matches(&candidate, now(), STALE_AFTER), "{}", other);
        }
        let payload = json!({"event": {&key: [value.clone()]}});
        let path = vec![Step::Key(key), Step::Any];
        let filter = Filter::default().with(Test::payload(path, &json!(value)).unwrap());
        prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter.clone()));
        let below = Some(Below { events: &[], jobs: &[], payload: &payload });
        let candidate = Candidate { listed: &listed, below };
        prop_assert!(filter.matches(&candidate, now(), STALE_AFTER), "{}", filter);
    }

    #[test]
    fn a_glob_fits_as_a_pattern_would(glob in "[ab*]{1,6}", text in "[abc]{0,8}") {
        let pattern = Pattern::new(&format!("^{}$", glob.replace('*', ".*"))).ok();
        let glob = Text::Glob(glob);
        let mut listed = listed();
        listed.invocation.source_function = text.as_str().into();
        let filter = Filter::default().with(Test::Text(TextField::Fn, vec![glob]));
        let expected = pattern.map(|pattern| pattern.is_match(&text));
        let found = filter.matches(&Candidate { listed: &listed, below: None }, now(), STALE_AFTER);
        prop_assert_eq!(Some(found), expected);
    }
}

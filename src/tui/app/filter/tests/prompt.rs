//! The prompt of the filter.

use super::*;

/// The line of the prompt with its cursor, or nothing.
fn line(app: &App) -> String {
    app.filter.prompt.as_ref().map_or_else(String::new, |prompt| {
        let (before, behind) = prompt.line.halves();
        format!("{before}|{behind}")
    })
}

fn known() -> Known {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Known {
        functions: list(&["event-detector-moves", "event-detector-rides"]),
        jobs: list(&["sendNotification", "notifyDispatch"]),
        tables: list(&["moves"]),
        ..Known::default()
    }
}

/// A list with the prompt open, its names there.
fn prompting(size: (u16, u16), keys: &str) -> App {
    let mut app = loaded(size);
    let [Cmd::Known { request, .. }] = press(&mut app, "/")[..] else { panic!("no names asked for") };
    update(&mut app, Msg::Known(request, Ok(known())));
    press(&mut app, &keys.replace(' ', "<Space>"));
    app
}

#[test]
fn keys_of_the_prompt() {
    // (keys after `/`, the line, the completion that is chosen, the filter that is applied)
    for (keys, expected, chosen, applied) in [
        ("", "|", None, ""),
        ("jqG1", "jqG1|", None, ""),
        ("st:fail<Enter>", "", None, "st:failed"),
        ("st:fail<Esc>", "", None, ""),
        ("st:failC-c", "", None, ""),
        ("x<BS><BS>", "", None, ""),
        ("<Tab>", "|", Some("st:"), ""),
        ("<Tab><Tab><Enter>", "fn:|", None, ""),
        ("<S-Tab><Enter>", "id:|", None, ""),
        ("<Down><Up>", "|", None, ""),
        ("fn:<Tab><Down><Enter>", "fn:event-detector-rides|", None, ""),
        ("fn:<Tab><Enter><Enter>", "", None, "fn:event-detector-moves"),
        ("fn:<Tab><Tab><Tab>", "fn:|", None, ""),
        ("fn:<Tab>m", "fn:m|", None, ""),
        ("-job:disp<Tab><Enter><Enter>", "", None, "-job:notifyDispatch"),
        ("dur:>fast<Enter>", "dur:>fast|", None, ""),
        ("dur:>fast<Enter>C-wdur:>1s<Enter>", "", None, "dur:>1s"),
        ("ab <Home><Del><Enter>", "", None, "b"),
    ] {
        let app = prompting((80, 24), keys);
        let prompt = app.filter.prompt.as_ref();
        let choice = prompt.and_then(|prompt| Some(prompt.completions[prompt.chosen?].insert.as_str()));
        let applied_now = app.filter.applied().to_string();
        assert_eq!((line(&app).as_str(), choice, applied_now.as_str()), (expected, chosen, applied), "{keys}");
        assert_eq!((app.view, app.quit), (View::Invocations, false));
    }
}

#[test]
fn what_is_wrong_is_told_when_the_term_is_finished() {
    for (keys, at) in [
        ("dur:>fast", None),
        ("dur:>fast ", Some(4)),
        ("dur:>fast st:", Some(4)),
        ("dur:>fast<Enter>", Some(4)),
        ("dur:>fast<Enter><BS>", None),
        ("st:", None),
        ("st:<Enter>", Some(3)),
        ("st:<Enter><Tab>", None),
        ("nonsense:1 x", Some(0)),
    ] {
        let app = prompting((80, 24), keys);
        let error = app.filter.prompt.as_ref().and_then(|prompt| prompt.error.as_ref()).map(|error| error.at);
        assert_eq!(error, at, "{keys}");
    }
}

#[test]
fn filters_that_were_typed_come_back() {
    let mut app = loaded((80, 24));
    for text in ["st:failed", "today", "fn:x", "today"] {
        press(&mut app, &format!("/C-u{text}<Enter>"));
    }
    assert_eq!(app.filter.history, ["st:failed", "fn:x", "today"]);
    // The newest one is applied, and stands there already in other words.
    for (keys, expected) in [
        ("", "at:today |"),
        ("<Up>", "today|"),
        ("<Up><Up>", "fn:x|"),
        ("<Up><Up><Up><Up>", "st:failed|"),
        ("<Up><Up><Down>", "today|"),
        ("<Up><Down>", "|"),
        ("<Up>x", "todayx|"),
        ("<Up><Up><Enter>", ""),
    ] {
        let mut app = app.clone();
        press(&mut app, &format!("/{keys}"));
        assert_eq!(line(&app), expected, "{keys}");
    }
}

#[test]
fn the_names_are_asked_for_at_each_opening_and_given_up_with_the_prompt() {
    let mut app = loaded((80, 24));
    let since = fixture::now() - TimeDelta::days(7);
    let [Cmd::Known { request, since: asked_since }] = press(&mut app, "/")[..] else { panic!("no names") };
    assert_eq!(asked_since, since);
    assert_eq!(press(&mut app, "<Esc>"), [Cmd::LeavePrompt]);
    update(&mut app, Msg::Known(request, Ok(known())));
    assert!(app.filter.known.value.is_none(), "too late");
    let [Cmd::Known { request, .. }] = press(&mut app, "/")[..] else { panic!("no names") };
    press(&mut app, "fn:");
    assert!(app.filter.prompt.as_ref().unwrap().completions.is_empty());
    update(&mut app, Msg::Known(request, Ok(known())));
    assert_eq!(app.filter.prompt.as_ref().unwrap().completions.len(), 2, "they are offered when they come");
    assert_eq!(press(&mut app, "<Esc>"), []);
    press(&mut app, "/fn:");
    assert_eq!(app.filter.prompt.as_ref().unwrap().completions.len(), 2, "the old ones until the new ones come");
}

#[test]
fn a_pasted_id_is_looked_for_alone() {
    let id = fixture::id(77).to_string();
    for (before, pasted, expected) in [
        ("", id.as_str(), format!("{id}|")),
        ("/", &id, format!("{id}|")),
        ("/st:failed today", &format!("  {id}\n"), format!("{id}|")),
        ("/st:failed ", &format!("moves.{id}"), format!("moves.{id}|")),
        ("/st:failed ", "two words\nmore", "st:failed two words|".to_owned()),
        ("", "qq", "qq|".to_owned()),
    ] {
        let mut app = loaded((80, 24));
        press(&mut app, &before.replace(' ', "<Space>"));
        update(&mut app, Msg::Paste(pasted.to_owned()));
        assert_eq!(line(&app), expected, "{before} {pasted}");
    }
    let mut app = loaded((80, 24));
    press(&mut app, "?");
    update(&mut app, Msg::Paste(id));
    assert!(app.filter.prompt.is_none() && app.help.is_some());
    let mut app = loaded((80, 24));
    app.show(View::Charts);
    update(&mut app, Msg::Paste("q".to_owned()));
    assert!(app.note.is_some());
}

#[test]
fn the_prompt_opens_while_the_rows_are_searched_and_escape_gives_that_up() {
    let mut app = loaded((80, 24));
    asked(&set(&mut app, "slow"), "slow");
    press(&mut app, "/");
    assert_eq!(line(&app), "slow |");
    let commands = press(&mut app, "<Esc><Esc>");
    assert_eq!(commands[..2], [Cmd::LeavePrompt, Cmd::Leave(View::Invocations)]);
    asked(&commands, "");
}

#[test]
fn screens_of_the_prompt() {
    for (name, keys) in [
        ("filter__prompt", ""),
        ("filter__completion", "st:failed fn:<Tab>"),
        ("filter__error", "st:failed dur:>fast<Enter>"),
        ("filter__long_error", "nonsense:1<Enter>"),
    ] {
        let app = prompting((80, 24), keys);
        assert_screen(name, &app);
        assert_screen_at(name, &app, &fixture::PLAIN, (40, 12));
    }
}

#[test]
fn hostile_text_in_the_prompt_stays_in_its_place() {
    for size in [(40, 12), (80, 24)] {
        let mut app = prompting(size, "");
        let mut names = known();
        names.functions.push("\u{1b}[2J語\u{202e}".repeat(30));
        app.filter.known.value = Some(names);
        update(&mut app, Msg::Paste(format!("fn:x \"{}\u{202e}語", "wide 語 ".repeat(60))));
        for keys in ["", "<Left><Left>", "<Home>", "<Enter>", "C-u", "fn:<Tab><Tab><Tab>"] {
            press(&mut app, keys);
            for theme in [fixture::THEME, fixture::PLAIN] {
                let drawn = fixture::screen(&app, &theme, size);
                assert!(drawn.chars().all(|c| c == '\n' || !c.is_control()) && !drawn.contains('\u{202e}'));
            }
        }
    }
}

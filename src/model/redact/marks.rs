//! What is to be replaced in a text.

use super::MASK;

/// What stands in the place of a secret.
pub(super) enum Form {
    /// [`MASK`].
    Plain,
    /// [`MASK`] in quotes, for a value of JSON.
    Quoted,
    /// This text, in which so many secrets are masked.
    Text(String, usize),
}

struct Mark {
    start: usize,
    end: usize,
    form: Form,
}

/// The places of a text that are replaced.
#[derive(Default)]
pub(super) struct Marks {
    marks: Vec<Mark>,
    unsorted: bool,
}

impl Marks {
    pub(super) fn add(&mut self, start: usize, end: usize, form: Form) {
        self.unsorted |= self.marks.last().is_some_and(|last| start < last.end);
        self.marks.push(Mark { start, end, form });
    }

    /// Just after the last place.
    pub(super) fn end(&self) -> usize {
        self.marks.last().map_or(0, |mark| mark.end)
    }

    /// The text with everything replaced, and how many secrets that hides; nothing where there are none.
    pub(super) fn apply(mut self, text: &str) -> Option<(String, usize)> {
        if self.marks.is_empty() {
            return None;
        }
        if self.unsorted {
            // Of two that begin together the longer one holds the other.
            self.marks.sort_by_key(|mark| (mark.start, usize::MAX - mark.end));
        }
        let (mut masked, mut copied, mut secrets) = (String::with_capacity(text.len()), 0, 0);
        for Mark { start, end, form } in self.marks {
            if start < copied {
                continue;
            }
            masked.push_str(text.get(copied..start).unwrap_or_default());
            copied = end;
            secrets += match form {
                Form::Plain => {
                    masked.push_str(MASK);
                    1
                }
                Form::Quoted => {
                    masked.extend(["\"", MASK, "\""]);
                    1
                }
                Form::Text(text, secrets) => {
                    masked.push_str(&text);
                    secrets
                }
            };
        }
        masked.push_str(text.get(copied..).unwrap_or_default());
        Some((masked, secrets))
    }
}

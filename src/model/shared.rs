//! Texts that many rows repeat, such as the names of functions and events: each is kept once.

use std::collections::HashSet;
use std::sync::Arc;

/// The texts of some rows.
#[derive(Debug, Default)]
pub struct Texts(HashSet<Arc<str>>);

impl Texts {
    /// The text, shared with all rows that hold the same.
    pub fn share(&mut self, text: String) -> Arc<str> {
        if let Some(known) = self.0.get(text.as_str()) {
            return known.clone();
        }
        let text = Arc::<str>::from(text);
        self.0.insert(text.clone());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_kept_once() {
        let mut texts = Texts::default();
        let [a, b, other] = ["moves", "moves", "rides"].map(|text| texts.share(text.to_owned()));
        assert!(Arc::ptr_eq(&a, &b));
        assert_eq!((&*a, &*other), ("moves", "rides"));
    }
}

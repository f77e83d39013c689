//! Which keys name a secret.

use super::words::{
    ABOUT, ANYWHERE, COMMON, FIELDS, HEADERS, NAMES, OTHERS, PARAMETERS, PLAIN, RANDOM, SAME, VALUES, WORDS,
};

/// Bytes of the longest key that is looked at.
pub(super) const LONGEST: usize = 120;

/// Keys whose values are secrets: those that everybody uses, more, and fewer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Keys {
    /// More words: up to four letters as a word of its own, longer ones anywhere.
    extra: Vec<String>,
    /// Keys that are none.
    allowed: Vec<String>,
}

/// What a key in a free text says of the value behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// A secret, whatever it looks like.
    Plain,
    /// A secret, unless it reads like a sentence.
    Secret,
    /// A secret if it looks like one.
    Common,
    /// A secret if it is long and random.
    Random,
    /// A secret, and so is the rest of the line.
    Header,
}

impl Keys {
    pub(super) fn new<T: AsRef<str>>(extra: impl IntoIterator<Item = T>, allowed: impl IntoIterator<Item = T>) -> Self {
        let all = |keys: &mut dyn Iterator<Item = T>| {
            keys.map(|key| squeezed(key.as_ref())).filter(|key| !key.is_empty()).collect::<Vec<_>>()
        };
        Self { extra: all(&mut extra.into_iter()), allowed: all(&mut allowed.into_iter()) }
    }

    /// Whether the value under this key is a secret, if it can be one.
    pub(super) fn is_secret(&self, key: &str) -> bool {
        // Most keys have not all the letters of any of the words.
        let found = letters(key.as_bytes());
        if key.len() < 2 || !(may_be(found, &OF_ANYWHERE) || may_be(found, &OF_WORDS) || !self.extra.is_empty()) {
            return false;
        }
        let key = &key[..key.floor_char_boundary(LONGEST)];
        self.is_known(key, found) && !self.allowed.contains(&squeezed(key)) || self.is_extra(key)
    }

    fn is_extra(&self, key: &str) -> bool {
        let is_in = |extra: &String| {
            if extra.len() <= 4 { words(key).contains(extra) } else { squeezed(key).contains(extra.as_str()) }
        };
        self.extra.iter().any(is_in)
    }

    /// Whether it has one of the words in it; `found` are its letters.
    fn is_known(&self, key: &str, found: u32) -> bool {
        let of = |words: &'static [&'static str], letters: &'static [u32]| {
            words.iter().zip(letters).filter(move |(_, letters)| found & **letters == **letters).map(|(word, _)| *word)
        };
        let last = last_word(key);
        for word in of(WORDS, &OF_WORDS) {
            let is_last = |last: &str| last.eq_ignore_ascii_case(word);
            let before =
                || SAME.iter().any(|same| last.eq_ignore_ascii_case(same)).then(|| last_word(&key[..last_start(key)]));
            if is_last(last) || before().is_some_and(is_last) {
                return true;
            }
        }
        if !may_be(found, &OF_ANYWHERE) {
            return false;
        }
        let (mut all, mut length) = ([0; LONGEST], 0);
        for byte in key.bytes().filter(u8::is_ascii_alphanumeric) {
            all[length] = byte.to_ascii_lowercase();
            length += 1;
        }
        let all = &all[..length];
        of(ANYWHERE, &OF_ANYWHERE).any(|word| {
            let tells_about = || ABOUT.iter().any(|about| last.eq_ignore_ascii_case(about));
            let digits = all.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
            let mut places = all
                .windows(word.len())
                .enumerate()
                .filter(|(_, part)| part[0] == word.as_bytes()[0] && *part == word.as_bytes());
            places.any(|(at, _)| {
                let is_other = OTHERS.iter().any(|other| all[at..].starts_with(other.as_bytes()));
                !is_other && (length - digits == at + word.len() || !tells_about())
            })
        })
    }

    /// As [`Keys::is_secret`] of one of the names in a path such as `data.new.password` or `stops[4].token`.
    pub(super) fn is_secret_path(&self, path: &str) -> bool {
        self.is_secret(path) || path.split(['.', '[', ']']).any(|key| self.is_secret(key))
    }

    /// Whether a text beside the name of a secret is the name of another field: `["password", "email"]`.
    pub(super) fn is_field(&self, text: &str) -> bool {
        FIELDS.iter().any(|field| text.eq_ignore_ascii_case(field)) || is_name(text) && self.is_secret(text)
    }

    /// What a name in front of `:` or `=` says; `parameter` where it stands behind `?` or `&`.
    pub(super) fn weigh(&self, key: &str, parameter: bool) -> Option<Weight> {
        if !self.is_secret(key) {
            let is_in = |words: &[&str]| parameter && words.contains(&squeezed(key).as_str());
            return is_in(PARAMETERS).then_some(Weight::Plain).or_else(|| is_in(RANDOM).then_some(Weight::Random));
        }
        let all = squeezed(key);
        let is = |word: &&str| all.contains(*word);
        let common = || COMMON.iter().any(|word| last_word(key).eq_ignore_ascii_case(word));
        Some(match () {
            () if HEADERS.iter().any(is) => Weight::Header,
            () if PLAIN.iter().any(is) => Weight::Plain,
            () if common() => Weight::Common,
            () => Weight::Secret,
        })
    }
}

/// Whether a key names the kind of the value beside it.
pub(super) fn names_another(key: &str) -> bool {
    key.len() <= 10 && NAMES.iter().any(|name| key.eq_ignore_ascii_case(name))
}

/// Whether it is the key of that value.
pub(super) fn is_value_key(key: &str) -> bool {
    key.len() <= 11 && VALUES.iter().any(|name| key.eq_ignore_ascii_case(name))
}

/// Whether a text can be the name of something.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte >= 128 || byte.is_ascii_alphanumeric() || b"_-. ".contains(&byte))
}

/// Whether this is the name of a header that holds a secret: it can be nothing else in a list of texts.
pub(super) fn is_header(name: &str) -> bool {
    HEADERS.iter().any(|header| squeezed(&name[..name.floor_char_boundary(LONGEST)]).ends_with(header))
        || name.contains('-') && !name.contains(' ')
}

/// Numbers under `max_tokens` and the like count; they are no secrets.
pub(super) fn counts(key: &str) -> bool {
    let last = last_word(key);
    last.eq_ignore_ascii_case("tokens") || last.eq_ignore_ascii_case("cookies")
}

/// Letters and digits in small letters.
fn squeezed(text: &str) -> String {
    text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| char::from(byte.to_ascii_lowercase())).collect()
}

/// The words of a key: `X-DB_passWord2` has four, `userPIN` two, `JSONToken` two.
fn words(key: &str) -> Vec<String> {
    let bytes = key.as_bytes();
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    for (at, &byte) in bytes.iter().enumerate() {
        if !byte.is_ascii_alphabetic() {
            open &= byte.is_ascii_digit();
            continue;
        }
        let before = at.checked_sub(1).map_or(b' ', |at| bytes[at]);
        let after = bytes.get(at + 1).copied().unwrap_or(b' ');
        let begins = byte.is_ascii_uppercase()
            && (before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || (before.is_ascii_uppercase() && after.is_ascii_lowercase()));
        if !open || begins {
            words.push(String::new());
        }
        open = true;
        if let Some(word) = words.last_mut() {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
    }
    words
}

/// Where the last word of a key begins, and just behind it.
fn last_place(key: &str) -> (usize, usize) {
    let bytes = key.as_bytes();
    let end = bytes.iter().rposition(u8::is_ascii_alphabetic).map_or(0, |at| at + 1);
    let mut start = end;
    while start > 0 && bytes[start - 1].is_ascii_alphabetic() {
        let (this, next) = (bytes[start - 1], bytes.get(start).copied().filter(|_| start < end));
        // `Token` of `accessToken` and of `JSONToken`, `PIN` of `userPIN`.
        let begins = next.is_some_and(|next| {
            next.is_ascii_uppercase() && this.is_ascii_lowercase()
                || this.is_ascii_uppercase()
                    && next.is_ascii_uppercase()
                    && start + 1 < end
                    && bytes[start + 1].is_ascii_lowercase()
        });
        if begins {
            break;
        }
        start -= 1;
    }
    (start, end)
}

fn last_word(key: &str) -> &str {
    let (start, end) = last_place(key);
    &key[start..end]
}

fn last_start(key: &str) -> usize {
    last_place(key).0
}

/// Whether all letters of one of the words are found.
fn may_be(found: u32, words: &[u32]) -> bool {
    words.iter().fold(false, |any, letters| any | (found & letters == *letters))
}

fn letters(key: &[u8]) -> u32 {
    key.iter().take(LONGEST).fold(0, |bits, byte| bits | BITS[usize::from(*byte)])
}

const fn letters_of<const N: usize>(words: &[&str]) -> [u32; N] {
    let (mut all, mut n) = ([0; N], 0);
    while n < N {
        let (word, mut at) = (words[n].as_bytes(), 0);
        while at < word.len() {
            all[n] |= BITS[word[at] as usize];
            at += 1;
        }
        n += 1;
    }
    all
}

/// The letters of each word.
const OF_ANYWHERE: [u32; ANYWHERE.len()] = letters_of(ANYWHERE);
const OF_WORDS: [u32; WORDS.len()] = letters_of(WORDS);

/// One bit for each letter.
const BITS: [u32; 256] = {
    let (mut bits, mut byte) = ([0; 256], 0_u8);
    while byte < 128 {
        bits[byte as usize] = if byte.is_ascii_alphanumeric() { 1 << (byte & 31) } else { 0 };
        byte += 1;
    }
    bits
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_secrets_are_known_in_every_spelling() {
        let keys = Keys::default();
        for key in [
            "pwd",
            "pass",
            "PASS",
            "db_pass",
            "dbPass",
            "password",
            "password2",
            "X-DB_passWord-2",
            "passphrase",
            "auth",
            "X-Auth",
            "auth_key",
            "authorization",
            "Proxy-Authorization",
            "jwt",
            "userJwt",
            "session",
            "sid",
            "connect.sid",
            "session_id",
            "sessionID",
            "JSESSIONID",
            "PHPSESSID",
            "csrf",
            "X-XSRF-TOKEN",
            "csrfmiddlewaretoken",
            "credential",
            "credentials",
            "access_key",
            "accessKey",
            "AWS_SECRET_ACCESS_KEY",
            "AWSAccessKeyId",
            "secret",
            "client_secret",
            "secretKey",
            "token",
            "accessToken",
            "apikey",
            "api-key",
            "X-Api-Key",
            "api key",
            "private_key",
            "signing_key",
            "connectionString",
            "connection_string",
            "dsn",
            "SENTRY_DSN",
            "otp",
            "otp_code",
            "pin",
            "userPIN",
            "PIN",
            "cvv",
            "cvv2",
            "cvc",
            "card",
            "card_number",
            "cardNo",
            "ssn",
            "iban",
            "webhook_url",
            "webhookUrl",
            "cookie",
            "set-cookie",
            "bearer",
            "refresh_tokens",
            "reset_password_token",
            "user.password",
            "password_hash",
            "passwords",
            "token_type_token",
            "spring.datasource.password",
        ] {
            assert!(keys.is_secret(key), "{key}");
        }
    }

    #[test]
    fn other_keys_are_not_taken_for_secrets() {
        let keys = Keys::default();
        for key in [
            "shipping",
            "author",
            "compass",
            "passenger",
            "spinner",
            "discard",
            "cardinality",
            "inside",
            "sessionCount",
            "tokenizer",
            "authorName",
            "passed",
            "pinned",
            "authorized",
            "authority",
            "session_variables",
            "token_type",
            "tokenExpiresAt",
            "expires_in",
            "password_changed_at",
            "passwordRequired",
            "secretary",
            "secretName",
            "cookieConsent",
            "cookie_name",
            "card_type",
            "auth_method",
            "bypass",
            "options",
            "mapping",
            "opinion",
            "keys",
            "keyword",
            "id",
            "",
            "a",
            "posid",
            "pass_count",
            "token_count",
            "passwordless",
            "considered",
            "sidecar",
            "residence",
            "libang",
            "lessness",
            "ibanez",
            "monkey",
            "primary_key",
            "foreign_key",
            "idempotency_key",
            "cache_key",
            "public_key",
            "signature",
            "hash",
            "nonce",
        ] {
            assert!(!keys.is_secret(key), "{key}");
        }
    }

    #[test]
    fn more_and_fewer_keys() {
        let keys = Keys::new(["tan", "Kenn-Wort"], ["access_token"]);
        for (key, secret) in [
            ("tan", true),
            ("smsTan", true),
            ("TAN (old)", true),
            ("tangent", false),
            ("meinKennwort", true),
            ("accessToken", false),
            ("token", true),
        ] {
            assert_eq!(keys.is_secret(key), secret, "{key}");
        }
        assert!(keys.is_secret_path("a.b[3].tan.x") && !keys.is_secret_path("a.standard"));
    }

    #[test]
    fn words_of_a_key() {
        assert_eq!(words("X-DB_passWord2"), ["x", "db", "pass", "word"]);
        assert_eq!(words("userPIN"), ["user", "pin"]);
        assert_eq!(words("JSONToken"), ["json", "token"]);
        assert_eq!(words("cvv2"), ["cvv"]);
    }
}

//! What is a secret by its own form: keys of well-known services, tokens, numbers of cards and accounts.

use super::told::{TOLD, told};

/// What the letters behind a prefix are.
#[derive(Clone, Copy, PartialEq)]
enum Body {
    /// Letters and digits.
    Plain,
    /// These, `_` and `-`.
    Word,
    /// These and `.`.
    Dotted,
    /// These, `+`, `/` and `=`.
    Base64,
    /// Exactly so many digits in base 16.
    Hex,
    /// Parts of base64 with signs between them.
    Hash,
    /// Everything that a path of a URL may hold.
    Path,
}

struct Prefix {
    text: &'static str,
    /// As many letters must follow.
    least: usize,
    body: Body,
}

const fn prefix(text: &'static str, least: usize, body: Body) -> Prefix {
    Prefix { text, least, body }
}

/// At least three letters each. Those of `Word` and `Plain` must have a digit behind, since names begin like some.
const PREFIXES: &[Prefix] = &[
    prefix("AKIA", 16, Body::Plain),
    prefix("ASIA", 16, Body::Plain),
    prefix("ghp_", 16, Body::Plain),
    prefix("gho_", 16, Body::Plain),
    prefix("ghu_", 16, Body::Plain),
    prefix("ghs_", 16, Body::Plain),
    prefix("ghr_", 16, Body::Plain),
    prefix("github_pat_", 16, Body::Word),
    prefix("glpat-", 16, Body::Word),
    prefix("gldt-", 16, Body::Word),
    prefix("glrt-", 16, Body::Word),
    prefix("glptt-", 16, Body::Word),
    prefix("sk_live_", 10, Body::Plain),
    prefix("sk_test_", 10, Body::Plain),
    prefix("rk_live_", 10, Body::Plain),
    prefix("rk_test_", 10, Body::Plain),
    prefix("sk-", 20, Body::Word),
    prefix("xoxb-", 10, Body::Word),
    prefix("xoxp-", 10, Body::Word),
    prefix("xoxa-", 10, Body::Word),
    prefix("xoxr-", 10, Body::Word),
    prefix("xoxs-", 10, Body::Word),
    prefix("xoxe-", 10, Body::Word),
    prefix("xoxe.", 10, Body::Word),
    prefix("xapp-", 10, Body::Word),
    prefix("AIza", 30, Body::Word),
    prefix("ya29.", 16, Body::Word),
    prefix("GOCSPX-", 16, Body::Word),
    prefix("npm_", 30, Body::Plain),
    prefix("pypi-", 16, Body::Word),
    prefix("SG.", 24, Body::Dotted),
    prefix("glsa_", 16, Body::Word),
    prefix("glc_", 20, Body::Base64),
    prefix("eyJrIjoi", 16, Body::Base64),
    prefix("dop_v1_", 20, Body::Plain),
    prefix("doo_v1_", 20, Body::Plain),
    prefix("dor_v1_", 20, Body::Plain),
    prefix("hvs.", 16, Body::Word),
    prefix("hvb.", 16, Body::Word),
    prefix("whsec_", 10, Body::Base64),
    prefix("shpat_", 16, Body::Plain),
    prefix("shpca_", 16, Body::Plain),
    prefix("shppa_", 16, Body::Plain),
    prefix("shpss_", 16, Body::Plain),
    prefix("hf_", 30, Body::Plain),
    prefix("dckr_pat_", 16, Body::Word),
    prefix("lin_api_", 20, Body::Plain),
    prefix("tskey-", 16, Body::Word),
    prefix("sntrys_", 20, Body::Base64),
    prefix("figd_", 20, Body::Word),
    prefix("ATATT3x", 20, Body::Base64),
    prefix("PMAK-", 20, Body::Word),
    prefix("NRAK-", 20, Body::Plain),
    prefix("sq0csp-", 16, Body::Word),
    prefix("sq0atp-", 16, Body::Word),
    prefix("xkeysib-", 20, Body::Word),
    prefix("AGE-SECRET-KEY-1", 20, Body::Plain),
    prefix("dapi", 32, Body::Plain),
    prefix("gsk_", 20, Body::Plain),
    prefix("ntn_", 20, Body::Plain),
    prefix("sbp_", 20, Body::Plain),
    prefix("xai-", 30, Body::Word),
    prefix("pplx-", 30, Body::Word),
    prefix("pscale_pw_", 16, Body::Dotted),
    prefix("pscale_tkn_", 16, Body::Dotted),
    prefix("dp.pt.", 20, Body::Plain),
    prefix("dp.st.", 20, Body::Dotted),
    prefix("HRKU-", 30, Body::Word),
    prefix("EAAAE", 50, Body::Word),
    prefix("key-", 32, Body::Hex),
    prefix("v1.local.", 40, Body::Dotted),
    prefix("v1.public.", 40, Body::Dotted),
    prefix("v2.local.", 40, Body::Dotted),
    prefix("v2.public.", 40, Body::Dotted),
    prefix("v3.local.", 40, Body::Dotted),
    prefix("v3.public.", 40, Body::Dotted),
    prefix("v4.local.", 40, Body::Dotted),
    prefix("v4.public.", 40, Body::Dotted),
    prefix("SCRAM-SHA-256$", 16, Body::Hash),
    prefix("SCRAM-SHA-1$", 16, Body::Hash),
    prefix("pbkdf2_sha256$", 16, Body::Hash),
    prefix("hooks.slack.com/services/", 4, Body::Path),
    prefix("hooks.slack.com/workflows/", 4, Body::Path),
    prefix("hooks.slack.com/triggers/", 4, Body::Path),
    prefix("discord.com/api/webhooks/", 4, Body::Path),
    prefix("discordapp.com/api/webhooks/", 4, Body::Path),
    prefix("hooks.zapier.com/hooks/catch/", 4, Body::Path),
    prefix("outlook.office.com/webhook/", 4, Body::Path),
    prefix("webhook.office.com/webhookb2/", 4, Body::Path),
    prefix("api.telegram.org/bot", 8, Body::Path),
    prefix("open.feishu.cn/open-apis/bot/v2/hook/", 4, Body::Path),
];

/// What a header of authorization begins with.
const SCHEMES: &[&str] = &["bearer", "basic", "token", "negotiate", "ntlm", "apikey"];
/// Those with several parts behind them.
const LISTS: &[&str] = &["digest", "aws4-hmac-sha256", "hawk", "oauth", "signature"];
/// Texts of so many bytes may have been cut off within a secret.
const CUT: usize = 190;

/// Bytes by which a secret is told from a name.
const BEGINNING: usize = 64;

/// Three letters, as a place in a set.
const fn trigram(a: u8, b: u8, c: u8) -> usize {
    (a as usize * 1009 + b as usize * 31 + c as usize) & 0xFFFF
}

/// The beginnings of everything above.
const BEGINNINGS: [u64; 1024] = {
    let mut set = [0_u64; 1024];
    let mut n = 0;
    while n < PREFIXES.len() {
        let text = PREFIXES[n].text.as_bytes();
        let at = trigram(text[0], text[1], text[2]);
        set[at / 64] |= 1 << (at % 64);
        n += 1;
    }
    n = 0;
    while n < 16 {
        let digit = b"0123456789abcdef"[n];
        let (key, account) = (trigram(b'S', b'K', digit), trigram(b'A', b'C', digit));
        set[key / 64] |= 1 << (key % 64);
        set[account / 64] |= 1 << (account % 64);
        n += 1;
    }
    let lists = [SCHEMES, LISTS, TOLD, &["eyj", "insert", "machine"]];
    let mut list = 0;
    while list < lists.len() {
        let mut n = 0;
        while n < lists[list].len() {
            let text = lists[list][n].as_bytes();
            let mut cases = 0;
            while cases < 8 {
                let (mut letters, mut at) = ([text[0], text[1], text[2]], 0);
                while at < 3 {
                    if cases >> at & 1 == 1 {
                        letters[at] = letters[at].to_ascii_uppercase();
                    }
                    at += 1;
                }
                let at = trigram(letters[0], letters[1], letters[2]);
                set[at / 64] |= 1 << (at % 64);
                cases += 1;
            }
            n += 1;
        }
        list += 1;
    }
    set
};

/// Whether a word that begins here may be one of the forms; most are not.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    let [a, b, c, ..] = bytes else { return false };
    let at = trigram(*a, *b, *c);
    BEGINNINGS[at / 64] >> (at % 64) & 1 == 1
}

/// The place of the secret in the word that begins this text, after this byte. The text is the end of one of so many bytes.
pub(super) fn word(text: &str, before: u8, whole: usize) -> Option<(usize, usize)> {
    key(text, whole)
        .or_else(|| twilio(text))
        .or_else(|| json_web_token(text, before))
        .or_else(|| authorization(text))
        .or_else(|| told(text))
}

fn key(text: &str, whole: usize) -> Option<(usize, usize)> {
    let prefix = PREFIXES
        .iter()
        .find(|prefix| prefix.text.as_bytes()[..3] == text.as_bytes()[..3] && text.starts_with(prefix.text))?;
    let rest = &text[prefix.text.len()..];
    let is_body = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || match prefix.body {
                Body::Plain | Body::Hex => false,
                Body::Hash => b"_-+/=$:.,".contains(byte),
                Body::Word => b"_-".contains(byte),
                Body::Dotted => b"_-.".contains(byte),
                Body::Base64 => b"_-+/=".contains(byte),
                Body::Path => b"_-.~/:%+@=".contains(byte),
            }
    };
    // What is no secret is known from its beginning: prefixes in a row do not make this slow.
    let length = rest.bytes().take(BEGINNING).take_while(|byte| is_body(byte)).count();
    if length == rest.len() && text.len() < whole && whole >= CUT && length >= 4 {
        return Some((0, text.len()));
    }
    let has_digit = || rest.as_bytes()[..length].iter().any(u8::is_ascii_digit);
    if length < prefix.least || !(prefix.body == Body::Path || has_digit()) {
        return None;
    }
    let length = rest.bytes().take_while(|byte| is_body(byte)).count();
    let is_hex = || rest.as_bytes()[..length].iter().all(u8::is_ascii_hexdigit);
    if prefix.body == Body::Hex && !(length == prefix.least && is_hex()) {
        return None;
    }
    let start = if prefix.body == Body::Path { prefix.text.len() } else { 0 };
    Some((start, prefix.text.len() + length))
}

/// Names of the ways to hash a password, as they stand between two `$`.
const HASHES: &[&str] =
    &["1", "2a", "2b", "2x", "2y", "5", "6", "7", "y", "gy", "apr1", "argon2i", "argon2d", "argon2id", "scrypt", "s0"];

/// The length of a hashed password that begins here: `$2b$12$…`.
pub(super) fn hash(bytes: &[u8]) -> Option<usize> {
    let name = bytes.get(1..)?.iter().take(9).position(|&byte| byte == b'$')?;
    if !HASHES.iter().any(|hash| hash.as_bytes() == &bytes[1..=name]) {
        return None;
    }
    let is_body = |byte: &&u8| byte.is_ascii_alphanumeric() || b"./$=,+_-".contains(byte);
    let length = bytes[name + 2..].iter().take_while(is_body).count();
    (length >= 20).then_some(name + 2 + length)
}

/// The length of the key of a bot of Telegram, from the sign behind its number on.
pub(super) fn bot(bytes: &[u8]) -> Option<usize> {
    let is_body = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    let length = bytes.get(1..).filter(|rest| rest.starts_with(b"AA"))?.iter().take(40).take_while(is_body).count();
    (33..=36).contains(&length).then_some(length + 1)
}

/// A key of Twilio, or the token behind an account of it: `SK` or `AC` and 32 digits in base 16.
fn twilio(text: &str) -> Option<(usize, usize)> {
    let is_digit = |byte: &&u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let rest = text.strip_prefix("SK").or_else(|| text.strip_prefix("AC"))?.as_bytes();
    let digits = rest.iter().take(33).take_while(is_digit).count();
    let token = rest.get(33..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    match rest.get(32) {
        _ if digits != 32 => None,
        Some(b':') if text.starts_with('A') => (token > 0).then_some((35, 35 + token)),
        next if text.starts_with('S') && !next.is_some_and(u8::is_ascii_alphanumeric) => Some((0, 34)),
        _ => None,
    }
}

/// Three parts of base64 with dots between them, of which the first is an object.
fn json_web_token(text: &str, before: u8) -> Option<(usize, usize)> {
    if b"-_".contains(&before) {
        return None;
    }
    let is_body = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    let part = |from: usize| text.as_bytes()[from..].iter().take_while(|byte| is_body(byte)).count();
    let header = text.starts_with("eyJ").then(|| part(0)).filter(|&length| length >= 10)?;
    let mut end = header;
    while text.as_bytes().get(end) == Some(&b'.') && part(end + 1) > if end == header { 3 } else { 0 } {
        end += 1 + part(end + 1);
    }
    (end > header).then_some((0, end))
}

/// What follows the name of a scheme: `Bearer x`, `Basic x`, `Digest username="…", …`.
fn authorization(text: &str) -> Option<(usize, usize)> {
    let length = text.bytes().take(20).take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'-').count();
    let name = text[..length].to_ascii_lowercase();
    let space = text[length..].bytes().take_while(|byte| *byte == b' ').count();
    let rest = &text[length + space..];
    if space == 0 {
        return None;
    }
    if LISTS.contains(&name.as_str()) {
        let first = rest.bytes().take_while(|byte| byte.is_ascii_alphabetic() || b"_-".contains(byte)).count();
        let has_parts = first > 2 && rest[first..].starts_with('=');
        return has_parts.then(|| (length + space, length + space + line(rest)));
    }
    let end = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=*".contains(byte)).count();
    let token = rest[..end].trim_end_matches(['.', '*']);
    let found = match name.as_str() {
        "bearer" => token.len() >= 6 && looks_secret(token) || token.len() > 24,
        "basic" => token.len() >= 8 && looks_secret(token) && (token.len().is_multiple_of(4) || end == rest.len()),
        "token" | "apikey" => {
            token.len() >= 20 && looks_secret(token) && !token.contains(['.', '/']) && !is_uuid(token)
        }
        "negotiate" | "ntlm" => token.len() >= 20 && looks_secret(token),
        _ => false,
    };
    found.then(|| (length + space, length + space + token.len()))
}

/// Whether this is the name of a scheme, and whether several parts follow it.
pub(super) fn scheme(word: &str) -> Option<bool> {
    let is = |name: &&str| word.eq_ignore_ascii_case(name);
    SCHEMES.iter().any(is).then_some(false).or_else(|| LISTS.iter().any(is).then_some(true))
}

/// The rest of the line.
pub(super) fn line(text: &str) -> usize {
    let bytes = text.as_bytes();
    // One that opens a text is a part of the line: `x, password=b'…'`.
    let opens = |at: usize| {
        let is_sign = |at: Option<usize>| at.is_some_and(|at| b"=:([, ".contains(&bytes[at]));
        let is_letter = at > 0 && bytes[at - 1].is_ascii_alphabetic();
        is_sign(at.checked_sub(1)) || is_letter && is_sign(at.checked_sub(2))
    };
    let ends = |(at, byte): (usize, &u8)| matches!(byte, b'\n' | b'\r') || *byte == b'\'' && !opens(at);
    bytes.iter().enumerate().position(ends).unwrap_or(text.len())
}

/// Whether a text is likely made by a machine or for one: letters and digits, and neither a name, a time nor an address.
pub(super) fn looks_random(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_date = || bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-';
    (6..=512).contains(&bytes.len())
        && bytes.iter().any(u8::is_ascii_digit)
        && bytes.iter().any(u8::is_ascii_alphabetic)
        && !bytes.iter().any(|byte| byte.is_ascii_whitespace() || *byte == b'@')
        && !(text.contains("://") || is_uuid(text) || is_date())
}

/// Whether a text can be no word of a language: digits, or capitals within.
pub(super) fn looks_secret(text: &str) -> bool {
    let within = |pair: &[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
    text.bytes().any(|byte| byte.is_ascii_digit() || b"+/=".contains(&byte)) || text.as_bytes().windows(2).any(within)
}

pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// The length of a card's number that begins here: 13 to 19 digits in groups, with a right check digit.
pub(super) fn card(bytes: &[u8]) -> Option<usize> {
    let (mut digits, mut groups, mut at) = ([0_u8; 19], 1, 0);
    let (mut count, mut in_group, mut separator) = (0, 0, None);
    loop {
        match bytes.get(at) {
            Some(byte) if byte.is_ascii_digit() => {
                *digits.get_mut(count)? = byte - b'0';
                count += 1;
                in_group += 1;
            }
            Some(byte @ (b' ' | b'-')) if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => {
                // Cards are printed in groups of four, or of four, six and five.
                let is_group = in_group == 4 || in_group == 6 && groups == 2;
                if !is_group || separator.is_some_and(|known| known != *byte) {
                    return None;
                }
                (separator, in_group, groups) = (Some(*byte), 0, groups + 1);
            }
            _ => break,
        }
        at += 1;
    }
    let goes_on = bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        || matches!(bytes.get(at), Some(b'.' | b'-')) && bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
    let digits = &digits[..count];
    let begins = |length: usize| digits.iter().take(length).fold(0_u32, |all, digit| all * 10 + u32::from(*digit));
    let is_issued = match count {
        13 | 19 => begins(1) == 4,
        14 => matches!(begins(2), 30 | 36 | 38),
        15 => matches!(begins(2), 34 | 37),
        16 => matches!(begins(2), 40..=55 | 35 | 65) || matches!(begins(4), 2221..=2720 | 6011),
        _ => false,
    };
    let sum: u32 = (digits.iter().rev().enumerate())
        .map(|(place, digit)| match u32::from(*digit) * if place % 2 == 1 { 2 } else { 1 } {
            doubled @ 10.. => doubled - 9,
            digit => digit,
        })
        .sum();
    // One digit all over is no number of a card.
    let varies = digits.windows(2).any(|pair| pair[0] != pair[1]);
    (!goes_on && is_issued && varies && sum.is_multiple_of(10)).then_some(at)
}

/// Countries with the lengths of their accounts' international numbers.
const ACCOUNTS: &str = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27\
     GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27\
     MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22\
     VG24XK20";

/// The length of an account's international number that begins here, in one piece or in groups of four.
pub(super) fn iban(bytes: &[u8]) -> Option<usize> {
    let [a, b, c, d, ..] = bytes else { return None };
    if !(a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit()) {
        return None;
    }
    let (mut at, mut letters) = (0, Vec::with_capacity(34));
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'A'..=b'Z' | b'0'..=b'9' if letters.len() < 34 => letters.push(*byte),
            b' ' if letters.len() % 4 == 0
                && bytes.get(at + 1).is_some_and(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) => {}
            _ => break,
        }
        at += 1;
    }
    let is_of = |account: &[u8]| {
        account[..2] == [*a, *b] && account[2..] == [b'0' + letters.len() as u8 / 10, b'0' + letters.len() as u8 % 10]
    };
    if !ACCOUNTS.as_bytes().chunks_exact(4).any(is_of)
        || bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte))
    {
        return None;
    }
    letters.rotate_left(4);
    let rest = letters.iter().fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    (rest == 1).then_some(at)
}

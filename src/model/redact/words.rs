//! The words that make a key the name of a secret, and those that say otherwise.

/// Anywhere in a key, whatever its case and punctuation: `password` is in `dbPassword` and `X-DB-Password-2`.
#[rustfmt::skip]
pub(super) const ANYWHERE: &[&str] = &[
    "password", "passwd", "passphrase", "passcode", "passwort", "pwd", "secret", "token", "credential",
    "authorization", "cookie", "bearer", "jwt", "csrf", "xsrf", "apikey", "accesskey", "privatekey",
    "signingkey", "encryptionkey", "masterkey", "sharedkey", "accountkey", "authkey", "hmackey", "sessionid",
    "sessid", "sessionkey", "connectionstring", "connstr", "webhookurl", "webhookuri", "cardnumber",
    "creditcard", "securitycode", "dbpass", "userpass", "passwrd", "kennwort", "motdepasse", "contrasena", "contrasea",
    "clientkey", "consumerkey", "appkey", "sshkey", "rsakey", "gpgkey", "pgpkey", "licensekey", "licencekey",
    "recoverycode", "backupcode", "verificationcode", "mfacode", "2facode", "seedphrase", "mnemonic", "magiclink",
    "resetlink", "storagekey",
];

/// As a word of its own at the end of a key: `user_pin` and `PIN`, not `spinner` nor `pin_location`.
#[rustfmt::skip]
pub(super) const WORDS: &[&str] = &[
    "pass", "auth", "session", "sid", "pin", "otp", "totp", "card", "cvv", "cvc", "ssn", "dsn", "iban",
    "pw", "psw", "pword", "userpw", "psk", "mfa", "pan",
];

/// What may stand behind such a word without changing what the value is.
#[rustfmt::skip]
pub(super) const SAME: &[&str] = &[
    "key", "no", "num", "number", "code", "value", "string", "header", "hash", "plain", "raw", "new", "old",
];

/// A key that ends so tells something about a secret: `token_type`, `password_changed_at`, `secretName`.
#[rustfmt::skip]
pub(super) const ABOUT: &[&str] = &[
    "age", "alg", "algorithm", "at", "attempts", "category", "changed", "class", "consent", "count", "counts",
    "created", "date", "days", "description", "disabled", "enabled", "endpoint", "exists", "expiration",
    "expired", "expires", "expiry", "format", "hint", "hours", "in", "index", "invalid", "issuer", "kind",
    "label", "len", "length", "level", "limit", "matches", "method", "minutes", "missing", "mode", "ms", "name",
    "names", "path", "policy", "position", "present", "provider", "required", "rotation", "scope", "scopes",
    "seconds", "size", "source", "state", "status", "strength", "time", "timestamp", "title", "total", "ttl",
    "type", "types", "updated", "uri", "url", "usage", "used", "valid", "validity", "verified", "version",
];

/// Longer words that begin like one of these mean something else.
#[rustfmt::skip]
pub(super) const OTHERS: &[&str] = &[
    "secretary", "secretari", "tokeniz", "tokenise", "tokenisa", "passwordless", "cookieconsent", "cookiepolic",
];

/// Only where a URL has them as parameters.
#[rustfmt::skip]
pub(super) const PARAMETERS: &[&str] = &[
    "sig", "signature", "hmac", "xamzcredential", "xamzsignature", "xgoogsignature", "xgoogcredential",
];

/// And these, if what they hold is random: `?key=`, and the code that a server of authorization gives.
#[rustfmt::skip]
pub(super) const RANDOM: &[&str] = &[
    "key", "code",
];

/// Passwords and keys by their name alone: in `password:swordfish` no other meaning is likely, in `token:refresh` one is.
#[rustfmt::skip]
pub(super) const PLAIN: &[&str] = &[
    "password", "passwd", "passphrase", "passcode", "passwort", "pwd", "key", "secret", "connectionstring",
    "passwrd", "kennwort", "motdepasse", "contrasena", "contrasea",
];

/// Words that are often no secrets where people write them: `pass: 3`, `session: closed`.
#[rustfmt::skip]
pub(super) const COMMON: &[&str] = &[
    "pass", "auth", "session", "card", "sid", "pin",
];

/// The key of a value that may be long: all of its line belongs to it.
#[rustfmt::skip]
pub(super) const HEADERS: &[&str] = &[
    "authorization", "cookie",
];

/// A key that names the kind of the value beside it, in `{"name": "password", "value": "x"}`.
#[rustfmt::skip]
pub(super) const NAMES: &[&str] = &[
    "name", "key", "field", "header", "k", "n", "id", "param", "parameter", "property", "variable", "column",
    "attribute", "label", "headername", "paramname", "identifier",
];

/// The key of that value.
#[rustfmt::skip]
pub(super) const VALUES: &[&str] = &[
    "value", "val", "v", "values", "content", "data", "text", "old", "new", "default", "current", "previous",
    "oldvalue", "newvalue", "old_value", "new_value", "oldval", "newval", "old_val", "new_val", "before", "after", "from",
    "to", "headervalue", "paramvalue",
];

/// What people write behind a name where no value is.
#[rustfmt::skip]
pub(super) const NOTHING: &[&str] = &[
    "null", "none", "nil", "undefined", "true", "false", "nan", "n/a",
];

/// What sentences go on with: `Invalid token: expired`.
#[rustfmt::skip]
pub(super) const SENTENCE: &[&str] = &[
    "a", "absent", "access", "an", "and", "are", "at", "bad", "be", "but", "by", "can", "cannot", "closed",
    "could", "created", "deleted", "denied", "did", "disabled", "does", "empty", "enabled", "error", "exceeded",
    "expected", "expired", "failed", "failure", "for", "forbidden", "from", "get", "got", "had", "has", "have",
    "if", "illegal", "in", "incorrect", "invalid", "is", "it", "its", "length", "malformed", "may", "mismatch",
    "missing", "must", "need", "needs", "no", "not", "of", "ok", "on", "only", "or", "please", "rejected",
    "refused", "required", "reset", "revoked", "sent", "set", "should", "string", "the", "this", "to", "too", "unable",
    "unauthorized", "unexpected", "unknown", "unset", "unsupported", "updated", "use", "user", "using", "valid",
    "was", "were", "when", "which", "with", "wrong", "you", "your",
];

/// Fields that are often listed beside one that holds a secret.
#[rustfmt::skip]
pub(super) const FIELDS: &[&str] = &[
    "email", "user", "username", "name", "login", "id", "role", "host", "port",
];

/// What is set under the name of a secret and is none: of `fetch`, and of readers of texts.
#[rustfmt::skip]
pub(super) const SETTINGS: &[&str] = &[
    "include", "omit", "same-origin", "<EOF>",
];

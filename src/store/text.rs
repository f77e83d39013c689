//! Texts from PostgreSQL. A database with the encoding `SQL_ASCII` keeps bytes as they come: those that are no UTF-8 become
//! U+FFFD here, so that one of them costs a character and not the list. A session of such a database takes the bytes
//! unchanged, see `store::read::session`; in all others the server sees to it that there are none.

use std::ops::Deref;
use std::sync::Arc;

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeInfo, PgValueRef};
use sqlx::{Decode, Postgres, Type};

/// A text of any type that holds one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text(String);

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<Text> for Arc<str> {
    fn from(Text(text): Text) -> Self {
        text.into()
    }
}

impl From<Text> for String {
    fn from(Text(text): Text) -> Self {
        text
    }
}

impl Type<Postgres> for Text {
    fn type_info() -> PgTypeInfo {
        <String as Type<Postgres>>::type_info()
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        <String as Type<Postgres>>::compatible(ty)
    }
}

impl<'r> Decode<'r, Postgres> for Text {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(String::from_utf8_lossy(value.as_bytes()?).into_owned()))
    }
}

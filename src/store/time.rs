//! Times between the program and PostgreSQL. The driver's own conversion panics on times that a `timestamptz` may hold,
//! so it is switched off (`sqlx` without its feature `chrono`), and this one, which knows every value, is the only one.

use chrono::{DateTime, Utc};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

use crate::model::time::{self, INFINITY, MINUS_INFINITY};

/// The first and the last time that PostgreSQL takes.
const FIRST: i64 = -211_813_488_000_000_000;
const LAST: i64 = 9_223_371_331_199_999_999;
/// The type in `pg_type`, the same in every database.
const TIMESTAMPTZ: Oid = Oid(1184);
const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);
/// A time without a zone, which other writers use: the session's zone is UTC, and it is read as one of that.
const TIMESTAMP: Oid = Oid(1114);

/// A `timestamptz`. See [`crate::model::time`] for those that have no date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub DateTime<Utc>);

impl From<Timestamp> for DateTime<Utc> {
    fn from(Timestamp(at): Timestamp) -> Self {
        at
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at)
    }
}

impl Timestamp {
    fn from_micros(micros: i64) -> Self {
        Self(match micros {
            i64::MAX => INFINITY,
            i64::MIN => MINUS_INFINITY,
            _ => time::of_micros(micros),
        })
    }

    fn to_micros(self) -> i64 {
        if self.0 == INFINITY {
            i64::MAX
        } else if self.0 == MINUS_INFINITY {
            i64::MIN
        } else if (MINUS_INFINITY..INFINITY).contains(&self.0) {
            // A little before the first row is before the first time.
            time::micros(self.0).clamp(FIRST, LAST)
        } else {
            // No row had it: it is refused.
            time::micros(self.0)
        }
    }
}

/// The name of a type in SQL; the driver knows none for one that is told by its number.
pub(super) fn sql_name(info: &PgTypeInfo) -> String {
    if info.oid() == Some(TIMESTAMPTZ) { "timestamptz".to_owned() } else { info.to_string() }
}

impl Type<Postgres> for Timestamp {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        matches!(ty.oid(), Some(TIMESTAMPTZ | TIMESTAMP))
    }
}

impl PgHasArrayType for Timestamp {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ_ARRAY)
    }
}

impl Encode<'_, Postgres> for Timestamp {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode(self.to_micros(), buffer)
    }
}

impl<'r> Decode<'r, Postgres> for Timestamp {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => <i64 as Decode<Postgres>>::decode(value).map(Self::from_micros),
            // No statement asks for it.
            PgValueFormat::Text => Err("a time came as text".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::model::time::plus;

    #[test]
    fn every_value_is_a_moment_and_is_sent_back_as_it_was() {
        let values = [i64::MIN, FIRST, -1, 0, LAST - 1, LAST, i64::MAX];
        let moments = values.map(Timestamp::from_micros);
        assert!(moments.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(moments.map(Timestamp::to_micros), values);
        assert_eq!(Timestamp(plus(moments[1].0, TimeDelta::days(-9))).to_micros(), FIRST);
        assert!(
            Timestamp::from_micros(i64::MAX - 1) < moments[6] && Timestamp::from_micros(i64::MIN + 1) >= moments[0]
        );
    }
}

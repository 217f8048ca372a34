//! How values stand in columns: moments as milliseconds, words as their serde names, the rest as JSON.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Row, ToSql};
use serde::Serialize;
use serde::de::value::{Error as WordError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

use crate::address::Address;
use crate::clock::Timestamp;

/// A moment: milliseconds since 1970 in UTC.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ms(pub(super) Timestamp);

impl ToSql for Ms {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.timestamp_millis().into())
    }
}

impl FromSql for Ms {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Ms> {
        let ms = value.as_i64()?;
        Timestamp::from_timestamp_millis(ms).map(Ms).ok_or(FromSqlError::OutOfRange(ms))
    }
}

/// A moment that may be missing.
pub(super) fn ms(at: Option<Timestamp>) -> Option<Ms> {
    at.map(Ms)
}

pub(super) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Ok(row.get::<_, Ms>(column)?.0)
}

pub(super) fn moment_or_none(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<Ms>>(column)?.map(|ms| ms.0))
}

/// A value that serde writes as one word: a state, an event, a trigger.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<T>(pub(super) T);

impl<T: Serialize> ToSql for Word<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match serde_json::to_value(&self.0) {
            Ok(serde_json::Value::String(word)) => Ok(word.into()),
            Ok(_) => Err(rusqlite::Error::ToSqlConversionFailure("not a word".into())),
            Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(error.into())),
        }
    }
}

impl<T: DeserializeOwned> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Word<T>> {
        let word: StrDeserializer<'_, WordError> = value.as_str()?.into_deserializer();
        T::deserialize(word).map(Word).map_err(|error| FromSqlError::Other(error.into()))
    }
}

/// A value that is stored whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match serde_json::to_string(&self.0) {
            Ok(text) => Ok(text.into()),
            Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(error.into())),
        }
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Json<T>> {
        serde_json::from_str(value.as_str()?).map(Json).map_err(|error| FromSqlError::Other(error.into()))
    }
}

/// The spelling as it is stored: only where it is not the identity.
pub(super) fn spelling(address: &Address) -> Option<&str> {
    Some(address.spelling()).filter(|spelling| *spelling != address.identity())
}

/// An address from two columns that stand side by side: identity and spelling.
pub(super) fn address(row: &Row<'_>, column: usize) -> rusqlite::Result<Address> {
    let identity = row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?;
    let spelling = row.get_ref(column + 1)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    Ok(Address::from_stored(identity, spelling))
}

/// A count as SQLite has it. Nothing that is counted here comes near the limit.
pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count from a column; what is below zero was never written.
pub(super) fn counted(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

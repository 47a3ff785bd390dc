//! Lists whose items may come by number, `{ "0": …, "1": … }`, as the layers of the
//! configuration merge them.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Deserialises a list or a table of numbered items.
pub fn numbered<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_any(Numbered(PhantomData))
}

struct Numbered<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Numbered<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = BTreeMap::new();
        while let Some((name, item)) = items.next_entry::<String, T>()? {
            let number: usize = name.parse().map_err(A::Error::custom)?;
            list.insert(number, item);
        }
        Ok(list.into_values().collect())
    }
}

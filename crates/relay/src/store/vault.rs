//! The data keys under which secrets are sealed, themselves wrapped by KMS.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::item::{Item, read};
use super::table::Read;
use super::{Store, StoreError, key};

#[derive(Serialize, Deserialize)]
struct DataKey {
    wrapped: ByteBuf,
}

impl Store {
    /// A data key as KMS wrapped it; `None` where none has that number.
    pub(crate) async fn data_key(&self, number: u8) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.get("read a data key", key::data_key(number), Read::Now).await?;
        Ok(found.map(|key: DataKey| key.wrapped.into_vec()))
    }

    /// Puts a wrapped data key if none has that number; answers the one that stands.
    pub(crate) async fn put_data_key(
        &self,
        number: u8,
        wrapped: Vec<u8>,
    ) -> Result<Vec<u8>, StoreError> {
        let action = "put a data key";
        let item = Item::new(key::data_key(number), DataKey { wrapped: ByteBuf::from(wrapped) });
        let stands = match self.put_absent(action, &item).await? {
            Some(found) => read::<DataKey>(action, found)?,
            None => item,
        };
        Ok(stands.body.wrapped.into_vec())
    }
}

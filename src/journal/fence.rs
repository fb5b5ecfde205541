//! What the gateway has stored of its number in Odoo; see [`crate::fence`].

use super::{Journal, JournalError, Namespace, SideChange, stored};
use crate::fence::Own;

impl Own {
    /// The change that stores it.
    pub fn store(&self) -> Result<SideChange, stored::BadRecord> {
        let bytes = stored::fence_in(self)?;
        Ok((Namespace::Fence.only_key(), Some(bytes)))
    }
}

impl Journal {
    /// What the gateway has stored of itself. `None`: it has not looked at Odoo yet.
    pub fn fence(&self) -> Result<Option<Own>, JournalError> {
        let values = self.read_namespace(Namespace::Fence)?;
        let stored = values.into_iter().next();
        let own = stored.map(|(_, bytes)| stored::fence_out(&bytes));
        Ok(own.transpose()?)
    }
}

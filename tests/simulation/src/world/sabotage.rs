//! What a run is made to do wrong when everybody has synced, so that tests see that the verdict finds it.

use outrider_core::{
    ids::{DocumentId, Part},
    replica::typing::{Splice, TextEdit},
    store::{outbox, query::Query},
};
use rusqlite::Connection;
use serde_json::{Map, Value as Json, json};

use super::World;
use crate::{Failure, device::Device, plan::Sabotage};

/// A letter that nobody types.
const STRANGE: &str = "¤";

impl World {
    /// Does what was ordered before everybody syncs for the last time.
    pub(crate) fn sabotage_edits(&mut self) -> Result<(), Failure> {
        match self.sabotage {
            Some(Sabotage::WriteTwice) => self.write_twice(),
            Some(Sabotage::Overwrite) => self.overwrite(),
            Some(_) | None => Ok(()),
        }
    }

    fn write_twice(&mut self) -> Result<(), Failure> {
        let texts: Vec<DocumentId> = self.ledger.letters.keys().cloned().collect();
        let insert = STRANGE.repeat(2);
        let edit = TextEdit::Splices(vec![Splice { at: 0, delete: 0, insert }]);
        let replica = self.victim()?.replica_mut()?;
        for DocumentId { record, part } in texts {
            if let Part::Text(field) = part
                && replica.get(record)?.is_some()
            {
                replica.edit_text(record, &field, &edit, None)?;
            }
        }
        Ok(())
    }

    fn overwrite(&mut self) -> Result<(), Failure> {
        let replica = self.victim()?.replica_mut()?;
        let fields = Map::from_iter([("company_name".to_owned(), json!(STRANGE))]);
        for listed in replica.list("customer", &Query::default())?.records {
            let id = listed.get("id").and_then(Json::as_str).ok_or("a record without an id")?;
            replica.update(id.parse()?, &fields)?;
        }
        Ok(())
    }

    /// Does what was ordered to devices when everybody has synced.
    pub(crate) fn sabotage_devices(&mut self) -> Result<(), Failure> {
        match self.sabotage {
            Some(Sabotage::LoseDocument) => {
                let sql = "DELETE FROM document
                           WHERE rowid = (SELECT max(rowid) FROM document WHERE part = 'main')";
                Ok(Connection::open(self.victim()?.folder().join(Device::DATABASE))?
                    .execute_batch(sql)?)
            }
            Some(Sabotage::ForgetCursor) => Ok(self.victim()?.replica_mut()?.reset_cursor()?),
            Some(_) | None => Ok(()),
        }
    }

    /// Does what was ordered to what waits when everybody has synced.
    pub(crate) fn sabotage_queues(&mut self) -> Result<(), Failure> {
        let loses_first = match self.sabotage {
            Some(Sabotage::KeepEdit) => false,
            Some(Sabotage::LoseFirstEdit) => true,
            Some(_) | None => return Ok(()),
        };
        let replica = self.victim()?.replica_mut()?;
        let named = |name: &str| Map::from_iter([("company_name".to_owned(), json!(name))]);
        let made = replica.create("customer", &named("Acme"))?;
        if loses_first {
            replica.update(made, &named("Beta"))?;
            let conn = replica.store().conn();
            let first = outbox::waiting(conn, 0, 1)?.pop().ok_or("nothing waits")?;
            outbox::replace(conn, first.id, None)?;
        }
        Ok(())
    }

    /// Does the damage that was ordered, if it is one to data at rest.
    pub(crate) fn sabotage_data(&self) -> Result<(), Failure> {
        match self.sabotage {
            Some(Sabotage::ChangeAudit) => {
                let sql = "UPDATE audit SET at = at + 1
                           WHERE id = (SELECT min(id) FROM audit WHERE action = 'applied')";
                self.change_server(sql)
            }
            Some(Sabotage::ChangeRow) => {
                self.change_server("UPDATE customer SET company_name = 'nobody'")
            }
            Some(Sabotage::DamageDocument) => {
                let device = self.devices.first().ok_or("there is no device")?;
                let path = device.replica()?.folder().join(Device::DATABASE);
                let sql = "UPDATE document SET state = x'ff' WHERE part = 'main'";
                Ok(Connection::open(path)?.execute_batch(sql)?)
            }
            Some(Sabotage::EmptyInbox) => {
                for device in &self.devices {
                    let path = device.replica()?.folder().join(Device::DATABASE);
                    Connection::open(path)?.execute_batch("DELETE FROM inbox")?;
                }
                Ok(())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Somebody who was not turned away.
    fn victim(&mut self) -> Result<&mut Device, Failure> {
        let mut devices = self.devices.iter_mut();
        devices.find(|device| !device.is_revoked).ok_or_else(|| "there is no device".into())
    }

    fn change_server(&self, sql: &str) -> Result<(), Failure> {
        Ok(Connection::open(self.server()?.database())?.execute_batch(sql)?)
    }
}

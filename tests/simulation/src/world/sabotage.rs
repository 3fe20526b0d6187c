//! What a run is made to do wrong with data at rest, so that tests see that the verdict finds it.

use rusqlite::Connection;

use super::World;
use crate::{Failure, device::Device, plan::Sabotage};

impl World {
    /// Does the damage that was ordered, if it is one to data at rest.
    pub(crate) fn sabotage_data(&self) -> Result<(), Failure> {
        match self.sabotage {
            None | Some(Sabotage::LosePushes | Sabotage::IgnorePolicy) => Ok(()),
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
        }
    }

    fn change_server(&self, sql: &str) -> Result<(), Failure> {
        Ok(Connection::open(self.server()?.database())?.execute_batch(sql)?)
    }
}

//! New records on a device, 1,000 in a transaction: how fast a table of customers comes in.

use outrider_core::replica::DATABASE_FILE;
use tempfile::TempDir;

use super::{BATCH, STEP_MS, Setting};
use crate::{
    Outcome,
    figure::Figure,
    floor::{Plain, Rows, Sync},
    input::{ENTITY, customer},
    measure::{Cost, alternate, cost},
    office::open_device,
};

pub(crate) fn run(setting: &Setting) -> Outcome<Vec<Figure>> {
    let inputs: Vec<_> = (0..setting.records).map(customer).collect();
    let import = |seed: usize| -> Outcome<(Cost, TempDir)> {
        let folder = TempDir::new()?;
        let (mut replica, clock) = open_device(folder.path(), Sync::Full, seed as u64)?;
        let (time, ()) = cost(|| {
            for batch in inputs.chunks(BATCH) {
                replica.transaction(|writer| {
                    for fields in batch {
                        writer.create(ENTITY, None, fields)?;
                    }
                    Ok(())
                })?;
                clock.advance(STEP_MS);
            }
            Ok(())
        })?;
        Ok((time, folder))
    };
    let (_, folder) = import(0)?;
    let rows = Rows::read(&folder.path().join(DATABASE_FILE))?;
    let both = alternate(
        setting.repetitions,
        |seed| Ok(import(seed)?.0),
        |_| {
            let folder = TempDir::new()?;
            let mut plain = Plain::open(&folder.path().join("plain.db"), Sync::Full)?;
            Ok(cost(|| plain.insert(&rows, BATCH))?.0)
        },
    )?;
    let count = setting.records;
    Ok(vec![
        Figure::rate("import", count, both.wall),
        Figure::each("import_cpu", count, both.cpu, count),
    ])
}

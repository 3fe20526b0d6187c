//! Everything from the server into a new device: how long a new phone takes until it can go out.

use outrider_core::replica::pull::FRAMES_PER_TRANSACTION;
use tempfile::TempDir;

use super::Synced;
use crate::{
    Outcome,
    figure::Figure,
    floor::{Plain, Sync},
    http::Server,
    measure::{Cost, alternate, cost, median},
    office::open_device,
};

pub(crate) fn run(world: &Synced) -> Outcome<Vec<Figure>> {
    let count = world.setting.records;
    let folder = TempDir::new()?;
    let mut server = Vec::new();
    let piped = {
        let office = world.office(&folder.path().join("office"), Sync::Full)?;
        let fill = |at: usize| {
            let device = TempDir::new()?;
            let (mut replica, _) = open_device(device.path(), Sync::Full, 100 + at as u64)?;
            office.enroll(&mut replica, number(10, at))?;
            let (time, talk) = cost(|| office.sync(&mut replica))?;
            check(talk.summary.pulled, count)?;
            server.push(talk.server_seconds);
            Ok(time)
        };
        alternate(world.setting.repetitions, fill, |_| fill_plain(world))?
    };
    let over_http = {
        let data = folder.path().join("http");
        let devices: Vec<TempDir> =
            (0..world.setting.repetitions).map(|_| TempDir::new()).collect::<Result<_, _>>()?;
        let mut replicas = Vec::new();
        {
            let office = world.office(&data, Sync::Full)?;
            for (at, device) in devices.iter().enumerate() {
                let (mut replica, _) = open_device(device.path(), Sync::Full, 200 + at as u64)?;
                office.enroll(&mut replica, number(100, at))?;
                replicas.push(replica);
            }
        }
        let server = Server::start(&data)?;
        let fill = |at: usize| {
            let replica = replicas.get_mut(at).ok_or("no device")?;
            let (time, summary) = cost(|| server.sync(replica))?;
            check(summary.pulled, count)?;
            Ok(time)
        };
        alternate(world.setting.repetitions, fill, |_| fill_plain(world))?
    };
    let wire = world.wire_bytes as f64 / count as f64;
    Ok(vec![
        Figure::rate("first_sync", count, piped.wall),
        Figure::each("first_sync_cpu", count, piped.cpu, count),
        Figure::new("first_sync_server_cpu", count, median(&server) * 1e6 / count as f64, "µs"),
        Figure::rate("first_sync_http", count, over_http.wall),
        Figure::new("first_sync_wire", count, wire, "B/record"),
    ])
}

fn number(first: u8, at: usize) -> u8 {
    first.wrapping_add(u8::try_from(at).unwrap_or(u8::MAX))
}

/// All records arrived; the users of the devices are records too.
fn check(pulled: u64, count: usize) -> Outcome<()> {
    if pulled >= count as u64 { Ok(()) } else { Err("not all has arrived".into()) }
}

fn fill_plain(world: &Synced) -> Outcome<Cost> {
    let folder = TempDir::new()?;
    let mut plain = Plain::open(&folder.path().join("plain.db"), Sync::Full)?;
    Ok(cost(|| plain.insert(&world.rows, FRAMES_PER_TRANSACTION))?.0)
}

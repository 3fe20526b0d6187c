//! What deciding who may do what adds to a push, and what signatures add: a device with a role pushes
//! the same edits to an office without rules and to one with them.

use outrider_core::{
    ids::to_hex,
    sync::{
        frame::{Outcome as Answered, PushRequest},
        key::DeviceKey as _,
        proof::{Asked, Proof},
    },
};
use outrider_sync_server::storage::Device;
use p256::ecdsa::SigningKey;
use tempfile::TempDir;

use super::{
    Synced,
    accept::{Pushes, prepare},
};
use crate::{
    Outcome,
    figure::Figure,
    floor::Sync,
    input::START_MS,
    measure::{alternate, cost, thread_cpu_seconds},
    office::{Office, is_signed},
};

/// Pushes before the other side has its turn.
const TURN: usize = 100;
/// The user of the device that pushes.
const USER: &str = "user 2";

pub(crate) fn run(world: &Synced) -> Outcome<Vec<Figure>> {
    let (count, turns) = (world.setting.records, world.setting.repetitions);
    let pushes = prepare(world, turns * TURN)?;
    let folder = TempDir::new()?;
    let open = world.office(&folder.path().join("open"), Sync::Full)?;
    let mut ruled = world.office(&folder.path().join("ruled"), Sync::Full)?;
    // Before the pushes: the device's user has a record, and a role that edits all customers.
    ruled.switch_on(&[(USER, "administrator")])?;
    let of = |office: &Office| office.device(pushes.whole.device);
    let (without, with) = (of(&open)?, of(&ruled)?);
    let both = alternate(
        turns,
        |turn| push_all(&ruled, &with, &pushes, turn),
        |turn| push_all(&open, &without, &pushes, turn),
    )?;
    let micros = |seconds: f64| seconds * 1e6 / TURN as f64;
    let (ruled_us, open_us) = (micros(both.cpu.0), micros(both.cpu.1));
    let signature_us = repeated(|| is_signed(&with, &pushes.whole))?;
    let proof_us = request_proof()?;
    let whole = ruled_us + signature_us + proof_us;
    let share = |part: f64| 100.0 * part / whole;
    Ok(vec![
        Figure::new("push_without_rules_cpu", count, open_us, "µs"),
        Figure::new("push_with_rules_cpu", count, ruled_us, "µs"),
        Figure::new("push_signature_cpu", count, signature_us, "µs"),
        Figure::new("push_request_proof_cpu", count, proof_us, "µs"),
        Figure::new("push_share_of_policy", count, share(ruled_us - open_us), "%"),
        Figure::new("push_share_of_signatures", count, share(signature_us + proof_us), "%"),
    ])
}

/// A turn of pushes of one change each.
fn push_all(
    office: &Office,
    device: &Device,
    pushes: &Pushes,
    turn: usize,
) -> Outcome<crate::measure::Cost> {
    let requests: Vec<PushRequest> = (0..TURN).map(|at| pushes.of(turn * TURN + at, 1)).collect();
    let work = || {
        for request in &requests {
            let response = office.accept(device, request)?;
            if response.answers.iter().any(|answer| answer.outcome != Answered::Applied) {
                return Err("a change was not applied".into());
            }
        }
        Ok(())
    };
    Ok(cost(work)?.0)
}

/// What checking the signature of a request takes.
fn request_proof() -> Outcome<f64> {
    let key = SigningKey::from_slice(&[7; 32])?;
    let token = to_hex(&[7; 32]);
    let asked = Asked { method: "POST", path: "/v1/push", token: &token };
    let proof = Proof::new(&key, &asked, b"body", START_MS, [7; 16])?;
    let public_key = key.public_key();
    repeated(|| proof.is_signed(&public_key, &asked))
}

/// Microseconds of processor time of something that must hold.
fn repeated(holds: impl Fn() -> bool) -> Outcome<f64> {
    let before = thread_cpu_seconds();
    for _ in 0..TURN {
        if !holds() {
            return Err("a wrong signature".into());
        }
    }
    Ok((thread_cpu_seconds() - before) * 1e6 / TURN as f64)
}

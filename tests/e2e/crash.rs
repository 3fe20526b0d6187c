//! Devices killed with SIGKILL at random moments during edits and sync lose nothing.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value as Json, json};

use crate::world::{Device, Office};

/// Kills of one test; more with `OUTRIDER_KILLS`.
const KILLS: u32 = 100;
/// Commands that are fed to a process that will not live to see them all.
const COMMANDS: usize = 400;
/// Longest life of a process, in milliseconds.
const LIFE_MS_MAX: u64 = 250;

/// What a device was told is durable.
#[derive(Default)]
struct Acknowledged {
    names: Vec<String>,
    /// Visits that were counted, by customer.
    visits: BTreeMap<String, i64>,
    /// Visits that may have been counted: the answer was never read.
    doubtful: i64,
}

#[test]
fn devices_killed_at_random_moments_lose_nothing_and_end_equal() {
    let kills = std::env::var("OUTRIDER_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    let seed = std::env::var("OUTRIDER_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1_u64);
    println!("OUTRIDER_SEED={seed} OUTRIDER_KILLS={kills}");
    let mut rng = StdRng::seed_from_u64(seed);
    let office = Office::start();
    let devices = [office.device("anna"), office.device("ben")];
    let customer = made_customer(&devices);
    let mut known = Acknowledged::default();
    let mut serial = 0;
    for _ in 0..kills {
        let device = &devices[rng.random_range(0..devices.len())];
        live_and_die(device, &customer, &mut rng, &mut serial, &mut known);
    }
    for _ in 0..3 {
        for device in &devices {
            device.sync();
        }
    }
    let rows = devices[0].rows();
    assert_eq!(rows, devices[1].rows(), "the devices differ; OUTRIDER_SEED={seed}");
    for device in &devices {
        let mut replica = device.replica();
        assert_eq!(replica.status().unwrap().waiting, 0);
        replica.rebuild_rows().unwrap();
        assert_eq!(replica.dump_rows().unwrap(), rows, "rows are not what the documents say");
    }
    let all = rows.join("\n");
    for name in &known.names {
        assert!(all.contains(name.as_str()), "{name} is lost; OUTRIDER_SEED={seed}");
    }
    let record = devices[0].json(&["get", &customer]);
    let (found, sure) = (record["visits"].as_i64().unwrap(), known.visits[&customer]);
    assert!(
        (sure..=sure + known.doubtful).contains(&found),
        "{found} visits, {sure} acknowledged, {} in doubt; OUTRIDER_SEED={seed}",
        known.doubtful
    );
    println!("{} records, {sure} visits acknowledged across {kills} kills", known.names.len());
    assert!(known.names.len() > kills as usize / 4, "the processes hardly lived");
}

fn made_customer(devices: &[Device]) -> String {
    let made = devices[0].batch(&[
        json!({"do": "create", "entity": "customer", "fields": {"company_name": "Acme"}}),
        json!({"do": "sync"}),
    ]);
    devices[1].sync();
    made[0]["record"].as_str().unwrap().to_owned()
}

/// Feeds a process with commands, kills it, and notes what it had acknowledged.
fn live_and_die(
    device: &Device,
    customer: &str,
    rng: &mut StdRng,
    serial: &mut u32,
    known: &mut Acknowledged,
) {
    let commands: Vec<Json> = (0..COMMANDS)
        .map(|_| {
            *serial += 1;
            match rng.random_range(0..10) {
                0..=4 => {
                    let name = format!("Company-{serial:06}.");
                    json!({"do": "create", "entity": "customer", "fields": {"company_name": name}})
                }
                5 | 6 => {
                    json!({"do": "edit", "record": customer, "fields": {"visits": {"add": 1}}})
                }
                7 => {
                    let tag = format!("tag-{serial:06}");
                    json!({"do": "edit", "record": customer, "fields": {"tags": {"add": [tag]}}})
                }
                _ => json!({"do": "sync"}),
            }
        })
        .collect();
    let mut child = device.start_batch();
    let mut stdin = child.stdin.take().unwrap();
    let input: String = commands.iter().map(|command| format!("{command}\n")).collect();
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let lines = stdout.lines().map_while(Result::ok);
        lines.filter_map(|line| serde_json::from_str::<Json>(&line).ok()).collect::<Vec<_>>()
    });
    std::thread::sleep(Duration::from_millis(rng.random_range(5..LIFE_MS_MAX)));
    child.kill().unwrap();
    child.wait().unwrap();
    let answers = reader.join().unwrap();
    writer.join().unwrap();
    for (command, answer) in commands.iter().zip(&answers) {
        if answer["ok"] != true {
            // A sync may meet a broken moment; an edit may not.
            assert_eq!(command["do"], "sync", "{command} → {answer}");
            continue;
        }
        if let Some(name) = command["fields"]["company_name"].as_str() {
            known.names.push(name.to_owned());
        } else if let Some(tag) = command["fields"]["tags"]["add"][0].as_str() {
            known.names.push(format!("\"{tag}\""));
        } else if command["do"] == "edit" {
            *known.visits.entry(customer.to_owned()).or_default() += 1;
        }
    }
    known.doubtful += commands
        .get(answers.len())
        .map_or(0, |next| i64::from(next["fields"]["visits"].is_object()));
}

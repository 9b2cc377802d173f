//! Row 42: the file that says how far delivery has come is wrong, with a checksum that is right.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::case::{Case, Shown};
use crate::journal::Journal;
use crate::kit::Node;
use crate::traffic::Traffic;

/// Row 42. Without `crc32c`, as a person leaves the file who changes it, no checksum tells.
pub fn changed(case: &Case) -> Result<Shown> {
    let data = case.shop()?;
    let path = data.join("delivery.json");
    let rounds = case.pick(6, 40);
    let mut random = case.random();
    let journal = Journal::default();
    let mut older = None;
    for round in 0..rounds {
        let node = Node::start(&data, &[])?;
        let traffic = Traffic::start(&node.address, &journal, &format!("p{round}"), &[1, 50]);
        std::thread::sleep(random.ms(300..1500));
        node.kill()?;
        traffic.stop();
        let Ok(text) = std::fs::read(&path) else { continue };
        let mut shards: Value = serde_json::from_slice(&text)?;
        let shards = shards.as_object_mut().context("an object")?;
        shards.remove("crc32c");
        match (round % 3, &older) {
            (0, _) => {
                for shard in shards.values_mut() {
                    let next = shard["next"].as_u64().context("a position")?;
                    shard["next"] = (next + 1 + random.below(3_000)).into();
                }
                std::fs::write(&path, serde_json::to_vec(&shards)?)?;
            }
            (1, Some(older)) => std::fs::write(&path, older)?,
            _ => std::fs::remove_file(&path)?,
        }
        older = Some(text);
    }
    let node = Node::start(&data, &[])?;
    std::thread::sleep(Duration::from_millis(100));
    node.stop()?;
    journal.ensure_none_refused()?;
    journal.ensure_exactly_once(&data)?;
    let n = journal.acknowledged();
    Shown::all(rounds, format!("raised, older and removed in turn; {n} acknowledged"))
}

//! A node over the simulated disk, and what happens to it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use cartwheel_ambient::{Clock, system_ms};
use cartwheel_events::{
    Event, EventRecord, ProductId, ProductRecord, Record, SCHEMA_VERSION, UserId,
};
use cartwheel_lake::{Delivery, DeliveryOptions, DeliveryStatus, Lake};
use cartwheel_node::{CONSUMERS, DataDir, Upkeep, keep_numbers, open_catalogue, read_before};
use cartwheel_sessions::{
    LiveCatalogue, ProductStore as _, RedbSessionTable, Sessions, consume_sessions,
};
use cartwheel_settings::Settings;
use cartwheel_stream::{Log, LogOptions, PutError, Sequence, Stream};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::calls;
use crate::model::{Model, SHARDS};

const USERS: u32 = 6;
const PRODUCTS: u32 = 4;
/// Size of a segment of the log, in bytes: a dozen records.
const SEGMENT: u64 = 4 << 10;

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Stop,
    Kill,
    Cut,
}

/// The parts of a server that own files, as `serve` puts them together.
struct Node {
    log: Arc<Log>,
    stream: Arc<dyn Stream>,
    sessions: Arc<Sessions>,
    catalogue: Arc<LiveCatalogue>,
    delivery: Delivery,
    delivered: DeliveryStatus,
    upkeep: Arc<Upkeep>,
    lake: Lake,
}

/// A node, its disk, and the model.
pub struct World {
    data_dir: DataDir,
    random: ChaCha8Rng,
    node: Option<Node>,
    model: Model,
    puts: u64,
    /// How the process ends when the disk says that it has.
    end: End,
    /// Whether a sync has failed in this world.
    a_sync_failed: bool,
    /// Whether sessions are only as old as the stream was.
    sessions_are_rebuilt: bool,
    /// What has happened, for the report of a failure.
    pub history: Vec<String>,
}

fn number(sequence: Sequence) -> u64 {
    sequence.as_u64().unwrap_or(u64::MAX)
}

impl World {
    pub fn new(dir: &Path, random: ChaCha8Rng) -> Self {
        Self {
            data_dir: DataDir(dir.to_owned()),
            random,
            node: None,
            model: Model::default(),
            puts: 0,
            end: End::Kill,
            a_sync_failed: false,
            sessions_are_rebuilt: false,
            history: Vec::new(),
        }
    }

    fn below(&mut self, limit: u32) -> u32 {
        self.random.random_range(0..limit)
    }

    /// Something happens; then the node is compared with the model.
    pub async fn step(&mut self) -> Result<()> {
        if self.node.is_none() {
            self.restart(End::Stop).await?;
        }
        match self.below(1000) {
            0..600 => self.put().await?,
            600..680 => self.put_product().await?,
            680..740 => self.consume().await?,
            740..780 => self.catch_up().await?,
            780..850 => self.deliver().await?,
            850..865 => self.compact()?,
            865..875 => self.erase().await?,
            875..935 => calls::advance(i64::from(self.below(1_200_000))),
            935..943 => {
                let is_full = self.below(2) == 0;
                self.note(format!("full: {is_full}"));
                calls::disk(|disk| disk.is_full = is_full);
            }
            943..947 => {
                let after = u64::from(self.below(6));
                self.note(format!("the sync after {after} more fails"));
                calls::disk(|disk| disk.fails_sync_after = Some(after));
                self.a_sync_failed = true;
            }
            947..965 => self.verify().await?,
            965..971 => self.restart(End::Stop).await?,
            971..978 => self.restart(End::Kill).await?,
            978..983 => self.restart(End::Cut).await?,
            _ => {
                let (after, is_cut) = (u64::from(self.below(60)), self.below(3) > 0);
                self.end = if is_cut { End::Cut } else { End::Kill };
                self.note(format!("{:?} after {after} more steps of the disk", self.end));
                calls::disk(|disk| disk.dies_after = Some(after));
            }
        }
        if calls::disk(|disk| disk.is_dead) {
            self.restart(self.end).await?;
        }
        Ok(())
    }

    fn note(&mut self, what: String) {
        self.history.push(what);
    }

    /// An error is one without a fault of the disk since the start of the process.
    fn excused<T>(&self, what: &str, done: Result<T>) -> Result<Option<T>> {
        let is_faulty = calls::disk(|disk| disk.has_failed);
        match done {
            Ok(done) => Ok(Some(done)),
            Err(_) if is_faulty => Ok(None),
            Err(error) => Err(error.context(format!("{what} failed on a disk without a fault"))),
        }
    }

    fn node(&self) -> Result<&Node> {
        self.node.as_ref().context("no process runs")
    }

    /// Ends the process and starts the next one, which may end while it starts.
    async fn restart(&mut self, mut end: End) -> Result<()> {
        loop {
            self.note(format!("{end:?}"));
            if end == End::Stop
                && let Some(node) = &self.node
            {
                node.log.close();
            }
            self.node = None;
            let random = &mut self.random;
            calls::disk_outside(|disk| match end {
                End::Stop | End::Kill => disk.kill(random),
                End::Cut => disk.cut(random),
            })?;
            if self.below(8) == 0 {
                let after = u64::from(self.below(50));
                calls::disk(|disk| disk.dies_after = Some(after));
                self.end = if self.below(2) == 0 { End::Cut } else { End::Kill };
            }
            let opened = self.open().await;
            if calls::disk(|disk| disk.is_dead) {
                end = self.end;
                continue;
            }
            opened.context("the start")?;
            // redb goes on with pages whose sync failed; the disk may lose them later. (A file that
            // was being created may be damaged too, and had nothing.)
            if self.data_dir.0.join("sessions.damaged").exists() && self.a_sync_failed {
                self.sessions_are_rebuilt = true;
            }
            return self.verify().await;
        }
    }

    /// Starts a process, as `serve` does.
    async fn open(&mut self) -> Result<()> {
        let data_dir = self.data_dir.clone();
        data_dir.begin()?;
        let options = LogOptions {
            shards: SHARDS,
            segment_bytes: SEGMENT,
            max_bytes: 10 * SEGMENT,
            consumers: &CONSUMERS,
            retention_ms: 3_600_000,
            max_record_bytes: SEGMENT as usize / 2,
            ..LogOptions::new(system_ms)
        };
        let log = Arc::new(Log::open(&data_dir.stream(), options)?);
        let lake = Lake::open(&data_dir.lake())?;
        let catalogue = Arc::new(open_catalogue(&data_dir, &lake)?);
        let table = Arc::new(RedbSessionTable::new(data_dir.sessions()));
        let read = read_before(&data_dir, &lake, &table, &catalogue)?;
        let end = log.stat().next;
        ensure!(end >= read, "the log ends at {end}, and a checkpoint is at {read}");
        keep_numbers(&log, read).await?;
        let stream: Arc<dyn Stream> = log.clone();
        let sessions = Arc::new(Sessions::new(table, 64));
        catalogue.catch_up(&stream, |_| true, floor(&log, "catalogue")).await?;
        let delivery = Delivery::new(
            stream.clone(),
            &lake,
            DeliveryOptions { max_records: 20, max_age: Duration::ZERO, clock: Clock::system() },
            &data_dir.delivery(),
            floor(&log, "delivery"),
        )?;
        let delivered = delivery.status();
        let mut settings = Settings::default().lake;
        settings.grace_seconds = 0;
        let upkeep = Upkeep::open(
            &data_dir,
            &settings,
            log.clone(),
            sessions.clone(),
            None,
            delivered.clone(),
        )?;
        let upkeep = Arc::new(upkeep);
        self.node =
            Some(Node { log, stream, sessions, catalogue, delivery, delivered, upkeep, lake });
        self.consume().await
    }

    /// Puts some events of a shopper and applies them to the session, as the API does.
    async fn put(&mut self) -> Result<()> {
        let user = UserId::new(format!("u{}", self.below(USERS)))?;
        let mut records = Vec::new();
        for _ in 0..=self.below(3) {
            self.puts += 1;
            let event = match self.below(10) {
                0..5 => "view",
                5..8 => "add_to_cart",
                8 => "remove_from_cart",
                _ => "checkout",
            };
            let product = format!("p{}", self.below(PRODUCTS));
            let body = json!({"user_id": user, "event": event, "product_ids": [product]});
            let event = Event::from_json(&body).map_err(|error| anyhow::anyhow!("{error:?}"))?;
            records.push(EventRecord::new(event, format!("e{}", self.puts), system_ms()));
        }
        let Some(node) = &self.node else { return Ok(()) };
        if !node.sessions.is_ready() {
            return Ok(());
        }
        let _turn = node.sessions.lock_all([&user]).await;
        let all: Vec<Record> = records.iter().cloned().map(Record::Event).collect();
        all.iter().for_each(|record| self.model.put(record));
        let results = node.log.put(all.clone()).await;
        for ((result, record), event) in results.into_iter().zip(&all).zip(&records) {
            match result {
                Ok(position) => {
                    self.model.acknowledged(number(position.sequence), record)?;
                    let applied = node.sessions.apply(position, event).map_err(Into::into);
                    self.excused("applying an event", applied)?;
                }
                Err(PutError::Throttled | PutError::TooLarge) => self.model.refused(record),
                Err(error) => drop(self.excused("a put", Err::<(), _>(error.into()))?),
            }
        }
        Ok(())
    }

    async fn put_product(&mut self) -> Result<()> {
        let product_id = ProductId::new(format!("p{}", self.below(PRODUCTS)))?;
        self.puts += 1;
        let product = json!({"product_id": product_id, "name": format!("v{}", self.puts)});
        let change = ProductRecord {
            schema_version: SCHEMA_VERSION,
            product_id: product_id.clone(),
            product: Some(product),
            received_at_ms: system_ms(),
        };
        let node = self.node()?;
        let products = [product_id];
        let _turn = node.catalogue.lock(&products).await?;
        let record = Record::Product(change.clone());
        let (log, catalogue) = (node.log.clone(), node.catalogue.clone());
        self.model.put(&record);
        match log.put(vec![record.clone()]).await.remove(0) {
            Ok(position) => {
                self.model.acknowledged(number(position.sequence), &record)?;
                LiveCatalogue::apply(&catalogue, position, &change);
            }
            Err(PutError::Throttled | PutError::TooLarge) => self.model.refused(&record),
            Err(error) => drop(self.excused("a put", Err::<(), _>(error.into()))?),
        }
        Ok(())
    }

    /// The consumer of sessions starts, replays, and ends.
    async fn consume(&mut self) -> Result<()> {
        let node = self.node()?;
        let ready = node.sessions.clone();
        let stop = async move {
            for _ in 0..300 {
                if ready.is_ready() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let floor = floor(&node.log, "sessions");
        let (stream, sessions) = (node.stream.clone(), node.sessions.clone());
        let done = consume_sessions(stream, sessions, Clock::system(), floor, stop).await;
        self.excused("the consumer of sessions", done.map_err(Into::into)).map(drop)
    }

    async fn catch_up(&mut self) -> Result<()> {
        let node = self.node()?;
        let floor = floor(&node.log, "catalogue");
        let done = node.catalogue.catch_up(&node.stream, |_| true, floor).await;
        self.excused("the consumer of products", done.map_err(Into::into)).map(drop)
    }

    async fn deliver(&mut self) -> Result<()> {
        let node = self.node.as_mut().context("no process runs")?;
        let done = node.delivery.deliver().await;
        let missed = node.delivered.now().missed;
        ensure!(missed == 0, "delivery has missed {missed} records");
        self.excused("a delivery", done.map_err(Into::into)).map(drop)
    }

    fn compact(&mut self) -> Result<()> {
        let upkeep = self.node()?.upkeep.clone();
        // On a thread without a runtime, the lake's store does its work at once.
        let done = std::thread::scope(|scope| scope.spawn(|| upkeep.run(&mut |_| ())).join());
        let done = done.map_err(|_| anyhow::anyhow!("the compaction panicked"))?;
        if let Some(done) = self.excused("a compaction", done)? {
            ensure!(done.problems.is_empty(), "{:?}", done.problems);
            ensure!(done.rows_dropped == 0, "{done:?}");
        }
        Ok(())
    }

    async fn erase(&mut self) -> Result<()> {
        let user = UserId::new(format!("u{}", self.below(USERS)))?;
        let node = self.node()?;
        let (before, upkeep) = (node.log.stat().next, node.upkeep.clone());
        self.model.erased(user.as_str(), before, false);
        let done = upkeep.erase(&user).await;
        self.note(format!("erase {user} before {before}: {}", done.is_ok()));
        if self.excused("an erasure", done)?.is_some() {
            self.model.erased(user.as_str(), before, true);
        }
        Ok(())
    }

    /// Compares the node with the model; of the lake, which takes longest, one shopper's rows.
    async fn verify(&mut self) -> Result<()> {
        let user = self.below(USERS);
        self.verify_with(&[user]).await
    }

    /// Compares all of the node with the model, at the end.
    pub async fn verify_all(&mut self) -> Result<()> {
        self.restart(End::Stop).await?;
        self.verify_with(&(0..USERS).collect::<Vec<_>>()).await
    }

    async fn verify_with(&mut self, users: &[u32]) -> Result<()> {
        let node = self.node.as_ref().context("no process runs")?;
        let mut found: BTreeMap<u64, Record> = BTreeMap::new();
        for shard in 0..SHARDS {
            let mut from = Sequence::default();
            loop {
                let batch = node.log.read(shard, from, 1000).await?;
                ensure!(batch.rejected.is_empty(), "{:?}", batch.rejected);
                found.extend(
                    batch.records.iter().map(|(at, record)| (number(*at), Record::clone(record))),
                );
                if batch.next == from {
                    break;
                }
                from = batch.next;
            }
        }
        self.model.check_log(found, node.log.stat().first)?;
        let delivered: Vec<u64> = node.delivered.now().next.into_iter().map(number).collect();
        let pending = node.upkeep.pending();
        for number in 0..USERS {
            let user = format!("u{number}");
            if users.contains(&number) {
                let stored = node.lake.user_records(&user, 100_000)?;
                ensure!(stored.problems.is_empty(), "{:?}", stored.problems);
                let step = pending.iter().find(|one| one.user_id == user).map(|one| one.step);
                let is_clean = step != Some(cartwheel_api::ErasureStep::Lake);
                self.model.check_lake(&user, &stored.events, &delivered, is_clean)?;
            }
            if node.sessions.is_ready() && !self.sessions_are_rebuilt {
                let session = node.sessions.session(&UserId::new(&user)?, system_ms());
                let session = self.excused("reading a session", session.map_err(Into::into))?;
                if let Some(session) = session {
                    self.model.check_session(&user, session.as_deref())?;
                }
            }
        }
        for product in (0..PRODUCTS).map(|product| format!("p{product}")) {
            let listing = node.catalogue.get(&ProductId::new(&product)?);
            let listing = listing.map(|listing| {
                let name = listing.product.as_ref().and_then(|product| product.name.clone());
                (number(listing.position.sequence), name.unwrap_or_default())
            });
            let newest = self.model.product(&product);
            ensure!(listing == newest, "{product} is {listing:?}, not {newest:?}");
        }
        Ok(())
    }

    /// How much the node has accepted.
    pub fn acknowledged(&self) -> usize {
        self.model.records.len()
    }
}

/// As `serve` does.
fn floor(log: &Arc<Log>, consumer: &'static str) -> impl Fn(Sequence) + Send + Sync + 'static {
    let log = log.clone();
    move |next| log.set_floor(consumer, next.as_u64().unwrap_or(u64::MAX))
}

use cartwheel_ambient::Clock;
use cartwheel_engine::Opened;
use cartwheel_events::Event;
use cartwheel_feature_set::{UserFile, UserFileWriter, UserRecords};
use cartwheel_features::UserState;
use cartwheel_lake::DeliveryStatus;
use cartwheel_sessions::{RedbSessionTable, consume_sessions};
use cartwheel_settings::Settings;

use super::*;
use crate::serve::log_options;

/// One start of the parts that an erasure concerns.
struct Start {
    log: Arc<Log>,
    sessions: Arc<Sessions>,
    upkeep: Upkeep,
}

impl Start {
    async fn begin(data_dir: &DataDir) -> Self {
        let settings = Settings::default();
        let log = Arc::new(Log::open(&data_dir.stream(), log_options(&settings.stream)).unwrap());
        let table = Arc::new(RedbSessionTable::new(data_dir.sessions()));
        let sessions = Arc::new(Sessions::new(table, 100));
        let delivery = DeliveryStatus::default();
        let (of, users) = (log.clone(), sessions.clone());
        let upkeep = Upkeep::open(data_dir, &settings.lake, of, users, None, delivery).unwrap();
        let start = Self { log, sessions, upkeep };
        start.consume().await;
        start
    }

    /// Replays the stream, and stores sessions and checkpoints.
    async fn consume(&self) {
        let ready = self.sessions.clone();
        let caught_up = async move {
            while !ready.is_ready() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let (stream, sessions) = (self.log.clone(), self.sessions.clone());
        consume_sessions(stream, sessions, Clock::system(), |_| (), caught_up).await.unwrap();
    }

    async fn view(&self, id: &str) {
        let body = serde_json::json!({"user_id": "u", "event": "view", "product_ids": ["p"]});
        let event = Event::from_json(&body).unwrap();
        let record = EventRecord::new(event, id.to_owned(), Clock::system().now_ms());
        let put = self.log.put(vec![Record::Event(record.clone())]).await;
        self.sessions.apply(*put[0].as_ref().unwrap(), &record).unwrap();
    }

    fn events(&self) -> u64 {
        let user = UserId::new("u").unwrap();
        let session = self.sessions.session(&user, Clock::system().now_ms()).unwrap();
        session.map_or(0, |session| session.events)
    }
}

#[tokio::test]
async fn a_restart_during_an_erasure_keeps_what_the_user_has_done_since() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = DataDir(dir.path().to_owned());
    let first = Start::begin(&data_dir).await;
    first.view("before").await;
    first.upkeep.erase(&UserId::new("u").unwrap()).await.unwrap();
    assert_eq!(first.events(), 0);
    first.view("after").await;
    first.consume().await;
    drop(first);
    // The erasure waits for delivery; the checkpoint of sessions is behind the event.
    let second = Start::begin(&data_dir).await;
    assert_eq!(second.upkeep.pending().len(), 1);
    assert_eq!(second.events(), 1);
    second.view("later").await;
    assert_eq!(second.events(), 2);
}

/// As if the disk had failed between the session and the list.
#[tokio::test]
async fn an_erasure_that_the_list_does_not_call_hidden_is_not_done_twice() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = DataDir(dir.path().to_owned());
    let first = Start::begin(&data_dir).await;
    first.view("before").await;
    first.upkeep.erase(&UserId::new("u").unwrap()).await.unwrap();
    first.view("after").await;
    first.consume().await;
    let erasure = first.upkeep.erasures().pending()[0].erasure.clone();
    first.upkeep.erasures().add(&[erasure]).unwrap();
    assert!(!first.upkeep.erasures().pending()[0].hidden);
    drop(first);
    assert_eq!(Start::begin(&data_dir).await.events(), 1);
}

/// The next start finds what the disk has of the list. It would erase what comes until then, too.
#[tokio::test]
async fn sessions_forget_a_user_even_if_the_list_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = DataDir(dir.path().to_owned());
    let first = Start::begin(&data_dir).await;
    first.view("before").await;
    std::fs::create_dir(data_dir.erasures()).unwrap();
    first.upkeep.erase(&UserId::new("u").unwrap()).await.unwrap_err();
    assert_eq!(first.events(), 0);
    first.view("after").await;
    assert_eq!(first.events(), 1);
}

#[tokio::test]
async fn a_feature_set_that_cannot_be_read_does_not_outlive_an_erasure() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = DataDir(dir.path().to_owned());
    let start = Start::begin(&data_dir).await;
    let set = data_dir.features().join("fs-1");
    std::fs::create_dir_all(&set).unwrap();
    std::fs::write(set.join("manifest.json"), "damaged").unwrap();
    let other = data_dir.features().join("no-set");
    std::fs::create_dir_all(&other).unwrap();

    start.upkeep.erase(&UserId::new("u").unwrap()).await.unwrap();
    let erasure = start.upkeep.erasures().pending()[0].erasure.clone();
    start.upkeep.erasures().mark_cleaned(&erasure, &[]).unwrap();
    start.upkeep.drop_feature_sets().unwrap();
    assert!(!set.exists() && other.exists());
    assert_eq!(start.upkeep.pending().len(), 0);
}

/// A server opens a release some time after the release was written.
#[tokio::test]
async fn an_erasure_is_not_over_while_the_engine_has_the_user_open() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = DataDir(dir.path().to_owned());
    let mut start = Start::begin(&data_dir).await;
    // No feature set on disk holds the user any more.
    let users_path = dir.path().join("users.bin");
    let mut records = UserRecords::default();
    records.push("u", &UserState::default());
    let mut writer = UserFileWriter::create(&users_path).unwrap();
    writer.append(&records).unwrap();
    writer.finish().unwrap();
    let before = Opened {
        users: Some(UserFile::open(&users_path).unwrap()),
        ..Opened::nothing("UTC").unwrap()
    };
    let engine = Arc::new(ServingEngine::new(before));
    start.upkeep.engine = Some(engine.clone());
    std::fs::create_dir_all(data_dir.features()).unwrap();

    start.upkeep.erase(&UserId::new("u").unwrap()).await.unwrap();
    let erasure = start.upkeep.erasures().pending()[0].erasure.clone();
    start.upkeep.erasures().mark_cleaned(&erasure, &[]).unwrap();
    start.upkeep.drop_feature_sets().unwrap();
    assert_eq!(start.upkeep.pending().len(), 1);
    engine.swap(Opened { erasures: 1, ..Opened::nothing("UTC").unwrap() });
    start.upkeep.drop_feature_sets().unwrap();
    assert_eq!(start.upkeep.pending().len(), 0);
}

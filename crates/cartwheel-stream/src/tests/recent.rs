//! What is read from memory at the end of a log is what its files have.

use super::*;

/// Each shard read from each sequence number, with a limit.
async fn reads(log: &Log, limit: usize) -> Vec<Vec<(Sequence, Record)>> {
    let mut reads = Vec::new();
    for shard in 0..log.shards() {
        for from in 0..=log.stat().next {
            let (mut next, mut found) = (Sequence::from(from), Vec::new());
            loop {
                let batch = log.read(shard, next, limit).await.unwrap();
                assert!(batch.len() <= limit && batch.next >= next && batch.missed == 0);
                found.extend(batch.records.iter().map(|(at, r)| (*at, Record::clone(r))));
                if batch.next == next {
                    break;
                }
                next = batch.next;
            }
            reads.push(found);
        }
    }
    reads
}

#[tokio::test]
async fn memory_and_disk_tell_the_same_from_every_number() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    put_ids(&log, 0..20).await;
    // Not decoded by the log: it forgets what was before.
    log.put_bytes("u1", b"no record".to_vec()).await.unwrap();
    let together = vec![record("u2", "a"), record("u2", &"x".repeat(100)), record("u3", "b")];
    assert!(log.put(together).await.iter().all(Result::is_ok));
    put_ids(&log, 20..60).await;
    let (one, seven) = (reads(&log, 1).await, reads(&log, 7).await);
    drop(log);
    let log = open(dir.path());
    assert_eq!((reads(&log, 1).await, reads(&log, 7).await), (one, seven));
}

#[tokio::test]
async fn an_erased_record_is_not_read_from_memory() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    put_ids(&log, 0..20).await;
    assert_eq!(log.erase([("u1", log.stat().next)]).unwrap(), 4);
    put_ids(&log, 20..22).await;
    let found = all(&log).await;
    assert_eq!(found.len(), 18);
    let of_user = |record: &&Record| record.user_id().is_some_and(|user| user.as_str() == "u1");
    assert_eq!(found.values().filter(of_user).count(), 1, "that of after the erasure");
}

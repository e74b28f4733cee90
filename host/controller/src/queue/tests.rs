//! The queue against examples and against a model.

use super::Queue;
use crate::activity::Activity;
use crate::backoff::Backoff;
use proptest::prelude::*;
use std::collections::HashSet;
use std::time::Duration;

fn queue() -> Queue<u8> {
    let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(8) };
    Queue::new(backoff, Activity::default())
}

#[tokio::test(start_paused = true)]
async fn delayed_keys_come_due_in_order_and_the_earliest_time_wins() {
    let queue = queue();
    queue.add_after(1, Duration::from_secs(10));
    queue.add_after(2, Duration::from_secs(5));
    queue.add_after(1, Duration::from_secs(1));
    queue.add_after(1, Duration::from_secs(20));
    assert_eq!(queue.next().await, Some(1));
    assert_eq!(queue.next().await, Some(2));
    queue.done(&1);
    queue.remove(&1);
    queue.close();
    assert_eq!(queue.next().await, None);
}

#[tokio::test]
async fn a_key_that_is_added_during_work_is_worked_on_again() {
    let queue = queue();
    queue.add(1);
    queue.add(1);
    assert_eq!(queue.next().await, Some(1));
    assert_eq!(queue.depth(), 0);
    queue.add(1);
    assert_eq!(queue.depth(), 0, "not twice at a time");
    queue.done(&1);
    assert_eq!(queue.next().await, Some(1));
    queue.done(&1);
    assert!(queue.is_idle());
    assert_eq!(queue.taken(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_closed_queue_is_idle_when_its_workers_are_done() {
    let queue = queue();
    queue.add(1);
    queue.add(2);
    assert_eq!(queue.next().await, Some(1));
    queue.add(1);
    queue.close();
    queue.add(3);
    assert!(!queue.is_idle());
    let (idle, ()) = tokio::join!(tokio::time::timeout(Duration::from_secs(1), queue.idle()), async {
        queue.done(&1);
    });
    idle.expect("keys that wait do not keep a closed queue busy");
    assert_eq!(queue.next().await, None);
}

#[derive(Clone, Debug)]
enum QueueOperation {
    Add(u8),
    Take,
    Finish(usize),
}

fn step() -> impl Strategy<Value = QueueOperation> {
    prop_oneof![
        (0_u8..4).prop_map(QueueOperation::Add),
        Just(QueueOperation::Take),
        (0_usize..4).prop_map(QueueOperation::Finish)
    ]
}

proptest! {
    #[test]
    fn no_key_is_worked_on_twice_at_a_time_and_none_is_lost(steps in proptest::collection::vec(step(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let queue = queue();
            let mut working: Vec<u8> = Vec::new();
            let mut queued: HashSet<u8> = HashSet::new();
            for step in steps {
                match step {
                    QueueOperation::Add(key) => { queue.add(key); queued.insert(key); }
                    QueueOperation::Take => {
                        if queued.iter().any(|key| !working.contains(key)) {
                            let key = queue.next().await.unwrap();
                            prop_assert!(!working.contains(&key));
                            prop_assert!(queued.remove(&key));
                            working.push(key);
                        }
                    }
                    QueueOperation::Finish(position) => {
                        if position < working.len() { queue.done(&working.remove(position)); }
                    }
                }
            }
            for key in working.drain(..) { queue.done(&key); }
            while !queue.is_idle() {
                let key = queue.next().await.unwrap();
                prop_assert!(queued.remove(&key));
                queue.done(&key);
            }
            prop_assert!(queued.is_empty());
            Ok(())
        })?;
    }
}

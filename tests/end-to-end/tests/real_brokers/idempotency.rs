//! The same request a hundred times at once, with a kill in between, is one task.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::bench::{Bench, SMALL_BYTES};

pub async fn one_task(bench: Arc<Bench>) {
    let topic = "idempotency";
    bench.topic(topic, &[(&[1, 2, 3], SMALL_BYTES), (&[3, 2, 1], SMALL_BYTES)]).await;
    let mut center = bench.control_center().await;
    bench.wait_for_sizes(&center, topic).await;
    let plan = center.plan(&["--drain", "3"]);
    let plan = plan["name"].as_str().expect("a plan has a name").to_owned();
    let request = uuid::Uuid::new_v4().to_string();
    let create = ["task", "create", "--plan", &plan, "--yes", "--request-id", &request, "-o", "name"];

    let mut ids = BTreeSet::new();
    let mut failed = 0;
    for round in 0..2 {
        let answers = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..50).map(|_| scope.spawn(|| center.run(&create))).collect();
            callers.into_iter().map(|caller| caller.join().expect("a caller does not panic")).collect::<Vec<_>>()
        });
        for answer in answers {
            match answer.code {
                0 => {
                    ids.insert(answer.stdout.trim().to_owned());
                }
                _ => failed += 1,
            }
        }
        if round == 0 {
            center.kill().await;
            center.resume().await;
        }
    }
    assert_eq!((ids.len(), failed), (1, 0), "ids {ids:?}, {failed} calls failed");
    let tasks = center.json_lines(&["task", "list"]);
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    let other = center.run(&[
        "task",
        "create",
        "--plan",
        &plan,
        "--alternative",
        "1",
        "--reason",
        "other",
        "--yes",
        "--request-id",
        &request,
    ]);
    other.refused(2, "REQUEST_ID_CONFLICT");
    let task = ids.into_iter().next().expect("there is one");
    center.wait_for(&task, "SUCCEEDED", Duration::from_secs(60)).await;
    bench.leave_clean(&[topic]).await;
}

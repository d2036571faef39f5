//! The same request a hundred times at once, with a kill in between, is one task.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ballast_end_to_end::Caller;

use crate::bench::{Bench, SMALL_BYTES};

const CALLERS: usize = 100;

/// The id that the command prints, and how many attempts failed before.
fn until_answered(caller: &Caller, create: &[String]) -> (String, u32) {
    let arguments: Vec<&str> = create.iter().map(String::as_str).collect();
    for failures in 0..200 {
        let answer = caller.run(&arguments);
        match answer.code {
            0 => return (answer.stdout.trim().to_owned(), failures),
            // Unreachable while the server is down or replays; anything else would be a wrong answer.
            1 | 6 => std::thread::park_timeout(Duration::from_millis(100)),
            code => panic!("exit {code}: {}", answer.stderr),
        }
    }
    panic!("no answer after 200 attempts");
}

pub async fn one_task(bench: Arc<Bench>) {
    let topic = "idempotency";
    bench.topic(topic, &[(&[1, 2, 3], SMALL_BYTES), (&[3, 2, 1], SMALL_BYTES)]).await;
    let mut center = bench.control_center().await;
    bench.wait_for_sizes(&center, topic).await;
    let plan = center.plan(&["--drain", "3"]);
    let plan = plan["name"].as_str().expect("a plan has a name").to_owned();
    let request = uuid::Uuid::new_v4().to_string();
    let create = ["task", "create", "--plan", &plan, "--yes", "--request-id", &request, "-o", "name"];

    // A hundred callers at once, each as stubborn as a good client: whatever fails is sent again with the same id.
    let caller = center.caller();
    let (tell, mut answered) = tokio::sync::watch::channel(false);
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (caller, create, tell) = (caller.clone(), create.map(str::to_owned), tell.clone());
            tokio::task::spawn_blocking(move || {
                let answer = until_answered(&caller, &create);
                tell.send_replace(true);
                answer
            })
        })
        .collect();
    // One has its answer, the others ask or are about to.
    answered.wait_for(|answered| *answered).await.expect("the senders live as long as the callers");
    center.kill().await;
    center.resume().await;
    let (mut ids, mut failed) = (BTreeSet::new(), 0);
    for answered in callers {
        let (id, failures) = answered.await.expect("a caller does not panic");
        ids.insert(id);
        failed += failures;
    }
    eprintln!("idempotency: {CALLERS} callers, {failed} calls failed around the kill and were sent again");
    assert!(failed > 0, "the kill came after all had been answered: nothing was shown");
    assert_eq!(ids.len(), 1, "ids {ids:?}");
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

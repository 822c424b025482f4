//! The world in the background, on a folder, over restarts.

use std::path::Path;

use jiff::SignedDuration;
use local::World;
use relay::Dice;
use relay::setup::{self, Login, Wanted};
use simulator::Clock;
use simulator::aws::Aws;
use simulator::bandwidth::Bandwidth;
use simulator::endpoint::{Answer, Endpoint};

use crate::stage::{TENANT, UPSTREAM, state, text_of};

async fn world(folder: &Path) -> World {
    let clock = Clock::system();
    let aws = Aws::in_folder(folder, clock.clone()).unwrap();
    World::new(aws, clock, Dice::system()).await.unwrap()
}

async fn prepare(folder: &Path, endpoint: &Endpoint) -> Login {
    let world = world(folder).await;
    let wanted = Wanted {
        waits: Some(vec![SignedDuration::from_secs(1); 20]),
        ..Wanted::everything(TENANT, &endpoint.url())
    };
    let (_, secret) = crate::stage::subscribe(&world, wanted).await;
    endpoint.set_secrets(vec![secret]);
    setup::upstream(&world.store, UPSTREAM, Some(TENANT), vec![]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_before_a_sudden_end_is_delivered_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
    let login = prepare(folder.path(), &endpoint).await;
    {
        // Accepted, but nobody has looked at it: a process that ends here leaves only its files.
        let world = world(folder.path()).await;
        let user = format!("{}:{}", login.username, login.password);
        for (status, second) in [("SUBMITTED", 1), ("FOC", 2)] {
            let answer =
                crate::stage::post(world.router(), UPSTREAM, Some(&user), state(status, second))
                    .await;
            assert_eq!(answer.0, 200);
        }
    }
    {
        // Fanned out, and the wake received by a handler that never comes back.
        let world = world(folder.path()).await;
        assert_eq!(world.fan_out_batch().await, 2);
        assert_eq!(world.receive_wakes(local::WAKES, 10).len(), 1);
    }
    let running =
        local::serve(world(folder.path()).await, ([127, 0, 0, 1], 0).into()).await.unwrap();
    let first = endpoint.next().await;
    let second = endpoint.next().await;
    running.stop().await;
    assert_eq!([first, second].map(|one| text_of(&one, "Status")), ["SUBMITTED", "FOC"]);
    let world = world(folder.path()).await;
    assert!(world.aws.stream().batch(1).is_empty());
    assert_eq!(world.aws.queue(local::WAKES).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_finishes_what_has_begun() {
    let folder = tempfile::tempdir().unwrap();
    let slow = |_: &simulator::endpoint::Received, _: usize| Answer {
        after: std::time::Duration::from_millis(300),
        ..Answer::status(200)
    };
    let endpoint = Endpoint::start(0, vec![], slow).await.unwrap();
    let login = prepare(folder.path(), &endpoint).await;
    let world = world(folder.path()).await;
    let running = local::serve(world.clone(), ([127, 0, 0, 1], 0).into()).await.unwrap();
    let url = format!("http://{}/notify/{UPSTREAM}", running.address);
    let bandwidth = Bandwidth::new(&url, &login.username, &login.password);
    assert_eq!(bandwidth.notify(&state("FOC", 1)).await.unwrap().status, 200);
    let _ = endpoint.next().await;
    running.stop().await;
    assert_eq!(
        world.aws.queue(local::WAKES).len(),
        0,
        "the answer was waited for and written down"
    );
}

use contracts::auth::v1::{UserDisabled, UserRegistered};
use events::{Delivery, Tail, broadcast};
use tokio::sync::mpsc;

use crate::support::{World, run, uuid, within};

#[tokio::test(flavor = "multi_thread")]
async fn every_instance_hears_a_broadcast() {
    let world = World::new().await;
    let (sender, mut heard) = mpsc::unbounded_channel();
    let (ready, mut attached) = mpsc::unbounded_channel();
    let instances: Vec<_> = (0..3)
        .map(|instance| {
            let (sender, ready) = (sender.clone(), ready.clone());
            let listening = broadcast(&world.replica(), "revocations")
                .on_attached(move || {
                    let ready = ready.clone();
                    async move { ready.send(instance).unwrap() }
                })
                .on(move |delivery: Delivery<UserDisabled>| {
                    sender.send((instance, delivery.subject)).unwrap();
                    async { Ok(()) }
                });
            run(listening.task())
        })
        .collect();
    for _ in 0..3 {
        within("an instance is attached", attached.recv()).await.unwrap();
    }
    let relaying = world.relay();
    let user = uuid().to_string();
    world.append(UserDisabled { user_id: user.clone(), ..UserDisabled::default() }).await;
    let mut who = Vec::new();
    for _ in 0..3 {
        let (instance, subject) = within("an instance hears", heard.recv()).await.unwrap();
        assert_eq!(subject, user);
        who.push(instance);
    }
    who.sort_unstable();
    assert_eq!(who, [0, 1, 2]);
    relaying.stop().await;
    for instance in instances {
        instance.stop().await;
    }
    world.check_sets(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_sees_what_its_patterns_fit_and_takes_nothing() {
    let world = World::new().await;
    let mut all = Tail::open(&world.broker, &["#"]).await.unwrap();
    let mut some = Tail::open(&world.broker, &["auth.user_disabled.*", "users.#"]).await.unwrap();
    let relaying = world.relay();
    let first = world.append(registered()).await;
    let second = world.append(UserDisabled { user_id: uuid().to_string(), ..UserDisabled::default() }).await;
    let third = world.append(registered()).await;
    for id in [first, second, third] {
        assert_eq!(within("all events", all.next()).await.unwrap().id, id);
    }
    assert_eq!(within("one event", some.next()).await.unwrap().id, second);
    relaying.stop().await;
    world.check_sets(&[]).await;
}

fn registered() -> UserRegistered {
    crate::support::registered(uuid())
}

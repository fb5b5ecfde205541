//! One client must not block the others: what it may hold, how often it may try, and who makes
//! room.

use std::time::Duration;

use stockrelay::config::Listen;

use super::*;

async fn connack(client: &mut Raw, hello: &Hello<'_>) -> u8 {
    client.send(&hello.bytes()).await;
    let connack = client.packet().await;
    assert_eq!(connack.first, 0x20, "{connack:?}");
    connack.body[1]
}

#[tokio::test]
async fn silent_connections_make_room_and_do_not_keep_an_honest_client_out() {
    let door = Door::anonymous().await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(Raw::plain(&door, false).await);
    }
    let mut honest = Raw::v4(&door).await;
    honest.event(1, "e").await;
    honest.acked(1).await;
    // Those that came first; the newest may still say who they are.
    silent[0].closed().await;
    let hello = Hello {
        client_id: "pda-2",
        ..Hello::default()
    };
    assert_eq!(connack(&mut silent[199], &hello).await, 0);
}

#[tokio::test]
async fn one_address_does_not_take_all_places() {
    let door = Door::open(Listen {
        connections_max: 10,
        ..anonymous()
    })
    .await;
    let names: Vec<_> = (0..12).map(|n| format!("pda-{n}")).collect();
    let mut clients = Vec::new();
    let mut codes = Vec::new();
    for (place, client_id) in names.iter().enumerate() {
        let v5 = place % 2 == 1;
        let hello = Hello {
            v5,
            client_id,
            ..Hello::default()
        };
        let mut client = Raw::plain_from(&door, 2, v5).await;
        codes.push(connack(&mut client, &hello).await);
        clients.push(client);
    }
    // The last fifth is for addresses with less than their share.
    assert_eq!(codes[..8], [0; 8]);
    assert_eq!(codes[8..], [3, 0x89, 3, 0x89]);
    let mut other = Raw::plain_from(&door, 3, false).await;
    assert_eq!(connack(&mut other, &Hello::default()).await, 0);
}

#[tokio::test]
async fn of_many_wrong_passwords_at_once_ten_are_verified() {
    let (config, _dir) = super::access::with_passwords(&[("pda-1", "right")]);
    let door = Door::open(config).await;
    let hello = Hello {
        login: Some(("pda-1", "wrong")),
        ..Hello::default()
    };
    let mut guesses = Vec::new();
    for _ in 0..50 {
        let mut guess = Raw::plain_from(&door, 2, false).await;
        guess.send(&hello.bytes()).await;
        guesses.push(guess);
    }
    let mut codes = Vec::new();
    for guess in &mut guesses {
        codes.push(guess.packet().await.body[1]);
    }
    codes.sort_unstable();
    assert_eq!(codes, [[3; 40].as_slice(), &[4; 10]].concat());
    // The limit does not apply to another address.
    let right = Hello {
        login: Some(("pda-1", "right")),
        ..Hello::default()
    };
    let mut honest = Raw::plain_from(&door, 3, false).await;
    assert_eq!(connack(&mut honest, &right).await, 0);
}

#[tokio::test]
async fn bytes_of_an_unfinished_packet_keep_nothing_alive() {
    let door = Door::anonymous().await;
    let hello = Hello {
        v5: true,
        keep_alive: 1,
        ..Hello::default()
    };
    let mut client = Raw::connect(&door, hello).await;
    let bytes = client.publish_bytes(0x32, &format!("{PREFIX}event"), 1, &event("e"));
    // Each within the keep-alive, and no packet within one and a half of them [MQTT-3.1.2-24].
    for byte in &bytes[..10] {
        if !client.try_send(&[*byte]).await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    client.disconnected(0x8D).await;
}

#[tokio::test]
async fn an_array_costs_its_elements_of_the_rate() {
    let door = Door::open(Listen {
        rate_per_s: 500,
        ..anonymous()
    })
    .await;
    let mut client = Raw::v4(&door).await;
    let array = |from: usize| {
        let events: Vec<_> = (from..from + 400)
            .map(|id| event(&id.to_string()))
            .collect();
        format!("[{}]", events.join(","))
    };
    let begun = tokio::time::Instant::now();
    for pkid in 1..=3_u16 {
        client
            .publish("event", pkid, &array(usize::from(pkid) * 1_000))
            .await;
    }
    for pkid in 1..=3 {
        client.acked(pkid).await;
    }
    // 400 and 400 against the 500 of the first second; the third array waits for what is owed.
    let took = begun.elapsed().as_secs_f64();
    assert!((0.5..10.0).contains(&took), "{took}");
    assert_eq!(door.journal.ids().len(), 1_200);
}

#[tokio::test]
async fn a_large_packet_comes_through_piece_by_piece() {
    let door = Door::anonymous().await;
    let mut client = Raw::v4(&door).await;
    let events: Vec<_> = (0..500).map(|id| event(&format!("{id:0>100}"))).collect();
    let array = format!("[{}]", events.join(","));
    for pkid in 1..=10_u16 {
        client.publish("event", pkid, &array).await;
    }
    for pkid in 1..=10 {
        client.acked(pkid).await;
    }
    assert_eq!(door.journal.ids().len(), 500, "the others repeat the first");
}

#[tokio::test]
async fn a_device_is_acknowledged_while_another_floods() {
    let door = Door::open(Listen {
        rate_per_s: 1_000_000,
        ..anonymous()
    })
    .await;
    let junk = format!("[{}]", vec!["0"; 500].join(","));
    let names: Vec<_> = (0..8).map(|n| format!("evil-{n}")).collect();
    let mut floods = Vec::new();
    for client_id in &names {
        let mut client = Raw::plain_from(&door, 2, false).await;
        let hello = Hello {
            client_id,
            ..Hello::default()
        };
        assert_eq!(connack(&mut client, &hello).await, 0);
        let topic = format!("stockrelay/v1/ams1/{client_id}/event");
        let bytes = client.publish_bytes(0x32, &topic, 1, &junk);
        floods.push(tokio::spawn(async move {
            while client.try_send(&bytes).await {}
        }));
    }
    let mut honest = Raw::v4(&door).await;
    for pkid in 1..=50 {
        honest.event(pkid, &pkid.to_string()).await;
        honest.acked(pkid).await;
    }
    for flood in floods {
        flood.abort();
    }
}

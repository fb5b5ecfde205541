//! Two messages are two events: equal messages that come in one TCP segment, messages that are sent
//! again, QoS 2.

use super::*;

/// Payloads that say the same each time and name no id.
const WITHOUT_ID: [(&str, &str); 5] = [
    ("scan", "4000000000006"),
    ("scan", r#"{"code":"4000000000006"}"#),
    (
        "scan",
        r#"{"code":"4000000000006","at":"2026-11-23T08:15:30Z"}"#,
    ),
    (
        "event",
        r#"{"type":"transfer","product":"4000000000006","from":"A","to":"B"}"#,
    ),
    (
        "event",
        r#"{"type":"transfer","product":"4000000000006","from":"A","to":"B","at":"2026-11-23T08:15:30Z"}"#,
    ),
];
const EQUAL: u16 = 20;

async fn client(door: &Door, v5: bool, clean: bool) -> Raw {
    let hello = Hello {
        v5,
        clean,
        ..Hello::default()
    };
    Raw::connect(door, hello).await
}

/// So many equal PUBLISH packets, with rising packet ids, as one run of bytes.
fn segment(client: &Raw, first: u8, (channel, payload): (&str, &str)) -> Vec<u8> {
    let topic = format!("{PREFIX}{channel}");
    let packet = |pkid| client.publish_bytes(first, &topic, pkid, payload);
    (1..=EQUAL).flat_map(packet).collect()
}

fn flags(door: &Door) -> Vec<Vec<stockrelay::event::EventFlag>> {
    door.journal.log.lock().unwrap().flags.clone()
}

/// All that the journal was given and found to be new.
fn stored(door: &Door) -> usize {
    let ids = door.journal.ids();
    let different: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!(different.len(), ids.len(), "{ids:?}");
    ids.len()
}

#[tokio::test]
async fn equal_messages_in_one_segment_are_as_many_events() {
    for v5 in [false, true] {
        for qos in 0..=2_u8 {
            if v5 && qos == 2 {
                continue;
            }
            let door = Door::anonymous().await;
            let mut client = client(&door, v5, true).await;
            for (round, message) in WITHOUT_ID.into_iter().enumerate() {
                let bytes = segment(&client, 0x30 | qos << 1, message);
                client.send(&bytes).await;
                for pkid in 1..=EQUAL {
                    let answer = match qos {
                        0 => continue,
                        1 => 0x40,
                        _ => 0x50,
                    };
                    let packet = client.packet().await;
                    assert_eq!((packet.first, packet.pkid()), (answer, pkid), "{message:?}");
                    if qos == 2 {
                        let [high, low] = pkid.to_be_bytes();
                        client.send(&[0x62, 2, high, low]).await;
                    }
                }
                for pkid in 1..=EQUAL {
                    if qos == 2 {
                        let packet = client.packet().await;
                        assert_eq!((packet.first, packet.pkid()), (0x70, pkid));
                    }
                }
                door.journal.arrived((round + 1) * usize::from(EQUAL)).await;
                client.quiet().await;
                let all = (round + 1) * usize::from(EQUAL);
                assert_eq!(stored(&door), all, "v5 {v5}, QoS {qos}: {message:?}");
            }
            assert!(flags(&door).iter().all(Vec::is_empty));
        }
    }
}

/// A client that does not wait for its PUBCOMP uses its packet id for the next message at once.
#[tokio::test]
async fn a_packet_id_that_was_released_is_free_for_an_equal_message_also_in_one_segment() {
    let door = Door::anonymous().await;
    let mut client = client(&door, false, true).await;
    let (channel, payload) = WITHOUT_ID[0];
    let publish = client.publish_bytes(0x34, &format!("{PREFIX}{channel}"), 3, payload);
    let mut bytes = Vec::new();
    for _ in 0..5 {
        bytes.extend(&publish);
        bytes.extend([0x62, 2, 0, 3]);
    }
    client.send(&bytes).await;
    door.journal.arrived(5).await;
    let mut answers = Vec::new();
    for _ in 0..10 {
        let packet = client.packet().await;
        assert_eq!(packet.pkid(), 3);
        answers.push(packet.first);
    }
    answers.sort_unstable();
    assert_eq!(answers, [[0x50; 5], [0x70; 5]].concat());
    assert_eq!(stored(&door), 5);
    // The last one was released before it was on disk: the packet id is free all the same.
    client.send(&publish).await;
    assert_eq!(client.packet().await.first, 0x50);
    assert_eq!(stored(&door), 6);
}

#[tokio::test]
async fn an_unreleased_packet_id_is_the_same_message_however_often_it_comes() {
    let door = Door::anonymous().await;
    let mut first = client(&door, false, false).await;
    let (channel, payload) = WITHOUT_ID[4];
    let publish = first.publish_bytes(0x34, &format!("{PREFIX}{channel}"), 3, payload);
    let mut again = publish.clone();
    again[0] |= 8;
    // In one segment, with DUP and without, and again after the PUBREC.
    first.send(&[&publish[..], &again, &publish].concat()).await;
    for _ in 0..3 {
        let rec = first.packet().await;
        assert_eq!((rec.first, rec.pkid()), (0x50, 3));
    }
    first.send(&again).await;
    assert_eq!(first.packet().await.first, 0x50);
    assert_eq!(stored(&door), 1);
    // On the next connection of the session, too: once after a break, once by a takeover.
    drop(first);
    let mut second = client(&door, false, false).await;
    second.send(&again).await;
    assert_eq!(second.packet().await.first, 0x50);
    let mut third = client(&door, false, false).await;
    third.send(&again).await;
    assert_eq!(third.packet().await.first, 0x50);
    assert_eq!(stored(&door), 1);
    third.send(&[0x62, 2, 0, 3]).await;
    assert_eq!(third.packet().await.first, 0x70);
    // From here on it is another message.
    third.send(&publish).await;
    assert_eq!(third.packet().await.first, 0x50);
    assert_eq!(stored(&door), 2);
    assert_eq!(flags(&door), [[], []]);
}

/// The journal refuses the first copy: the second must not be answered as if the message were on
/// disk.
#[tokio::test]
async fn a_copy_of_a_message_that_did_not_reach_the_disk_is_not_acknowledged() {
    let door = Door::anonymous().await;
    door.journal.set(Mode::Full);
    let mut first = client(&door, false, false).await;
    let (channel, payload) = WITHOUT_ID[0];
    let publish = first.publish_bytes(0x34, &format!("{PREFIX}{channel}"), 3, payload);
    first.send(&publish).await;
    door.journal.arrived(1).await;
    let mut again = publish.clone();
    again[0] |= 8;
    first.send(&again).await;
    first.quiet().await;
    // The new connection ends the old one's patience.
    let mut second = client(&door, false, false).await;
    first.closed().await;
    door.journal.set(Mode::Answer);
    second.send(&again).await;
    assert_eq!(second.packet().await.first, 0x50);
    assert_eq!(stored(&door), 1);
}

#[tokio::test]
async fn a_message_that_is_sent_again_without_an_id_is_stored_and_flagged() {
    for v5 in [false, true] {
        let door = Door::anonymous().await;
        let mut first = client(&door, v5, false).await;
        first.subscribe_to("receipt").await;
        for (pkid, (channel, payload)) in (1..).zip(WITHOUT_ID) {
            let publish = first.publish_bytes(0x32, &format!("{PREFIX}{channel}"), pkid, payload);
            first.send(&publish).await;
            first.acked(pkid).await;
            let plain = first.message(true).await.2;
            assert!(!plain.contains("flags"), "{plain}");
            // The gateway has acknowledged this very packet id, and takes it again all the same.
            let mut again = publish.clone();
            again[0] |= 8;
            first.send(&again).await;
            first.acked(pkid).await;
            let receipt = first.message(true).await.2;
            let receipt: serde_json::Value = serde_json::from_str(&receipt).unwrap();
            assert_eq!(receipt["duplicate"], false, "{receipt}");
            assert_eq!(receipt["flags"], serde_json::json!(["possible-repeat"]));
        }
        assert_eq!(stored(&door), 2 * WITHOUT_ID.len());
        // With an id the id decides, and nothing is flagged.
        first.event(9, "named").await;
        first.acked(9).await;
        first.message(true).await;
        let mut again = first.publish_bytes(0x32, &format!("{PREFIX}event"), 9, &event("named"));
        again[0] |= 8;
        first.send(&again).await;
        first.acked(9).await;
        let receipt = first.message(true).await.2;
        assert!(receipt.contains(r#""duplicate":true"#) && !receipt.contains("flags"));
        // Part of an array: each element without an id.
        let array = format!(
            "[{},{},{}]",
            WITHOUT_ID[4].1,
            event("in-array"),
            WITHOUT_ID[3].1
        );
        let mut bytes = first.publish_bytes(0x32, &format!("{PREFIX}event"), 10, &array);
        bytes[0] |= 8;
        first.send(&bytes).await;
        first.acked(10).await;
        let flagged = flags(&door).split_off(2 * WITHOUT_ID.len() + 1);
        let counts: Vec<_> = flagged.iter().map(Vec::len).collect();
        assert_eq!(counts, [1, 0, 1]);
    }
}

/// The packet ids that are on disk as not released.
fn received(door: &Door) -> Vec<String> {
    let kept = door.journal.kept().into_keys();
    kept.filter(|key| key.starts_with("received/")).collect()
}

#[tokio::test]
async fn an_unreleased_packet_id_is_the_same_message_also_after_a_restart_of_the_gateway() {
    let door = Door::anonymous().await;
    let mut first = client(&door, false, false).await;
    let (channel, payload) = WITHOUT_ID[4];
    let publish = |client: &Raw, first, pkid| {
        client.publish_bytes(first, &format!("{PREFIX}{channel}"), pkid, payload)
    };
    let bytes = [3, 4].map(|pkid| publish(&first, 0x34, pkid)).concat();
    first.send(&bytes).await;
    for pkid in [3, 4] {
        let rec = first.packet().await;
        assert_eq!((rec.first, rec.pkid()), (0x50, pkid));
    }
    // The PUBCOMP of 4 says that its packet id is not on disk any more.
    first.send(&[0x62, 2, 0, 4]).await;
    assert_eq!(first.packet().await.first, 0x70);
    assert_eq!(received(&door), ["received/pda-1/pda-1/3"]);
    assert_eq!(stored(&door), 2);

    let door = Door::with(anonymous(), door.stop().await).await;
    let mut second = client(&door, false, false).await;
    let bytes = [3, 4].map(|pkid| publish(&second, 0x3C, pkid)).concat();
    second.send(&bytes).await;
    for pkid in [3, 4] {
        let rec = second.packet().await;
        assert_eq!((rec.first, rec.pkid()), (0x50, pkid));
    }
    // 3 is in the journal of the first run; 4 was released, and its copy is for a person to judge.
    assert_eq!((stored(&door), flags(&door)[0].len()), (1, 1));
    for pkid in [3, 4] {
        second.send(&[0x62, 2, 0, pkid]).await;
        assert_eq!(second.packet().await.first, 0x70);
    }
    assert_eq!(received(&door), [""; 0]);
    let third = publish(&second, 0x34, 3);
    second.send(&third).await;
    assert_eq!(second.packet().await.first, 0x50);
    assert_eq!(stored(&door), 2);
}

#[tokio::test]
async fn a_session_that_ends_leaves_no_packet_ids_behind() {
    let door = Door::anonymous().await;
    let mut first = client(&door, false, false).await;
    let (channel, payload) = WITHOUT_ID[0];
    let publish = first.publish_bytes(0x34, &format!("{PREFIX}{channel}"), 3, payload);
    first.send(&publish).await;
    assert_eq!(first.packet().await.first, 0x50);
    assert_eq!(received(&door).len(), 1);
    first.leave().await;
    // A session that ends with its connection has nothing on disk.
    let mut second = client(&door, false, true).await;
    door.journal
        .until_kept("no packet id", std::collections::BTreeMap::is_empty)
        .await;
    second.send(&publish).await;
    assert_eq!(second.packet().await.first, 0x50);
    assert_eq!(received(&door), [""; 0]);
    assert_eq!(stored(&door), 2);
}

/// QoS 2 with DUP, of which the gateway knows nothing.
#[tokio::test]
async fn a_qos_2_message_that_is_sent_again_and_not_known_is_flagged() {
    let door = Door::anonymous().await;
    let mut client = client(&door, false, true).await;
    let (channel, payload) = WITHOUT_ID[0];
    let again = client.publish_bytes(0x3C, &format!("{PREFIX}{channel}"), 3, payload);
    client.send(&again).await;
    assert_eq!(client.packet().await.first, 0x50);
    assert_eq!(flags(&door)[0].len(), 1);
}

#[tokio::test]
async fn equal_elements_of_an_array_are_events_of_their_own_and_so_is_the_array_sent_again() {
    let door = Door::anonymous().await;
    let mut client = client(&door, true, true).await;
    for (round, (_, payload)) in (1..).zip(&WITHOUT_ID[3..]) {
        let array = format!("[{payload},{payload},{payload}]");
        let bytes = client.publish_bytes(0x32, &format!("{PREFIX}event"), 1, &array);
        let twice = [&bytes[..], &bytes].concat();
        client.send(&twice).await;
        client.acked(1).await;
        client.acked(1).await;
        assert_eq!(stored(&door), round * 6);
    }
}

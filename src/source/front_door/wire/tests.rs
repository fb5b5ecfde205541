use super::*;
use proptest::prelude::*;

fn read(bytes: &[u8], version: Version) -> Result<Option<Packet>, Fault> {
    next(&mut BytesMut::from(bytes), version, 1_024)
}

#[test]
fn what_breaks_the_standard_is_refused() {
    let v4: &[&[u8]] = &[
        &[0x36, 5, 0, 1, b'a', 0, 1],    // QoS 3
        &[0x32, 5, 0, 1, b'a', 0, 0],    // packet id 0
        &[0x32, 3, 0, 9, b'a'],          // topic beyond the packet
        &[0x38, 3, 0, 1, b'a'],          // DUP with QoS 0
        &[0x80, 6, 0, 1, 0, 1, b'a', 0], // SUBSCRIBE with wrong flags
        &[0x82, 6, 0, 0, 0, 1, b'a', 0], // SUBSCRIBE with packet id 0
        &[0x82, 2, 0, 1],                // SUBSCRIBE without a filter
        &[0xA2, 2, 0, 1],                // UNSUBSCRIBE without a filter
        &[0x60, 2, 0, 1],                // PUBREL with wrong flags
        &[0xC0, 1, 0],                   // PINGREQ with a body
        &[0xE0, 1, 0],                   // DISCONNECT with a body
        &[0x20, 2, 0, 0],                // CONNACK
        &[0xF0, 0],                      // AUTH
        &[0x00, 0],                      // reserved
        &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1],
        &[0x30, 4, 0, 2, 0xC3, 0x28], // a topic that is not UTF-8
    ];
    for bytes in v4 {
        assert!(read(bytes, Version::V4).is_err(), "{bytes:02x?}");
    }
    let v5: &[&[u8]] = &[
        &[0x32, 5, 0, 1, b'a', 0, 1],                 // no property length
        &[0x32, 7, 0, 1, b'a', 0, 1, 2, 1],           // properties beyond the packet
        &[0x32, 9, 0, 1, b'a', 0, 1, 1, 2, 0, 0],     // cut property
        &[0x30, 6, 0, 1, b'a', 1, 1, 0],              // a property that runs into the payload
        &[0x30, 7, 0, 1, b'a', 3, 35, 0, 1],          // topic alias
        &[0x30, 6, 0, 1, b'a', 2, 11, 1],             // subscription identifier
        &[0x34, 6, 0, 1, b'a', 0, 1, 0],              // QoS 2
        &[0x30, 3, 0, 0, 0],                          // empty topic
        &[0x82, 9, 0, 1, 2, 11, 1, 0, 1, b'a', 0x00], // subscription identifier
        &[0xF0, 2, 0, 0],                             // AUTH
    ];
    for bytes in v5 {
        assert!(read(bytes, Version::V5).is_err(), "{bytes:02x?}");
    }
}

#[test]
fn the_shortest_disconnect_is_understood_in_both_versions() {
    for version in [Version::V4, Version::V5] {
        assert!(matches!(
            read(&[0xE0, 0], version),
            Ok(Some(Packet::Disconnect {
                with_will: false,
                ..
            }))
        ));
    }
    assert!(matches!(
        read(&[0xE0, 1, 4], Version::V5),
        Ok(Some(Packet::Disconnect {
            with_will: true,
            ..
        }))
    ));
}

#[test]
fn a_packet_larger_than_the_limit_is_refused_by_its_header() {
    assert_eq!(
        read(&[0x30, 0xFF, 0x7F], Version::V4).unwrap_err(),
        Fault::TooLarge {
            bytes: 16_386,
            max: 1_024
        }
    );
    assert!(read(&[0x30, 0x80, 8], Version::V4).is_err());
    assert!(matches!(read(&[0x30, 0xFD, 7], Version::V4), Ok(None)));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for version in [Version::V4, Version::V5] {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = next(&mut buffer, version, 1_024) {}
            let mut buffer = BytesMut::from(&bytes[..]);
            drop(crate::source::front_door::connect::read(&mut buffer, 1_024));
        }
    }

    #[test]
    fn no_body_makes_the_reader_panic(
        kind in 1_u8..16, flags in prop_oneof![Just(0_u8), Just(2), Just(4), any::<u8>()],
        mut body in proptest::collection::vec(prop_oneof![0_u8..12, any::<u8>()], 0..100),
        connect: bool,
    ) {
        if connect {
            let head = [0, 4, b'M', b'Q', b'T', b'T'];
            body.splice(0..0, head);
        }
        let mut bytes = vec![kind << 4 | flags & 0x0F, u8::try_from(body.len()).unwrap()];
        bytes.extend(&body);
        for version in [Version::V4, Version::V5] {
            let mut buffer = BytesMut::from(&bytes[..]);
            drop(next(&mut buffer, version, 1_024));
            let mut buffer = BytesMut::from(&bytes[..]);
            drop(crate::source::front_door::connect::read(&mut buffer, 1_024));
        }
    }
}

/// Bytes of a string field.
fn field(text: &[u8]) -> Vec<u8> {
    let mut out = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    out.extend(text);
    out
}

fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let length = body.len();
    if length < 128 {
        out.push(u8::try_from(length).unwrap());
    } else {
        out.push(u8::try_from(length % 128).unwrap() | 0x80);
        out.push(u8::try_from(length / 128).unwrap());
    }
    out.extend(body);
    out
}

/// A property of PUBLISH, encoded; `true` for one that goes to the subscribers.
fn property() -> impl Strategy<Value = (bool, Vec<u8>)> {
    let text = "[a-z]{0,6}";
    prop_oneof![
        any::<bool>().prop_map(|text| (true, vec![0x01, u8::from(text)])),
        any::<u32>().prop_map(|s| (false, [&[0x02][..], &s.to_be_bytes()].concat())),
        text.prop_map(|t| (true, [&[0x03][..], &field(t.as_bytes())].concat())),
        "[a-z/]{1,6}".prop_map(|t| (true, [&[0x08][..], &field(t.as_bytes())].concat())),
        proptest::collection::vec(any::<u8>(), 0..6)
            .prop_map(|t| (true, [&[0x09][..], &field(&t)].concat())),
        (text, text).prop_map(|(a, b)| {
            let pair = [&[0x26][..], &field(a.as_bytes()), &field(b.as_bytes())].concat();
            (true, pair)
        }),
    ]
}

proptest! {
    #[test]
    fn properties_are_forwarded_in_their_order_and_each_at_most_once(
        properties in proptest::collection::vec(property(), 0..6), payload in "[a-z]{0,9}",
    ) {
        let section: Vec<u8> = properties.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        let mut body = field(b"a");
        body.push(u8::try_from(section.len()).unwrap());
        body.extend(&section);
        body.extend(payload.as_bytes());
        let read = read(&framed(0x30, &body), Version::V5);
        let identifiers: Vec<_> = properties.iter().map(|(_, bytes)| bytes[0]).collect();
        let is_repeated = (1..identifiers.len())
            .any(|at| identifiers[at] != 0x26 && identifiers[..at].contains(&identifiers[at]));
        if is_repeated {
            prop_assert!(matches!(read, Err(Fault::Protocol(_))), "{read:?}");
        } else {
            let Ok(Some(Packet::Publish(publish))) = read else {
                panic!("{read:?}");
            };
            let forwarded_ones = properties.iter().filter(|(is_forwarded, _)| *is_forwarded);
            let wanted: Vec<u8> = forwarded_ones.flat_map(|(_, bytes)| bytes.clone()).collect();
            prop_assert_eq!(forwarded(&publish.properties), wanted);
            prop_assert_eq!(publish.payload, payload.as_bytes());
            prop_assert_eq!(publish.message_expiry_s.is_some(), identifiers.contains(&0x02));
        }
    }

    #[test]
    fn a_connect_that_is_cut_anywhere_or_has_more_is_refused(
        client_id in "[a-z]{0,9}", username in proptest::option::of("[a-z]{0,9}"),
        password in proptest::collection::vec(any::<u8>(), 0..9), is_v5: bool, cut in 0_usize..99,
    ) {
        let mut body = field(b"MQTT");
        body.extend([if is_v5 { 5 } else { 4 }, if username.is_some() { 0xC2 } else { 2 }, 0, 9]);
        if is_v5 {
            body.push(0);
        }
        body.extend(field(client_id.as_bytes()));
        if let Some(username) = &username {
            body.extend(field(username.as_bytes()));
            body.extend(field(&password));
        }
        let is_taken = |body: &[u8]| {
            let mut buffer = BytesMut::from(&framed(0x10, body)[..]);
            let read = crate::source::front_door::connect::read(&mut buffer, 1_024);
            matches!(read, Ok(Some(crate::source::front_door::connect::First::Connect(_))))
        };
        prop_assert!(is_taken(&body));
        // The level says how the rest is read: before it, there is no CONNECT at all.
        prop_assert!(!is_taken(&body[..cut % body.len()]));
        body.push(0);
        prop_assert!(!is_taken(&body));
    }

    #[test]
    fn packets_are_the_same_however_they_are_cut(
        bytes in proptest::collection::vec(prop_oneof![0_u8..12, any::<u8>()], 0..60), is_v5: bool, piece in 1_usize..9,
    ) {
        let count = crate::source::front_door::count_packets;
        prop_assert_eq!(count(&bytes, is_v5, bytes.len()), count(&bytes, is_v5, piece));
    }
}

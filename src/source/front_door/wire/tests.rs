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

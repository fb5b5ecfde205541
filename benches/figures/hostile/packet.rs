//! MQTT 3.1.1 packets as bytes.

fn text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(text);
}

/// A packet of this first byte, its length as MQTT writes it, and this body.
pub fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut left = body.len();
    loop {
        let byte = u8::try_from(left % 128).unwrap_or_default();
        left /= 128;
        out.push(if left > 0 { byte | 0x80 } else { byte });
        if left == 0 {
            break;
        }
    }
    out.extend(body);
    out
}

/// CONNECT with a clean session; with a password, the name is the user name as well.
pub fn connect(name: &str, password: Option<&str>, keep_alive_s: u16) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, b"MQTT");
    body.push(4);
    body.push(if password.is_some() { 0xC2 } else { 0x02 });
    body.extend(keep_alive_s.to_be_bytes());
    text(&mut body, name.as_bytes());
    if let Some(password) = password {
        text(&mut body, name.as_bytes());
        text(&mut body, password.as_bytes());
    }
    framed(0x10, &body)
}

/// PUBLISH at QoS 1.
pub fn publish(topic: &str, pkid: u16, payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, topic.as_bytes());
    body.extend(pkid.to_be_bytes());
    body.extend(payload);
    framed(0x32, &body)
}

/// SUBSCRIBE at QoS 1.
pub fn subscribe(filter: &str, pkid: u16) -> Vec<u8> {
    let mut body = pkid.to_be_bytes().to_vec();
    text(&mut body, filter.as_bytes());
    body.push(1);
    framed(0x82, &body)
}

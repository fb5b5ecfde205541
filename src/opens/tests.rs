//! Ports: two keys with one port, and addresses of other machines.

use super::*;

#[test]
fn two_keys_with_one_port_are_both_named() {
    let mut bound = Vec::new();
    let any = "127.0.0.1:0".parse().unwrap();
    bind(("mqtt.listen.address", any), None, &mut bound).unwrap();
    let at = bound[0].2.local_addr().unwrap();
    bound[0].1 = at;
    let all = SocketAddr::from(([0, 0, 0, 0], at.port()));
    let fault = bind(("control.metrics", all), None, &mut bound).unwrap_err();
    assert!(fault.is_lasting);
    for key in ["control.metrics", "mqtt.listen.address"] {
        assert!(fault.text.contains(key), "{}", fault.text);
    }
}

#[test]
fn an_address_of_another_machine_is_told_as_such() {
    // RFC 5737: for documentation alone.
    let away = "192.0.2.77:1883".parse().unwrap();
    let fault = bind(("mqtt.listen.address", away), None, &mut Vec::new()).unwrap_err();
    let text = &fault.text;
    assert!(
        text.contains("this machine has no address 192.0.2.77"),
        "{text}"
    );
    assert!(text.contains("mqtt.listen.address"), "{text}");
}

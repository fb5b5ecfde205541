#!/usr/bin/env python3
"""Plays the cases of the MQTT 5 test client of Eclipse paho (interoperability/client_test5.py) with
paho-mqtt against a running gateway.

    conformance.py HOST PORT SITE USER PASSWORD

The suite itself is in no package registry, so these are our own versions of its 27 cases, under
their names. They differ where the gateway is not a broker: clients A and B are two clients of one
device, the topics are the device's `state` and `config/reported`, and the gateway refuses QoS 2,
topic aliases, subscription identifiers and shared subscriptions, as its CONNACK says.
Prints a line for each case; exits 1 if one failed.
"""

import queue
import socket
import sys
import time
import uuid

try:
    import paho.mqtt.client as mqtt
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
    from paho.mqtt.subscribeoptions import SubscribeOptions
except ImportError:
    print("paho-mqtt 2 is missing: pip install 'paho-mqtt>=2'", file=sys.stderr)
    sys.exit(2)

WAIT_S = 15
RUN = uuid.uuid4().hex[:8]
SUPPORTED_QOS = 1


class Failed(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failed(what)


def properties(packet, **values):
    made = Properties(packet)
    for name, value in values.items():
        setattr(made, name, value)
    return made


class Gateway:
    def __init__(self, host, port, site, user, password):
        self.host, self.port, self.user, self.password = host, int(port), user, password
        self.prefix = f"stockrelay/v1/{site}/{user}/"


class Client:
    """A paho client whose callbacks land in queues. `connect` waits for the CONNACK."""

    def __init__(self, gateway, client_id, acks=True):
        self.gateway = gateway
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5,
                                  reconnect_on_failure=False, manual_ack=not acks)
        self.client.username_pw_set(gateway.user, gateway.password)
        self.connacks, self.messages, self.published, self.subscribed, self.unsubscribed, self.disconnected = (
            queue.Queue() for _ in range(6))
        self.client.on_connect = lambda _c, _u, flags, reason, props: self.connacks.put((flags, reason, props))
        self.client.on_message = lambda _c, _u, message: self.messages.put(message)
        self.client.on_publish = lambda _c, _u, _mid, reason, _p: self.published.put(reason)
        self.client.on_subscribe = lambda _c, _u, _mid, reasons, _p: self.subscribed.put(reasons)
        self.client.on_unsubscribe = lambda _c, _u, _mid, reasons, _p: self.unsubscribed.put(reasons)
        self.client.on_disconnect = lambda _c, _u, _f, reason, _p: self.disconnected.put(reason)

    def connect(self, clean=True, keepalive=60, will=None, will_properties=None, **values):
        if will:
            channel, payload, qos, retain = will
            self.client.will_set(self.gateway.prefix + channel, payload, qos, retain, properties=will_properties)
        self.client.connect(self.gateway.host, self.gateway.port, keepalive, clean_start=clean,
                            properties=properties(PacketTypes.CONNECT, **values))
        self.client.loop_start()
        self.flags, self.reason, self.connack = self.connacks.get(timeout=WAIT_S)
        return self

    def subscribe(self, channel, qos=2, **options):
        self.client.subscribe(self.gateway.prefix + channel, options=SubscribeOptions(qos=qos, **options))
        return self.subscribed.get(timeout=WAIT_S)[0]

    def unsubscribe(self, channel):
        self.client.unsubscribe(self.gateway.prefix + channel)
        return self.unsubscribed.get(timeout=WAIT_S)[0]

    def publish(self, channel, payload, qos=0, retain=False, **values):
        """Waits for the PUBACK of QoS 1 and answers its reason."""
        self.client.publish(self.gateway.prefix + channel, payload, qos, retain,
                            properties=properties(PacketTypes.PUBLISH, **values))
        reason = self.published.get(timeout=WAIT_S)
        return reason

    def message(self):
        return self.messages.get(timeout=WAIT_S)

    def silent(self, what, seconds=0.5):
        """Checks that the client receives nothing more."""
        try:
            message = self.messages.get(timeout=seconds)
        except queue.Empty:
            return
        raise Failed(f"{what}: {message.topic} {message.payload}")

    def disconnect(self, **values):
        made = properties(PacketTypes.DISCONNECT, **values) if values else None
        self.client.disconnect(properties=made)
        self.client.loop_stop()

    def cut(self):
        """Ends the TCP connection without a DISCONNECT."""
        self.client.loop_stop()
        sock = self.client.socket()
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()


def clean_retained(gateway):
    client = Client(gateway, f"clean-{RUN}").connect()
    for channel in ("state", "config/reported"):
        client.publish(channel, b"", 1, retain=True)
    client.disconnect()


def a_and_b(gateway, **values):
    return (Client(gateway, f"a-{RUN}").connect(**values), Client(gateway, f"b-{RUN}").connect(**values))


def test_basic(gateway):
    client = Client(gateway, f"a-{RUN}").connect()
    check(not client.reason.is_failure, client.reason)
    client.subscribe("state")
    client.publish("state", b"qos 0", 0)
    client.publish("state", b"qos 1", 1)
    got = [client.message() for _ in range(2)]
    check([m.payload for m in got] == [b"qos 0", b"qos 1"] and [m.qos for m in got] == [0, 1], got)
    client.disconnect()
    # A second CONNECT on one connection, and another protocol name.
    with socket.create_connection((gateway.host, gateway.port), WAIT_S) as sock:
        hello = connect_bytes(gateway, b"MQTT")
        sock.sendall(hello)
        check(sock.recv(4)[0] == 0x20, "no CONNACK")
        sock.sendall(hello)
        check(b"\xe0" in read_all(sock), "a second CONNECT")
    with socket.create_connection((gateway.host, gateway.port), WAIT_S) as sock:
        sock.sendall(connect_bytes(gateway, b"hj"))
        check(read_all(sock) == b"", "another protocol name")
    # QoS 2 is above the Maximum QoS: paho reads it from the CONNACK.
    client = Client(gateway, f"a-{RUN}").connect()
    check(client.connack.MaximumQoS == SUPPORTED_QOS, "Maximum QoS")
    client.client.publish(gateway.prefix + "state", b"qos 2", 2)
    check(client.disconnected.get(timeout=WAIT_S).value == 0x9B, "QoS 2")


def connect_bytes(gateway, name):
    def text(value):
        return len(value).to_bytes(2, "big") + value
    body = text(name) + b"\x05\xc2\x00\x3c\x00" + text(f"raw-{RUN}".encode())
    body += text(gateway.user.encode()) + text(gateway.password.encode())
    return b"\x10" + bytes([len(body)]) + body


def read_all(sock):
    sock.settimeout(WAIT_S)
    got = b""
    try:
        while part := sock.recv(4096):
            got += part
    except ConnectionError:
        pass
    return got


def test_retained_message(gateway):
    pairs = [("a", "2"), ("c", "3")]
    client = Client(gateway, f"a-{RUN}").connect()
    client.publish("state", b"qos 0", 0, retain=True, UserProperty=pairs)
    client.publish("config/reported", b"qos 1", 1, retain=True, UserProperty=pairs)
    client.subscribe("#")
    got = [client.message() for _ in range(2)]
    check(all(m.properties.UserProperty == pairs for m in got), [str(m.properties) for m in got])
    check(sorted(m.qos for m in got) == [0, 1] and all(m.retain for m in got), "QoS and RETAIN")
    client.disconnect()
    clean_retained(gateway)
    client.connect()
    client.subscribe("#")
    client.silent("it was removed")
    client.disconnect()


def test_will_message(gateway):
    b = Client(gateway, f"b-{RUN}").connect()
    b.subscribe("state")
    a = Client(gateway, f"a-{RUN}").connect(keepalive=2, will=("state", b"client not disconnected", 1, False))
    a.cut()
    check(b.message().payload == b"client not disconnected", "the will")
    b.silent("one will")
    b.disconnect()
    c = Client(gateway, f"c-{RUN}").connect(will=("state", b"x", 2, False))
    check(c.reason.value == 0x9B, "a will with QoS 2")


def test_zero_length_clientid(gateway):
    client = Client(gateway, "").connect(clean=True)
    check(not client.reason.is_failure and client.connack.AssignedClientIdentifier, "with a clean start")
    client.disconnect()


def test_offline_message_queueing(gateway):
    a = Client(gateway, f"a-{RUN}").connect(SessionExpiryInterval=300)
    a.subscribe("#")
    a.disconnect()
    b = Client(gateway, f"b-{RUN}").connect()
    b.publish("state", b"qos 0", 0)
    b.publish("state", b"qos 1", 1)
    b.disconnect()
    a = Client(gateway, f"a-{RUN}").connect(clean=False, SessionExpiryInterval=0)
    check(a.flags.session_present and a.message().payload == b"qos 1", "what came with QoS 1")
    a.silent("QoS 0 is not kept")
    a.disconnect()


def test_overlapping_subscriptions(gateway):
    client = Client(gateway, f"a-{RUN}").connect()
    client.subscribe("#", qos=1)
    client.subscribe("state", qos=0)
    client.publish("state", b"overlapping topic filters", 1)
    check(client.message().qos == 1, "the highest QoS")
    client.silent("one message")
    client.disconnect()


def test_keepalive(gateway):
    b = Client(gateway, f"b-{RUN}").connect()
    b.subscribe("state")
    a = Client(gateway, f"a-{RUN}").connect(keepalive=1, will=("state", b"keepalive expiry", 1, False))
    # Without its thread paho sends no PINGREQ.
    a.client.loop_stop()
    check(b.message().payload == b"keepalive expiry", "the will of a silent client")
    b.disconnect()


def test_redelivery_on_reconnect(gateway):
    b = Client(gateway, f"b-{RUN}", acks=False).connect(SessionExpiryInterval=300)
    b.subscribe("state")
    b.publish("state", b"1", 1)
    b.publish("state", b"2", 1)
    check([b.message().payload for _ in range(2)] == [b"1", b"2"], "first")
    b.cut()
    b = Client(gateway, f"b-{RUN}").connect(clean=False, SessionExpiryInterval=0)
    got = [b.message() for _ in range(2)]
    check([m.payload for m in got] == [b"1", b"2"] and all(m.dup for m in got), "again, with DUP")
    b.disconnect()


def test_subscribe_failure(gateway):
    client = Client(gateway, f"a-{RUN}").connect()
    client.client.subscribe("test/nosubscribe", options=SubscribeOptions(qos=2))
    check(client.subscribed.get(timeout=WAIT_S)[0].value == 0x87, "a topic that is not the device's")
    client.disconnect()


def test_dollar_topics(gateway):
    client = Client(gateway, f"a-{RUN}").connect()
    client.client.subscribe("+/+", options=SubscribeOptions(qos=2))
    check(client.subscribed.get(timeout=WAIT_S)[0].is_failure, "a wildcard at the start")
    client.client.publish("$" + gateway.prefix + "state", b"", 1)
    check(client.published.get(timeout=WAIT_S).value == 0x87, "a topic that begins with $")
    client.silent("it goes nowhere")
    client.disconnect()


def test_unsubscribe(gateway):
    a, b = a_and_b(gateway)
    for channel in ("state", "config/reported"):
        b.subscribe(channel)
    check(b.unsubscribe("state").value == 0, "unsubscribed")
    check(b.unsubscribe("state").value == 0x11, "no such subscription")
    a.publish("state", b"unsubscribed", 1)
    a.publish("config/reported", b"subscribed", 1)
    check(b.message().payload == b"subscribed", "the other one")
    b.silent("one message")
    a.disconnect()
    b.disconnect()


def test_session_expiry(gateway):
    def connected(expiry_s, clean, present):
        client = Client(gateway, f"a-{RUN}").connect(clean=clean, SessionExpiryInterval=expiry_s)
        check(client.flags.session_present == present, f"expiry {expiry_s} s: a session is {'missing' if present else 'there'}")
        return client
    connected(0, True, False).disconnect()
    connected(0, False, False).disconnect()
    connected(2, True, False).disconnect()
    connected(2, False, True).disconnect()
    time.sleep(4)
    connected(2, False, False).disconnect(SessionExpiryInterval=60)
    time.sleep(4)
    connected(2, False, True).disconnect(SessionExpiryInterval=0)
    connected(0, False, False).disconnect()


def test_shared_subscriptions(gateway):
    client = Client(gateway, f"a-{RUN}").connect()
    check(client.connack.SharedSubscriptionAvailable == 0, "said in CONNACK")
    client.client.subscribe(f"$share/g/{gateway.prefix}state", options=SubscribeOptions(qos=1))
    check(client.subscribed.get(timeout=WAIT_S)[0].value == 0x9E, "refused")
    client.disconnect()


def test_user_properties(gateway):
    pairs = [("a", "2"), ("c", "3"), ("a", "1")]
    client = Client(gateway, f"a-{RUN}").connect()
    client.subscribe("state")
    for qos in (0, 1):
        client.publish("state", b"x", qos, UserProperty=pairs)
        message = client.message()
        check(message.properties.UserProperty == pairs and message.qos == qos, str(message.properties))
    client.disconnect()


def test_payload_format(gateway):
    client = Client(gateway, f"a-{RUN}").connect()
    client.subscribe("state")
    for qos in (0, 1):
        client.publish("state", b"x", qos, PayloadFormatIndicator=1, ContentType="My name")
        got = client.message().properties
        check(got.PayloadFormatIndicator == 1 and got.ContentType == "My name", str(got))
    client.disconnect()


def test_publication_expiry(gateway):
    b = Client(gateway, f"b-{RUN}").connect(SessionExpiryInterval=300)
    b.subscribe("state")
    b.disconnect()
    a = Client(gateway, f"a-{RUN}").connect()
    a.publish("state", b"expires", 1, MessageExpiryInterval=1)
    a.publish("state", b"stays", 1, MessageExpiryInterval=60)
    time.sleep(2)
    b = Client(gateway, f"b-{RUN}").connect(clean=False, SessionExpiryInterval=0)
    message = b.message()
    check(message.payload == b"stays" and message.properties.MessageExpiryInterval < 60, str(message.properties))
    b.silent("the other one has expired")
    a.disconnect()
    b.disconnect()


def test_subscribe_options(gateway):
    a, b = a_and_b(gateway)
    for client in (a, b):
        client.subscribe("state", noLocal=True)
    a.publish("state", b"noLocal test", 1)
    check(b.message().payload == b"noLocal test", "the other client")
    a.silent("its own message")
    b.disconnect()
    a.disconnect()
    a.connect()
    a.subscribe("state", retainAsPublished=True, retainHandling=2)
    a.publish("state", b"retain as published false", 1, retain=False)
    a.publish("state", b"retain as published true", 1, retain=True)
    check([a.message().retain for _ in range(2)] == [False, True], "RETAIN as published")
    a.disconnect()
    for handling, first, second in ((1, 1, 0), (2, 0, 0), (0, 1, 1)):
        a.connect()
        for wanted in (first, second):
            a.subscribe("state", retainHandling=handling)
            for _ in range(wanted):
                check(a.message().retain, "a retained message")
            a.silent(f"retain handling {handling}")
        a.disconnect()
    clean_retained(gateway)


def test_assigned_clientid(gateway):
    first, second = (Client(gateway, "").connect() for _ in range(2))
    names = {client.connack.AssignedClientIdentifier for client in (first, second)}
    check(len(names) == 2, names)
    first.disconnect()
    second.disconnect()


def test_subscribe_identifiers(gateway):
    client = Client(gateway, f"a-{RUN}").connect()
    check(client.connack.SubscriptionIdentifierAvailable == 0, "said in CONNACK")
    client.client.subscribe(gateway.prefix + "state", options=SubscribeOptions(qos=1),
                            properties=properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=7))
    check(client.disconnected.get(timeout=WAIT_S).value == 0xA1, "refused")
    client.client.loop_stop()


def test_request_response(gateway):
    a, b = a_and_b(gateway)
    b.subscribe("state")
    a.subscribe("config/reported")
    a.publish("state", b"request", 1, ResponseTopic=gateway.prefix + "config/reported", CorrelationData=b"334")
    request = b.message().properties
    check(request.CorrelationData == b"334", str(request))
    channel = request.ResponseTopic.removeprefix(gateway.prefix)
    b.publish(channel, b"response", 1, CorrelationData=request.CorrelationData)
    check(a.message().properties.CorrelationData == b"334", "the answer")
    a.disconnect()
    b.disconnect()


def test_client_topic_alias(gateway):
    client = Client(gateway, f"a-{RUN}").connect()
    check(client.connack.TopicAliasMaximum == 0, "said in CONNACK")
    client.client.publish(gateway.prefix + "state", b"x", 1,
                          properties=properties(PacketTypes.PUBLISH, TopicAlias=1))
    check(client.disconnected.get(timeout=WAIT_S).value == 0x94, "refused")
    client.client.loop_stop()


def test_server_topic_alias(gateway):
    client = Client(gateway, f"a-{RUN}").connect(TopicAliasMaximum=1)
    client.subscribe("state")
    for qos in (0, 1):
        client.publish("state", b"x", qos)
        message = client.message()
        check(message.topic == gateway.prefix + "state", "a whole topic")
        check(not hasattr(message.properties, "TopicAlias"), "an alias")
    client.disconnect()


def test_maximum_packet_size(gateway):
    client = Client(gateway, f"a-{RUN}").connect(MaximumPacketSize=64)
    client.subscribe("state")
    client.publish("state", b"x" * 64, 1)
    client.publish("state", b"x", 1)
    check(client.message().payload == b"x", "the one that fits")
    client.silent("the other one does not fit")
    client.disconnect()
    client = Client(gateway, f"a-{RUN}").connect()
    client.client.publish(gateway.prefix + "state", b"x" * client.connack.MaximumPacketSize, 1)
    check(client.disconnected.get(timeout=WAIT_S).value == 0x95, "too large for the gateway")
    client.client.loop_stop()


def test_server_keep_alive(gateway):
    client = Client(gateway, f"a-{RUN}").connect(keepalive=65_535)
    check(client.connack.ServerKeepAlive == 3_600, str(client.connack))
    client.disconnect()


def test_flow_control1(gateway):
    """The gateway does not send more than the client's Receive Maximum."""
    b = Client(gateway, f"b-{RUN}", acks=False).connect(ReceiveMaximum=2)
    b.subscribe("state")
    a = Client(gateway, f"a-{RUN}").connect()
    for number in range(5):
        a.publish("state", str(number), 1)
    got = [b.message() for _ in range(2)]
    b.silent("two are not acknowledged")
    for message in got:
        b.client.ack(message.mid, message.qos)
    got = [b.message() for _ in range(2)]
    b.silent("two more are not")
    check([m.payload for m in got] == [b"2", b"3"], "in order")
    a.disconnect()
    b.disconnect()


def test_flow_control2(gateway):
    """The client may send as many as the gateway's Receive Maximum; each gets an answer."""
    client = Client(gateway, f"a-{RUN}").connect()
    count = client.connack.ReceiveMaximum * 4
    for number in range(count):
        client.client.publish(gateway.prefix + "state", str(number), 1)
    for _ in range(count):
        check(not client.published.get(timeout=WAIT_S).is_failure, "a PUBACK")
    client.disconnect()


def test_will_delay(gateway):
    b = Client(gateway, f"b-{RUN}").connect()
    b.subscribe("state")
    delay = properties(PacketTypes.WILLMESSAGE, WillDelayInterval=2, UserProperty=[("a", "2"), ("c", "3")])
    a = Client(gateway, f"a-{RUN}").connect(will=("state", b"test_will_delay", 1, False), will_properties=delay,
                                            SessionExpiryInterval=5)
    begun = time.monotonic()
    a.cut()
    message = b.message()
    check(time.monotonic() - begun > 1.5, "too early")
    check(message.properties.UserProperty == [("a", "2"), ("c", "3")], str(message.properties))
    check(not hasattr(message.properties, "WillDelayInterval"), "the delay goes nowhere")
    b.disconnect()


CASES = [case for name, case in list(globals().items()) if name.startswith("test_")]


def main():
    if len(sys.argv) != 6:
        print(__doc__, file=sys.stderr)
        return 2
    gateway = Gateway(*sys.argv[1:])
    failed = 0
    for case in CASES:
        try:
            clean_retained(gateway)
            case(gateway)
            print(f"ok      {case.__name__}")
        except (Failed, queue.Empty, OSError, ValueError, AttributeError) as error:
            failed += 1
            print(f"FAILED  {case.__name__}: {type(error).__name__} {error}")
    print(f"{len(CASES) - failed} of paho's {len(CASES)} cases passed")
    return 1 if failed or len(CASES) != 27 else 0


if __name__ == "__main__":
    sys.exit(main())

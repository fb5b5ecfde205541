#!/usr/bin/env python3
"""Tests foreign clients against a running gateway: mosquitto_pub, mosquitto_sub and paho-mqtt, with
MQTT 3.1.1 and 5.

    run.py HOST PORT SITE USER PASSWORD

USER is a device of the gateway's devices.toml. Prints a line for each check. Exits 1 if a check
failed, 2 if a tool is missing.
"""

import json
import queue
import shutil
import subprocess
import sys
import time
import uuid

try:
    import paho.mqtt.client as mqtt
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
except ImportError:
    print("paho-mqtt 2 is missing: pip install 'paho-mqtt>=2'", file=sys.stderr)
    sys.exit(2)

WAIT_S = 15
RUN = uuid.uuid4().hex[:8]


def event(name):
    return json.dumps({
        "id": f"{RUN}-{name}", "type": "transfer", "product": "4000000000006",
        "quantity": 1, "from": "LOC-BIN-0001", "to": "LOC-BIN-0002",
    })


class Failed(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failed(what)


class Gateway:
    def __init__(self, host, port, site, user, password):
        self.host, self.port, self.user, self.password = host, int(port), user, password
        self.prefix = f"stockrelay/v1/{site}/{user}/"

    def mosquitto(self, tool, version, *arguments, **options):
        # Line by line, also into a pipe: its debug output shows when a subscription exists.
        command = ["stdbuf", "-oL", tool, "-h", self.host, "-p", str(self.port), "-u", self.user, "-P", self.password,
                   "-V", version, *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)

    def publish(self, version, channel, payload, *arguments, qos=1):
        with self.mosquitto("mosquitto_pub", version, "-t", self.prefix + channel, "-q", str(qos),
                            "-m", payload, *arguments) as process:
            output, _ = process.communicate(timeout=WAIT_S)
            return process.returncode, output


class Paho:
    """A paho client whose callbacks land in queues."""

    def __init__(self, gateway, protocol, client_id, password=None, clean=True, expiry_s=0, will=None):
        self.gateway, self.v5 = gateway, protocol == mqtt.MQTTv5
        options = {} if self.v5 else {"clean_session": clean}
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=protocol, **options)
        self.client.username_pw_set(gateway.user, password or gateway.password)
        self.connected, self.messages, self.published, self.subscribed = (queue.Queue() for _ in range(4))
        self.client.on_connect = lambda _c, _u, flags, reason, _p: self.connected.put((flags, reason))
        self.client.on_message = lambda _c, _u, message: self.messages.put(message)
        self.client.on_publish = lambda _c, _u, mid, reason, _p: self.published.put((mid, reason))
        self.client.on_subscribe = lambda _c, _u, _mid, reasons, _p: self.subscribed.put(reasons)
        if will:
            self.client.will_set(gateway.prefix + "state", will, qos=1, retain=True)
        arguments = {}
        if self.v5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = expiry_s
            arguments = {"clean_start": clean, "properties": properties}
        self.client.connect(gateway.host, gateway.port, keepalive=5, **arguments)
        self.client.loop_start()
        self.flags, self.reason = self.connected.get(timeout=WAIT_S)

    def subscribe(self, topic, qos=1):
        self.client.subscribe(topic, qos=qos)
        return self.subscribed.get(timeout=WAIT_S)

    def publish(self, channel, payload, qos=1):
        return self.client.publish(self.gateway.prefix + channel, payload, qos=qos)

    def receipt(self):
        return json.loads(self.messages.get(timeout=WAIT_S).payload)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()

    def cut(self):
        """Ends the TCP connection without a DISCONNECT."""
        self.client.loop_stop()
        self.client.socket().close()


def mosquitto_publishes_and_subscribes(gateway):
    for version in ("mqttv311", "mqttv5"):
        reader = gateway.mosquitto("mosquitto_sub", version, "-i", f"sub-{RUN}", "-t", gateway.prefix + "receipt",
                                   "-q", "1", "-C", "3", "-W", str(WAIT_S), "-d")
        lines = []
        for line in reader.stdout:
            lines.append(line)
            if "Subscribed" in line:
                break
        for qos in (0, 1, 2 if version == "mqttv311" else 1):
            code, output = gateway.publish(version, "event", event(f"{version}-{qos}-{time.monotonic_ns()}"), qos=qos)
            check(code == 0, f"mosquitto_pub {version} QoS {qos}: {output}")
        lines.extend(reader.stdout)
        reader.wait(timeout=WAIT_S)
        output = "".join(lines)
        check(output.count('"status":"stored"') == 3, f"mosquitto_sub {version}: {output}")


def mosquitto_with_a_wrong_password_is_refused(gateway):
    for version in ("mqttv311", "mqttv5"):
        wrong = Gateway(gateway.host, gateway.port, "x", gateway.user, "wrong " + gateway.password)
        wrong.prefix = gateway.prefix
        code, output = wrong.publish(version, "event", event("never"))
        check(code != 0, f"it was let in: {output}")
        check("authori" in output.lower() or "password" in output.lower(), f"it was not told: {output}")


def mosquitto_of_5_is_told_that_a_topic_is_foreign(gateway):
    foreign = Gateway(gateway.host, gateway.port, "x", gateway.user, gateway.password)
    foreign.prefix = gateway.prefix.replace(gateway.user, gateway.user + "x")
    _, output = foreign.publish("mqttv5", "event", event("never"))
    check("not authori" in output.lower(), f"no word of it: {output!r}")


def a_retained_state_comes_with_the_subscription(gateway):
    code, output = gateway.publish("mqttv311", "state", json.dumps({"run": RUN}), "-r")
    check(code == 0, output)
    with gateway.mosquitto("mosquitto_sub", "mqttv5", "-t", gateway.prefix + "state", "-C", "1",
                           "-W", str(WAIT_S)) as process:
        output, _ = process.communicate(timeout=WAIT_S + 5)
        check(RUN in output, output)


def paho_publishes_and_reads_receipts(gateway):
    for protocol in (mqtt.MQTTv311, mqtt.MQTTv5):
        paho = Paho(gateway, protocol, f"paho-{RUN}")
        check(not paho.reason.is_failure, f"refused: {paho.reason}")
        paho.subscribe(gateway.prefix + "receipt")
        count = 200
        infos = [paho.publish("event", event(f"paho-{protocol}-{n}")) for n in range(count)]
        for info in infos:
            info.wait_for_publish(WAIT_S)
            check(info.is_published(), "a PUBACK is missing")
        receipts = [paho.receipt() for _ in range(count)]
        check([r["id"] for r in receipts] == [f"{RUN}-paho-{protocol}-{n}" for n in range(count)], "order of receipts")
        check(all(r["status"] == "stored" and not r["duplicate"] for r in receipts), "stored")
        paho.publish("event", event(f"paho-{protocol}-0"))
        again = paho.receipt()
        check(again["duplicate"] and again["seq"] == receipts[0]["seq"], f"duplicate: {again}")
        if protocol == mqtt.MQTTv311:
            paho.publish("event", event("paho-two"), qos=2).wait_for_publish(WAIT_S)
            check(paho.receipt()["id"] == f"{RUN}-paho-two", "QoS 2")
        paho.close()


def count_receipts(reader, count, what):
    receipts = [reader.receipt() for _ in range(count)]
    check(all(r["status"] == "stored" and not r["duplicate"] for r in receipts), f"{what}: {receipts}")
    check(len({r["seq"] for r in receipts}) == count and len({r["id"] for r in receipts}) == count, what)
    check(all("flags" not in r for r in receipts), f"{what}: {receipts}")


def equal_lines_of_mosquitto_pub_count_each(gateway):
    reader = Paho(gateway, mqtt.MQTTv311, f"lines-{RUN}")
    reader.subscribe(gateway.prefix + "receipt")
    for version in ("mqttv311", "mqttv5"):
        for qos in (0, 1, 2 if version == "mqttv311" else 1):
            with gateway.mosquitto("mosquitto_pub", version, "-t", gateway.prefix + "scan", "-q", str(qos), "-l",
                                   stdin=subprocess.PIPE) as process:
                output, _ = process.communicate("4000000000006\n" * 20, timeout=WAIT_S)
            check(process.returncode == 0, f"mosquitto_pub -l {version} QoS {qos}: {output}")
            count_receipts(reader, 20, f"{version} QoS {qos}")
    reader.close()


def equal_scans_of_pahos_offline_queue_count_each(gateway):
    for protocol in (mqtt.MQTTv311, mqtt.MQTTv5):
        reader = Paho(gateway, protocol, f"queue-reader-{RUN}")
        reader.subscribe(gateway.prefix + "receipt")
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"queue-{RUN}", protocol=protocol)
        client.username_pw_set(gateway.user, gateway.password)
        # Scanned while the link is down.
        for _ in range(5):
            client.publish(gateway.prefix + "scan", "4000000000006", qos=1)
        client.connect(gateway.host, gateway.port, keepalive=5)
        client.loop_start()
        count_receipts(reader, 5, f"paho's queue, protocol {int(protocol)}")
        client.disconnect()
        client.loop_stop()
        reader.close()


def paho_5_is_told_reasons(gateway):
    paho = Paho(gateway, mqtt.MQTTv5, f"paho-{RUN}")
    for topic, payload, code in (
        (gateway.prefix + "event", "{", 0x99),
        (gateway.prefix + "receipt", "{}", 0x87),
    ):
        info = paho.client.publish(topic, payload, qos=1)
        _, reason = paho.published.get(timeout=WAIT_S)
        info.wait_for_publish(WAIT_S)
        check(reason.value == code, f"{topic}: {reason}")
    check(paho.subscribe("#")[0].value == 0x87, "a subscription to everything")
    check(paho.subscribe(gateway.prefix + "#")[0].value == 1, "a subscription to its own")
    paho.close()


def a_session_finds_what_it_missed(gateway):
    for protocol in (mqtt.MQTTv311, mqtt.MQTTv5):
        name = f"stay-{RUN}-{int(protocol)}"
        paho = Paho(gateway, protocol, name, clean=False, expiry_s=300)
        check(not paho.flags.session_present, "a session before there was one")
        paho.subscribe(gateway.prefix + "receipt")
        paho.close()
        for n in range(3):
            code, output = gateway.publish("mqttv311", "event", event(f"{name}-{n}"))
            check(code == 0, output)
        paho = Paho(gateway, protocol, name, clean=False, expiry_s=300)
        check(paho.flags.session_present, "no session")
        missed = [paho.receipt()["id"] for _ in range(3)]
        check(missed == [f"{RUN}-{name}-{n}" for n in range(3)], f"missed: {missed}")
        paho.close()
        # Ends the session.
        Paho(gateway, protocol, name, clean=True).close()


def a_last_will_is_published(gateway):
    for protocol in (mqtt.MQTTv311, mqtt.MQTTv5):
        will = json.dumps({"online": False, "run": f"{RUN}-{int(protocol)}"})
        watcher = Paho(gateway, protocol, f"watch-{RUN}")
        watcher.subscribe(gateway.prefix + "state")
        dying = Paho(gateway, protocol, f"dying-{RUN}", will=will)
        dying.cut()
        deadline = time.monotonic() + WAIT_S
        while watcher.messages.get(timeout=max(0.1, deadline - time.monotonic())).payload.decode() != will:
            pass
        watcher.close()


def a_paho_client_is_taken_over(gateway):
    first = Paho(gateway, mqtt.MQTTv5, f"same-{RUN}")
    gone = queue.Queue()
    first.client.on_disconnect = lambda _c, _u, _f, reason, _p: gone.put(reason)
    second = Paho(gateway, mqtt.MQTTv5, f"same-{RUN}")
    check(gone.get(timeout=WAIT_S).value == 0x8E, "session taken over")
    first.client.loop_stop()
    second.publish("event", event("taken")).wait_for_publish(WAIT_S)
    second.close()


CHECKS = [
    mosquitto_publishes_and_subscribes,
    mosquitto_of_5_is_told_that_a_topic_is_foreign,
    a_retained_state_comes_with_the_subscription,
    paho_publishes_and_reads_receipts,
    equal_lines_of_mosquitto_pub_count_each,
    equal_scans_of_pahos_offline_queue_count_each,
    paho_5_is_told_reasons,
    a_session_finds_what_it_missed,
    a_last_will_is_published,
    a_paho_client_is_taken_over,
    mosquitto_with_a_wrong_password_is_refused,
]


def main():
    if len(sys.argv) != 6:
        print(__doc__, file=sys.stderr)
        return 2
    for tool in ("mosquitto_pub", "mosquitto_sub", "stdbuf"):
        if not shutil.which(tool):
            print(f"{tool} is missing: apt-get install mosquitto-clients", file=sys.stderr)
            return 2
    gateway = Gateway(*sys.argv[1:])
    failed = 0
    for one in CHECKS:
        name = one.__name__.replace("_", " ")
        try:
            one(gateway)
            print(f"ok      {name}")
        except (Failed, queue.Empty, subprocess.TimeoutExpired, OSError) as error:
            failed += 1
            print(f"FAILED  {name}: {type(error).__name__} {error}")
    print(f"{len(CHECKS) - failed} of {len(CHECKS)} passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

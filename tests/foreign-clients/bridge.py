#!/usr/bin/env python3
"""Tests a stock mosquitto that bridges a device to a running gateway, as docs/mqtt.md describes.

    bridge.py HOST PORT SITE USER PASSWORD

Starts mosquitto with a bridge for USER, in both versions of MQTT, publishes events to it and reads
the receipts from it. Exits 1 if a receipt is missing, 2 if mosquitto is not installed.
"""

import json
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

WAIT_S = 20

CONF = """
listener {port} 127.0.0.1
allow_anonymous true
log_dest stderr

connection gateway
address {host}:{gateway_port}
remote_clientid bridge-{version}
remote_username {user}
remote_password {password}
bridge_protocol_version {version}
{topics}
"""

TOPICS = """
topic event out 1 {prefix} {prefix}
topic state out 1 {prefix} {prefix}
topic receipt in 1 {prefix} {prefix}
topic display in 1 {prefix} {prefix}
"""


def event(name):
    return json.dumps({"id": name, "type": "transfer", "product": "4000000000006", "quantity": 1,
                       "from": "LOC-BIN-0001", "to": "LOC-BIN-0002"})


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S + 5, **options)


def bridge(host, gateway_port, site, user, password, version, directory):
    port = free_port()
    prefix = f"stockrelay/v1/{site}/{user}/"
    conf = pathlib.Path(directory) / f"{version}.conf"
    conf.write_text(CONF.format(port=port, host=host, gateway_port=gateway_port, version=version, user=user,
                                password=password, topics=TOPICS.format(prefix=prefix)))
    with open(conf.with_suffix(".log"), "w+") as log, subprocess.Popen(["mosquitto", "-v", "-c", conf], stderr=log) as broker:
        try:
            local = ["-h", "127.0.0.1", "-p", str(port)]
            # A retained message of the bridge shows whether it is connected.
            state = f"$SYS/broker/connection/bridge-{version}/state"
            up = run(["stdbuf", "-oL", "mosquitto_sub", *local, "-t", state, "-W", str(WAIT_S), "-C", "1"])
            deadline = time.monotonic() + WAIT_S
            while up.stdout.strip() != "1" and time.monotonic() < deadline:
                time.sleep(0.2)
                up = run(["mosquitto_sub", *local, "-t", state, "-W", "2", "-C", "1"])
            reader = subprocess.Popen(["stdbuf", "-oL", "mosquitto_sub", *local, "-t", prefix + "receipt", "-q", "1", "-C", "3",
                                       "-W", str(WAIT_S), "-d"], stdout=subprocess.PIPE, text=True)
            for line in reader.stdout:
                if "Subscribed" in line:
                    break
            for number in range(3):
                run(["mosquitto_pub", *local, "-t", prefix + "event", "-q", "1", "-m", event(f"bridge-{version}-{number}")])
            output, _ = reader.communicate(timeout=WAIT_S + 5)
            stored = output.count('"status":"stored"')
            fault = None
            if up.stdout.strip() != "1":
                fault = f"the bridge did not connect: {up.stdout!r}"
            elif stored != 3:
                fault = f"{stored} receipts: {output}"
            if fault:
                log.seek(0)
                fault += "\n" + log.read()
            return fault
        finally:
            broker.terminate()


def main():
    if len(sys.argv) != 6:
        print(__doc__, file=sys.stderr)
        return 2
    for tool in ("mosquitto", "mosquitto_pub", "mosquitto_sub", "stdbuf"):
        if not shutil.which(tool):
            print(f"{tool} is missing: apt-get install mosquitto mosquitto-clients", file=sys.stderr)
            return 2
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        # mosquitto drops root's rights before it reads its files.
        pathlib.Path(directory).chmod(0o755)
        for version in ("mqttv311", "mqttv50"):
            fault = bridge(*sys.argv[1:], version, directory)
            failed += bool(fault)
            print(f"FAILED  a stock mosquitto bridge, {version}: {fault}" if fault else f"ok      a stock mosquitto bridge, {version}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

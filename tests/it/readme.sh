#!/bin/sh
# Runs the steps in $1/steps in a root of their own: an overlay of this machine's root in namespaces
# that end with this process. $1 is bound there as /srv/stockrelay, the directory of the README.
# Standing in for what a namespace cannot have: cargo (the binary is built), udevadm, systemctl.
set -e
root=$1/root
mkdir "$root"
mount -t tmpfs none "$root"
mkdir "$root/upper" "$root/work" "$root/merged"
mount -t overlay overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" "$root/merged"
merged=$root/merged
mount -t proc proc "$merged/proc"
mount --rbind /dev "$merged/dev"
mkdir -p "$merged/srv/stockrelay"
mount --bind "$1/readme" "$merged/srv/stockrelay"
ip link set lo up
# A machine that has none of it yet.
rm -rf "$merged/etc/stockrelay" "$merged/usr/share/doc/stockrelay" "$merged/usr/bin/stockrelay"
stubs=$merged/srv/stubs
mkdir "$stubs"
cat >"$stubs/cargo" <<'END'
#!/bin/sh
test "$*" = "build --profile dist --no-default-features --features jemalloc"
END
printf '#!/bin/sh\n' >"$stubs/udevadm"
# As the unit starts it: its command, user, umask and directory.
cat >"$stubs/systemctl" <<'END'
#!/bin/sh
test "$*" = "enable --now stockrelay" || exit 1
unit=/usr/lib/systemd/system/stockrelay.service
value() { sed -n "s/^$1=//p" $unit; }
user=$(value User)
install -d -o "$user" -g "$(value Group)" -m "$(value StateDirectoryMode)" "/var/lib/$(value StateDirectory)"
umask "$(value UMask)"
setpriv --reuid "$user" --regid "$(value Group)" --init-groups $(value ExecStart) >/srv/daemon.log 2>&1 &
for _ in $(seq 200); do
  stockrelay status >/dev/null 2>&1 && exit 0
  sleep 0.1
done
cat /srv/daemon.log >&2
exit 1
END
chmod 755 "$stubs/cargo" "$stubs/udevadm" "$stubs/systemctl"
socat TCP-LISTEN:8069,fork,reuseaddr,bind=127.0.0.1 UNIX-CONNECT:"$1/readme/odoo.sock" &
exec chroot "$merged" env PATH=/srv/stubs:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  sh -c 'cd /srv/stockrelay && exec sh -ex ./steps'

#!/bin/sh
# Runs this machine's systemd as the first process of a root of its own, with the unit, and in it
# the steps in $1/steps: an overlay of the machine's root in namespaces that end with this process.
# What the steps print comes into $1/said. $2 is the binary; without it, the steps install a
# package.
set -e
root=$1/root
mkdir "$root"
mount -t tmpfs none "$root"
mkdir "$root/upper" "$root/work" "$root/merged"
mount -t overlay overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" "$root/merged"
merged=$root/merged
mount -t proc proc "$merged/proc"
mount -t sysfs sysfs "$merged/sys"
mount --rbind /dev "$merged/dev"
mount -t tmpfs tmpfs "$merged/run"
umount -l "$merged/sys/fs/cgroup" 2>/dev/null || true
mount -t cgroup2 none "$merged/sys/fs/cgroup"
# systemd writes its log there.
touch "$1/console"
mount --bind "$1/console" "$merged/dev/console"
mkdir -p "$merged/srv/stockrelay"
mount --bind "$1" "$merged/srv/stockrelay"
ip link set lo up
# A machine that has none of it yet.
rm -rf "$merged/etc/stockrelay" "$merged/etc/credstore" "$merged/var/lib/stockrelay"
units=$merged/etc/systemd/system
mkdir -p "$merged/etc/credstore" "$units"
if [ -n "$2" ]; then
  mkdir -p "$merged/etc/sysusers.d" "$merged/etc/tmpfiles.d"
  cp "$1/systemd/stockrelay.sysusers" "$merged/etc/sysusers.d/stockrelay.conf"
  cp "$1/systemd/stockrelay.tmpfiles" "$merged/etc/tmpfiles.d/stockrelay.conf"
  cp "$1/systemd/stockrelay.service" "$units/stockrelay.service"
  touch "$merged/usr/bin/stockrelay"
  mount --bind "$2" "$merged/usr/bin/stockrelay"
  chroot "$merged" systemd-sysusers
  chroot "$merged" systemd-tmpfiles --create stockrelay.conf
else
  # A container's file that forbids packages to start services.
  rm -f "$merged/usr/sbin/policy-rc.d"
fi
cat >"$units/steps.service" <<END
[Unit]
DefaultDependencies=no
After=sysinit.target
[Service]
Type=oneshot
WorkingDirectory=/srv/stockrelay
StandardOutput=file:/srv/stockrelay/said
StandardError=inherit
ExecStart=/bin/sh ./steps
END
cat >"$units/steps.target" <<END
[Unit]
Wants=basic.target steps.service
END
ln -sf steps.target "$units/default.target"
# What belongs to the hardware, which is the machine's.
for unit in systemd-udevd.service systemd-udev-trigger.service systemd-timesyncd.service systemd-networkd.service \
  systemd-logind.service systemd-remount-fs.service dev-hugepages.mount dev-mqueue.mount; do
  ln -sf /dev/null "$units/$unit"
done
mkdir -p "$merged/mnt/old"
cd "$merged"
pivot_root . mnt/old
# Credentials are mounted by a child of systemd and reach the service by propagation.
mount --make-rshared /
exec env -i container=other PATH=/usr/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin /lib/systemd/systemd --system

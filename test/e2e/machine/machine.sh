#!/bin/sh
# A machine made of namespaces: a real systemd, with the units in DIRECTORY/units and none of this machine's. Only the
# network is shared. systemd's output goes to DIRECTORY/console. Ends with its first process.
# usage: unshare --mount sh machine.sh DIRECTORY
set -e
directory=$1
units=/usr/lib/systemd/system
control=$directory/control

# In the namespaces: the first process.
if [ "$2" = first ]; then
  mount --bind "$directory/console" /dev/console
  for place in /run /var/lib /var/log $units /usr/lib/systemd/system-generators /etc/systemd/system /sys/fs/cgroup; do
    mount -t tmpfs tmpfs "$place"
  done
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  cp "$directory"/units/* "$directory"/journald/* $units
  for target in sysinit basic sockets shutdown network multi-user; do
    printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' $target >$units/$target.target
  done
  printf '[Unit]\nDescription=what runs\nDefaultDependencies=no\nWants=systemd-journald.socket systemd-journald.service\n' >$units/test.target
  mkdir -p /run/lock
  export container=test
  exec /lib/systemd/systemd --system --log-level=info --log-target=console --show-status=0 --unit=test.target
fi

touch "$directory/console"
# Of this machine's units only journald's own are needed.
mkdir "$directory/journald" "$control"
cp $units/systemd-journald.service $units/systemd-journald.socket $units/systemd-journald-dev-log.socket "$directory/journald"
# Its own control group, which is the root for this systemd.
mount -t cgroup2 cgroup2 "$control"
group=$control/crank-test-$$
mkdir "$group"
echo $$ >"$group/cgroup.procs"
unshare --mount --pid --fork --cgroup --uts --ipc --kill-child --mount-proc sh "$0" "$directory" first || true
echo $$ >"$control/cgroup.procs"
find "$group" -depth -type d -exec rmdir {} \;
umount "$control"

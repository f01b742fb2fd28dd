# Starts a systemd of its own, over a copy of this machine's files that nothing of it leaves.
# usage: unshare --mount sh systemd-machine.sh DIR NAME CHECKOUT DEVICE
# DEVICE is one of this machine's that it has too.
# DIR/checkout shows CHECKOUT, which a /tmp of the machine's own may hide.
# DIR/files goes over the machine's root, DIR/check.sh runs there, DIR/out gets what it prints.
set -eu
dir=$1 name=$2 checkout=$3 device=$4
cd "$dir"
mount --make-rprivate /
mount -t tmpfs none /run/systemd/nspawn 2>/dev/null || { mkdir -p /run/systemd/nspawn; mount -t tmpfs none /run/systemd/nspawn; }
mkdir layer root checkout
mount -t tmpfs none layer
mkdir layer/upper layer/work
mount -t overlay none -o lowerdir=/,upperdir=layer/upper,workdir=layer/work root
# What the machine itself has installed is none of a test's business: an empty folder in the place of its units.
mount -t tmpfs none root/etc/systemd/system
cp -a files/. root/
cat > root/etc/systemd/system/check.service <<'UNIT'
[Unit]
DefaultDependencies=no
Wants=systemd-journald.service
After=systemd-journald.service
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/bin/sh /results/check.sh
StandardOutput=file:/results/out
StandardError=file:/results/out
UNIT
groups=
for hierarchy in /sys/fs/cgroup/unified /sys/fs/cgroup/systemd /sys/fs/cgroup; do
	test -e "$hierarchy/cgroup.procs" || continue
	mkdir "$hierarchy/$name"
	groups="$groups $hierarchy/$name"
	echo $$ > "$hierarchy/$name/cgroup.procs"
done
status=0
# What nspawn filters away: images as root ask for mount_setattr, a sandbox for Landlock.
timeout --kill-after=5 240 unshare --pid --fork --kill-child --mount-proc systemd-nspawn --quiet --directory=root --register=no --keep-unit --boot \
	--machine="$name" --private-network --link-journal=no --console=pipe --bind="$dir":/results --bind-ro="$checkout":/results/checkout \
	--bind=/dev/fuse --bind="$device" --capability=all --system-call-filter="mount_setattr landlock_create_ruleset landlock_add_rule landlock_restrict_self" \
	systemd.unit=check.service systemd.log_target=null </dev/null >console 2>&1 || status=$?
for group in $groups; do
	echo $$ > "${group%/*}/cgroup.procs"
	find "$group" -depth -type d -exec rmdir {} \; || true
done
exit $status

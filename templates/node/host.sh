#!/bin/sh
# Starts the app with the Node of this machine: the first one of PATH. What of PATH is relative is
# passed over, because that would be a matter of the folder in which the app is started.
dir=${FUSELAGE_BUNDLE_DIR:?}
node=
IFS=:
set -f
for folder in $PATH; do
	case $folder in
	/*) ;;
	*) continue ;;
	esac
	if [ -x "$folder/node" ] && [ ! -d "$folder/node" ]; then
		node=$folder/node
		break
	fi
done
if [ -z "$node" ]; then
	echo {{name:shell}}': this app needs Node {{version}} or newer on this machine, and there is no node in PATH' >&2
	exit 127
fi
found=$("$node" --version) || exit 127
major=${found#v}
if [ "${major%%.*}" -lt {{major}} ]; then
	echo {{name:shell}}": this app needs Node {{version}} or newer, and this machine has $found" >&2
	exit 126
fi
exec "$node" {{command}} "$@"

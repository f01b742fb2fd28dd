#!/bin/sh
# Starts the app with the Node of this machine.
dir=${FUSELAGE_BUNDLE_DIR:?}
if ! command -v node >/dev/null 2>&1; then
	echo {{name:shell}}': this app needs Node {{version}} or newer on this machine, and there is no node in PATH' >&2
	exit 127
fi
major=$(node -p 'process.versions.node.split(".")[0]') || exit 127
if [ "$major" -lt {{major}} ]; then
	echo {{name:shell}}": this app needs Node {{version}} or newer, and this machine has $(node -v)" >&2
	exit 126
fi
exec node --require "$dir/node/start.cjs" "$dir/"{{entry:shell}} "$@"

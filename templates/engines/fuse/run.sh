cd {{dir:shell}}
# What is set by name, secrets too, was put there by the orchestrator.
if [ -f /fuse/env ]; then
  set -a
  . /fuse/env
  set +a
fi
launch=nohup
if command -v setsid >/dev/null 2>&1; then launch="nohup setsid"; fi
$launch {{dir:shell}}/app {{args}}</dev/null >>log 2>&1 &
pid=$!
echo "$pid" >pid
sleep 1
if ! kill -0 "$pid" 2>/dev/null; then
  status=0
  wait "$pid" || status=$?
  if [ "$status" -ne 0 ]; then
    echo "the app has ended with status $status" >&2
    tail -n 5 log >&2
    exit {{appEnded}}
  fi
fi

# Fetches a bundle, checks it and starts it. For `sh` as root, once, when the machine has come up.
set -eu
umask 022
machine=$(uname -m)
if [ "$machine" != {{arch:shell}} ]; then
  echo "the bundle is for {{arch}}, and this machine is $machine" >&2
  exit {{wrongMachine}}
fi
mkdir -p {{dir:shell}}
chmod 700 {{dir:shell}}
cd {{dir:shell}}

# Not a byte more than the bundle has is written: whoever answers there shall not fill the disk.
fetch() {
  ulimit -f {{blocks}}
  if command -v curl >/dev/null 2>&1; then
    curl -fsSL --proto '=http,https' --max-redirs 5 --connect-timeout 20 --retry 3 -o app.part -- "$1"
  elif command -v wget >/dev/null 2>&1; then
    wget -q -T 20 -O app.part -- "$1"
  elif command -v python3 >/dev/null 2>&1; then
    python3 -c 'import shutil, sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=20) as answer, open("app.part", "wb") as out:
    shutil.copyfileobj(answer, out)' "$1"
  else
    echo "there is neither curl nor wget nor python3 to fetch the bundle with" >&2
    exit {{noTool}}
  fi
}
status=0
(fetch {{url:shell}}) || status=$?
if [ "$status" -ne 0 ]; then
  rm -f app.part
  echo "the bundle cannot be fetched" >&2
  if [ "$status" -eq {{noTool}} ]; then exit {{noTool}}; fi
  exit {{notFetched}}
fi
if ! echo "{{sha256}}  app.part" | sha256sum -c - >/dev/null 2>&1; then
  rm -f app.part
  echo "what was fetched is not the bundle: it has another sha256 than {{sha256}}" >&2
  exit {{otherDigest}}
fi
chmod 755 app.part
mv -f app.part app
echo {{sha256}} >digest

import { expect, test } from "vitest";
import { shellCommands } from "../../../builder/app/shell-commands.ts";

test.each<[string, string[]]>([
  ["sudo ls /root", ["sudo"]],
  ["/usr/bin/sudo -n true", ["sudo"]],
  ["A=1 B='two words' ssh host uptime", ["ssh"]],
  ["if ping -c1 host; then echo yes; else su -; fi", ["ping", "echo", "su"]],
  ["while ! ssh host; do sleep 1; done", ["ssh", "sleep"]],
  ["true && sudo a || doas b | keyctl c &", ["true", "sudo", "doas", "keyctl"]],
  ["(sudo a); { su b; }", ["sudo", "su"]],
  ["x=$(ssh host id) y=`ping z`", ["ssh", "ping"]],
  ['echo "is $(ssh host id) and `ping z`"', ["echo", "ssh", "ping"]],
  ["exec env -i A=1 nohup timeout 5 ssh host", ["ssh"]],
  ["find . -print0 | xargs -0 sudo rm", ["find", "sudo"]],
  ["case $1 in a) sudo x ;; b|c) su y ;; esac", ["sudo", "b", "su"]],
  ["sudo \\\n  -n id", ["sudo"]],
  ["A=${X:-$(ls)}; ${Y:-z} && su", ["${Y:-z}", "su"]],
  ["ssh host 2>&1 >/dev/null | su &> log", ["ssh", "su"]],
  ["cat <<EOF | sudo tee x\nssh host\nEOF\nping h", ["cat", "sudo", "ping"]],
  ["cat <<< word; su", ["cat", "su"]],
  ["diff <(ssh a id) <(su b)", ["diff", "ssh", "su"]],
  ["f() {\n  sudo x\n}\nf", ["sudo", "f"]],
  ["for i in a b; do su $i; done", ["su"]],
])("finds in %j what stands where a command does", (script, expected) => {
  expect([...shellCommands(script)].sort()).toEqual([...expected].sort());
});

test.each(["$(".repeat(100_000), "`".repeat(9999), "${", "<<", "'", '"$', "\\", "cat <<X\nsudo"])(
  "comes to the end of %.9s",
  (script) => {
    expect(shellCommands(script)).toBeInstanceOf(Set);
  },
);

test.each([
  "command -v sudo >/dev/null",
  "echo sudo",
  "echo 'run sudo apt install x'",
  "# sudo id",
  "true # sudo id",
  "cat > sudo",
  "cat < ssh > ping",
  'echo "usage:\nsudo make install\n"',
  "echo 'usage:\n  ssh host'\n",
  "cat <<EOF\nsudo make install\nEOF",
  "cat <<-'END' | sort\n\tssh host\n\tEND",
  "PATH=/x:$PATH:sudo",
  '"$SUDO" id',
  "sudoku; ./my-ssh; a/sudo.sh",
])("finds nothing of root's or a host's in %j", (script) => {
  const found = shellCommands(script);
  for (const name of ["sudo", "ssh", "ping"]) expect(found).not.toContain(name);
});

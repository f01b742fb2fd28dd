/**
 * What an app may find of its files by one way of mounting and not by another. The reference is our FUSE
 * server, started by a user. docs/limits.md, "By the way of mounting", says the same to users.
 */

interface Difference {
  places: RegExp;
  questions: RegExp;
  /** What the reference answers there; default anything. */
  from?: RegExp;
  /** What may be answered, or what must be, by the answer of the reference. */
  answers: RegExp | ((reference: string) => string);
  /** Whether some answer differs on any machine: a row that nothing needs any more is taken out. */
  always: boolean;
  why: string;
}

const withoutWriting = (mode: string) => (Number.parseInt(mode, 8) & ~0o1222).toString(8);

const differences: Difference[] = [
  {
    places: /^loop|^extract/,
    questions: /^epoll$/,
    answers: /^EPERM$/,
    always: true,
    why: "only FUSE has a poll for files: the kernel answers for the server",
  },
  {
    places: /^loop|^extract/,
    questions: /^sparse (data|hole)/,
    answers: /^(-1|0|1048576|1049\d{3}|ENXIO)$/,
    always: false,
    why: "our server does not tell where holes are, kernels and their file systems may",
  },
  {
    places: /^loop|^extract/,
    questions: /^statfs type$/,
    answers: /^[\da-f]+$/,
    always: true,
    why: "it is another file system",
  },
  {
    places: /^(loop|fuse), as root$/,
    questions: /^owner of owned$/,
    answers: /^1234:4321$/,
    always: true,
    why: "only root can show the recorded owners, and what is extracted is whoever extracts's",
  },
  {
    places: /as root$/,
    questions: /^cp -\w+ access W_OK of template\/read-only$/,
    answers: /^ok$/,
    always: true,
    why: "root may write to what is read-only by its mode",
  },
  {
    places: /as root$|to a disk/,
    questions: /^FIBMAP$/,
    answers: /^(ok|EINVAL|ENOTTY)$/,
    always: false,
    why: "root alone may ask for numbers of blocks",
  },
  {
    places: /^loop/,
    questions: /^blksize of /,
    answers: /^\d+$/,
    always: false,
    why: "the kernel's squashfs gives the block size of its device",
  },
  {
    places: /^loop/,
    questions: /^f(data)?sync$|O_DIRECT$/,
    answers: /^EINVAL$/,
    always: false,
    why: "the kernel's squashfs has neither",
  },
  {
    places: /^extract/,
    questions: /^(order|statfs (block|free|longest)|pathconf|statx birth|FS_IOC_GETFLAGS)/,
    answers: /./,
    always: true,
    why: "they are files of a tmpfs or of the disk",
  },
  {
    places: /^extract/,
    questions: /^ctime is mtime of /,
    answers: /^0$/,
    always: true,
    why: "the kernel alone sets times of change: when it was extracted",
  },
  {
    places: /^extract, as a user$/,
    questions: /^(access W_OK of|open) .*(read-only|chmod-same)/,
    from: /^EROFS$/,
    answers: /^EACCES$/,
    always: true,
    why: "the mount is read-only, not its file system: the mode is looked at first",
  },
  {
    places: /to a disk/,
    questions: /^(mode of |cp -\w+ mode of )/,
    answers: withoutWriting,
    always: true,
    why: "without a mount the modes alone protect the files of later starts",
  },
  {
    places: /to a disk, as a user/,
    questions: /^(access W_OK|open|change) /,
    from: /^(EROFS|EXDEV)$/,
    answers: /^(EACCES|EPERM|ENOENT)$/,
    always: true,
    why: "modes refuse, not the mount",
  },
  {
    places: /to a disk, as a user/,
    questions: /^cp -\w+ access W_OK /,
    from: /^ok$/,
    answers: /^EACCES$/,
    always: true,
    why: "copies have the modes of what they are copies of",
  },
  {
    places: /to a disk, as a user/,
    questions: /^(fchmod|change (ch.*|lchown.*|times.*|rename to itself|link to elsewhere))$/,
    from: /^(EROFS|EXDEV)$/,
    answers: /^ok$/,
    always: true,
    why: "the files are the user's own",
  },
  {
    places: /to a disk, as root/,
    questions: /^(fchmod$|(access W_OK|open|change) )/,
    from: /^(EROFS|EXDEV)$/,
    answers: /^(ok|ENOENT|EEXIST|EISDIR|ENOTEMPTY|ENODATA)$/,
    always: true,
    why: "modes do not bind root",
  },
  {
    places: /to a disk/,
    questions: /^atime is mtime of /,
    answers: /^0$/,
    always: false,
    why: "reading sets it, where the disk is not mounted noatime",
  },
  {
    places: /to a disk/,
    questions: /^statfs ST_/,
    answers: /^[01]$/,
    always: true,
    why: "it is the mount of the disk",
  },
  {
    places: /to a disk/,
    questions:
      /^(copy_file_range|reflink|blksize of |blocks of |statx attributes|name_to_handle_at)/,
    answers: /./,
    always: false,
    why: "file systems of disks have more or less of these",
  },
];

/**
 * Compares the answers of a place, by question, with those of the reference.
 *
 * @returns answers that no row allows, and reasons of rows that nothing needs any more
 */
export function compare(
  place: string,
  expected: Map<string, string>,
  found: Map<string, string>,
): { unknown: string[]; stale: string[] } {
  const unknown: string[] = [];
  const used = new Set<Difference>();
  for (const [question, answer] of found) {
    const reference = expected.get(question);
    if (answer === reference) continue;
    const row = differences.find(
      ({ places, questions, from, answers }) =>
        places.test(place) &&
        questions.test(question) &&
        (from === undefined || from.test(reference ?? "")) &&
        (typeof answers === "function"
          ? answers(reference ?? "") === answer
          : answers.test(answer)),
    );
    if (row) used.add(row);
    else unknown.push(`${question}: ${answer}, not ${reference}`);
  }
  const stale = differences.filter((row) => row.places.test(place) && row.always && !used.has(row));
  return { unknown, stale: stale.map(({ why }) => why) };
}

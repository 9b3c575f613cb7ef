import { FileSink } from "../trace/file_sink.ts";
import { explain } from "./files.ts";
import { dropKept } from "./kept_file.ts";
import { UserError } from "./user_error.ts";

/** How every trace begins: CBOR's self-describe tag. */
const MAGIC = [0xd9, 0xd9, 0xf7];

/**
 * Creates the file for a trace. An old trace of that name is replaced, what is kept beside it goes; another file
 * is not.
 *
 * @throws UserError with one line
 */
export function createTrace(path: string): FileSink {
  refuseOtherFile(path);
  const sink = explain("write", path, () => new FileSink(path));
  dropKept(path);
  return sink;
}

/**
 * Creates the file from which a trace will be moved to its place when it is complete. What is there then may be
 * an old trace, but no other file, and no device, which would be replaced by a file.
 *
 * @throws UserError with one line
 */
export function createScratch(path: string): { sink: FileSink; scratch: string } {
  refuseOtherFile(path);
  if (isNoFile(path)) throw new UserError(`Cannot write ${path}: expected a regular file`);
  const scratch = `${path}.${Deno.pid}`;
  return { sink: explain("write", path, () => new NamedSink(scratch, path)), scratch };
}

/** Says in one line why it cannot be written to. */
class NamedSink extends FileSink {
  constructor(path: string, readonly name: string) {
    super(path);
  }

  override write(bytes: Uint8Array): void {
    explain("write", this.name, () => super.write(bytes));
  }
}

function refuseOtherFile(path: string): void {
  if (!isOtherFile(path)) return;
  throw new UserError(`Cannot write ${path}: it exists and is not a trace`);
}

/** Whether a device or a folder is there. */
function isNoFile(path: string): boolean {
  try {
    return !Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Whether a regular file with other contents than a trace is there. */
function isOtherFile(path: string): boolean {
  try {
    const info = Deno.statSync(path);
    if (!info.isFile || info.size === 0) return false;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    return explain("write", path, () => {
      throw error;
    });
  }
  const start = new Uint8Array(MAGIC.length);
  const file = explain("read", path, () => Deno.openSync(path, { read: true }));
  try {
    file.readSync(start);
  } finally {
    file.close();
  }
  return !MAGIC.every((byte, i) => start[i] === byte);
}

import { assert, assertEquals } from "@std/assert";
import { disassemble } from "../../core/isa/disassemble.ts";
import { Session } from "../../replay/session.ts";
import {
  Breakpoint,
  Catchpoint,
  type Direction,
  type StopPoint,
  type WatchKind,
  Watchpoint,
} from "../../replay/stop_points.ts";
import { Timeline } from "../../replay/timeline.ts";
import { PhysicalBytes } from "../../replay/watched_bytes.ts";
import type { Trace } from "../../trace/mod.ts";
import { BUSY } from "./assembly.ts";
import { random, record } from "./recordings.ts";

const STEPS = 4000;
const TRACES = [1 << 20, 333].map((windowSteps) =>
  record(BUSY.image, { windowSteps, limit: STEPS })
);

/** A moment, found by stepping. */
interface Moment {
  readonly pc: bigint;
  /** The instruction at PC begins here: the step is not an interrupt. */
  readonly begins: boolean;
  readonly x20: bigint;
  readonly accesses: readonly Access[];
}

interface Access {
  readonly address: number;
  readonly size: number;
  readonly write: boolean;
  /** The bytes in memory before and behind the step. */
  before: Uint8Array;
  after: Uint8Array;
}

let known: Moment[] | undefined;

/** Every moment of the trace, by single steps. */
function moments(): readonly Moment[] {
  if (known) return known;
  const [trace] = TRACES;
  const session = new Session(trace);
  const interrupts = new Set(
    [...trace.events({ kinds: new Set(["exception"]) })]
      .filter((event) => event.kind === "exception" && event.type === "irq")
      .map(({ position }) => position),
  );
  const timeline = new Timeline(trace);
  known = [];
  for (let position = 0; position < trace.end; position++) {
    session.seek(position);
    const { cpus: [cpu] } = session.state();
    const word = timeline.instructionAt(position)?.word;
    const accesses = word === undefined ? [] : accessesOf(disassemble(word, session.pc), cpu);
    const bytes = ({ address, size }: Access) => session.machine.memory.read(address, size).slice();
    for (const access of accesses) access.before = bytes(access);
    const moment = {
      pc: session.pc,
      begins: !interrupts.has(position),
      x20: cpu.x[20],
      accesses,
    };
    session.seek(position + 1);
    for (const access of accesses) access.after = bytes(access);
    known.push(moment);
  }
  return known;
}

/** What a load or store of the guest accesses in RAM, from its text: the MMU is off. */
function accessesOf(text: string, { x, sp }: { x: bigint[]; sp: bigint }): Access[] {
  const [, name, registers, base, inner = "0"] =
    /^((?:ld|st)[rp]b?) (.*?), \[(\w+)(?:, #(-?\w+))?\]/.exec(text) ?? [];
  if (name === undefined) return [];
  const start = base === "sp" ? sp : x[Number(base.slice(1))];
  const address = Number(start) + Number(inner);
  const size = name.endsWith("b") ? 1 : registers.startsWith("w") ? 4 : 8;
  if (address < 0x4000_0000 || address >= 0x4400_0000) return [];
  const none = new Uint8Array();
  return registers.split(", ").map((_, i) => ({
    address: address + i * size,
    size,
    write: name.startsWith("st"),
    before: none,
    after: none,
  }));
}

/** Compares the answers of a stop point with those of a scan, from some places in both directions. */
function compare(
  point: StopPoint,
  scanned: readonly number[],
  behind: (position: number) => number = (position) => position,
): void {
  const next = random(scanned.length + 1);
  for (const trace of TRACES) {
    const places = { session: new Session(trace), timeline: new Timeline(trace) };
    for (let tries = 0; tries < 5; tries++) {
      const from = next(STEPS + 1);
      const find = (direction: Direction, limit: number) =>
        point.find(places, { direction, from, limit })?.position;
      const ahead = scanned.map(behind).find((position) => position > from);
      assertEquals(find("forward", STEPS), ahead);
      assertEquals(find("backward", 0), scanned.findLast((position) => position < from));
      const limit = Math.min(STEPS, from + next(100));
      assertEquals(
        find("forward", limit),
        ahead !== undefined && ahead <= limit ? ahead : undefined,
      );
    }
  }
}

function positionsWhere(holds: (moment: Moment) => boolean): number[] {
  return moments().flatMap((moment, position) => holds(moment) ? [position] : []);
}

Deno.test("Breakpoint.find() gives what a scan of all steps gives", () => {
  for (const label of ["leaf", "fill", "outer", "interrupt", "no_fault"]) {
    const address = BigInt(BUSY.labels.get(label)!);
    const scanned = positionsWhere(({ pc, begins }) => pc === address && begins);
    assert(scanned.length > 1, label);
    compare(new Breakpoint(address, label), scanned);
  }
});

Deno.test("Breakpoint.find() stops at instructions that fault, and never where none is", () => {
  const fault = BigInt(BUSY.labels.get("no_fault")! - 4);
  const scanned = positionsWhere(({ pc, begins }) => pc === fault && begins);
  assert(scanned.length > 0);
  compare(new Breakpoint(fault, ""), scanned);
  compare(new Breakpoint(0x4000_1000n, ""), []);
});

Deno.test("Breakpoint.find() looks at its condition at each place", () => {
  const address = BigInt(BUSY.labels.get("leaf")!);
  const holds = (session: Session) => session.state().cpus[0].x[20] % 3n === 0n;
  const scanned = positionsWhere(({ pc, begins, x20 }) =>
    pc === address && begins && x20 % 3n === 0n
  );
  assert(scanned.length > 2);
  compare(new Breakpoint(address, "", holds), scanned);
});

Deno.test("Watchpoint.find() gives what a scan of all steps gives, for any range", () => {
  const touched = moments().flatMap(({ accesses }) => accesses);
  assert(touched.length > 300);
  const next = random(11);
  const kinds: readonly WatchKind[] = ["write", "read", "access", "change"];
  let found = 0;
  for (let tries = 0; tries < 40; tries++) {
    const near = touched[next(touched.length)];
    const length = 1 + next(tries % 2 === 0 ? 16 : 6000);
    const address = near.address + next(12) - 6;
    const kind = kinds[tries % kinds.length];
    const scanned = positionsWhere(({ accesses }) =>
      accesses.some((access) => isSeen(access, kind, address, length))
    );
    found += scanned.length;
    compare(
      new Watchpoint("", kind, new PhysicalBytes({ address, length })),
      scanned,
      (position) => position + 1,
    );
  }
  assert(found > 100);
});

function isSeen(access: Access, kind: WatchKind, first: number, length: number): boolean {
  const from = Math.max(first, access.address);
  const to = Math.min(first + length, access.address + access.size);
  if (from >= to) return false;
  if (kind === "access") return true;
  if (kind === "read") return !access.write;
  if (kind === "write") return access.write;
  const part = (bytes: Uint8Array) => bytes.slice(from - access.address, to - access.address);
  return access.write && part(access.before).toHex() !== part(access.after).toHex();
}

Deno.test("Watchpoint.find() tells what was there, what came, and who wrote it", () => {
  const [trace] = TRACES;
  const position = moments().findIndex(({ accesses }) =>
    accesses.length === 2 && accesses[0].write && accesses[1].before[0] !== accesses[1].after[0]
  );
  const { pc, accesses: [, { address, size, before, after }] } = moments()[position];
  const point = new Watchpoint("", "write", new PhysicalBytes({ address, length: size }));
  const places = { session: new Session(trace), timeline: new Timeline(trace) };
  const hit = point.find(places, { direction: "forward", from: position, limit: STEPS });
  assertEquals(hit, {
    position: position + 1,
    access: {
      position,
      cpu: 0,
      pc,
      by: "instruction",
      write: true,
      va: BigInt(address),
      address,
      old: before,
      new: after,
    },
  });
});

Deno.test("Catchpoint.find() gives the events of the trace, and the n-th of them", () => {
  const positions = (trace: Trace) =>
    [...trace.events({ kinds: new Set(["exception"]) })]
      .filter((event) => event.kind === "exception" && event.type === "irq")
      .map(({ position }) => position);
  const scanned = positions(TRACES[0]);
  assertEquals(positions(TRACES[1]), scanned);
  assert(scanned.length > 2);
  const isInterrupt = (event: { kind: string; type?: string }) => event.type === "irq";
  compare(new Catchpoint("", "exception", isInterrupt), scanned);
  compare(new Catchpoint("", "exception", isInterrupt, 2), [scanned[1]]);
  compare(new Catchpoint("", "exception", isInterrupt, 1000), []);
});

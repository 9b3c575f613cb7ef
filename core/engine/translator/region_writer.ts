import { SLOT } from "../../state.ts";
import type { Handler } from "../handlers.ts";
import { FLOW_RING, LAYOUT } from "../layout.ts";
import { type Frame, Temporaries } from "../frame.ts";
import { Lowering } from "../lowering.ts";
import { REGION } from "../reasons.ts";
import { regionEntry } from "../region_entry.ts";
import { lookUpPage, RunState } from "../run_state.ts";
import {
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  i64,
  type Label,
  load,
  type Local,
  op,
} from "../wasm/function_builder.ts";
import type { ValueType } from "../wasm/opcodes.ts";
import type { Block } from "./region.ts";
import { RegionBound } from "./region_bound.ts";
import { type RegionCode, RegionRegisters } from "./region_registers.ts";
import type { Structure } from "./structure.ts";

/** What the code of a region depends on besides its blocks. */
export interface RegionOptions extends RegionCode {
  /** Its index in the table of functions. */
  readonly index: number;
  readonly structure: Structure;
  readonly flow: boolean;
  /** Whether the budget is looked at wherever a run ends. */
  readonly turns: boolean;
  readonly storeMarks: number | undefined;
  readonly regions: number;
  /** Whether the probe may stand in it. */
  readonly watched: boolean;
  /** The type of a helper function. */
  readonly helperType: (name: string) => Omit<FunctionReference, "index">;
}

/** Functions of the interpreter's module that it calls. */
type Callees = Pick<Frame, "helpers" | "slowLoad" | "slowStore">;

/** Writes the function of one region. */
export class RegionWriter {
  readonly #way: Local;
  readonly #run: RunState;
  readonly #address: Local;
  readonly #entry: Local;
  readonly #result: Local;
  /** Record at which the probe stands, or 0. */
  readonly #probe: Local;
  readonly #dataLookup: Local;
  readonly #registers: RegionRegisters;
  readonly #labels = new Map<Block, Label>();
  readonly #loops = new Map<Block, Label>();
  readonly #temporaries: Temporaries;
  readonly #bound: RegionBound;
  #dispatcher!: Label;
  #exit!: Label;
  #retry!: Label;
  #frame: Frame | undefined;
  /** The block in hand. */
  #block!: Block;

  constructor(
    readonly f: FunctionBuilder,
    readonly options: RegionOptions,
    readonly callees: Callees,
  ) {
    this.#way = f.parameter(0);
    const local = (type: ValueType) => f.local(type);
    this.#entry = local("i32");
    this.#result = local("i32");
    this.#probe = local("i32");
    this.#address = local("i64");
    this.#dataLookup = local("i32");
    this.#run = new RunState(f, options.flow);
    this.#registers = new RegionRegisters(f, options);
    this.#temporaries = new Temporaries(f);
    this.#bound = new RegionBound(options.memory, this.#registers, this.#run.pcBase);
  }

  write(): void {
    const { f } = this;
    const { structure } = this.options;
    for (const block of structure.order.keys()) this.#registers.survey(block);
    this.#restore();
    f.block((exit) => {
      this.#exit = exit;
      f.block((retry) => {
        this.#retry = retry;
        if (this.#registers.usesFp) this.#checkFp();
        f.loop((dispatcher) => {
          this.#dispatcher = dispatcher;
          const children = structure.dominated.get(undefined) ?? [];
          this.#nest(children, () => {
            const labels = structure.ways.map((way) => this.#labels.get(way)!);
            f.branchTable(this.#way, labels, labels[0]);
          });
        });
      });
      f.set(this.#result, i32(REGION.retry));
    });
    this.#save();
    f.return(this.#result);
    f.unreachable();
  }

  // ---- structure ----

  /** The code of `blocks`, each behind a label of its own, inside of which `inner` is written. */
  #nest(blocks: readonly Block[], inner: () => void): void {
    const last = blocks.at(-1);
    if (!last) return inner();
    this.f.block((label) => {
      this.#labels.set(last, label);
      this.#nest(blocks.slice(0, -1), inner);
    });
    this.#tree(last);
  }

  #tree(block: Block): void {
    const { structure } = this.options;
    const merged = (structure.dominated.get(block) ?? []).filter((b) => structure.merges.has(b));
    const body = () => this.#nest(merged, () => this.#code(block));
    if (!structure.headers.has(block)) return body();
    this.f.loop((label) => {
      this.#loops.set(block, label);
      body();
    });
  }

  /** Goes on from the block in hand. Its run has been completed. */
  #goTo(from: Block, target: Block | undefined, record: number): void {
    const { f } = this;
    const { structure } = this.options;
    if (!target) return this.#leave(record, REGION.ended);
    const edge = structure.edge(from, target);
    if (edge === "forward") {
      if (this.options.turns) {
        f.if(
          this.#run.isSpent,
          () => this.#leave(record, REGION.ended),
          undefined,
          "rarely",
        );
      }
      return structure.merges.has(target)
        ? f.branch(this.#labels.get(target)!)
        : this.#tree(target);
    }
    f.if(this.#run.isSpent, () => this.#leave(record, REGION.ended), undefined, "rarely");
    if (edge === "back") return f.branch(this.#loops.get(target)!);
    f.set(this.#way, i32(structure.ways.indexOf(target)));
    f.branch(this.#dispatcher);
  }

  // ---- code ----

  #code(block: Block): void {
    this.#block = block;
    if (this.options.watched) {
      const length = i32(block.end - block.start);
      const inside = op("i32.lt_u", op("i32.sub", this.#probe, i32(block.start)), length);
      this.f.if(inside, () => this.#watched(block), () => this.#straight(block));
    } else this.#straight(block);
    const { branch } = block;
    if (branch !== undefined) return this.#branch(block, branch);
    if (block.crosses) return this.#cross(block);
    this.#place(block.end);
    this.f.set(this.#result, i32(REGION.outside));
    this.f.branch(this.#exit);
  }

  #straight({ straight }: Block): void {
    for (const record of straight) {
      if (this.#bound.writesThrough) this.#lookForProbe(record);
      const lowering = this.#begin(record);
      lowering.effects();
      lowering.commits();
    }
  }

  /**
   * The same for when the probe stands in the block: registers are written to the state, where the
   * probe can look.
   */
  #watched(block: Block): void {
    this.#registers.save();
    this.#bound.writesThrough = true;
    this.#straight(block);
    if (block.branch !== undefined) this.#lookForProbe(block.branch);
    this.#bound.writesThrough = false;
  }

  #begin(record: number): Lowering {
    this.#bound.at = record;
    const handler = this.options.handlerOf(record);
    return new Lowering(this.#frame ??= this.#makeFrame(), this.options.programOf(handler), {
      spBase: handler.spBase,
    });
  }

  #branch(block: Block, record: number): void {
    const { f } = this;
    const handler = this.options.handlerOf(record);
    const { transfer } = this.options.programOf(handler);
    const lowering = this.#begin(record);
    lowering.effects();
    if (transfer?.k === "absolute") {
      f.set(this.#address, lowering.expression(transfer.address));
      return this.#indirect(lowering);
    }
    if (transfer?.k !== "relative") throw new Error(`${handler.row.name} cannot be translated`);
    const { condition } = transfer;
    const taken = condition && lowering.materialize(condition);
    if (handler.far) this.#farTarget(lowering.immediate(transfer.target), taken);
    lowering.commits();
    this.#completeRun(block);
    const near = record + this.#distance(handler, transfer.target, record);
    const go = () => {
      if (handler.far) this.#enterPage(block.taken);
      if (!handler.far || block.taken) this.#goTo(block, block.taken, block.taken?.start ?? near);
    };
    if (!taken) return go();
    f.if(taken, go);
    this.#goTo(block, block.next, record + 16);
  }

  /** Goes on behind the end of the page. */
  #cross(block: Block): void {
    const { f } = this;
    this.#bound.at = block.end;
    f.set(this.#address, this.#bound.pc());
    f.if(
      lookUpPage(f, this.#entry, this.#address),
      () => {
        this.#place(block.end);
        f.set(this.#result, i32(REGION.outside));
        f.branch(this.#exit);
      },
      undefined,
      "rarely",
    );
    this.#completeRun(block);
    this.#enterPage(block.next);
    if (block.next) this.#goTo(block, block.next, block.next.start);
  }

  #distance(handler: Handler, target: string, record: number): number {
    const field = this.options.fieldsOf(handler).find(({ name }) => name === target)!;
    return this.#bound.word(record + field.offset) | 0;
  }

  /** Sets `entry` to that of the page branched to; a miss, if the branch is taken, is the interpreter's. */
  #farTarget(distance: Expression, taken: Expression | undefined): void {
    const { f } = this;
    f.set(this.#address, op("i64.add", this.#bound.pc(), op("i64.extend_i32_s", distance)));
    this.#lookUp(taken);
  }

  #lookUp(taken: Expression | undefined): void {
    const { f } = this;
    const misses = lookUpPage(f, this.#entry, this.#address);
    f.if(
      taken ? op("i32.and", taken, misses) : misses,
      () => {
        this.#place(this.#bound.at);
        f.branch(this.#retry);
      },
      undefined,
      "rarely",
    );
  }

  /** Enters the page of `entry`; leaves if the target is not where it was when this was translated. */
  #enterPage(expected: Block | undefined): void {
    const { f } = this;
    this.#run.enterPage(this.#entry, this.#address);
    const leave = () => {
      f.set(this.#result, i32(REGION.ended));
      f.branch(this.#exit);
    };
    if (!expected) return leave();
    f.if(op("i32.ne", this.#run.record, i32(expected.start)), leave, undefined, "rarely");
  }

  #indirect(lowering: Lowering): void {
    const { f } = this;
    const { regions, index } = this.options;
    this.#lookUp(undefined);
    lowering.commits();
    this.#completeRun(this.#block);
    f.block((outside) => {
      f.block((inside) => {
        this.#run.enterPage(this.#entry, this.#address);
        f.branchIf(outside, this.#run.isSpent, "rarely");
        f.set(this.#entry, regionEntry(this.#run.record, regions));
        const mine = op("i32.eq", load("i32.load", this.#entry, 4), i32(index + 1));
        f.branchIf(inside, mine, "mostly");
        f.branch(outside);
      });
      f.set(this.#way, load("i32.load16_u", this.#entry, 2));
      f.branch(this.#dispatcher);
    });
    f.set(this.#result, i32(REGION.ended));
    f.branch(this.#exit);
  }

  /** Leaves to the interpreter if what the probe waits for has come: it looks itself. */
  #lookForProbe(record: number): void {
    const { f } = this;
    const value = load("i64.load", load("i32.load", i32(0), LAYOUT.probe + 4));
    const met = op("i64.eq", value, load("i64.load", i32(0), LAYOUT.probe + 8));
    f.if(op("i32.eq", this.#probe, i32(record)), () =>
      f.if(met, () => {
        this.#place(record);
        f.set(this.#result, i32(REGION.outside));
        f.branch(this.#exit);
      }));
  }

  /** The engine's own view of where execution stands: inside the run of the block in hand. */
  #place(record: number): void {
    this.f.set(this.#run.record, i32(record));
    this.f.set(this.#run.runStart, i32(this.#block.start));
  }

  /** Leaves at the beginning of a run. */
  #leave(record: number, result: number): void {
    const { f } = this;
    f.set(this.#run.record, i32(record));
    f.set(this.#run.runStart, i32(record));
    f.set(this.#result, i32(result));
    f.branch(this.#exit);
  }

  #completeRun({ start, end }: Block): void {
    const { f } = this;
    if (this.options.flow) {
      const run = BigInt(start >>> 0) | BigInt(end >>> 0) << 32n;
      f.store("i64.store", this.#run.ring, i64(run), 0, FLOW_RING.memory);
      f.set(this.#run.ring, op("i32.add", this.#run.ring, i32(8)));
    }
    f.set(this.#run.budget, op("i32.sub", this.#run.budget, i32((end - start) >> 4)));
  }

  /** FP/SIMD instructions that are trapped are the interpreter's, and with them the whole region. */
  #checkFp(): void {
    this.f.branchIf(this.#retry, load("i32.load", i32(0), SLOT.fpTrap));
  }

  // ---- what the lowering of an instruction needs ----

  #makeFrame(): Frame {
    const { f } = this;
    return {
      ...this.callees,
      f,
      record: this.#run.record,
      pcBase: this.#run.pcBase,
      flags: this.#run.flags,
      storeMarks: this.options.storeMarks,
      get callOut(): FunctionReference {
        throw new Error("translated code calls nothing out");
      },
      callOuts: {},
      spill: () => this.#place(this.#bound.at),
      dataFault: this.#retry,
      spFault: this.#retry,
      callOutException: this.#retry,
      leaving: this.#result,
      temporaries: this.#temporaries,
      dataLookup: this.#dataLookup,
      bound: this.#bound,
    };
  }

  // ---- state ----

  #restore(): void {
    const { f } = this;
    this.#run.restore();
    this.#registers.restore();
    f.set(this.#dataLookup, load("i32.load", i32(0), SLOT.dataLookup));
    if (!this.options.watched) return;
    f.set(this.#probe, load("i32.load", i32(0), LAYOUT.probe + 16));
  }

  #save(): void {
    this.#run.save();
    this.#registers.save();
  }
}

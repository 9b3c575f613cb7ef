import { CodeBuffer } from "./code_buffer.ts";
import { type Condition, Expression, expression, type Operand } from "./expression.ts";
import { ExpressionEmitter, Local } from "./expression_emitter.ts";
import { hex } from "./immediates.ts";
import type { FunctionReference } from "./program.ts";
import type { SourceLine } from "./source_line.ts";

/** Registers that hold locals; a function saves those it uses. */
const CALLEE_SAVED = ["x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28"];

/** Bytes of the frame record: the caller's frame pointer and the return address. */
const FRAME_RECORD = 16;

/**
 * Writes the body of one function, statement by statement, following AAPCS64.
 *
 * Arguments arrive in x0–x7 and the result leaves in x0. Every function keeps a frame record that
 * x29 points at. Locals live in callee-saved registers while there are any left, then in the frame:
 *
 *     x29 + 0    caller's x29, x30
 *     x29 + 16   slots and buffers
 *        …       saved x19, x20, …
 *
 * Locals declared inside a loop or branch are free again at its end.
 */
export class FunctionBuilder {
  readonly #body = new CodeBuffer();
  readonly #emitter = new ExpressionEmitter(this.#body);
  readonly #end = this.#body.newLabel();
  readonly #breaks: string[] = [];
  #registersInUse = 0;
  #registersUsed = 0;
  #frameSize = FRAME_RECORD;
  #definition: SourceLine | undefined;

  /** Makes the locals that hold the arguments. */
  parameters(count: number): Local[] {
    if (count > 8) throw new Error(`Cannot pass ${count} arguments: expected at most 8`);
    this.#body.markLine();
    this.#definition = this.#body.line;
    return Array.from({ length: count }, (_, i) => {
      const local = this.#newLocal();
      if ("register" in local.place) this.#body.emit(`mov ${local.place.register}, x${i}`);
      else this.#body.emit(`str x${i}, [x29, #${local.place.slot}]`);
      return local;
    });
  }

  /**
   * Keeps the arguments x1–x7 of a variadic function in the frame and returns their address. Must
   * be the first statement.
   */
  variadicArguments(): Expression {
    this.#body.markLine();
    const address = this.buffer(7 * 8);
    if (address.node.k === "frame") {
      for (let i = 0; i < 7; i++) {
        this.#body.emit(`str x${i + 1}, [x29, ${hex(address.node.offset + 8 * i)}]`);
      }
    }
    return address;
  }

  /** A new local with the value that `value` has now. */
  let(value: Operand): Local {
    this.#body.markLine();
    const local = this.#newLocal();
    this.#assign(local, expression(value));
    return local;
  }

  /** Gives `local` another value. */
  set(local: Local, value: Operand): void {
    this.#body.markLine();
    this.#assign(local, expression(value));
  }

  /** The address of `size` bytes in the frame, aligned to 16. */
  buffer(size: number): Expression {
    const offset = Math.ceil(this.#frameSize / 16) * 16;
    this.#frameSize = offset + size;
    return new Expression({ k: "frame", offset });
  }

  store64(address: Operand, value: Operand, offset: Operand = 0): void {
    this.#store(8, address, value, offset);
  }

  store32(address: Operand, value: Operand, offset: Operand = 0): void {
    this.#store(4, address, value, offset);
  }

  store8(address: Operand, value: Operand, offset: Operand = 0): void {
    this.#store(1, address, value, offset);
  }

  /** Calls a function and drops its result. A string stands for its address. */
  call(target: FunctionReference, ...operands: (Operand | string)[]): void {
    this.#body.markLine();
    const { node } = target.call(...operands);
    if (node.k === "call") this.#emitter.call(node.name, node.operands);
  }

  if(condition: Condition, body: () => void, otherwise?: () => void): void {
    this.#body.markLine();
    const end = this.#body.newLabel();
    const no = otherwise ? this.#body.newLabel() : end;
    this.#emitter.branchUnless(condition, no);
    this.#scope(body);
    if (otherwise) {
      this.#body.emit(`b {${end}}`);
      this.#body.place(no);
      this.#scope(otherwise);
    }
    this.#body.place(end);
  }

  while(condition: Condition, body: () => void): void {
    this.#body.markLine();
    const { line } = this.#body;
    const start = this.#body.newLabel();
    const end = this.#body.newLabel();
    this.#body.place(start);
    this.#emitter.branchUnless(condition, end);
    this.#loopBody(body, end);
    this.#body.line = line;
    this.#body.emit(`b {${start}}`);
    this.#body.place(end);
  }

  /** Repeats `body` until `break` or `return`. */
  forever(body: () => void): void {
    this.#body.markLine();
    const { line } = this.#body;
    const start = this.#body.newLabel();
    const end = this.#body.newLabel();
    this.#body.place(start);
    this.#loopBody(body, end);
    this.#body.line = line;
    this.#body.emit(`b {${start}}`);
    this.#body.place(end);
  }

  /** Leaves the innermost loop. */
  break(): void {
    const label = this.#breaks.at(-1);
    if (label === undefined) throw new Error("Cannot break: there is no loop around it");
    this.#body.markLine();
    this.#body.emit(`b {${label}}`);
  }

  return(value?: Operand): void {
    this.#body.markLine();
    if (value !== undefined) this.#emitter.evaluate(expression(value), "x0");
    this.#body.emit(`b {${this.#end}}`);
  }

  /** One instruction as it is; `{0}`, `{1}`, … stand for registers that hold the operands. */
  instruction(text: string, ...operands: Operand[]): void {
    this.#body.markLine();
    const registers = operands.map((operand, i) => {
      const register = `x${9 + i}`;
      this.#emitter.evaluate(expression(operand), register, i + 1);
      return register;
    });
    this.#body.emit(text.replace(/\{(\d)\}/g, (_, i) => registers[Number(i)]));
  }

  /** Writes a system register. */
  writeSystemRegister(register: string, value: Operand): void {
    this.instruction(`msr ${register}, {0}`, value);
  }

  /** The whole function: prologue, body, epilogue. */
  finish(): CodeBuffer {
    const saved = CALLEE_SAVED.slice(0, this.#registersUsed);
    const savedAt = Math.ceil(this.#frameSize / 16) * 16;
    const frame = Math.ceil((savedAt + 8 * saved.length) / 16) * 16;
    if (frame > 512) throw new Error(`Cannot make a frame of ${frame} bytes: at most 512`);
    const whole = new CodeBuffer();
    whole.line = this.#definition;
    whole.emit(`stp x29, x30, [sp, #-${frame}]!`);
    whole.emit("mov x29, sp");
    saveOrRestore(whole, "st", saved, savedAt);
    this.#body.dropBranchToNext(this.#end);
    this.#body.place(this.#end);
    for (const [label, index] of this.#body.labels) {
      whole.labels.set(label, index + whole.instructions.length);
    }
    whole.instructions.push(...this.#body.instructions);
    whole.line = this.#body.line;
    saveOrRestore(whole, "ld", saved, savedAt);
    whole.emit(`ldp x29, x30, [sp], #${frame}`);
    whole.emit("ret");
    return whole;
  }

  #store(size: 1 | 4 | 8, address: Operand, value: Operand, offset: Operand): void {
    this.#body.markLine();
    this.#emitter.store(size, expression(address).plus(offset), expression(value));
  }

  #assign(local: Local, value: Expression): void {
    if ("register" in local.place) return this.#emitter.evaluate(value, local.place.register);
    this.#emitter.evaluate(value, "x9", 1);
    this.#body.emit(`str x9, [x29, #${local.place.slot}]`);
  }

  #newLocal(): Local {
    const register = CALLEE_SAVED[this.#registersInUse];
    if (register !== undefined) {
      this.#registersInUse++;
      this.#registersUsed = Math.max(this.#registersUsed, this.#registersInUse);
      return new Local({ register });
    }
    const slot = Math.ceil(this.#frameSize / 8) * 8;
    this.#frameSize = slot + 8;
    return new Local({ slot });
  }

  #scope(body: () => void): void {
    const outer = this.#registersInUse;
    body();
    this.#registersInUse = outer;
  }

  #loopBody(body: () => void, end: string): void {
    this.#breaks.push(end);
    this.#scope(body);
    this.#breaks.pop();
  }
}

function saveOrRestore(code: CodeBuffer, kind: "st" | "ld", saved: string[], offset: number): void {
  for (let i = 0; i < saved.length; i += 2) {
    const at = `[sp, #${offset + 8 * i}]`;
    if (i + 1 < saved.length) code.emit(`${kind}p ${saved[i]}, ${saved[i + 1]}, ${at}`);
    else code.emit(`${kind}r ${saved[i]}, ${at}`);
  }
}

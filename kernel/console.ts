import { type FunctionReference, load32, load64, load8, type Program } from "./codegen/mod.ts";
import { UART } from "./memory_layout.ts";

/** Functions that write to the UART. */
export interface Console {
  /** `uart_init()`: 8 data bits, FIFOs on, transmitter and receiver on. */
  readonly init: FunctionReference;
  /**
   * `print(format, …)`: up to seven values for `%d` (decimal), `%x` (hexadecimal as short as
   * possible), `%p` (16 hexadecimal digits), `%s` (address of a string that a zero byte ends).
   */
  readonly print: FunctionReference;
}

// PL011 Technical Reference Manual, "Summary of registers".
const DATA = 0x00;
const FLAGS = 0x18;
const LINE_CONTROL = 0x2c;
const CONTROL = 0x30;
const INTERRUPT_CLEAR = 0x44;

const FLAG_TRANSMIT_FIFO_FULL = 1 << 5;
const LINE_8_BITS_FIFO = 0x70;
const CONTROL_ENABLE = 0x301;

const DIGITS = 24;

/** Defines the console on the PL011. */
export function defineConsole(program: Program): Console {
  const base = program.variable("uart_base", UART);

  const init = program.function("uart_init", (f) => {
    const uart = f.let(load64(base));
    f.store32(uart, 0, CONTROL);
    f.store32(uart, 0x7ff, INTERRUPT_CLEAR);
    f.store32(uart, LINE_8_BITS_FIFO, LINE_CONTROL);
    f.store32(uart, CONTROL_ENABLE, CONTROL);
  });

  const putByte = program.function("uart_put_byte", (f, byte) => {
    const uart = f.let(load64(base));
    f.while(load32(uart, FLAGS).and(FLAG_TRANSMIT_FIFO_FULL).differs(0), () => {});
    f.store32(uart, byte, DATA);
  });

  const printString = program.function("print_string", (f, text) => {
    f.forever(() => {
      const byte = f.let(load8(text));
      f.if(byte.equals(0), () => f.return());
      f.call(putByte, byte);
      f.set(text, text.plus(1));
    });
  });

  const printNumber = program.function("print_number", (f, value, base, minimumDigits) => {
    const digits = f.buffer(DIGITS);
    const end = f.let(digits.plus(DIGITS - 1));
    const start = f.let(end);
    f.store8(end, 0);
    f.forever(() => {
      const quotient = f.let(value.dividedBy(base));
      const digit = f.let(value.minus(quotient.times(base)));
      f.if(digit.above(9), () => f.set(digit, digit.plus(0x61 - 0x30 - 10)));
      f.set(start, start.minus(1));
      f.store8(start, digit.plus(0x30));
      f.set(value, quotient);
      f.if(value.equals(0), () => {
        f.if(end.minus(start).atLeast(minimumDigits), () => f.break());
      });
    });
    f.call(printString, start);
  });

  return { init, print: definePrint(program, { putByte, printString, printNumber }) };
}

function definePrint(
  program: Program,
  parts: Record<"putByte" | "printString" | "printNumber", FunctionReference>,
): FunctionReference {
  const { putByte, printString, printNumber } = parts;
  return program.function("print", (f, format) => {
    const next = f.let(f.variadicArguments());
    f.forever(() => {
      const byte = f.let(load8(format));
      f.if(byte.equals(0), () => f.return());
      f.set(format, format.plus(1));
      f.if(byte.equals(code("%")), () => {
        const kind = f.let(load8(format));
        f.set(format, format.plus(1));
        const value = f.let(load64(next));
        f.set(next, next.plus(8));
        f.if(kind.equals(code("s")), () => f.call(printString, value), () => {
          f.if(kind.equals(code("d")), () => f.call(printNumber, value, 10, 1), () => {
            f.call(printString, "0x");
            f.if(
              kind.equals(code("p")),
              () => f.call(printNumber, value, 16, 16),
              () => f.call(printNumber, value, 16, 1),
            );
          });
        });
      }, () => f.call(putByte, byte));
    });
  }, { isVariadic: true });
}

function code(character: string): number {
  return character.charCodeAt(0);
}

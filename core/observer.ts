/**
 * What the machine tells the world: architectural events, one plain object each.
 *
 * The machine knows nothing of traces. It hands every event to the observer it was given; the
 * recorder, tests and commands implement that one interface. Events are rare beside instructions
 * (about one per thousand on a Linux boot), so 64-bit values are BigInt here and nowhere on the
 * path that executes instructions.
 *
 * `position` counts steps: `#N` is the moment before step N+1. An event caused by an instruction
 * carries the position *before* that instruction, and `pc` is that instruction's address.
 */

/** Fields that every event has. */
export interface EventBase {
  /** Steps executed before the one that caused the event, over all CPUs. */
  position: number;
  /** Index of the CPU, from 0. */
  cpu: number;
  /** Address of the instruction that caused the event; for an interrupt, the preferred return address. */
  pc: bigint;
}

/** An exception entry. `retires` is true for SVC, HVC and SMC, whose instruction completes in the same step. */
export interface ExceptionEvent extends EventBase {
  /** Discriminant. */
  kind: "exception";
  /** What kind of exception. */
  type: "sync" | "irq" | "fiq" | "serror";
  /** Whether the instruction completes in the same step. */
  retires: boolean;
  /** Exception level before. */
  fromEl: number;
  /** Exception level after. */
  toEl: number;
  /** Address of the vector entered. */
  vector: bigint;
  /** ESR_ELx; 0 for interrupts. */
  esr: bigint;
  /** 0 where the syndrome makes FAR UNKNOWN (FAR then keeps its old value). */
  far: bigint;
  /** ELR_ELx: the preferred return address. */
  elr: bigint;
  /** SPSR_ELx: the saved PSTATE. */
  spsr: bigint;
}

/** An exception return (ERET). `illegal` when PSTATE.IL was set by it. */
export interface ExceptionReturnEvent extends EventBase {
  /** Discriminant. */
  kind: "eret";
  /** Exception level before. */
  fromEl: number;
  /** Exception level after. */
  toEl: number;
  /** ELR_ELx: the preferred return address. */
  elr: bigint;
  /** SPSR_ELx: the saved PSTATE. */
  spsr: bigint;
  /** Whether it was an illegal return. */
  illegal: boolean;
}

/** One descriptor that a walk read. */
export interface DescriptorRead {
  /** Lookup level, 0 to 3. */
  level: number;
  /** Physical address of the descriptor. */
  address: number;
  /** Its value. */
  descriptor: bigint;
  /** It is of stage 2; left out for stage 1. */
  stage?: 2;
}

/** A fill of the modelled TLB. */
export interface TlbFillEvent extends EventBase {
  /** Discriminant. */
  kind: "tlb-fill";
  /** What needed the translation. */
  access: "read" | "write" | "execute";
  /** The address that was translated. */
  va: bigint;
  /** Its physical address. */
  pa: number;
  /** Level of the leaf descriptor. */
  level: number;
  /** log2 of the bytes that the entry covers. */
  sizeLog2: number;
  /** ASID that the entry is tagged with. */
  asid: number;
  /** Whether it belongs to every ASID. */
  global: boolean;
  /** MAIR attribute byte of the leaf. */
  attributes: number;
  /** Resulting permissions: bit 0 EL0 read, 1 EL0 write, 2 EL0 execute, 3 EL1 read, 4 EL1 write, 5 EL1 execute. */
  permissions: number;
  /** In the order they were read, those of stage 2 before the one whose address they translate. */
  descriptors: DescriptorRead[];
  /** Left out for stage 1 of a Non-secure EL1&0, where there is no stage 2. */
  translation?: TranslationContext;
}

/** What a TLB fill has beyond stage 1. */
export interface TranslationContext {
  /** The EL whose registers define the regime: 1, 2 or 3. */
  regime: number;
  /** The output is in the Secure address space. */
  secure: boolean;
  /** VMID that the entry is tagged with. */
  vmid: number;
  /** The intermediate physical address that stage 2 translated; null without a stage 2. */
  ipa: number | null;
}

/** TLB or cache maintenance, or a barrier: the SYS or barrier instruction executed. */
export interface MaintenanceEvent extends EventBase {
  /** Discriminant. */
  kind: "tlbi" | "cache" | "barrier";
  /** As in assembly, in capitals: `TLBI VMALLE1`, `IC IALLU`, `DC CIVAC`, `DSB SY`, `ISB`. */
  operation: string;
  /** The Xt operand; 0 where the operation takes none. */
  value: bigint;
}

/** A write to a system register by MSR. */
export interface SystemRegisterEvent extends EventBase {
  /** Discriminant. */
  kind: "sysreg";
  /** Manual name, for example `SCTLR_EL1`. */
  register: string;
  /** Value before. */
  old: bigint;
  /** Value after. */
  new: bigint;
}

/** An access to a device. */
export interface MmioEvent extends EventBase {
  /** Discriminant. */
  kind: "mmio";
  /** Store or load. */
  write: boolean;
  /** Physical address. */
  address: number;
  /** Bytes: 1, 2, 4 or 8. */
  size: number;
  /** What was read or written, zero-extended. */
  value: bigint;
}

/** A byte that left the first UART. */
export interface ConsoleEvent extends EventBase {
  /** Discriminant. */
  kind: "console";
  /** The byte. */
  byte: number;
}

/** Works in QEMU, may hang on hardware. */
export interface HazardEvent extends EventBase {
  /** Discriminant. */
  kind: "hazard";
  /** What was let pass. */
  hazard: HazardName;
  /** The address concerned, or 0. */
  address: bigint;
}

/** An encoding or system register that nothing implements, executed and therefore UNDEFINED; or a field that is ignored. */
export interface UnknownEvent extends EventBase {
  /** Discriminant. */
  kind: "unknown";
  /** The instruction word. */
  word: number;
  /** What it is as far as the table knows: `S3_0_C15_C2_0`, or the row's name and the reason it is not supported. */
  text: string;
}

/** A reset that the guest asked for, whether it boots again or ends there. */
export interface ResetEvent extends EventBase {
  /** Discriminant. */
  kind: "reset";
  /** What asked: the PSCI function. */
  reason: "SYSTEM_RESET";
}

/** A CPU's turn begins. Only machines of several CPUs have turns; the first turn of all is the first CPU's. */
export interface TurnEvent extends EventBase {
  /** Discriminant. */
  kind: "turn";
}

/** What QEMU lets pass although the architecture does not. */
export type HazardName =
  | "unaligned-device"
  | "unaligned-sp"
  | "sysreg-without-isb"
  | "descriptor-without-dsb"
  | "break-before-make"
  | "stale-translation"
  | "code-without-maintenance";

/** Everything an observer can be told. */
export type MachineEvent =
  | ExceptionEvent
  | ExceptionReturnEvent
  | TlbFillEvent
  | MaintenanceEvent
  | SystemRegisterEvent
  | MmioEvent
  | ConsoleEvent
  | HazardEvent
  | UnknownEvent
  | ResetEvent
  | TurnEvent;

/** Receives what a machine does. Must not change the machine. */
export interface Observer {
  /** Called once per event, in order of position. */
  event(event: MachineEvent): void;
  /**
   * Whether it would do anything with an event of a kind at this moment; without it, always. An event that nobody
   * wants need not be made.
   *
   * @param name of the register, of `sysreg`; of `barrier` DSB, DMB or ISB
   */
  wants?(kind: MachineEvent["kind"], name?: string): boolean;
}

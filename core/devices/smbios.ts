/**
 * The SMBIOS tables that the reference gives to firmware (DMTF DSP0134 3.0; hw/smbios of QEMU):
 * `etc/smbios/smbios-anchor` and `etc/smbios/smbios-tables` of fw_cfg. Firmware fills in the
 * anchor's address and checksum.
 */

/** Handles: a structure's type in the upper byte. */
const HANDLE = {
  ...{ system: 0x100, chassis: 0x300, cpu: 0x400, array: 0x1000, dimm: 0x1100 },
  ...{ boot: 0x2000, end: 0x7f00 },
} as const;
const MIB = 2 ** 20;
/** Most bytes of a memory device; more memory has several. */
const MOST_DIMM = 2 ** 34;
/** Maximum capacity in KiB from which it stands in the extended field. */
const EXTENDED_CAPACITY = 0x8000_0000;
const MANUFACTURER = "QEMU", PRODUCT = "QEMU Virtual Machine", VERSION = "virt-7.2";
const BYTE_MOST = 0xff;

/** Both files. */
export interface Smbios {
  readonly anchor: Uint8Array<ArrayBuffer>;
  readonly tables: Uint8Array<ArrayBuffer>;
}

/**
 * The files of a machine with one socket.
 *
 * @param memory bytes of RAM
 * @param cpus processors
 */
export function makeSmbios(memory: number, cpus: number): Smbios {
  const dimms = Math.max(1, Math.ceil(memory / MOST_DIMM));
  const tables = joined([
    system(),
    chassis(),
    processor(cpus),
    memoryArray(memory, dimms),
    ...Array.from({ length: dimms }, (_, n) => memoryDevice(memory, n)),
    structure(32, HANDLE.boot, new Array(7).fill(0)),
    structure(127, HANDLE.end, []),
  ]);
  const header = [...ascii("_SM3_"), 0, 24, 3, 0, 0, 1, 0, ...little(tables.length, 4)];
  return { anchor: joined([header, new Array(8).fill(0)]), tables };
}

/** 7.2: manufacturer, product and version; no serial number, no UUID. */
function system(): number[] {
  const wakeUpPowerSwitch = 6;
  const body = [1, 2, 3, 0, ...new Array(16).fill(0), wakeUpPowerSwitch, 0, 0];
  return structure(1, HANDLE.system, body, [MANUFACTURER, PRODUCT, VERSION]);
}

/** 7.4: of a type that says "other", in a safe state. */
function chassis(): number[] {
  const other = 1, safe = 3, unknown = 2;
  const body = [1, other, 2, 0, 0, safe, safe, safe, unknown, ...new Array(9).fill(0)];
  return structure(3, HANDLE.chassis, body, [MANUFACTURER, VERSION]);
}

/** 7.5: the socket with all CPUs as its cores, a thread each, 2000 MHz. */
function processor(cpus: number): number[] {
  const other = 1, unknown = 2, central = 3, populatedEnabled = 0x41, noCache = 0xffff;
  const count = Math.min(cpus, BYTE_MOST);
  const body = [
    ...[1, central, other, 2, ...new Array(8).fill(0), 3, 0, 0, 0],
    ...[...little(2000, 2), ...little(2000, 2), populatedEnabled, other],
    ...[noCache, noCache, noCache].flatMap((handle) => little(handle, 2)),
    ...[0, 0, 0, count, count, count],
    ...[unknown, other, cpus, cpus, cpus].flatMap((value) => little(value, 2)),
  ];
  return structure(4, HANDLE.cpu, body, ["CPU 0", MANUFACTURER, VERSION]);
}

/** 7.17: system memory with multi-bit ECC on the main board. */
function memoryArray(memory: number, dimms: number): number[] {
  const other = 1, systemMemory = 3, multiBit = 6, noErrors = 0xfffe;
  const kib = memory / 1024;
  const extended = kib >= EXTENDED_CAPACITY;
  const body = [
    ...[other, systemMemory, multiBit, ...little(extended ? EXTENDED_CAPACITY : kib, 4)],
    ...[...little(noErrors, 2), ...little(dimms, 2), ...little(extended ? memory : 0, 8)],
  ];
  return structure(16, HANDLE.array, body);
}

/** 7.18: a DIMM, full but for the last. */
function memoryDevice(memory: number, n: number): number[] {
  const dimm = 9, ram = 7, otherDetail = 2, noErrors = 0xfffe, unknown = 0xffff;
  const bytes = Math.min(MOST_DIMM, memory - n * MOST_DIMM);
  const handles = [HANDLE.array, noErrors, unknown, unknown, Math.ceil(bytes / MIB)];
  const body = [
    ...[...handles.flatMap((value) => little(value, 2)), dimm, 0, 1, 0, ram],
    ...[...little(otherDetail, 2), 0, 0, 2, ...new Array(16).fill(0)],
  ];
  return structure(17, HANDLE.dimm + n, body, [`DIMM ${n}`, MANUFACTURER]);
}

/** 6.1: header, fields, strings. */
function structure(
  type: number,
  handle: number,
  body: readonly number[],
  strings: readonly string[] = [],
): number[] {
  const texts = strings.flatMap((text) => [...ascii(text), 0]);
  const end = strings.length > 0 ? [0] : [0, 0];
  return [type, 4 + body.length, ...little(handle, 2), ...body, ...texts, ...end];
}

function little(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Math.floor(value / 2 ** (8 * i)) % 256);
}

function ascii(text: string): number[] {
  return [...new TextEncoder().encode(text)];
}

function joined(parts: readonly (readonly number[])[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.flat());
}

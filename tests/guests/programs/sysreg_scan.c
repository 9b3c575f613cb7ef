/*
 * Reads every MRS encoding, writes each that reads back unchanged, and executes every SYS encoding
 * with a harmless operand, at EL1 and (as UNDEFINED or traps) at EL0. Prints what is there.
 */
#include "guest.h"

static u32 code[4] __attribute__((aligned(64)));
static u64 syndrome;
static int skipping;

void on_exception(struct frame *f, u32 kind) {
  if (!skipping) { describe(f, kind); power_off(); }
  syndrome = f->esr;
  if (kind == 8 && f->esr >> 26 == 0x15) f->elr = f->x[30], f->spsr = 0x3c5;
  else f->elr += 4;
}

static void emit(u32 first, u32 second) {
  code[0] = first;
  code[1] = second;
  __asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" ::"r"(code) : "memory");
}

static u64 run(u64 argument) {
  syndrome = 0;
  skipping = 1;
  u64 result = ((u64 (*)(u64))code)(argument);
  skipping = 0;
  return result;
}

/* Time, counters and what the program itself changes. */
static int is_volatile(u32 e) {
  switch (e) {
    case 0xdf01: case 0xdf02: /* CNTPCT, CNTVCT */
    case 0xdf10: case 0xdf18: case 0xdf12: case 0xdf1a: /* TVALs, and CVALs after a write of those */
    case 0xdce8: case 0xdcea: /* PMCCNTR, PMXEVCNTR */
    case 0xc201: case 0xc200: case 0xc300: case 0xc290: /* ELR, SPSR, FAR, ESR */
      return 1;
  }
  return (e & 0xffc0) == 0xdf40; /* PMEVCNTRn */
}

static int is_writable(u32 e) {
  return e != 0xc080 && e != 0xc208 && e != 0xc210 && e != 0xc600 && e != 0xda10 && e != 0xda11; /* SCTLR, SP_EL0, SPSel, VBAR, NZCV, DAIF */
}

int main(u64 device_tree) {
  u32 there = 0, undefined = 0, other = 0;
  for (u32 e = 0x8000; e < 0x10000; e++) {
    emit(0xd5300000 | (e & 0x7fff) << 5, 0xd65f03c0);
    u64 value = run(0);
    if (syndrome) { if (syndrome == 0x02000000) undefined++; else { other++; print("S%u_%u_C%u_C%u_%u: %lx\n", e >> 14, e >> 11 & 7, e >> 7 & 15, e >> 3 & 15, e & 7, syndrome); } continue; }
    there++;
    print("S%u_%u_C%u_C%u_%u", e >> 14, e >> 11 & 7, e >> 7 & 15, e >> 3 & 15, e & 7);
    if (is_volatile(e)) print(" volatile"); else print(" = %lx", value);
    if (is_writable(e)) {
      emit(0xd5100000 | (e & 0x7fff) << 5, 0xd65f03c0);
      run(value);
      if (syndrome) print(syndrome == 0x02000000 ? ", read-only" : ", %lx", syndrome);
      else {
        emit(0xd5300000 | (e & 0x7fff) << 5, 0xd65f03c0);
        u64 again = run(0);
        if (!is_volatile(e) && again != value) print(", then %lx", again);
      }
    }
    print("\n");
  }
  print("%u registers, %u undefined, %u other\n", there, undefined, other);
  static u64 scratch[64] __attribute__((aligned(512)));
  there = undefined = 0;
  for (u32 e = 0; e < 0x4000; e++) {
    emit(0xd5080000 | e << 5, 0xd65f03c0); /* SYS */
    run((u64)&scratch[32]);
    if (!syndrome) { there++; print("SYS %u C%u C%u %u\n", e >> 11 & 7, e >> 7 & 15, e >> 3 & 15, e & 7); }
    else if (syndrome == 0x02000000) undefined++;
    else print("SYS %u C%u C%u %u: %lx\n", e >> 11 & 7, e >> 7 & 15, e >> 3 & 15, e & 7, syndrome);
    emit(0xd5280000 | e << 5, 0xd65f03c0); /* SYSL */
    run(0);
    if (syndrome != 0x02000000) print("SYSL %x: %lx\n", e, syndrome);
  }
  print("%u operations, %u undefined\n", there, undefined);
  for (u32 e = 0; e < 0x800; e++) {
    /* op0 = 0: hints, barriers, PSTATE; WFE, WFI, SPSel and DAIF left out. */
    u32 op1 = e >> 8 & 7, crm = e >> 4 & 15, op2 = e >> 1 & 7, read = e & 1;
    if (read) continue;
    for (u32 crn = 2; crn < 16; crn++) {
      if (crn == 2 && op1 == 3 && crm == 0 && (op2 == 2 || op2 == 3)) continue;
      if (crn == 4 && (op2 == 5 || op2 == 6 || op2 == 7)) continue;
      emit(0xd500001f | op1 << 16 | crn << 12 | crm << 8 | op2 << 5, 0xd65f03c0);
      run(0);
      if (!syndrome && !(crn == 2 && op1 == 3)) print("op0 0: op1 %u CRn %u CRm %u op2 %u\n", op1, crn, crm, op2);
      else if (syndrome && syndrome != 0x02000000) print("op0 0: %u %u %u %u: %lx\n", op1, crn, crm, op2, syndrome);
      else if (syndrome && crn == 2 && op1 == 3) print("hint %u %u undefined\n", crm, op2);
    }
  }
  return 0;
}

/* A handler for guests without their own: continues a probe, or describes the exception and ends. */
#include "guest.h"

struct probe probe;
u64 probe_value;
static u64 resume_at[2];
u64 probe_call(u64 (*f)(u64), u64 argument, u64 *resume);
void probe_resume(void);

static const char *const CLASSES[64] = {
  [0x00] = "unknown", [0x01] = "wfx", [0x07] = "fp", [0x0e] = "illegal state", [0x15] = "svc", [0x16] = "hvc",
  [0x17] = "smc", [0x18] = "system register", [0x20] = "instruction abort, lower EL", [0x21] = "instruction abort",
  [0x22] = "pc alignment", [0x24] = "data abort, lower EL", [0x25] = "data abort", [0x26] = "sp alignment",
  [0x2f] = "serror", [0x30] = "breakpoint, lower EL", [0x31] = "breakpoint", [0x32] = "step, lower EL", [0x33] = "step",
  [0x34] = "watchpoint, lower EL", [0x35] = "watchpoint", [0x3c] = "brk",
};

void describe(struct frame *f, u32 kind) {
  const char *class = CLASSES[f->esr >> 26 & 63];
  print("exception %u: esr %08lx (%s) far %016lx elr %016lx spsr %08lx\n", kind, f->esr, class ? class : "?", f->far, f->elr, f->spsr);
}

__attribute__((weak)) void on_exception(struct frame *f, u32 kind) {
  if (probe.taken == 1) {
    probe = (struct probe){ f->esr, f->far, f->elr, f->spsr, 2 };
    f->x[0] = resume_at[0];
    f->x[1] = resume_at[1];
    f->elr = (u64)probe_resume;
    f->spsr = 0x3c5;
    return;
  }
  describe(f, kind);
  for (u32 i = 0; i < 31; i++) print("x%-2u %016lx%s", i, f->x[i], i % 4 == 3 || i == 30 ? "\n" : "  ");
  power_off();
}

u64 probing(u64 (*f)(u64), u64 argument) {
  probe = (struct probe){ .taken = 1 };
  probe_value = probe_call(f, argument, resume_at);
  probe.taken = probe.taken == 2 ? 2 : 0;
  return probe.taken ? probe.esr : 0;
}

static u64 read1(u64 a) { return *(volatile u8 *)a; }
static u64 read2(u64 a) { return *(volatile u16 *)a; }
static u64 read4(u64 a) { return *(volatile u32 *)a; }
static u64 read8(u64 a) { return *(volatile u64 *)a; }
static u64 to_write;
static u64 write1(u64 a) { *(volatile u8 *)a = (u8)to_write; return 0; }
static u64 write2(u64 a) { *(volatile u16 *)a = (u16)to_write; return 0; }
static u64 write4(u64 a) { *(volatile u32 *)a = (u32)to_write; return 0; }
static u64 write8(u64 a) { *(volatile u64 *)a = to_write; return 0; }
static u64 execute(u64 a) { return ((u64 (*)(u64))a)(a); }

u64 probe_read(u64 address, int size) {
  return probing(size == 1 ? read1 : size == 2 ? read2 : size == 4 ? read4 : read8, address);
}

u64 probe_write(u64 address, int size, u64 value) {
  to_write = value;
  return probing(size == 1 ? write1 : size == 2 ? write2 : size == 4 ? write4 : write8, address);
}

u64 probe_execute(u64 address) { return probing(execute, address); }

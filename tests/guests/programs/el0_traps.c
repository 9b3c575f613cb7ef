/* What EL0 may do under each enabling bit of SCTLR_EL1, CNTKCTL_EL1, PMUSERENR_EL0 and CPACR_EL1. */
#include "guest.h"

u64 enter_user(u64 pc, u64 argument, u64 *save);
void leave_user(void);
__asm__(".text\nenter_user:\n stp x29, x30, [sp, #-96]!\n stp x19, x20, [sp, #16]\n stp x21, x22, [sp, #32]\n stp x23, x24, [sp, #48]\n stp x25, x26, [sp, #64]\n stp x27, x28, [sp, #80]\n"
        " mov x3, sp\n str x3, [x2]\n msr elr_el1, x0\n mov x4, #0\n msr spsr_el1, x4\n mov x0, x1\n eret\n"
        ".global leave_user\nleave_user:\n mov sp, x1\n ldp x19, x20, [sp, #16]\n ldp x21, x22, [sp, #32]\n ldp x23, x24, [sp, #48]\n ldp x25, x26, [sp, #64]\n ldp x27, x28, [sp, #80]\n ldp x29, x30, [sp], #96\n ret\n");

static u64 kernel_sp, last;

void on_exception(struct frame *f, u32 kind) {
  if (kind < 8) { describe(f, kind); power_off(); }
  last = f->esr;
  f->x[0] = f->esr;
  f->x[1] = kernel_sp;
  f->elr = (u64)leave_user;
  f->spsr = 0x3c5;
}

#define CODE(name, text) extern char u_##name[]; __asm__(".section .user.text, \"ax\"\n.arch_extension fp\n.arch_extension simd\nu_" #name ": " text "\n svc #0x99\n.text\n");
#define LIST(_) \
  _(daif_read, "mrs x1, daif") _(daif_write, "msr daif, x0") _(daif_set, "msr daifset, #15") _(daif_clear, "msr daifclr, #2") _(spsel, "msr spsel, #1") \
  _(ctr, "mrs x1, ctr_el0") _(dczid, "mrs x1, dczid_el0") _(zva, "dc zva, x0") _(cvac, "dc cvac, x0") _(civac, "dc civac, x0") _(ivau, "ic ivau, x0") _(ivac, "dc ivac, x0") _(iallu, "ic iallu") _(isw, "dc isw, xzr") \
  _(wfe, "sevl\n wfe") _(yield, "yield\n nop\n sev") _(cntvct, "mrs x1, cntvct_el0") _(cntpct, "mrs x1, cntpct_el0") _(cntfrq, "mrs x1, cntfrq_el0") _(cntv_ctl, "mrs x1, cntv_ctl_el0") _(cntp_ctl, "msr cntp_ctl_el0, xzr") \
  _(cntv_tval, "mrs x7, cntv_tval_el0") _(cntp_cval, "msr cntp_cval_el0, x0") _(pmccntr, "mrs x1, pmccntr_el0") _(pmcr, "mrs x1, pmcr_el0") _(pmswinc, "msr pmswinc_el0, x0") _(pmxevcntr, "mrs x1, pmxevcntr_el0") _(pmuserenr, "msr pmuserenr_el0, xzr") \
  _(pmselr, "msr pmselr_el0, xzr") _(pmevcntr, "mrs x1, pmevcntr0_el0") _(fp_load, "ldr d0, [x0]") _(fp_store, "stp q0, q1, [x0]") _(fp_move, "fmov x1, d0") _(fp_add, "add v0.4s, v1.4s, v2.4s") _(fpcr, "mrs x1, fpcr") _(fpsr, "msr fpsr, xzr") \
  _(tpidr, "msr tpidr_el0, x0") _(tpidrro, "mrs x1, tpidrro_el0") _(tpidrro_write, "msr tpidrro_el0, x0") _(sctlr, "mrs x1, sctlr_el1") _(midr, "mrs x1, midr_el1") _(id, "mrs x1, id_aa64isar0_el1") _(currentel, "mrs x1, currentel") _(nzcv, "msr nzcv, x0\n mrs x1, nzcv") \
  _(eret, "eret") _(hvc, "hvc #0") _(smc, "smc #0") _(brk, "brk #7") _(hlt, "hlt #0xf000") _(udf, "udf #0") _(dcps1, "dcps1") _(at, "at s1e0r, x0") _(tlbi, "tlbi vmalle1") _(isb, "isb\n dsb sy\n dmb ish\n clrex") \
  _(undefined_sys, "sys #3, c15, c15, #7, x0") _(undefined_mrs, "mrs x1, S3_3_C15_C1_1") _(far, "msr far_el1, x0") _(elr, "mrs x1, elr_el1") _(sp_el0, "mrs x1, sp_el0") _(vbar, "mrs x1, vbar_el1") _(mdscr, "mrs x1, mdscr_el1") _(mdccsr, "mrs x1, mdccsr_el0") _(oslar, "msr oslar_el1, x0") \
  _(jump_odd, "add x0, x0, #2\n br x0") _(jump_null, "br xzr") _(read_null, "mov x7, #0\n ldr x1, [x7]") _(kernel, "adr x0, .\n and x0, x0, #0xffffffffffe00000\n mov x0, #0x40000000\n ldr x1, [x0]")
LIST(CODE)
#define ENTRY(name, text) { #name, u_##name },
static const struct { const char *name; char *code; } ROWS[] = { LIST(ENTRY) };
extern char user_start[], user_end[];
static u8 page[8192] __attribute__((aligned(4096)));

static void table(const char *title) {
  print("%s\n", title);
  for (u32 i = 0; i < COUNT(ROWS); i++) {
    last = 0;
    enter_user((u64)ROWS[i].code, (u64)page, &kernel_sp);
    print("%s %lx%s", ROWS[i].name, last, i % 6 == 5 ? "\n" : "; ");
  }
  print("\n");
}

int main(u64 device_tree) {
  identity_map(MMU_PAGE, MMU_BITS);
  u64 size = 1UL << MMU_PAGE, block = 1UL << block_log2(&identity, 2);
  u64 starts[] = { (u64)user_start, (u64)page }, ends[] = { (u64)user_end, (u64)page + sizeof page };
  for (u32 k = 0; k < 2; k++)
    for (u64 va = starts[k]; va < ends[k]; va += size) {
      u64 base = va & -block, *entry = space_entry(&identity, va, 2, 1);
      if ((*entry & 3) == 1) { u64 *table = page_alloc(MMU_PAGE); for (u64 i = 0; i < block / size; i++) table[i] = (base + i * size) | P_KERNEL | 3; *entry = (u64)table | 3; }
      map_at(&identity, va, va, 3, P_NORMAL | P_SHARED | P_AF | P_USER | P_PXN | (k ? P_UXN : P_RO));
    }
  identity_on();
  u64 sctlr = READ(sctlr_el1);
  table("reset");
  u64 bits[] = { 9, 14, 15, 16, 18, 26 };
  for (u32 i = 0; i < COUNT(bits); i++) { WRITE(sctlr_el1, sctlr ^ 1UL << bits[i]); ISB(); print("sctlr bit %lu: ", bits[i]); table(""); }
  WRITE(sctlr_el1, sctlr);
  for (u64 i = 0; i < 4; i++) { WRITE(cntkctl_el1, 1UL << (i < 2 ? i : i + 6)); ISB(); print("cntkctl %lu: ", i); table(""); }
  WRITE(cntkctl_el1, 0);
  for (u64 i = 0; i < 4; i++) { WRITE(pmuserenr_el0, 1UL << i); ISB(); print("pmuserenr %lu: ", i); table(""); }
  WRITE(pmuserenr_el0, 0);
  for (u64 i = 0; i < 4; i++) { WRITE(cpacr_el1, i << 20); ISB(); print("cpacr %lu: ", i); table(""); }
  return 0;
}

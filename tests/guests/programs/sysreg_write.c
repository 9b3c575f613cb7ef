/* What sticks of all ones, zeros and patterns written to registers that may be written freely. */
#include "guest.h"

static const u64 PATTERNS[] = { ~0UL, 0, 0x5555555555555555UL, 0xaaaaaaaaaaaaaaaaUL, 0x0123456789abcdefUL };

#define TRY(reg) { \
    u64 old = READ(reg); \
    print("%-16s", #reg); \
    for (u32 i = 0; i < COUNT(PATTERNS); i++) { WRITE(reg, PATTERNS[i]); ISB(); print(" %lx", READ(reg)); } \
    WRITE(reg, old); \
    print("\n"); \
  }

int main(u64 device_tree) {
  TRY(contextidr_el1) TRY(tpidr_el1) TRY(tpidr_el0) TRY(tpidrro_el0) TRY(mair_el1) TRY(amair_el1) TRY(ttbr0_el1) TRY(ttbr1_el1)
  TRY(tcr_el1) TRY(esr_el1) TRY(far_el1) TRY(elr_el1) TRY(spsr_el1) TRY(sp_el0) TRY(vbar_el1) TRY(par_el1) TRY(afsr0_el1) TRY(afsr1_el1)
  TRY(cpacr_el1) TRY(actlr_el1) TRY(csselr_el1) TRY(cntkctl_el1) TRY(cntfrq_el0) TRY(cntp_cval_el0) TRY(cntv_cval_el0)
  TRY(pmselr_el0) TRY(pmuserenr_el0) TRY(pmcntenset_el0) TRY(pmcntenclr_el0) TRY(pmintenset_el1) TRY(pmintenclr_el1) TRY(pmovsset_el0) TRY(pmovsclr_el0)
  TRY(pmccfiltr_el0) TRY(pmevtyper0_el0) TRY(pmevtyper5_el0)
  TRY(dbgbvr0_el1) TRY(dbgbcr0_el1) TRY(dbgbvr5_el1) TRY(dbgbcr5_el1) TRY(dbgwvr0_el1) TRY(dbgwcr0_el1) TRY(osdlr_el1)
  WRITE(cpacr_el1, 3 << 20);
  ISB();
  TRY(fpcr) TRY(fpsr) TRY(nzcv)
  u64 sctlr = READ(sctlr_el1);
  u64 keep = 0x1 | 0x2 | 0x2000000 | 0x1000000 | 0x80000; /* M, A, EE, E0E, WXN stay */
  for (int bit = 0; bit < 64; bit++) {
    if (keep >> bit & 1) continue;
    WRITE(sctlr_el1, sctlr ^ 1UL << bit);
    ISB();
    print("sctlr ^ %d: %lx\n", bit, READ(sctlr_el1));
    WRITE(sctlr_el1, sctlr);
    ISB();
  }
  return 0;
}

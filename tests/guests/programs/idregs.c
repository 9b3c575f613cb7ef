/* Prints identification registers and the reset values of control registers by name. */
#include "guest.h"

#define SHOW(reg) print("%-18s %016lx\n", #reg, READ(reg));

int main(u64 device_tree) {
  SHOW(midr_el1) SHOW(mpidr_el1) SHOW(revidr_el1) SHOW(aidr_el1)
  SHOW(id_pfr0_el1) SHOW(id_pfr1_el1) SHOW(id_dfr0_el1) SHOW(id_afr0_el1)
  SHOW(id_mmfr0_el1) SHOW(id_mmfr1_el1) SHOW(id_mmfr2_el1) SHOW(id_mmfr3_el1) SHOW(id_mmfr4_el1)
  SHOW(id_isar0_el1) SHOW(id_isar1_el1) SHOW(id_isar2_el1) SHOW(id_isar3_el1) SHOW(id_isar4_el1) SHOW(id_isar5_el1)
  SHOW(mvfr0_el1) SHOW(mvfr1_el1) SHOW(mvfr2_el1)
  SHOW(id_aa64pfr0_el1) SHOW(id_aa64pfr1_el1) SHOW(id_aa64dfr0_el1) SHOW(id_aa64dfr1_el1)
  SHOW(id_aa64afr0_el1) SHOW(id_aa64afr1_el1) SHOW(id_aa64isar0_el1) SHOW(id_aa64isar1_el1)
  SHOW(id_aa64mmfr0_el1) SHOW(id_aa64mmfr1_el1) SHOW(S3_0_C0_C7_2)
  SHOW(ctr_el0) SHOW(dczid_el0) SHOW(clidr_el1) SHOW(csselr_el1)
  for (u64 level = 0; level < 8; level++) {
    WRITE(csselr_el1, level);
    ISB();
    print("ccsidr_el1 %lu       %016lx\n", level, READ(ccsidr_el1));
  }
  WRITE(csselr_el1, 0);
  SHOW(sctlr_el1) SHOW(actlr_el1) SHOW(cpacr_el1) SHOW(tcr_el1) SHOW(ttbr0_el1) SHOW(ttbr1_el1) SHOW(mair_el1) SHOW(amair_el1)
  SHOW(contextidr_el1) SHOW(tpidr_el1) SHOW(tpidr_el0) SHOW(tpidrro_el0) SHOW(esr_el1) SHOW(far_el1) SHOW(par_el1)
  SHOW(afsr0_el1) SHOW(afsr1_el1) SHOW(spsr_el1) SHOW(elr_el1) SHOW(sp_el0) SHOW(isr_el1)
  SHOW(currentel) SHOW(spsel) SHOW(daif) SHOW(nzcv)
  WRITE(cpacr_el1, 3 << 20);
  ISB();
  SHOW(fpcr) SHOW(fpsr)
  SHOW(cntfrq_el0) SHOW(cntkctl_el1) SHOW(cntp_ctl_el0) SHOW(cntv_ctl_el0) SHOW(cntp_cval_el0) SHOW(cntv_cval_el0)
  SHOW(pmcr_el0) SHOW(pmceid0_el0) SHOW(pmceid1_el0) SHOW(pmuserenr_el0) SHOW(pmcntenset_el0) SHOW(pmintenset_el1)
  SHOW(mdscr_el1) SHOW(oslsr_el1) SHOW(osdlr_el1) SHOW(mdrar_el1) SHOW(rvbar_el1)
  return 0;
}

/*
 * Runs floating-point instructions for fp_reference.ts, which generates the table: each entry is
 * one instruction and a return, with operands in v0..v2 and x0 and results in v3, x1 and the flags.
 *
 * Input: cases as they stand in memory. Output: results likewise.
 */
#include <stdint.h>
#include <stdio.h>

struct one_case {
    uint32_t entry;
    uint32_t fpcr;
    uint64_t operands[3];
};

struct outcome {
    uint64_t vector;
    uint64_t general;
    uint32_t fpsr;
    uint32_t nzcv;
};

extern void (*const instruction_table[])(void);

static void run(const struct one_case *c, struct outcome *o)
{
    uint64_t fpsr, nzcv;
    register void (*entry)(void) __asm__("x9") = instruction_table[c->entry];
    __asm__ volatile(
        "ldp d0, d1, [%[in]]\n"
        "ldr d2, [%[in], #16]\n"
        "ldr x0, [%[in]]\n"
        "mov x1, #0\n"
        "movi v3.2d, #0\n"
        "msr fpsr, xzr\n"
        "msr fpcr, %[fpcr]\n"
        "blr x9\n"
        "mrs %[fpsr], fpsr\n"
        "mrs %[nzcv], nzcv\n"
        "msr fpcr, xzr\n"
        "str d3, [%[out]]\n"
        "str x1, [%[out], #8]\n"
        : [fpsr] "=&r"(fpsr), [nzcv] "=&r"(nzcv)
        : [in] "r"(c->operands), [out] "r"(o), [fpcr] "r"((uint64_t)c->fpcr), "r"(entry)
        : "x0", "x1", "x30", "v0", "v1", "v2", "v3", "cc", "memory");
    o->fpsr = fpsr;
    o->nzcv = nzcv;
}

int main(void)
{
    struct one_case c;
    struct outcome o;
    while (fread(&c, sizeof c, 1, stdin) == 1) {
        run(&c, &o);
        if (fwrite(&o, sizeof o, 1, stdout) != 1) return 1;
    }
    return 0;
}
